//! Finds identities in a head. In: a head; a header, and how a token stands in it. Out: views of the tokens.
//!
//! Read as generously as servers read: blanks around a cookie's equals sign, a tab behind a scheme.
use bytes::Bytes;
use enforcer_common::Take;

use super::head::Head;
use super::survey::is_blank;

/// The tokens in all headers of this name. `pattern` is what `take` needs, as in the kernel's watchlist.
pub fn tokens(head: &Head, header: &str, take: Take, pattern: &str) -> Vec<Bytes> {
    let mut found = Vec::new();
    for value in head.values(header) {
        match take {
            Take::Whole => found.push(value.clone()),
            Take::After => after(value, pattern.as_bytes(), &mut found),
            Take::Cookie => cookies(value, pattern.trim_end_matches('=').as_bytes(), &mut found),
            Take::Scheme => found.extend(behind_scheme(value, pattern.trim_end().as_bytes())),
            // Not tokens.
            Take::ForwardedFor | Take::Forwarded | Take::Address | Take::Length | Take::Coding | Take::Host => {}
        }
    }
    found.retain(|token| !token.is_empty());
    found
}

/// What follows the pattern, wherever it stands, up to what ends a word.
fn after(value: &Bytes, pattern: &[u8], found: &mut Vec<Bytes>) {
    if pattern.is_empty() {
        return;
    }
    let places = value.windows(pattern.len()).enumerate().filter(|(_, window)| *window == pattern);
    let ends = |byte: &u8| b" \t;,()\"".contains(byte);
    found.extend(places.map(|(at, _)| {
        let rest = value.slice(at + pattern.len()..);
        rest.slice(..rest.iter().position(ends).unwrap_or(rest.len()))
    }));
}

/// The values of the cookies of this name, without quotes.
fn cookies(value: &Bytes, name: &[u8], found: &mut Vec<Bytes>) {
    for pair in value.split(|byte| *byte == b';') {
        let Some(equals) = pair.iter().position(|byte| *byte == b'=') else { continue };
        let (before, behind) = pair.split_at(equals);
        if before.trim_ascii() == name {
            let text = behind.get(1..).unwrap_or_default().trim_ascii();
            // A session's name has no blanks: what stands behind one is something else.
            let text = text.split(|byte| is_blank(*byte)).next().unwrap_or_default();
            let plain = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text);
            found.push(value.slice_ref(plain));
        }
    }
}

/// What follows the scheme, in any case, and blanks.
fn behind_scheme(value: &Bytes, scheme: &[u8]) -> Option<Bytes> {
    let (begin, rest) = value.split_at_checked(scheme.len())?;
    let fits = begin.eq_ignore_ascii_case(scheme) && rest.first().copied().is_some_and(is_blank);
    fits.then(|| value.slice_ref(rest.trim_ascii()))
}
