//! Operators of document databases. In: a reading with its name. Out: operators in names (`user[$ne]`), objects in values, conditions
//! in the language of the database. Never here: databases.
use std::sync::LazyLock;

use super::evidence::Evidence;
use super::own::{is_program, owns_its_strings};
use super::pasted::{is_json, is_shown, words};
use super::pattern::{Pattern, Rule, Rules};
use super::text::{Sign, Text};
use crate::content::Place;

/// What speaks for an operator.
pub(super) fn judge(text: &Text<'_>) -> Evidence {
    static NAMED: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(NAMES));
    static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::new(&TABLE));
    let mut evidence = Evidence::default();
    let named = matches!(text.place, Place::Cookie | Place::Form | Place::Json | Place::Multipart | Place::Query);
    if named && text.has(Sign::NAME) && NAMED.matches(text.name.to_ascii_lowercase().as_bytes()) {
        evidence.add("nosql-operator-name", 88, text.raw, 0);
    }
    let lower = &text.lower;
    RULES.add(lower, &mut evidence, |weight, at| match () {
        () if is_shown(lower, at) || is_query(lower, at) || is_program(lower) => weight / 3,
        () if words(lower.get(..at).unwrap_or_default()) >= 3 => weight / 2,
        () => weight,
    });
    // What breaks out of a document leaves none that is whole.
    if evidence.is_only("nosql-truth") && is_json(lower) { Evidence::default() } else { evidence }
}

/// True inside of a query that stands by itself, from the database on: what breaks out of one begins with a quote.
fn is_query(text: &[u8], at: usize) -> bool {
    let begin = text.windows(3).position(|three| three == b"db.").filter(|begin| *begin <= at);
    let before = begin.and_then(|begin| text.get(..begin)).unwrap_or(b"'");
    before.last().is_none_or(|last| b" (\n:>`".contains(last))
        && !before.iter().any(|byte| b";}".contains(byte))
        && owns_its_strings(before)
}

macro_rules! operators {
    () => {
        r"\$(?:ne|eq|gte?|lte?|n?in|regex|where|exists|n?or|and|not|expr|function|accumulator|elemmatch|text|type|mod|all|size|comment|jsonschema|slice|lookup|func|options|push|unset|rename|inc|near|within|geowithin)"
    };
}

const NAMES: &str = concat!(r"(?:^|[.\[])", operators!(), r"(?:$|[.\[\]])");

const TABLE: [Rule; 11] = [
    ("nosql-operator", 85, concat!(r"[{,\[]\s*['\x22]?", operators!(), r"['\x22]?\s*(?::|\])")),
    ("nosql-operator-bracket", 80, concat!(r"\[\s*['\x22]?", operators!(), r"['\x22]?\s*\]")),
    ("nosql-where", 80, r"\$where\s*['\x22]?\s*:|,\s*\$where\s*|\$where\s*="),
    (
        "nosql-condition",
        78,
        r"['\x22]\s*(?:\|\||&&)\s*(?:\(?\s*['\x22\d]\w*['\x22]?\s*(?:===?|!==?|>)\s*['\x22\d\w(]|\(?\s*this\s*[.\[]|!?\w+\s*\(|true|1\s*(?:/|\||$))",
    ),
    (
        "nosql-return",
        80,
        r"['\x22})]?\s*[;}]\s*(?:return\b|var\s+\w+\s*=|while\s*\(|it\s*=\s*new|sleep\s*\(|db\s*\.|this\s*[.\[]|do\s*\{|date\s*=\s*new)",
    ),
    (
        "nosql-this",
        75,
        r"(?:\|\||&&|[;(]|(?:^|[^{])\{|return)\s*(?:!\s*)?\(?\s*(?:this|obj)\s*(?:\.|\[)\s*['\x22]?\w+.{0,8}(?:==|\.match|\.length|\[|!=|>|<|\.test|\.substring|\.charat)|(?:this|obj)\.\w+\.match\s*\(|^\s*this\.\w+\s*[=!]=",
    ),
    (
        "nosql-shell",
        82,
        r"\bdb\s*\.\s*(?:\w+\s*\.\s*(?:find|insert|remove|drop|update|save|aggregate|count|stats)\w*|getcollection\w*|injection|version|stats|dropdatabase|getname)\s*\(|mapreduce|tojson(?:one\w+)?\s*\(",
    ),
    (
        "nosql-function",
        75,
        r"\{\s*['\x22]?\$where|function\s*\(\s*\)\s*\{\s*(?:return|sleep|var|while|if)|['\x22;(]\s*sleep\s*\(\s*\d{3,}\s*\)|while\s*\(\s*(?:true|1|date|new)",
    ),
    (
        "nosql-truth",
        75,
        r"^\s*['\x22]?\s*(?:\w+['\x22]?\s*)?(?:\|\||&&)\s*(?:['\x22]\w*['\x22]?|\d+)\s*===?\s*['\x22]?\w*|^\s*(?:true|1)\s*,\s*\$|['\x22]\s*,\s*['\x22]?\$(?:or|and|where|gt|ne)\b|['\x22]\s*\}\s*,\s*['\x22]?\$?\w+['\x22]?\s*:|^\W{0,3}\s*['\x22]\s*===?\s*['\x22]",
    ),
    ("nosql-regex", 65, r"^\s*\{\s*['\x22]?\$?regex|\.match\s*\(\s*/\.?\*?/|\.match\s*\(\s*/\^"),
    (
        "nosql-cut",
        70,
        r"['\x22]\s*(?:\|\||&&)\s*[^\x00]{0,40}(?:\x00|//|%00)\s*$|['\x22]\s*(?:\x00|%00)\s*$|['\x22]\s*[;}]+\s*//$",
    ),
];

#[cfg(test)]
pub(super) fn compiles() -> bool {
    Pattern::new(NAMES).compiles() && Rules::new(&TABLE).compiles()
}
