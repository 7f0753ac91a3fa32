//! Lookups of logging libraries. In: a reading. Out: what its lookups resolve to, nested ones inside out. Never here: logs.
use super::evidence::Evidence;
use super::text::Text;

/// What speaks for a lookup.
pub(super) fn judge(text: &Text<'_>) -> Evidence {
    let mut evidence = Evidence::default();
    if !text.lower.windows(2).any(|two| two == b"${") {
        return evidence;
    }
    let resolved = resolve(&text.lower);
    let nested = resolved.len() != text.lower.len();
    let has = |part: &str| position(&resolved, part.as_bytes());
    if let Some(at) = has("jndi:").or_else(|| has("jndi${").filter(|_| nested)) {
        evidence.add("lookup-jndi", 96, text.raw, at.min(text.raw.len()));
    }
    let reads = SOURCES.iter().find_map(|source| has(source));
    if let Some(at) = reads {
        evidence.add("lookup-reads", 72, text.raw, at.min(text.raw.len()));
    }
    if SCHEMES.iter().any(|scheme| has(scheme).is_some()) {
        evidence.add("lookup-fetches", 55, text.raw, 0);
    }
    if nested && FORMS.iter().any(|form| position(&text.lower, form.as_bytes()).is_some()) {
        evidence.add("lookup-nested", 60, text.raw, 0);
    }
    evidence
}

/// Replaces the innermost lookups by what they give, until none is left or [`MOST_PASSES`] are done.
fn resolve(text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..MOST_PASSES {
        let Some(next) = pass(&text) else { break };
        text = next;
    }
    text
}

/// One pass from left to right; `None` when nothing was replaced.
fn pass(text: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut rest, mut changed) = (Vec::with_capacity(text.len()), text, false);
    while let Some(at) = position(rest, b"${") {
        let inside = rest.get(at + 2..)?;
        let end =
            inside.iter().position(|byte| matches!(byte, b'}' | b'$')).filter(|end| inside.get(*end) == Some(&b'}'));
        let value = end.and_then(|end| value(inside.get(..end)?).map(|value| (value, end)));
        out.extend_from_slice(rest.get(..at)?);
        rest = if let Some((value, end)) = value {
            changed = true;
            out.extend_from_slice(value);
            inside.get(end + 1..)?
        } else {
            out.extend_from_slice(b"${");
            inside
        };
    }
    out.extend_from_slice(rest);
    changed.then_some(out)
}

/// What a lookup gives: changed case as it is, a default where there is one.
fn value(lookup: &[u8]) -> Option<&[u8]> {
    if let Some(at) = position(lookup, b":-") {
        return lookup.get(at + 2..);
    }
    let cased = lookup.strip_prefix(b"lower:").or_else(|| lookup.strip_prefix(b"upper:"));
    // An i without its dot has one when its case was changed.
    let cased = cased.map(|cased| if cased == "ı".as_bytes() { b"i" } else { cased });
    cased.or_else(|| lookup.strip_prefix(b"date:'")?.strip_suffix(b"'"))
}

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

const MOST_PASSES: usize = 12;
const SOURCES: [&str; 14] = [
    "${env:",
    "${sys:",
    "${java:",
    "${ctx:",
    "${main:",
    "${bundle:",
    "${docker:",
    "${k8s:",
    "${hostname",
    "${log4j:",
    "${script:",
    "${dns:",
    "${url:",
    "${base64",
];
/// What a lookup fetches by, whatever the rest of it resolves to.
const SCHEMES: [&str; 7] = ["ldap:/", "ldaps:/", "rmi:/", "dns:/", "iiop:/", "corba:", "nis:/"];
const FORMS: [&str; 4] = ["${::-", "${lower:", "${upper:", "${${"];
