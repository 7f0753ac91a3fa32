//! Shapes that are attacks. In: a [`Shape`]. Out: the rules it matches. Never here: tokens.
//!
//! What stands before the attack must be what a server's own statement has there: a value, or the string that a quote closes. So text in
//! which a name follows a string or two names follow each other matches nothing, and that is what prose is made of.
use std::sync::LazyLock;

use super::shape::Shape;
use crate::injection::evidence::Evidence;
use crate::injection::pasted::{is_shown, words};
use crate::injection::pattern::{Rule, Rules};
use crate::injection::text::Text;

/// The rules that a value as it stands matches.
pub(super) fn bare(shape: &Shape, text: &Text<'_>) -> Evidence {
    let mut evidence = Evidence::default();
    BARE.add(&shape.kinds, &mut evidence, |weight, _| weight);
    // People ask about queries; a query behind their words is no part of another.
    if evidence.is_only("sql-metadata") && is_asked_about(&text.lower) {
        return Evidence::default();
    }
    shown(evidence, text, 0)
}

/// True when words of a language, or a prompt, stand before the first query.
fn is_asked_about(text: &[u8]) -> bool {
    let Some(at) = text.windows(6).position(|word| word == b"select") else { return false };
    is_shown(text, at) || words(text.get(..at).unwrap_or_default()) >= 2
}

/// The rules that match from a joint at `at` on, as if a number stood before it; what does stand there makes it weigh less.
pub(super) fn joined(shape: &Shape, text: &Text<'_>, at: usize) -> Evidence {
    let (mut evidence, kinds) = (Evidence::default(), [b"n", &shape.kinds[..]].concat());
    BARE.add(&kinds, &mut evidence, |weight, _| weight / 3);
    shown(evidence, text, at)
}

/// The rules that a value behind a quote at `at` matches; behind a later quote than the first, only the strong.
pub(super) fn quoted(shape: &Shape, text: &Text<'_>, at: usize, first: bool) -> Evidence {
    let mut evidence = Evidence::default();
    let phrase = is_phrase(text, at);
    let spaced = !phrase && !is_quoted_word(&text.lower, at);
    let ended = shape.kinds.last().is_some_and(|last| b"$#".contains(last));
    QUOTED.add(&shape.kinds, &mut evidence, |weight, _| {
        if (first && (spaced || weight >= 85)) || (ended && !phrase && weight >= 80) { weight } else { weight / 3 }
    });
    if first
        && text.lower.get(at) == Some(&b'\'')
        && text.lower.len() <= SHORT
        && IMPLICIT.iter().any(|shape_of| shape.kinds == *shape_of)
    {
        evidence.add("sql-implicit", 55, text.raw, at);
    }
    shown(evidence, text, at)
}

/// True when what stands before the quote is prose; before double quotes, as in searches, one blank is enough.
fn is_phrase(text: &Text<'_>, at: usize) -> bool {
    let before = text.lower.get(..at).unwrap_or_default();
    let double = text.lower.get(at) == Some(&b'"');
    text.prose_before(at) >= 3 || (double && before.contains(&b' '))
}

/// True when the quote at `at` and the next of its kind hold a word: then that is what was quoted.
fn is_quoted_word(text: &[u8], at: usize) -> bool {
    let behind = text.get(at + 1..).unwrap_or_default();
    let length = behind.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(behind.len());
    length > 0 && behind.get(length) == text.get(at)
}

/// True when names do not follow each other, as they do in prose.
pub(super) fn is_dense(shape: &Shape) -> bool {
    let loose = shape
        .kinds
        .windows(2)
        .filter(|pair| matches!(**pair, [b'w' | b's', b'w'] | [b'w', b's' | b'p'] | [b'?', b'?']))
        .count();
    loose == 0
}

/// True when nearly every token is one of SQL, and two of them are words of its grammar or one is a call that only attackers have: no rule knows
/// the sentence, but it is one.
pub(super) fn is_grammar(shape: &Shape) -> bool {
    let count = |kinds: &[u8]| shape.kinds.iter().filter(|kind| kinds.contains(kind)).count();
    let (words, names) = (count(b"&UESYhkjTVmbJRQXDIlOG"), count(b"w?p"));
    let acts = count(b"cogt#;$,") > 0;
    shape.kinds.len() >= 3
        && is_dense(shape)
        && names * 4 <= shape.kinds.len()
        && (words >= 2 || (words >= 1 && acts) || count(b"tY") > 0)
}

/// The excerpt is of the value, not of its shape.
fn shown(evidence: Evidence, text: &Text<'_>, at: usize) -> Evidence {
    evidence.on(text.raw, at)
}

#[cfg(test)]
pub(super) fn compiles() -> bool {
    BARE.compiles() && QUOTED.compiles()
}

/// Strings joined by nothing but a sign, which databases take for a number.
const IMPLICIT: [&[u8]; 2] = [b"so$", b"sc$"];
const SHORT: usize = 10;

