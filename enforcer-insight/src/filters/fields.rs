//! Names and values in a body or a query, without a tree. In: the first bytes of JSON or of a form, which may be cut off anywhere.
//! Out: names with their plain values, in their order, at any depth. Never here: what they mean; decoding of escapes, which no name
//! that is looked for needs.

/// One name with its value, as it stands there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Field<'b> {
    /// The name.
    pub(super) name: &'b [u8],
    /// A text without its quotes, a number, a truth; empty for what holds others.
    pub(super) value: &'b [u8],
    /// How deep it stands: 1 is the outermost; 0 in forms and queries.
    pub(super) depth: u16,
}

/// The fields of a body, JSON when it begins like that, else a form.
pub(super) fn fields(body: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let trimmed = body.trim_ascii_start();
    let json = matches!(trimmed.first(), Some(b'{' | b'['));
    let (tree, form) = if json { (trimmed, &trimmed[..0]) } else { (&trimmed[..0], trimmed) };
    Json { rest: tree, depth: 0 }.chain(pairs(form)).take(FIELDS)
}

/// The pairs of a query or of a form.
pub(super) fn pairs(text: &[u8]) -> impl Iterator<Item = Field<'_>> {
    text.split(|byte| *byte == b'&').filter_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = pair.split_at(equals);
        Some(Field { name, value: value.get(1..).unwrap_or_default(), depth: 0 })
    })
}

/// How deep braces and brackets are nested outside of texts.
pub(super) fn nesting(body: &[u8]) -> u16 {
    let (mut json, mut most) = (Json { rest: body, depth: 0 }, 0);
    while let Some(token) = json.token() {
        if token == Token::Mark {
            most = most.max(json.depth);
        }
    }
    most
}

/// Walks over JSON.
struct Json<'b> {
    rest: &'b [u8],
    depth: u16,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token<'b> {
    Colon,
    Mark,
    Plain(&'b [u8]),
    Text(&'b [u8]),
}

impl<'b> Json<'b> {
    fn token(&mut self) -> Option<Token<'b>> {
        let rest = self.rest.trim_ascii_start();
        let (first, behind) = rest.split_first()?;
        self.rest = behind;
        match first {
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b',' => {}
            b':' => return Some(Token::Colon),
            b'"' => return Some(Token::Text(self.text())),
            _ => {
                let end = rest.iter().position(|byte| b",:{}[]\" \t\r\n".contains(byte)).unwrap_or(rest.len());
                let (plain, rest) = rest.split_at(end.max(1));
                self.rest = rest;
                return Some(Token::Plain(plain));
            }
        }
        Some(Token::Mark)
    }

    /// Up to the quote that ends it, or to the end of what was recorded.
    fn text(&mut self) -> &'b [u8] {
        let (text, mut at) = (self.rest, 0);
        while let Some(byte) = text.get(at) {
            match byte {
                b'"' => break,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        let at = at.min(text.len());
        self.rest = text.get(at + 1..).unwrap_or_default();
        text.get(..at).unwrap_or_default()
    }
}

impl<'b> Iterator for Json<'b> {
    type Item = Field<'b>;

    fn next(&mut self) -> Option<Field<'b>> {
        let mut name = None;
        loop {
            match self.token()? {
                Token::Text(text) => name = Some(text),
                Token::Colon => {
                    let Some(name) = name.take() else { continue };
                    let depth = self.depth;
                    let mut ahead = Json { rest: self.rest, depth };
                    let value = match ahead.token() {
                        Some(Token::Text(text) | Token::Plain(text)) => {
                            self.rest = ahead.rest;
                            text
                        }
                        Some(Token::Mark | Token::Colon) | None => &[],
                    };
                    return Some(Field { name, value, depth });
                }
                Token::Mark | Token::Plain(_) => name = None,
            }
        }
    }
}

/// Fields that are looked at; what comes behind is not.
const FIELDS: usize = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(body: &str) -> Vec<(String, String, u16)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        fields(body.as_bytes()).map(|field| (text(field.name), text(field.value), field.depth)).collect()
    }

    #[test]
    fn fields_of_json_at_any_depth() {
        let read = read(r#" {"user": "a\"b", "n":[1,{"deep" : 2.5}], "ok":true,"text":"a:b","cut":"of"#);
        let read: Vec<_> = read.iter().map(|(name, value, depth)| (name.as_str(), value.as_str(), *depth)).collect();
        let wanted = [
            ("user", "a\\\"b", 1),
            ("n", "", 1),
            ("deep", "2.5", 3),
            ("ok", "true", 1),
            ("text", "a:b", 1),
            ("cut", "of", 1),
        ];
        assert_eq!(read, wanted);
    }

    #[test]
    fn pairs_of_a_form() {
        assert_eq!(read("user=ada&password=a%20b&x"), [("user", "ada", 0), ("password", "a%20b", 0)].map(own));
        assert_eq!(read(""), []);
        assert_eq!(nesting(br#"{"a":[[{"b":"]]]"}]]}"#), 4);
    }

    fn own((name, value, depth): (&str, &str, u16)) -> (String, String, u16) {
        (name.to_owned(), value.to_owned(), depth)
    }

    proptest! {
        #[test]
        fn every_prefix_of_anything_is_read_without_harm(body in "[{}\\[\\]\":,\\\\a1 ]{0,60}") {
            for end in 0..=body.len() {
                let count = fields(&body.as_bytes()[..end]).count();
                prop_assert!(count <= end);
            }
        }
    }
}
