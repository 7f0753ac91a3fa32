//! What an expression of `PromQL` names: series with their matchers, and labels it groups by. In: an expression. Out: names. Never here:
//! whether it is one; promtool and Prometheus say that.

/// A series, and what its labels are compared with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) series: String,
    /// Label, and the value or the pattern.
    pub(crate) matchers: Vec<(String, String)>,
}

/// What an expression names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) selectors: Vec<Selector>,
    /// Labels of `by (...)`, `on (...)` and the like.
    pub(crate) groups: Vec<String>,
}

/// Reads it.
pub(crate) fn named(expression: &str) -> Named {
    let (mut named, mut rest) = (Named::default(), expression);
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            rest = rest[1..].split_once('"').map_or("", |(_, behind)| behind);
        } else if first.is_alphanumeric() || first == '_' || first == '$' {
            let (word, behind) = rest.split_at(rest.find(|c: char| !is_of_a_word(c)).unwrap_or(rest.len()));
            rest = take(&mut named, word, behind);
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    named
}

/// Takes a word, and returns what is left behind it and what belongs to it.
fn take<'a>(named: &mut Named, word: &str, behind: &'a str) -> &'a str {
    let next = behind.trim_start();
    let (inside, after) = between(next);
    if GROUPING.contains(&word) && next.starts_with('(') {
        named.groups.extend(inside.split(',').map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()));
        return after;
    }
    // `sum (...)`, `sum by (...) (...)`.
    let is_function = ["(", "by", "without"].iter().any(|start| next.starts_with(start));
    if is_function || !word.starts_with(char::is_alphabetic) || OPERATORS.contains(&word) {
        return behind;
    }
    let matchers = if next.starts_with('{') { inside } else { "" };
    named.selectors.push(Selector { series: word.to_owned(), matchers: matchers_of(matchers) });
    if next.starts_with('{') { after } else { behind }
}

/// What stands between the bracket that the text begins with and the next closing one, and what comes after it.
fn between(text: &str) -> (&str, &str) {
    let inside = text.get(1..).unwrap_or_default();
    inside.find([')', '}']).map_or((inside, ""), |end| (&inside[..end], &inside[end + 1..]))
}

/// `a="x",b=~"y|z"`.
fn matchers_of(text: &str) -> Vec<(String, String)> {
    let matcher = |part: &str| {
        let (label, value) = part.split_once('=')?;
        Some((label.trim_end_matches('!').trim().to_owned(), value.trim_matches(['~', '"', ' ']).to_owned()))
    };
    text.split("\",").filter_map(matcher).collect()
}

fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | ':' | '$' | '.')
}

const GROUPING: [&str; 6] = ["by", "group_left", "group_right", "ignoring", "on", "without"];
const OPERATORS: [&str; 5] = ["and", "bool", "offset", "or", "unless"];

#[test]
fn series_matchers_and_groups_are_found() {
    let found = named(
        "sum by (job, le) (rate(a_total{x=~\"b|c\",y!=\"d\"}[5m])) / (1.5 * up > 0) and on (job) c:d:rate5m offset 1h",
    );
    let series: Vec<&str> = found.selectors.iter().map(|one| one.series.as_str()).collect();
    assert_eq!(series, ["a_total", "up", "c:d:rate5m"]);
    let matchers = [("x", "b|c"), ("y", "d")].map(|(label, value)| (label.to_owned(), value.to_owned()));
    assert_eq!(found.selectors[0].matchers, matchers);
    assert_eq!(found.groups, ["job", "le", "job"]);
}
