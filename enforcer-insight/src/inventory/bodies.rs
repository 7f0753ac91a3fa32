//! Names and types in queries and bodies. In: bytes and their content type. Out: what [`Fields`] keeps. Never here: values
//! afterwards; a body that was cut off is read as far as it goes.
use super::fields::{Fields, parameter_label};
use super::json;
use super::types::Types;

/// Parameters of one query or form that are looked at.
const PAIRS: usize = 64;
/// Longest content type that is kept, bytes.
const LONGEST: usize = 64;

/// The type and subtype of a content type, in lower case; nothing for what is none.
pub(super) fn media_type(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?.split(';').next()?.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/+-._".contains(&byte);
    (text.contains('/') && text.len() <= LONGEST && text.bytes().all(plain)).then(|| text.to_ascii_lowercase())
}

/// Reads the parameters of a target.
pub(super) fn read_query(target: &[u8], fields: &mut Fields) {
    let text = target.split(|byte| *byte == b'#').next().unwrap_or_default();
    let Some(at) = text.iter().position(|byte| *byte == b'?') else { return };
    read_pairs(text.get(at + 1..).unwrap_or_default(), fields);
}

/// Reads a body of this content type; `whole` is false when it was cut off.
pub(super) fn read_body(content_type: &[u8], body: &[u8], whole: bool, fields: &mut Fields) {
    let Some(media) = media_type(content_type) else { return };
    fields.looks += 1;
    match &*media {
        "application/x-www-form-urlencoded" => {
            let last = body.iter().rposition(|byte| *byte == b'&').filter(|_| !whole);
            read_pairs(last.and_then(|last| body.get(..last)).unwrap_or(body), fields);
        }
        "multipart/form-data" => read_parts(content_type, body, fields),
        _ if is_json(&media) => drop(json::walk(body, |path, types| fields.note(path, types))),
        _ => {}
    }
}

/// True for JSON and what is built on it.
pub(super) fn is_json(media: &str) -> bool {
    media == "application/json" || media.ends_with("+json") || media == "text/json"
}

fn read_pairs(text: &[u8], fields: &mut Fields) {
    for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).take(PAIRS) {
        let (name, value) = pair.split_at(pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len()));
        let types = Types::of_text(&decoded(value.get(1..).unwrap_or_default()));
        fields.note(parameter_label(&decoded(name)), types);
    }
}

/// What a browser encoded.
fn decoded(text: &[u8]) -> String {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((first, behind)) = rest.split_first() {
        let escape = behind.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = escape.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(byte.unwrap_or(if *first == b'+' { b' ' } else { *first }));
        rest = behind.get(if byte.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The names of the parts, and which are files.
fn read_parts(content_type: &[u8], body: &[u8], fields: &mut Fields) {
    let Some(boundary) = attribute(content_type, b"boundary=").filter(|boundary| !boundary.is_empty()) else { return };
    let mark = [b"--", boundary].concat();
    let mut rest = body;
    for _ in 0..PAIRS {
        let Some(at) = find(rest, &mark) else { return };
        rest = rest.get(at + mark.len()..).unwrap_or_default();
        let Some(end) = find(rest, b"\r\n\r\n") else { return };
        read_part(rest.get(..end).unwrap_or_default(), rest.get(end + 4..).unwrap_or_default(), &mark, fields);
    }
}

fn read_part(head: &[u8], behind: &[u8], mark: &[u8], fields: &mut Fields) {
    let Some(name) = attribute(head, b" name=") else { return };
    let value = find(behind, mark).and_then(|end| behind.get(..end.saturating_sub(2)));
    let types = match value {
        _ if find(head, b"filename").is_some() => Types::FILE,
        Some(value) => Types::of_text(&String::from_utf8_lossy(value)),
        None => Types::TEXT,
    };
    fields.note(parameter_label(&String::from_utf8_lossy(name)), types);
}

/// What stands behind `name`, with or without quotes.
fn attribute<'b>(bytes: &'b [u8], name: &[u8]) -> Option<&'b [u8]> {
    let rest = bytes.get(find(bytes, name)? + name.len()..)?;
    let (rest, ends): (_, fn(u8) -> bool) = match rest.strip_prefix(b"\"") {
        Some(quoted) => (quoted, |byte| byte == b'"'),
        None => (rest, |byte| byte == b';' || byte.is_ascii_whitespace()),
    };
    rest.get(..rest.iter().position(|byte| ends(*byte)).unwrap_or(rest.len()))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(content_type: &str, body: &str, whole: bool) -> Vec<(String, Vec<&'static str>)> {
        let mut fields = Fields::default();
        read_body(content_type.as_bytes(), body.as_bytes(), whole, &mut fields);
        fields.iter().map(|(name, field)| (name.to_owned(), field.types.words())).collect()
    }

    #[test]
    fn parameters_of_queries_have_names_and_types() {
        let mut fields = Fields::default();
        read_query(b"/a?page=2&q=o%27brien+x&on=true&filter[name]=x&4711=1&empty&page=x#frag=1", &mut fields);
        let found: Vec<_> = fields.iter().map(|(name, field)| (name, field.types.words())).collect();
        assert_eq!(
            found,
            [
                ("empty", vec!["string"]),
                ("filter[name]", vec!["string"]),
                ("on", vec!["boolean"]),
                ("page", vec!["integer", "string"]),
                ("q", vec!["string"]),
                ("{}", vec!["integer"]),
            ]
        );
    }

    #[test]
    fn forms_lose_only_what_was_cut_off() {
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        assert_eq!(read(form, "user=anna&pin=1", true).len(), 2);
        assert_eq!(read(form, "user=anna&pin=1", false), [("user".to_owned(), vec!["string"])]);
    }

    #[test]
    fn parts_have_names_and_files() {
        let body = "--x\r\nContent-Disposition: form-data; name=\"amount\"\r\n\r\n12\r\n--x\r\nContent-Disposition: form-data; \
                    name=\"scan\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\u{1}\r\n--x--\r\n";
        let found = read("multipart/form-data; boundary=x", body, true);
        assert_eq!(found, [("amount".to_owned(), vec!["integer"]), ("scan".to_owned(), vec!["file"])]);
    }

    #[test]
    fn only_names_of_media_are_kept() {
        assert_eq!(media_type(b"Application/Problem+JSON; charset=x").as_deref(), Some("application/problem+json"));
        assert_eq!(media_type(b"text"), None);
        assert_eq!(media_type("text/anna@bank".as_bytes()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(kind in 0_usize..4, body in prop::collection::vec(any::<u8>(), 0..200)) {
            let kinds = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=-", "a/b"];
            let mut fields = Fields::default();
            read_body(kinds[kind].as_bytes(), &body, false, &mut fields);
            read_query(&body, &mut fields);
            prop_assert!(fields.names().count() <= PAIRS * 2 + 64);
        }
    }
}