static BARE: LazyLock<Rules> = LazyLock::new(|| Rules::new(&BARE_RULES));
static QUOTED: LazyLock<Rules> = LazyLock::new(|| Rules::new(&QUOTED_RULES));

/// Of values as they stand.
const BARE_RULES: [Rule; 29] = [
    ("sql-tautology", 85, r"^[(),]*(?:wc)?[wnsv]{0,3}[),]*&[!(]*[nsvV]c[!(]*[nsv$V(gt](?:[^w]|w[^w]|w?$)"),
    (
        "sql-tautology-ended",
        75,
        r"^[(),]*[wnsv]{0,3}\)*&[!(]*(?:[wn](?:c[!(]*[nsvw$])?\)*\#|n(?:c[!(]*[nsvw$])?\)*;)|^&[!(]*wcg\(|^\(*n\)*(?:&[!(]*[nsv]\)*)+\#",
    ),
    ("sql-number-condition", 65, r"^\(*[nsv]\)*&[!(]*[wm]c[!(]*[nsvw$(](?:$|[\#;)(])"),
    ("sql-union", 90, r"^\(*[wnsv]{0,2}\)*;?\(*U\(*E\(*(?:[nsvmVo$](?:[,f\#;)oc&]|$)|w[,f\#;)]|[gtx]\(|E|$)"),
    ("sql-union-start", 75, r"^[(),]*[ns]?[,ns)]*U\(*(?:E[ns]|q|$)|^[^wp?]*[nsv)]U\(*E\(*[nsvgt$Vmo]"),
    ("sql-stacked", 85, r"^\(*[wnsv]{0,2}\)*;+[;(]*(?:Y|S(?:[\#;h(,cs$)_qlnv]|e|$)|z(?:$|[wl\#;]))"),
    ("sql-stacked-select", 80, r"^\(*[wnsv]?\)*;+\(*E\(*(?:[gt]\(|x\(.*\#|[nsvV$b]|w?o?f[wmx])"),
    ("sql-stacked-call", 80, r"^\(*[wnsv]?\)*;+.{0,4}t\("),
    ("sql-statement", 80, r"^[(),]*[nsw]?[),ns]*;?Y"),
    (
        "sql-statement-ended",
        70,
        r"^[()]*[ns]?\)*S[^p?]*\#|^g\([nsv]c[nsv]|^\(*[gx]\([^p?]*\(E[^p?]*f|;+g\([^?p]*\),?[ESYRD]",
    ),
    (
        "sql-call",
        75,
        r"^\(*(?:(?:[nsvV]\)*|w)[&oc,;(!kET][&oc,;(!kEbsnvVT]*)?[(&oc,;!kEbsnvVgxT)]*t\((?:[nsvVgE(xt]|\))",
    ),
    ("sql-function", 65, r"^[(),]*[wnsv]?[),]*&[!(]*[gt]\("),
    ("sql-function-compared", 70, r"^\(*[wnsv]?\)*&[!(on]*g\(.*\)c[(nsvw$gx]|^\(*[ns]\)*&[!(on]*x\(.*\)c[(nsv$gx]"),
    ("sql-subselect", 85, r"^\(*[nsvw]?\)*[&oc,;k][&oc,nsvw!(i]*\(E\(*(?:[nsvVwmob](?:[,f\#;)o]|$)|[gtx]\(|\(|b|E)"),
    ("sql-subselect-alone", 65, r"^\(+E[^;]*(?:f[wm](?:[)\#;h,&lk]|$)|fx\()|^\(ncn\)o"),
    ("sql-select-joined", 60, r"^\(*[ns]\)*[&oc,]E(?:[gtxV]|\(|.*f[wm])"),
    ("sql-where", 72, r"^\(*[nsvw]\)+w?h[ns]c[ns]|^[ns]w?h[ns]c[ns](?:[^w]|$)"),
    ("sql-case", 70, r"^\(*[nsvw]?\)*[&oc,k(][!(]*b.*b.*b"),
    ("sql-clause", 70, r"^\(*[ns]\)*k\(*(?:[nx(](?:[\#,;)c]|$)|[nw]\#|w[,ck])|^k\(*n(?:,n)*\#?$|^knc[n(]"),
    ("sql-clause-ended", 75, r"^\(*[wns]\)*(?:k[(nw]|l[n(]).*(?:\#|Jp|U)"),
    ("sql-outfile", 80, r"^[^?]*Jp[s$vn]"),
    ("sql-comment-ended", 60, r"^\(*[nsw]\)+;?\#$|^\(*[nsv]\)*;\#$|^w;\#$"),
    ("sql-metadata", 80, r"^[^p]*E[^p]*f\(*m"),
    ("sql-variable", 65, r"^\(*(?:[nsvw]?\)*[&oc,(!k][(&oc,!]*)?V(?:[,)oc&\#;]|$)"),
    ("sql-query", 70, r"^\(*E[^p?]*(?:f[wm(][^p?]*(?:&[ns]c[ns]|\#$)|t\(|U\(*E)"),
    ("sql-grouped", 75, r"^\(*[nsvw]\)*&[!(]*n\)*k[gxnw(]"),
    ("sql-row", 72, r"^[nsv]\)*,\(*[gtx]\([^?p]*\)c\(*E|^[ns]?\)*\(+E\(*b|^[ns]\)*\(+E\(*[bgt]"),
    ("sql-stacked-other", 75, r"^\(*[wnsv]?\)*;+(?:g\([nsv]c[nsv]|Z[xgt]\()|^[nsv]\)*,\(*g\([nsv]c[nsv]"),
    (
        "sql-insert-broken",
        60,
        r"^[nsv]\),\(+[nsvgt].*\#$|^\((?:[^wp?c]|w[^ws])*[gxsvE&](?:[^wp?c]|w[^ws])*\)\#$|h[nsv]c[nsv]&[!(]*[nsv]c[nsv]",
    ),
];

