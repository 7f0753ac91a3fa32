//! How long the body is, as RFC 9112 (6.3) has it. In: a head's version and headers. Out: [`Framing`], and what servers could
//! read differently about it. Where the RFC lets a server choose, nothing is guessed: the framing is refused.
use super::Version;
use super::ambiguity::{Ambiguities, Ambiguity};
use super::head::Header;

/// How the body is framed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// In chunks.
    Chunked,
    /// This many bytes.
    Length(u64),
    /// There is no body.
    None,
    /// Servers differ, and this is why.
    Refused(Ambiguity),
}

/// True for the headers that frame a body.
pub(super) fn frames(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(LENGTH) || name.eq_ignore_ascii_case(CODING)
}

/// Reads the framing; `spaced` says that one of its headers was dropped for the blanks before its colon.
pub(super) fn framing(version: Version, headers: &[Header], spaced: bool, odd: &mut Ambiguities) -> Framing {
    let length = length(values(headers, LENGTH), odd);
    let coded = coding(values(headers, CODING), version, odd);
    if coded && values(headers, LENGTH).next().is_some() {
        odd.note(Ambiguity::BothLengths);
    }
    // Blanks before the colon of any other header leave the body as long as it is.
    let refused = odd.as_slice().iter().find(|one| spaced || **one != Ambiguity::Spaced);
    match (refused, coded, length) {
        (Some(why), _, _) => Framing::Refused(*why),
        (None, true, _) => Framing::Chunked,
        (None, false, Some(length)) => Framing::Length(length),
        (None, false, None) => Framing::None,
    }
}

fn values<'h>(headers: &'h [Header], name: &'static [u8]) -> impl Iterator<Item = &'h [u8]> {
    headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name)).map(|header| &*header.value)
}

/// The same length twice is as good as once.
fn length<'h>(values: impl Iterator<Item = &'h [u8]>, odd: &mut Ambiguities) -> Option<u64> {
    let mut length = None;
    for value in values {
        match (digits(value), length) {
            (None, _) => odd.note(Ambiguity::BadLength),
            (Some(other), Some(one)) if other != one => odd.note(Ambiguity::DifferingLengths),
            (Some(read), _) => length = Some(read),
        }
    }
    length
}

/// Digits and nothing else: no sign, no list.
fn digits(value: &[u8]) -> Option<u64> {
    let plain = value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| plain)?.parse().ok()
}

/// True when there is a transfer coding. Anything but `chunked`, once, is refused: what stands before it, servers skip or not.
fn coding<'h>(values: impl Iterator<Item = &'h [u8]>, version: Version, odd: &mut Ambiguities) -> bool {
    let mut count = 0;
    for value in values {
        count += 1;
        // Version 1.0 has no codings: what servers make of one there differs (RFC 9112, 6.1).
        if count > 1 || version == Version::Http10 || !value.eq_ignore_ascii_case(b"chunked") {
            odd.note(Ambiguity::BadCoding);
        }
    }
    count > 0
}

const LENGTH: &[u8] = b"content-length";
const CODING: &[u8] = b"transfer-encoding";
