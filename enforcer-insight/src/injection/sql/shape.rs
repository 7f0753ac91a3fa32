//! A value as a short text of token kinds. In: a value in lower case, and the quote it would stand between. Out: [`Shape`].
//! Never here: which shapes are attacks.
//!
//! One letter per token: `s` a string, `$` one that the server's own quote ends, `n` a number or constant, `v` and `V` variables, `w` a name,
//! `g` `t` `x` functions (the parenthesis follows), `c` a comparison, `o` arithmetic, `&` logic, `#` a comment up to the end, `p` prose
//! behind a comment sign, `?` what SQL does not know; for words see [`super::words`]. Statements of several words become `S`, or
//! `Y` where nothing else begins so.
use super::words::{function, kind};
use crate::injection::text::prose;

/// Tokens that are looked at, at most.
const MOST_TOKENS: usize = 96;

/// The tokens of a value.
#[derive(Default)]
pub(super) struct Shape {
    /// One letter each.
    pub(super) kinds: Vec<u8>,
    /// A comment that databases run was there.
    pub(super) conditional: bool,
    /// Comments stood where blanks do.
    pub(super) comments: usize,
}

/// A comment that nothing ends is one of prose or paths when it is longer.
const LONGEST_OPEN_COMMENT: usize = 12;

/// A token and where it stands.
#[derive(Clone, Copy)]
struct Token {
    kind: u8,
    begin: usize,
    end: usize,
}

/// The shape of `text` as it stands, or behind its first `quote`, whose string becomes the first token.
pub(super) fn shape(text: &[u8], quote: Option<(u8, usize)>) -> Shape {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new(), shape: Shape::default() };
    if let Some((_, at)) = quote {
        lexer.push(b's', 0, at);
        lexer.at = at + 1;
    }
    while lexer.at < text.len() && lexer.tokens.len() < MOST_TOKENS {
        lexer.step(quote.map(|(quote, _)| quote));
    }
    let kinds = super::fold::fold(&lexer.spans(), text);
    Shape { kinds, ..lexer.shape }
}

struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    tokens: Vec<Token>,
    shape: Shape,
}

impl<'a> Lexer<'a> {
    fn spans(&self) -> Vec<(u8, usize, usize)> {
        self.tokens.iter().map(|token| (token.kind, token.begin, token.end)).collect()
    }

    fn push(&mut self, kind: u8, begin: usize, end: usize) {
        self.tokens.push(Token { kind, begin, end });
    }

