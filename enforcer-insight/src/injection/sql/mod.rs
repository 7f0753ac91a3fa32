//! SQL. In: a reading. Out: the rules of [`rules`] that its shapes match: as it stands, and behind each of its first quotes.
//! Never here: databases.
mod fold;
mod rules;
mod shape;
mod words;

use std::sync::LazyLock;

use super::evidence::Evidence;
use super::own::{is_program, is_statement, owns_its_strings};
use super::pattern::{Pattern, Rule, Rules};
use super::text::{Sign, Text};
use shape::{Shape, shape};

/// Quotes of each kind that a value is tried behind.
const MOST_QUOTES: usize = 3;

/// What speaks for SQL: a statement that is whole joins on to none. In the text, or where it has no blanks, in what it is with blanks for plus signs.
pub(super) fn judge(text: &Text<'_>) -> Evidence {
    let mut best = Evidence::default();
    if is_statement(&text.lower) || (is_program(&text.lower) && owns_its_strings(&text.lower)) {
        return best;
    }
    if text.lower.contains(&0xa0) {
        let blank = |byte: &u8| if matches!(byte, 0xa0 | 0xc2) { b' ' } else { *byte };
        look(&text.lower.iter().map(blank).collect::<Vec<u8>>(), text, &mut best);
    } else {
        look(&text.lower, text, &mut best);
    }
    if text.lower.contains(&b'+') && !text.lower.contains(&b' ') {
        let blank = |byte: &u8| if *byte == b'+' { b' ' } else { *byte };
        look(&text.lower.iter().map(blank).collect::<Vec<u8>>(), text, &mut best);
    }
    WORDED.add(&text.lower, &mut best, |weight, _| weight);
    best
}

static WORDED: LazyLock<Rules> = LazyLock::new(|| Rules::new(&STATEMENTS));

/// Words that speak for themselves behind a value: of rare statements, of numbers that something is joined on to.
const STATEMENTS: [Rule; 4] = [
    (
        "sql-stacked-words",
        85,
        r"^[^\s;]{0,40}(?:\s\S{1,20})?\s*['\x22]?\s*\)?;\s*(?:create\s+(?:user|table|login|role|(?:or\s+replace\s+)?(?:function|procedure|trigger))\s|alter\s+(?:table|user|login|role)\s|rename\s+table\s|grant\s+\w+\s+(?:on|to)\s|handler\s+\w+\s+(?:open|read)|prepare\s+\w+\s+from\s|set\s+@\w+\s*=|copy\s*\(?[\w\s()'\x22]*\b(?:to|from)\s|backup\s+database\s|execute\s+(?:immediate|sp_)|truncate\s+table\s)",
    ),
    ("sql-true-number", 65, r"^-?\d+\s*(?:\bor\b|\|\|)\s*(?:true|not\s+false)\s*$"),
    ("sql-number-closed", 70, r"^-?\d+\)+\s*(?:or|and|\|\|)\s*\(+\s*[\w'\x22(]"),
    (
        "sql-number-select",
        78,
        r"^-?\d+\s+(?:(?:and|or)\s+\(\s*select\s|union\s+(?:all\s+|distinct\s+)?select\s+[\w@.()*]+\s*(?:,|from\s))",
    ),
];

/// Judges a text as it stands, and behind its quotes.
fn look(lower: &[u8], text: &Text<'_>, best: &mut Evidence) {
    let bare = shape(lower, None);
    keep(best, rules::bare(&bare, text));
    note(&bare, text, best);
    if text.has(Sign::QUOTE) {
        for quote in [b'\'', b'"'] {
            behind(quote, lower, text, best);
        }
    }
    if best.weight() < super::SURE && text.has(Sign::QUOTE | Sign::PAREN | Sign::EQUALS | Sign::DASHES | Sign::DOLLAR) {
        joined(lower, text, best);
    }
}

/// Tries the value from where something is joined on: whatever was written before, a statement would go on there.
fn joined(lower: &[u8], text: &Text<'_>, best: &mut Evidence) {
    static JOINT: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(JOINTS));
    for (at, _) in JOINT.all(lower).take(MOST_JOINTS) {
        keep(best, rules::joined(&shape(lower.get(at..).unwrap_or_default(), None), text, at));
    }
}

const MOST_JOINTS: usize = 3;
const JOINTS: &str = r"(?:\b(?:or|and|xor|having|union|limit|like|(?:order|group)\s+by|where)\b|\|\||&&|[;,])[\s(!]*(?:\d|['\x22@]|\(|(?:select|all|distinct|not|exists|null|true|sleep|benchmark|pg_sleep|waitfor|if|case|user|char|concat|ascii|substr\w*|extractvalue|updatexml|elt|row)\b)";

/// Tries the value behind its quotes. Behind the first all rules hold; behind later ones the strong, since text has pairs.
fn behind(quote: u8, lower: &[u8], text: &Text<'_>, best: &mut Evidence) {
    let quotes = lower.iter().enumerate().filter(|(_, byte)| **byte == quote).take(MOST_QUOTES);
    for (number, (at, _)) in quotes.enumerate() {
        let shape = shape(lower, Some((quote, at)));
        keep(best, rules::quoted(&shape, text, at, number == 0));
        note(&shape, text, best);
    }
}

/// Comments that databases run, and comments between words of SQL, are no accident.
fn note(shape: &Shape, text: &Text<'_>, best: &mut Evidence) {
    let words = shape.kinds.iter().filter(|kind| b"&UEfShktg".contains(kind)).count();
    if shape.conditional && words >= 1 {
        best.add("sql-conditional-comment", 80, text.raw, 0);
    }
    if shape.comments >= 1 && words >= 2 && rules::is_dense(shape) {
        best.add("sql-comment-blank", 55, text.raw, 0);
    }
    if best.weight() < super::SURE && rules::is_grammar(shape) {
        best.add("sql-grammar", 40, text.raw, 0);
    }
}

fn keep(best: &mut Evidence, evidence: Evidence) {
    if (evidence.confidence(), evidence.weight()) > (best.confidence(), best.weight()) {
        *best = evidence;
    }
}

#[cfg(test)]
pub(super) fn compiles() -> bool {
    rules::compiles() && WORDED.compiles() && Pattern::new(JOINTS).compiles()
}
