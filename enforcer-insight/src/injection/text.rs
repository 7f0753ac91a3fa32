//! One reading, prepared once for all engines. In: a reading, its place and name. Out: [`Text`]: lower case, the signs it
//! bears, and how much of it is prose. Never here: judgement.
use crate::content::Place;

/// What a text bears, one bit each.
pub(super) struct Sign;

impl Sign {
    pub(super) const QUOTE: u32 = 1;
    pub(super) const ANGLE: u32 = 2;
    pub(super) const PAREN: u32 = 4;
    pub(super) const BRACE: u32 = 8;
    pub(super) const DOLLAR: u32 = 16;
    pub(super) const SLASH: u32 = 32;
    pub(super) const BACKSLASH: u32 = 64;
    pub(super) const LINE: u32 = 128;
    /// What parts commands.
    pub(super) const SHELL: u32 = 256;
    pub(super) const BLANK: u32 = 512;
    pub(super) const DOTS: u32 = 1024;
    pub(super) const DASHES: u32 = 2048;
    pub(super) const NUL: u32 = 4096;
    pub(super) const COLON: u32 = 8192;
    /// Its name is no plain word.
    pub(super) const NAME: u32 = 16384;
    /// A parenthesis right behind a name.
    pub(super) const CALL: u32 = 1 << 15;
    pub(super) const EQUALS: u32 = 1 << 16;
    pub(super) const BACKTICK: u32 = 1 << 17;

    const fn of(byte: u8) -> u32 {
        match byte {
            b'\'' | b'"' => Self::QUOTE,
            b'<' | b'>' => Self::ANGLE,
            b'(' | b')' | b'*' => Self::PAREN,
            b'{' | b'}' => Self::BRACE,
            b'$' | b'@' | b'#' => Self::DOLLAR,
            b'/' => Self::SLASH,
            b'\\' => Self::BACKSLASH,
            b'\r' | b'\n' => Self::LINE | Self::BLANK | Self::SHELL,
            b'=' => Self::EQUALS | Self::SHELL,
            b'`' => Self::BACKTICK | Self::SHELL,
            b';' | b'|' | b'&' | b'^' => Self::SHELL,
            b' ' | b'\t' | 0x0b | 0x0c | b'+' => Self::BLANK,
            b':' => Self::COLON,
            0 => Self::NUL | Self::BLANK,
            _ => 0,
        }
    }
}

/// A reading as the engines see it.
pub(super) struct Text<'a> {
    pub(super) place: Place,
    pub(super) name: &'a str,
    pub(super) raw: &'a [u8],
    /// In lower case; each byte where it was.
    pub(super) lower: Vec<u8>,
    pub(super) signs: u32,
}

impl<'a> Text<'a> {
    pub(super) fn of(place: Place, name: &'a str, raw: &'a [u8]) -> Self {
        let mut signs = if is_plain(name) { 0 } else { Sign::NAME };
        let mut before = 0;
        for byte in raw {
            signs |= SIGNS.get(usize::from(*byte)).copied().unwrap_or_default();
            signs |= match (before, *byte) {
                (b'.', b'.') => Sign::DOTS,
                (b'-', b'-') => Sign::DASHES,
                (b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b']' | b')', b'(') => Sign::CALL,
                _ => 0,
            };
            before = *byte;
        }
        let lower = if signs == 0 { Vec::new() } else { raw.to_ascii_lowercase() };
        Self { place, name, raw, lower, signs }
    }

    pub(super) const fn has(&self, sign: u32) -> bool {
        self.signs & sign != 0
    }

    /// How much of what stands before `at` is prose: pairs of plain words with a blank between them.
    pub(super) fn prose_before(&self, at: usize) -> usize {
        prose(self.lower.get(..at).unwrap_or_default())
    }
}

/// Pairs of plain words of two letters or more, with one blank between them and perhaps a comma; of the last 300 bytes.
pub(super) fn prose(text: &[u8]) -> usize {
    let text = text.get(text.len().saturating_sub(300)..).unwrap_or_default();
    let word = |word: &&[u8]| {
        let word = word
            .strip_suffix(b",")
            .or_else(|| word.strip_suffix(b"."))
            .or_else(|| word.strip_suffix(b":"))
            .unwrap_or(word);
        (word.len() >= 2 || matches!(*word, [b'a' | b'i']))
            && word.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80)
    };
    let flags: Vec<bool> = text.split(|byte| *byte == b' ' || *byte == b'\n').map(|piece| word(&piece)).collect();
    flags.windows(2).filter(|pair| pair.iter().all(|flag| *flag)).count()
}

/// True for what names of parameters and fields are made of; an inclusion in XML is told by its name.
pub(super) fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.[]:/@".contains(&byte) || byte >= 0x80;
    (name.bytes().all(plain) && !name.contains(":include.@")) || matches!(name, "!doctype" | "?" | "#")
}

const SIGNS: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = Sign::of(byte);
        if byte == u8::MAX {
            break;
        }
        byte += 1;
    }
    table
};
