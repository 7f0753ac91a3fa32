//! Walks over the beginning of a JSON text. In: the bytes that were recorded, cut off anywhere. Out: each value's path and type,
//! as far as it goes. Never here: the values. A strict reader would find nothing in what is cut off.
//!
//! Paths: `owner.iban`, `items[].id`; a key that is no name (a number, an id, an address) is `{}`, so that nothing personal is
//! kept as the name of a field.
use super::fields::label;
use super::types::Types;

/// Objects and arrays in each other that are followed.
const DEPTH: usize = 16;
/// Values of one text that are looked at.
const VALUES: usize = 4096;

/// Tells `see` the path and type of each value; true when the text was whole.
pub(super) fn walk(bytes: &[u8], mut see: impl FnMut(&str, Types)) -> bool {
    let mut walk = Walk { rest: bytes, path: String::new(), left: VALUES, see: &mut see };
    walk.value(0).is_some()
}

struct Walk<'b, F> {
    rest: &'b [u8],
    path: String,
    left: usize,
    see: F,
}

impl<'b, F: FnMut(&str, Types)> Walk<'b, F> {
    fn value(&mut self, depth: usize) -> Option<()> {
        self.left = self.left.checked_sub(1).filter(|_| depth < DEPTH)?;
        let types = match self.peek()? {
            b'{' => return self.object(depth),
            b'[' => return self.array(depth),
            b'"' => Types::of_string(&String::from_utf8_lossy(self.string()?)),
            b't' => self.word("true", Types::BOOLEAN)?,
            b'f' => self.word("false", Types::BOOLEAN)?,
            b'n' => self.word("null", Types::NULL)?,
            _ => self.number()?,
        };
        (self.see)(&self.path, types);
        Some(())
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        (self.see)(&self.path, Types::OBJECT);
        self.skip();
        if self.eat(b'}') {
            return Some(());
        }
        loop {
            let above = self.path.len();
            self.enter()?;
            self.value(depth + 1)?;
            self.path.truncate(above);
            if !self.eat(b',') {
                return self.eat(b'}').then_some(());
            }
        }
    }

    /// Reads a key and goes below it.
    fn enter(&mut self) -> Option<()> {
        let key = (self.peek()? == b'"').then(|| self.string())??;
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(label(key));
        self.eat(b':').then_some(())
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        (self.see)(&self.path, Types::ARRAY);
        self.skip();
        if self.eat(b']') {
            return Some(());
        }
        let above = self.path.len();
        self.path.push_str("[]");
        loop {
            self.value(depth + 1)?;
            if !self.eat(b',') {
                self.path.truncate(above);
                return self.eat(b']').then_some(());
            }
        }
    }

    /// What stands between quotes, escapes as they are.
    fn string(&mut self) -> Option<&'b [u8]> {
        let inside = self.rest.get(1..)?;
        let mut escaped = false;
        let end = inside.iter().position(|byte| {
            let ends = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        })?;
        self.rest = inside.get(end + 1..)?;
        inside.get(..end)
    }

    fn word(&mut self, word: &str, types: Types) -> Option<Types> {
        self.rest = self.rest.strip_prefix(word.as_bytes())?;
        Some(types)
    }

    /// A number that ends with the bytes may go on: it is not told.
    fn number(&mut self) -> Option<Types> {
        let part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
        let end = self.rest.iter().position(|byte| !part(byte)).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        self.rest = rest;
        let whole = number.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
        let known = number.iter().any(u8::is_ascii_digit) && (!rest.is_empty() || self.path.is_empty());
        known.then_some(if whole { Types::INTEGER } else { Types::NUMBER })
    }

    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_ascii_start();
        self.rest.first().copied()
    }

    fn skip(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.skip();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(text: &str) -> (Vec<(String, Types)>, bool) {
        let mut seen = Vec::new();
        let whole = walk(text.as_bytes(), |path, types| seen.push((path.to_owned(), types)));
        (seen, whole)
    }

    fn paths(text: &str) -> Vec<String> {
        seen(text).0.into_iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn values_are_found_with_their_paths() {
        let text =
            r#" {"id": 7, "owner": {"iban": "DE1", "born": "1990-02-03"}, "tags": ["a", null], "rate": -1.5e3} "#;
        let wanted = ["", "id", "owner", "owner.iban", "owner.born", "tags", "tags[]", "tags[]", "rate"];
        let (seen, whole) = seen(text);
        assert_eq!(seen.iter().map(|(path, _)| path).collect::<Vec<_>>(), wanted);
        assert_eq!(
            seen.iter().map(|(_, types)| *types).skip(3).take(2).collect::<Vec<_>>(),
            [Types::TEXT, Types::DATE]
        );
        assert_eq!((seen[8].1, whole), (Types::NUMBER, true));
    }

    #[test]
    fn what_is_cut_off_is_read_as_far_as_it_goes() {
        assert_eq!(paths(r#"[{"id":1,"name":"An"#), ["", "[]", "[].id"]);
        assert!(!seen(r#"{"a":1"#).1 && !seen("").1 && seen("12").1);
        assert_eq!(seen(r#"{"amount":12"#).0.len(), 1, "more digits may follow");
    }

    #[test]
    fn keys_that_are_no_names_are_not_kept() {
        assert_eq!(
            paths(r#"{"4711":{"x":1},"a@b.example":2,"a\"b":3,"이름":4}"#),
            ["", "{}", "{}.x", "{}", "{}", "이름"]
        );
    }

    #[test]
    fn depth_and_number_are_bounded() {
        assert!(!seen(&"[".repeat(100_000)).1);
        assert_eq!(paths(&"[".repeat(100_000)).len(), DEPTH);
        assert_eq!(paths(&format!("[{}1]", "1,".repeat(9999))).len(), VALUES);
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            walk(&bytes, |_, _| {});
        }

        #[test]
        fn every_prefix_tells_the_beginning_of_the_whole(cut in 0_usize..120) {
            let text = r#"{"id":7,"owner":{"iban":"DE1","born":"1990-02-03"},"tags":["a",null,{"b":[]}],"rate":-1.5e3,"x":{}}"#;
            let (whole, part) = (seen(text).0, seen(&text[..cut.min(text.len())]).0);
            prop_assert_eq!(&whole[..part.len()], &part[..]);
        }
    }
}
