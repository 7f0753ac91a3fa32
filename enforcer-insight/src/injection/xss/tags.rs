//! Tags and attributes as browsers take them. In: text in lower case. Out: each tag with its attributes, references resolved.
//! Never here: judgement. Bounded: [`MOST_TAGS`] tags of [`LONGEST_TAG`] bytes.
use std::borrow::Cow;
use std::sync::LazyLock;

use crate::injection::pattern::Pattern;

/// Tags that are looked at.
const MOST_TAGS: usize = 48;
/// Bytes of a tag that are looked at.
const LONGEST_TAG: usize = 1024;
const MOST_ATTRIBUTES: usize = 24;

/// A tag.
pub(super) struct Tag<'t> {
    pub(super) name: &'t [u8],
    pub(super) closing: bool,
    pub(super) at: usize,
    /// Where what follows it begins.
    pub(super) end: usize,
    pub(super) attributes: Vec<Attribute<'t>>,
}

/// An attribute.
pub(super) struct Attribute<'t> {
    pub(super) name: &'t [u8],
    pub(super) value: Cow<'t, [u8]>,
}

impl Tag<'_> {
    /// True when it has one of these attributes.
    pub(super) fn has(&self, names: &[&[u8]]) -> bool {
        self.attributes.iter().any(|attribute| names.contains(&attribute.name))
    }

    pub(super) fn is(&self, name: &[u8], value: &[u8]) -> bool {
        self.attributes.iter().any(|attribute| attribute.name == name && attribute.value.trim_ascii() == value)
    }
}

/// Every tag, wherever its sign stands: also in comments and in attributes, since texts are cut and joined.
pub(super) fn tags(text: &[u8]) -> Vec<Tag<'_>> {
    let signs = text.iter().enumerate().filter(|(_, byte)| **byte == b'<').map(|(at, _)| at);
    signs.filter_map(|at| tag(text, at)).take(MOST_TAGS).collect()
}

fn tag(text: &[u8], at: usize) -> Option<Tag<'_>> {
    let rest = text.get(at + 1..text.len().min(at + LONGEST_TAG))?;
    let sign = rest.first().copied().filter(|byte| matches!(byte, b'/' | b'?' | b'!' | b'%'));
    let rest = rest.get(usize::from(sign.is_some())..)?;
    let length =
        rest.iter().position(|byte| !byte.is_ascii_alphanumeric() && !b":-_".contains(byte)).unwrap_or(rest.len());
    let (name, behind) = rest.split_at(length);
    name.first().filter(|byte| byte.is_ascii_alphabetic())?;
    let (attributes, end) = attributes(behind);
    let end = at + 1 + usize::from(sign.is_some()) + length + end;
    Some(Tag { name, closing: sign == Some(b'/'), at, end, attributes })
}

/// The attributes up to the end of a tag, and where that is.
pub(super) fn attributes(text: &[u8]) -> (Vec<Attribute<'_>>, usize) {
    let text = text.get(..text.len().min(LONGEST_TAG)).unwrap_or_default();
    let (mut found, mut at) = (Vec::new(), 0);
    while found.len() < MOST_ATTRIBUTES {
        let rest = text.get(at..).unwrap_or_default();
        let Some(skip) = rest.iter().position(|byte| !is_gap(*byte)) else { return (found, text.len()) };
        at += skip;
        if text.get(at) == Some(&b'>') {
            return (found, at + 1);
        }
        let (attribute, length) = attribute(text.get(at..).unwrap_or_default());
        found.push(attribute);
        at += length.max(1);
    }
    (found, at)
}

fn is_gap(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b'/' | b'"' | b'\'' | b'`' | 0x7f | b';' | b')' | b'}')
}

