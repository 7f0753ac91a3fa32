//! Every reading of a value. In: bytes, and how its place encodes them. Out: what a server reads, and what servers read that
//! decode once more, take overlong UTF-8, fold wide letters, or unpack escapes and Base64. Never here: where values stand.
use bytes::Bytes;

/// How a place encodes its values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coding {
    /// Percent signs, and a plus for a blank.
    Form,
    /// Percent signs.
    Percent,
    /// Not at all, or it was undone before.
    Plain,
}

/// Readings of a value, at most.
pub const MOST_READINGS: usize = 6;

/// All readings of `raw`, each once, the standard one first.
pub fn readings(raw: &Bytes, coding: Coding) -> Vec<Bytes> {
    let first = match coding {
        Coding::Form => percent(raw, true),
        Coding::Percent => percent(raw, false),
        Coding::Plain => raw.clone(),
    };
    let signs = Signs::of(&first);
    let mut all = vec![first.clone()];
    if signs.percent {
        again(&first, &mut all);
    }
    if signs.high || (signs.percent && all.iter().any(|reading| !reading.is_ascii())) {
        let wide: Vec<Bytes> = all.iter().filter_map(|reading| folded(reading)).collect();
        for reading in wide {
            add(&mut all, reading);
        }
    }
    if all.iter().any(|reading| reading.contains(&b'\\')) {
        let plain: Vec<Bytes> = all.iter().map(unescaped).collect();
        for reading in plain {
            add(&mut all, reading);
        }
    }
    if signs.packed
        && let Some(reading) = unpacked(&first)
    {
        add(&mut all, reading);
    }
    all
}

/// What in a text could be read differently.
#[derive(Default)]
struct Signs {
    percent: bool,
    high: bool,
    packed: bool,
}

impl Signs {
    fn of(text: &[u8]) -> Self {
        let mut signs = Self { packed: text.len() >= LEAST_PACKED, ..Self::default() };
        for byte in text {
            signs.percent |= *byte == b'%';
            signs.high |= *byte >= 0x80;
            signs.packed &= byte.is_ascii_alphanumeric() || b"+/=-_".contains(byte);
        }
        signs
    }
}

fn add(all: &mut Vec<Bytes>, reading: Bytes) {
    if all.len() < MOST_READINGS && !all.contains(&reading) {
        all.push(reading);
    }
}

/// Decodes twice more, as gateways before servers do.
fn again(first: &Bytes, all: &mut Vec<Bytes>) {
    let twice = percent(first, false);
    let thrice = percent(&twice, false);
    add(all, twice);
    add(all, thrice);
}

/// Percent signs become what they stand for, once: two digits a byte, `u` and four digits a character. Others stay.
fn percent(text: &Bytes, plus: bool) -> Bytes {
    if !text.iter().any(|byte| *byte == b'%' || (plus && *byte == b'+')) {
        return text.clone();
    }
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), &text[..]);
    while let Some((first, behind)) = rest.split_first() {
        let length = match first {
            b'%' => 1 + escape(behind, &mut out),
            b'+' if plus => 0,
            _ => 1,
        };
        match length {
            0 => out.push(b' '),
            1 => out.push(*first),
            _ => {}
        }
        rest = rest.get(length.max(1)..).unwrap_or_default();
    }
    out.into()
}

/// Pushes what stands behind a percent sign; how many bytes it took, 0 when it is none.
fn escape(behind: &[u8], out: &mut Vec<u8>) -> usize {
    if let Some(byte) = hex(behind, 2) {
        out.push(u8::try_from(byte).unwrap_or_default());
        return 2;
    }
    let wide = behind.strip_prefix(b"u").or_else(|| behind.strip_prefix(b"U")).and_then(|digits| hex(digits, 4));
    wide.map_or(0, |code| {
        push(code, out);
        5
    })
}

fn hex(text: &[u8], digits: usize) -> Option<u32> {
    let text = text.get(..digits)?;
    text.iter().try_fold(0, |sum, byte| Some(sum << 4 | char::from(*byte).to_digit(16)?))
}

