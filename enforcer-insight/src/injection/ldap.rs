//! Filters of directories. In: a reading. Out: whether it closes the filter it stands in, or opens one. Never here: directories.
use std::sync::LazyLock;

use super::evidence::Evidence;
use super::own::is_statement;
use super::pattern::{Rule, Rules};
use super::text::Text;

/// What speaks for a filter.
pub(super) fn judge(text: &Text<'_>) -> Evidence {
    static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::new(&TABLE));
    let mut evidence = Evidence::default();
    let lower = &text.lower;
    let whole = is_whole(lower) || is_statement(lower);
    RULES.add(lower, &mut evidence, |weight, at| {
        let before = lower.get(..at).unwrap_or_default();
        // An own filter opens what it closes; one that is broken out of does not.
        let count = |sign: u8| before.split(|byte| *byte == sign).count();
        let own = count(b'(') > count(b')') || count(b'[') > count(b']');
        match () {
            () if own || whole || super::text::prose(before) >= 2 => weight / 3,
            () => weight,
        }
    });
    evidence
}

/// True for a filter of its own: it opens first, and closes all that it opens.
fn is_whole(text: &[u8]) -> bool {
    let (Some(open), Some(close)) =
        (text.iter().position(|byte| *byte == b'('), text.iter().rposition(|byte| *byte == b')'))
    else {
        return false;
    };
    let (before, filter) = (text.get(..open).unwrap_or_default(), text.get(open..=close).unwrap_or_default());
    let mut depth = 0_i32;
    let closed = filter.iter().all(|byte| {
        depth += i32::from(*byte == b'(') - i32::from(*byte == b')');
        depth >= 0
    });
    closed && depth == 0 && !before.iter().any(|byte| b")*|&".contains(byte)) && !filter.starts_with(b"()")
}

const TABLE: [Rule; 8] = [
    ("ldap-closes", 85, r"^[^()]{0,80}\)+\s*\(\s*(?:[|&!]\s*[()]|[|&!]?\s*\(?\s*[a-z][\w;.-]{1,40}\s*[~<>:]?=)"),
    ("ldap-star-closes", 82, r"^[^()]{0,80}\*\)+(?:\s*\(|\s*[|&]|\x00|%00|$)"),
    ("ldap-empty", 82, r"\)\s*\(\s*[&|!]\s*\)|\)\s*\(\s*[&|]\s*$|\)\s*\(\s*\|\s*\(|^\(\s*[|&]\s*\)"),
    (
        "ldap-joined",
        70,
        r"[*)]?\(\s*[|&]\s*\(\s*[a-z][\w-]{0,40}\s*[~<>]?=|^[^()]{0,20}[*)]\s*\(?[|&]\s*\(?\s*[a-z]\w{0,30}=|\*\s*\(\s*[|&]|^\s*[|&!]\s*\(\s*[a-z]\w{0,20}=\*",
    ),
    (
        "ldap-attribute",
        70,
        r"^[^()]{0,40}\)\s*[(&|]*\s*(?:uid|cn|sn|objectclass|mail|userpassword|samaccountname|givenname|ou|dc|memberof|password|userprincipalname|admin)\s*[~<>]?=|^\(?\s*(?:objectclass|samaccountname|userpassword|uid|cn)\s*=\s*\*\s*\)?\)?$",
    ),
    ("ldap-cut", 75, r"\)\)*(?:\x00|%00)|\*\)\)\x00|\\00\)"),
    (
        "ldap-xpath",
        75,
        r"'\s*(?:or|and)\s+(?:name|count|string-length|position|substring|starts-with|contains|not)\s*\(|'\]\s*(?:\||/)|\bor\s+'[^']*'\s*=\s*'.*\]|/\*\[|child::|parent::|ancestor::|descendant::|'\]/parent|string\(//|count\(//|node\(\)\s*\[",
    ),
    ("ldap-stars", 60, r"^\*(?:\)|\(|\||&)[()|&*!'=\w]*$|^\(?\*\)\(|^[)(|&*!]{4,}$"),
];

#[cfg(test)]
pub(super) fn compiles() -> bool {
    Rules::new(&TABLE).compiles()
}