/// One attribute and the bytes it takes.
fn attribute(text: &[u8]) -> (Attribute<'_>, usize) {
    let ends = |byte: &u8| *byte <= b' ' || matches!(byte, b'=' | b'>' | b'/' | b'"' | b'\'');
    let length = text.iter().position(ends).unwrap_or(text.len());
    let (name, behind) = text.split_at(length);
    let blanks = behind.len() - behind.trim_ascii_start().len();
    let Some(value) = behind.trim_ascii_start().strip_prefix(b"=") else {
        return (Attribute { name, value: Cow::Borrowed(&[]) }, length);
    };
    let begin = length + blanks + 1 + (value.len() - value.trim_ascii_start().len());
    let (value, taken) = value_of(value.trim_ascii_start());
    (Attribute { name, value: resolved(value).map_or(Cow::Borrowed(value), Cow::Owned) }, begin + taken)
}

fn value_of(text: &[u8]) -> (&[u8], usize) {
    let quote = text.first().copied().filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    let ends = |byte: &u8| quote.map_or(*byte <= b' ' || *byte == b'>', |quote| *byte == quote);
    let begin = usize::from(quote.is_some());
    let inside = text.get(begin..).unwrap_or_default();
    let length = inside.iter().position(ends).unwrap_or(inside.len());
    (inside.get(..length).unwrap_or_default(), length + 2 * begin)
}

/// True for the names of handlers.
pub(super) fn is_handler(name: &[u8]) -> bool {
    static EVENTS: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(HANDLERS));
    name.starts_with(b"on") && EVENTS.matches(name)
}

const HANDLERS: &str = r"^on(?:abort|activate|after|animation|audio|auxclick|before|begin|blur|bounce|cached|can|change|click|close|
    command|context|copy|cue|cut|data|dbl|device|drag|drop|duration|emptied|end|error|filter|finish|focus|form|fullscreen|
    gesture|hash|help|input|invalid|key|layout|load|lose|message|mouse|move|offline|online|orientation|page|paste|pause|play|pointer|
    popstate|progress|property|rate|ready|rejection|repeat|reset|resize|resume|reverse|row|scroll|search|security|seek|
    select|show|slot|stalled|start|stop|storage|submit|suspend|sync|time|toggle|touch|transition|unhandled|unload|volume|
    waiting|webkit|wheel|zoom)[a-z]*$";

/// With references resolved, with or without a semicolon; `None` when there are none.
pub(super) fn resolved(text: &[u8]) -> Option<Vec<u8>> {
    text.contains(&b'&').then_some(())?;
    let (mut out, mut rest, mut changed) = (Vec::with_capacity(text.len()), text, false);
    while let Some((first, behind)) = rest.split_first() {
        let found = if *first == b'&' { reference(behind) } else { None };
        out.push(found.map_or(*first, |(byte, _)| byte));
        changed |= found.is_some();
        rest = behind.get(found.map_or(0, |(_, length)| length)..).unwrap_or_default();
    }
    changed.then_some(out)
}

fn reference(behind: &[u8]) -> Option<(u8, usize)> {
    if let Some((name, byte)) = NAMED.iter().find(|(name, _)| behind.starts_with(name.as_bytes())) {
        return Some((*byte, name.len()));
    }
    let digits = behind.strip_prefix(b"#")?;
    let (digits, radix, begin) = digits.strip_prefix(b"x").map_or((digits, 10, 1), |digits| (digits, 16, 2));
    let length = digits.iter().take(9).take_while(|byte| char::from(**byte).is_digit(radix)).count();
    let code = digits
        .iter()
        .take(length)
        .try_fold(0_u32, |sum, byte| sum.checked_mul(radix)?.checked_add(char::from(*byte).to_digit(radix)?))?;
    let byte = u8::try_from(code).ok().filter(|byte| byte.is_ascii() && length > 0)?;
    let semicolon = usize::from(digits.get(length) == Some(&b';'));
    Some((byte.to_ascii_lowercase(), begin + length + semicolon))
}

const NAMED: [(&str, u8); 14] = [
    ("apos;", b'\''),
    ("quot;", b'"'),
    ("colon;", b':'),
    ("tab;", b'\t'),
    ("newline;", b'\n'),
    ("lpar;", b'('),
    ("rpar;", b')'),
    ("lsqb;", b'['),
    ("sol;", b'/'),
    ("period;", b'.'),
    ("grave;", b'`'),
    ("equals;", b'='),
    ("semi;", b';'),
    ("nbsp;", b' '),
];