/// Pushes a character; what is none, becomes the sign for that.
pub(super) fn push(code: u32, out: &mut Vec<u8>) {
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// With overlong UTF-8 and wide letters as the plain ones they stand for; `None` where there are none.
fn folded(text: &[u8]) -> Option<Bytes> {
    let (mut out, mut rest, mut changed) = (Vec::with_capacity(text.len()), text, false);
    while let Some((first, behind)) = rest.split_first() {
        let plain = if *first < 0x80 { None } else { plain(rest) };
        let (byte, length) = plain.unwrap_or((*first, 1));
        out.push(byte);
        changed |= plain.is_some();
        rest = behind.get(length - 1..).unwrap_or_default();
    }
    changed.then(|| out.into())
}

/// The plain byte that a sequence stands for, and the length of the sequence.
fn plain(text: &[u8]) -> Option<(u8, usize)> {
    let first = *text.first()?;
    let length = match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        0xf8..=0xfb => 5,
        0xfc..=0xfd => 6,
        _ => return None,
    };
    let tail = text.get(1..length)?;
    let lead = u32::from(first) & (0x7f >> length);
    // What follows C0 and C1 is taken whatever its high bits are, as careless decoders do.
    if length > 2 && tail.iter().any(|byte| byte & 0xc0 != 0x80) {
        return None;
    }
    let code = tail.iter().fold(lead, |sum, byte| sum << 6 | u32::from(byte & 0x3f));
    let byte = if code < 0x80 { u8::try_from(code).ok() } else { narrow(code) };
    byte.map(|byte| (byte, length))
}

/// The plain letter that servers fold a wide or similar one to.
fn narrow(code: u32) -> Option<u8> {
    match code {
        0xff01..=0xff5e => u8::try_from(code - 0xff01 + 0x21).ok(),
        0x2b9 | 0x2bc => Some(b'\''),
        0x2ba => Some(b'"'),
        0x2039 | 0x3008 | 0xfe64 => Some(b'<'),
        0x203a | 0x3009 | 0xfe65 => Some(b'>'),
        0x2044 | 0x2215 => Some(b'/'),
        0x2216 | 0xfe68 => Some(b'\\'),
        0x560a => Some(b'\n'),
        0x560d => Some(b'\r'),
        _ => None,
    }
}

/// With the escapes of programs undone: `\x3c`, `\u003c`, `\u{3c}`.
fn unescaped(text: &Bytes) -> Bytes {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), &text[..]);
    while let Some((first, behind)) = rest.split_first() {
        let code = if *first == b'\\' { program_escape(behind) } else { None };
        match code {
            Some((code, _)) => push(code, &mut out),
            None => out.push(*first),
        }
        rest = behind.get(code.map_or(0, |(_, length)| length)..).unwrap_or_default();
    }
    out.into()
}

fn program_escape(behind: &[u8]) -> Option<(u32, usize)> {
    match behind.first()? {
        b'x' | b'X' => hex(behind.get(1..)?, 2).map(|code| (code, 3)),
        b'u' | b'U' if behind.get(1) == Some(&b'{') => {
            let end = behind.iter().take(9).position(|byte| *byte == b'}')?;
            hex(behind.get(2..)?, end - 2).filter(|_| end > 2).map(|code| (code, end + 1))
        }
        b'u' | b'U' => hex(behind.get(1..)?, 4).map(|code| (code, 5)),
        _ => None,
    }
}

/// Base64 that holds plain text.
fn unpacked(text: &[u8]) -> Option<Bytes> {
    let body = text.trim_ascii_end();
    let body = body.strip_suffix(b"==").or_else(|| body.strip_suffix(b"=")).unwrap_or(body);
    let mut out = Vec::with_capacity(body.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in body {
        bits = (bits << 6 | sextet(*byte)?) & 0xff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).unwrap_or_default());
        }
    }
    let readable = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    (out.len() >= LEAST_TEXT && out.iter().all(readable)).then(|| out.into())
}

fn sextet(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

/// Shorter texts are not taken for Base64: words look like it.
const LEAST_PACKED: usize = 12;
const LEAST_TEXT: usize = 8;