/// Of values behind a quote: the string it closes comes first.
const QUOTED_RULES: [Rule; 32] = [
    ("sql-tautology", 95, r"^s\)*[&][!(]*[nsvV$]c[!(]*[nsv$V(wgtx]"),
    ("sql-condition", 75, r"^s\)*&[!(]*(?:[wmT]c|[ns]o\$$)"),
    ("sql-truth", 75, r"^s\)*&[!(]*[nvswm$][)]*[\#;]|^s\)*&[!(]*[nvwm]\)*&[!(]*\$$"),
    ("sql-open-or", 65, r"^s\)*&[!(]*\$$"),
    ("sql-union", 95, r"^s\)*[\#;]?\(*U\(*(?:E|q)"),
    ("sql-stacked", 95, r"^s\)*;+[;(b]*[SYN]"),
    ("sql-stacked-select", 90, r"^s\)*;+\(*E\(*(?:[gtx]\(|[nsvV$ob]|w?f[wmx]|w[,])"),
    ("sql-stacked-call", 85, r"^s\)*;+.{0,4}t\("),
    (
        "sql-statement",
        85,
        r"^s\)*\(*(?:Y|S[^p?]*\#|N[^p?]*[\#;]|E[^p?]*(?:m|f[wm][^p?]*\#)|i!?\(|;+g\([^?p]*\),?[ESYRD])",
    ),
    ("sql-call", 92, r"^s\)*[&oc,;(!kET][&oc,;(!kEbsnvVwmT]*[(&oc,;!kEbsnvVgxT]*t\("),
    ("sql-function", 85, r"^s\)*[&][!(on]*g\("),
    ("sql-function-other", 65, r"^s\)*[&][!(on]*x\("),
    ("sql-joined-function", 80, r"^s\)*[o&c,]+\(*[gx]\(.*(?:[&oc]\(*\$$|\#$)"),
    ("sql-subselect", 92, r"^s\)*[&oc,;k][&oc,nsvw!(i]*\(+E"),
    ("sql-select-joined", 75, r"^s\)*[&oc,]E"),
    ("sql-case", 80, r"^s\)*[&oc,(k][!(&oc]*b.*b"),
    ("sql-clause", 80, r"^s\)*k\(*[nwx(sv]"),
    ("sql-limit", 65, r"^s\)*l\(*n(?:[,\#l]|$|T)"),
    ("sql-where", 80, r"^s\)*w?h[ns]c[ns]|^scww?\)+[&;\#uUckTY(]"),
    ("sql-outfile", 90, r"^s[^?p]*Jp[s$vn]"),
    ("sql-comment-ended", 75, r"^s\)*;?\#$|^s\)*&\#$"),
    ("sql-compared-ended", 75, r"^s\)*[oc]+[!(]*[nsvwm]\)*[\#;]|^s\)*[oc]+[!(]*[nsvw]\)*&[!(]*(?:[nsvwm]c|\$$|[gt]\()"),
    ("sql-joined", 70, r"^s(?:&\(*[nswvmV]\)*)+&\$$|^s(?:o\(*[nwvmV]\)*)+[o&]\$$|^s\)*[o&,]+\(*[vVm]"),
    ("sql-values-ended", 80, r"^s\)*,.*\#$|^s\),\(+[nsvgtw$]"),
    ("sql-assigned", 70, r"^s,w=?c[nsgtvx(]"),
    ("sql-metadata", 85, r"^s\)*[&oc;,U(!].*m"),
    ("sql-variable", 75, r"^s\)*[&oc,;].{0,3}V"),
    ("sql-grouped", 85, r"^s\)*&[!(]*n\)*k[gxnw(]"),
    ("sql-row", 78, r"^s\)*\(+E\(*[(bgtxnsv]"),
    ("sql-stacked-other", 85, r"^s\)*[;,]+\(*(?:g\([nsv]c[nsv]|Z[xgt]\(|g\([^?p]*\(E)"),
    ("sql-closed", 55, r"^s\)+(?:;?\#$|&[^w]|;(?:[SYEtN\#z]|$))"),
    ("sql-ended-statement", 75, r"^s\)*;[^p?]*\#$"),
];
