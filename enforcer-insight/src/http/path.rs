//! The path of a target, as servers read it. In: a target. Out: its segments after decoding, dot segments, doubled slashes,
//! parameters and backslashes were dealt with, once for each way that servers deal with them. Never here: queries.
use bytes::Bytes;

/// A path as one server reads it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Path {
    /// Decoded once; without copying where there was nothing to decode.
    pub segments: Vec<Bytes>,
}

/// What servers read differently in a path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Oddity {
    /// A backslash, which some take for a slash.
    Backslash,
    /// `.` or `..`.
    Dots,
    /// An empty segment, or a slash at the end.
    Empty,
    /// Something encoded.
    Encoded,
    /// Neither a path nor a URL.
    NoPath,
    /// A semicolon, where some cut the segment.
    Parameter,
    /// A whole URL.
    Whole,
}

/// All readings of a target.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reading {
    /// Each once; none where there is no path.
    pub paths: Vec<Path>,
    /// What makes them differ, each once.
    pub odd: Vec<Oddity>,
    /// The authority of a whole URL.
    pub authority: Option<Bytes>,
}

/// How one server reads, one bit each.
#[derive(Clone, Copy)]
struct Manner(u8);

impl Manner {
    const BACKSLASH_PARTS: u8 = 1;
    const CUTS_PARAMETERS: u8 = 2;
    const DECODED_SLASH_PARTS: u8 = 4;
    const KEEPS_EMPTY: u8 = 8;

    /// The ways that differ for a path with these oddities; plain paths have one.
    fn all(odd: &[Oddity]) -> impl Iterator<Item = Self> {
        let differing = odd.iter().fold(0, |bits, oddity| bits | Self::of(*oddity));
        (0..=differing).filter(move |bits| bits & !differing == 0).map(Self)
    }

    const fn of(oddity: Oddity) -> u8 {
        match oddity {
            Oddity::Backslash => Self::BACKSLASH_PARTS | Self::KEEPS_EMPTY,
            Oddity::Empty => Self::KEEPS_EMPTY,
            Oddity::Encoded => Self::BACKSLASH_PARTS | Self::DECODED_SLASH_PARTS | Self::KEEPS_EMPTY,
            Oddity::Parameter => Self::CUTS_PARAMETERS | Self::KEEPS_EMPTY,
            Oddity::Dots | Oddity::NoPath | Oddity::Whole => 0,
        }
    }

    const fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }
}

/// Every way that servers read the path of `target`.
pub fn read_paths(target: &Bytes) -> Reading {
    let mut reading = Reading::default();
    let Some(path) = split(target, &mut reading) else {
        reading.odd.push(Oddity::NoPath);
        return reading;
    };
    let raw = until(&path, |byte| matches!(byte, b'?' | b'#'));
    note(&raw, &mut reading.odd);
    let mut paths: Vec<Path> = Manner::all(&reading.odd).map(|manner| read(&raw, manner)).collect();
    paths.sort_unstable();
    paths.dedup();
    reading.paths = paths;
    reading
}

/// The path with its query; of a whole URL, what is behind its authority.
fn split(target: &Bytes, reading: &mut Reading) -> Option<Bytes> {
    if target.first() == Some(&b'/') {
        return Some(target.clone());
    }
    let scheme = target.windows(SCHEME_END.len()).position(|three| three == SCHEME_END)?;
    let rest = target.slice(scheme + SCHEME_END.len()..);
    let authority = until(&rest, |byte| matches!(byte, b'/' | b'?' | b'#'));
    reading.odd.push(Oddity::Whole);
    let path = rest.slice(authority.len()..);
    reading.authority = Some(authority);
    Some(path)
}

/// What stands before the first byte that `ends` it.
fn until(bytes: &Bytes, ends: impl Fn(u8) -> bool) -> Bytes {
    bytes.slice(..bytes.iter().position(|byte| ends(*byte)).unwrap_or(bytes.len()))
}

fn note(raw: &[u8], odd: &mut Vec<Oddity>) {
    let signs = [(b'%', Oddity::Encoded), (b';', Oddity::Parameter), (b'\\', Oddity::Backslash)];
    odd.extend(signs.into_iter().filter(|(sign, _)| raw.contains(sign)).map(|(_, oddity)| oddity));
    let mut segments = raw.split(|byte| *byte == b'/').skip(1).peekable();
    let (mut empty, mut dots, root) = (false, false, raw.len() <= 1);
    for segment in segments.by_ref() {
        empty |= segment.is_empty() && !root;
        dots |= matches!(segment, b"." | b"..");
    }
    odd.extend(empty.then_some(Oddity::Empty));
    odd.extend(dots.then_some(Oddity::Dots));
}

fn read(raw: &Bytes, manner: Manner) -> Path {
    let mut path = Path::default();
    let parts = |byte: u8| byte == b'/' || (manner.has(Manner::BACKSLASH_PARTS) && byte == b'\\');
    let mut rest = raw.slice(usize::from(!raw.is_empty())..);
    while !rest.is_empty() {
        let segment = until(&rest, parts);
        rest = rest.slice((segment.len() + 1).min(rest.len())..);
        let kept = if manner.has(Manner::CUTS_PARAMETERS) { until(&segment, |byte| byte == b';') } else { segment };
        let mut decoded = decode(&kept);
        // A slash that was encoded parts segments too, for servers that decode first.
        loop {
            let part = if manner.has(Manner::DECODED_SLASH_PARTS) { until(&decoded, parts) } else { decoded.clone() };
            path.push(&part, manner);
            if part.len() == decoded.len() {
                break;
            }
            decoded = decoded.slice(part.len() + 1..);
        }
    }
    path
}

impl Path {
    /// Takes one segment: a dot goes, two dots take the one before with them.
    fn push(&mut self, segment: &Bytes, manner: Manner) {
        match &segment[..] {
            b"." => {}
            b".." => drop(self.segments.pop()),
            b"" if !manner.has(Manner::KEEPS_EMPTY) => {}
            _ => self.segments.push(segment.clone()),
        }
    }
}

/// Percent signs with two digits behind become their byte, once; others stay.
fn decode(segment: &Bytes) -> Bytes {
    if !segment.contains(&b'%') {
        return segment.clone();
    }
    let (mut out, mut rest) = (Vec::with_capacity(segment.len()), &segment[..]);
    while let Some((first, behind)) = rest.split_first() {
        let byte = behind.first_chunk().and_then(|digits: &[u8; 2]| escaped(*digits));
        let (byte, length) = byte.filter(|_| *first == b'%').map_or((*first, 1), |byte| (byte, 3));
        out.push(byte);
        rest = rest.get(length..).unwrap_or_default();
    }
    out.into()
}

fn escaped([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

const SCHEME_END: &[u8] = b"://";