    /// A token of `length` bytes.
    fn take(&mut self, kind: u8, length: usize) {
        let end = (self.at + length).min(self.text.len());
        self.push(kind, self.at, end);
        self.at = end;
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn step(&mut self, outer: Option<u8>) {
        let rest = self.rest();
        let next = rest.get(1).copied().unwrap_or_default();
        match rest.first().copied().unwrap_or_default() {
            b'\'' => self.string(b'\'', outer),
            b'"' => self.string(b'"', outer),
            b'`' => self.delimited(b'`'),
            b'[' => self.delimited(b']'),
            b'-' if next == b'-' => self.line_comment(2, outer),
            b'#' => self.line_comment(1, outer),
            b'/' if next == b'*' => self.comment(),
            b'*' if next == b'/' => self.at += 2,
            b'0'..=b'9' => self.number(),
            b'@' => self.variable(),
            b'.' if next.is_ascii_digit() => self.number(),
            b'.' => self.at += 1,
            byte if byte <= b' ' || byte == 0x7f => self.at += 1,
            0xc2 if next == 0xa0 => self.at += 2,
            byte if is_word(byte) => self.word(),
            byte => self.sign(byte, next),
        }
    }

    fn sign(&mut self, byte: u8, next: u8) {
        match (byte, next) {
            (b'&', b'&') | (b'|', b'|') => self.take(b'&', 2),
            (b'<', b'=') if self.rest().get(2) == Some(&b'>') => self.take(b'c', 3),
            (b'<', b'>' | b'=') | (b'>' | b'!' | b'=', b'=') => self.take(b'c', 2),
            (b'<' | b'>' | b'=', _) => self.take(b'c', 1),
            (b'!', _) => self.take(b'!', 1),
            (b'(' | b')' | b',' | b';', _) => self.take(byte, 1),
            (b':', b':') => self.take(b'o', 2),
            (b'+' | b'-' | b'*' | b'/' | b'%' | b'&' | b'|' | b'^' | b'~', _) => self.take(b'o', 1),
            (b'{' | b'}', _) => self.take(if byte == b'{' { b'(' } else { b')' }, 1),
            (b'\\', _) => self.at += 1,
            _ => self.take(b'?', 1),
        }
    }

    /// A string in quotes, doubled ones inside; the one that the server's quote ends is `$`.
    fn string(&mut self, quote: u8, outer: Option<u8>) {
        let mut end = self.at + 1;
        loop {
            match self.text.get(end..).and_then(|rest| rest.iter().position(|byte| *byte == quote)) {
                Some(length) if self.text.get(end + length + 1) == Some(&quote) => end += length + 2,
                Some(length) => return self.take(b's', end + length + 1 - self.at),
                None => break,
            }
        }
        let inside = self.text.get(self.at + 1..).unwrap_or_default();
        let kind = match () {
            () if prose(inside) >= 2 || (outer.is_none() && self.is_apostrophe()) => b'p',
            () if inside.len() > 40 || inside.iter().any(|byte| b"(){};<>".contains(byte)) => b'?',
            () if outer.is_none_or(|outer| outer == quote) => b'$',
            () => b'?',
        };
        self.take(kind, self.text.len() - self.at);
    }

    /// A single quote inside of a word.
    fn is_apostrophe(&self) -> bool {
        let letter = |at: Option<usize>| at.and_then(|at| self.text.get(at)).is_some_and(u8::is_ascii_alphabetic);
        self.rest().starts_with(b"'") && letter(self.at.checked_sub(1)) && letter(Some(self.at + 1))
    }

    /// A name between signs.
    fn delimited(&mut self, end: u8) {
        let length = self.rest().iter().skip(1).take(64).position(|byte| *byte == end);
        match length {
            Some(length) => self.take(b'w', length + 2),
            None => self.take(b'?', 1),
        }
    }

    /// What stands behind a comment sign counts as prose when it reads so.
    fn line_comment(&mut self, length: usize, outer: Option<u8>) {
        let behind = self.rest().get(length..).unwrap_or_default();
        let line = behind.iter().position(|byte| *byte == b'\n').unwrap_or(behind.len());
        let (comment, more) = behind.split_at(line);
        if !more.trim_ascii().is_empty() {
            // The statement goes on in the next line.
            self.at += length + line;
            return;
        }
        let tag = length == 1 && comment.first().is_some_and(u8::is_ascii_alphanumeric) && self.at_blank();
        let next = comment.first().copied().unwrap_or(b' ');
        let odd =
            if length == 2 { next.is_ascii_alphanumeric() || b">-\"".contains(&next) } else { b";#".contains(&next) };
        let prosaic = tag || odd || prose(comment) >= 2 || (length == 1 && outer == Some(b'"') && !self.at_blank());
        self.take(if prosaic { b'p' } else { b'#' }, self.text.len() - self.at);
    }

    fn at_blank(&self) -> bool {
        self.at == 0 || self.text.get(self.at - 1).is_some_and(u8::is_ascii_whitespace)
    }

    /// A comment is a blank, unless databases run what stands in it.
    fn comment(&mut self) {
        let rest = self.rest();
        if (rest.get(2) == Some(&b'!') && rest.get(3).is_some_and(u8::is_ascii_alphanumeric))
            || rest.get(2..4) == Some(b"m!")
        {
            self.shape.conditional = true;
            let digits = rest.iter().skip(3).take_while(|byte| byte.is_ascii_digit()).count();
            self.at += 3 + digits;
            return;
        }
        let end = rest.windows(2).skip(2).position(|two| two == b"*/");
        match end {
            Some(length) => {
                self.shape.comments += 1;
                self.at += length + 4;
            }
            None if rest.len() <= LONGEST_OPEN_COMMENT => self.take(b'#', rest.len()),
            None => self.take(b'p', rest.len()),
        }
    }

    fn number(&mut self) {
        let digit = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'.' || **byte == b'_';
        let length = self.rest().iter().take_while(digit).count();
        let text = self.rest().get(..length).unwrap_or_default();
        // `1or` is a number and a word, `0x1f` and `1e5` are numbers.
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        let tail = text.get(digits..).unwrap_or_default();
        let word = tail.first().is_some_and(u8::is_ascii_alphabetic) && kind(tail) != b'w';
        let begins = text.starts_with(b"0x") || text.starts_with(b"0b");
        // `1e0union` is a number and a word, too.
        let power = exponent_of(tail);
        let joined = power > 0
            && tail.get(power).is_some_and(u8::is_ascii_alphabetic)
            && kind(tail.get(power..).unwrap_or_default()) != b'w';
        let exponent = tail.starts_with(b"e") && tail.iter().skip(1).all(u8::is_ascii_digit);
        match () {
            () if word => self.take(b'n', digits),
            () if joined => self.take(b'n', digits + power),
            () if tail.is_empty() || begins || exponent => self.take(b'n', length),
            () => self.take(b'w', length),
        }
    }

    fn variable(&mut self) {
        let system = self.rest().strip_prefix(b"@@").is_some_and(is_system_variable);
        let length = self.rest().iter().skip(1).take_while(|byte| is_word(**byte) || **byte == b'@').count();
        self.take(if system { b'V' } else { b'v' }, length + 1);
    }

    fn word(&mut self) {
        let rest = self.rest();
        let length = rest.iter().take_while(|byte| is_word(**byte) || byte.is_ascii_digit() || **byte == b'.').count();
        let word = rest.get(..length).unwrap_or_default();
        let behind = rest.get(length..).unwrap_or_default();
        let is_prefix = matches!(word, b"n" | b"x" | b"b" | b"e" | b"q" | b"nq") && behind.starts_with(b"'");
        let call = called(behind)
            && !matches!(kind(word), b'&' | b'!' | b'c' | b'U' | b'E' | b'f' | b'h' | b'k' | b'a' | b'q' | b'b' | b'o');
        let method = self.at > 0 && matches!(self.text.get(self.at - 1), Some(b'.' | b':'));
        let named = if method { b'x' } else { function(word) };
        match () {
            () if is_prefix => self.at += length,
            () if call && (behind.starts_with(b"(") || behind.starts_with(b"/*") || named == b't') => {
                self.take(named, length);
            }
            () => self.take(kind(word), length),
        }
    }
}

/// True for what databases keep under two signs.
fn is_system_variable(name: &[u8]) -> bool {
    SYSTEM.iter().any(|begin| name.starts_with(begin.as_bytes()))
}

const SYSTEM: [&str; 18] = [
    "version",
    "hostname",
    "datadir",
    "basedir",
    "servername",
    "spid",
    "tmpdir",
    "global",
    "session",
    "sql_mode",
    "secure",
    "plugin",
    "innodb",
    "rowcount",
    "identity",
    "microsoftversion",
    "servicename",
    "language",
];

/// True when a parenthesis follows, perhaps behind blanks and comments.
fn called(behind: &[u8]) -> bool {
    let mut rest = behind.trim_ascii_start();
    while let Some(comment) = rest.strip_prefix(b"/*") {
        let Some(end) = comment.windows(2).position(|two| two == b"*/") else { return false };
        rest = comment.get(end + 2..).unwrap_or_default().trim_ascii_start();
    }
    rest.starts_with(b"(")
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// Bytes of an exponent with digits at the beginning of `tail`; 0 for none.
fn exponent_of(tail: &[u8]) -> usize {
    let digits = tail.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
    if tail.first() == Some(&b'e') && digits > 0 { digits + 1 } else { 0 }
}
