//! Entities and inclusions of XML. In: a reading, the name it stands under. Out: declarations that reach outside or grow. Never here:
//! entities resolved.
use std::sync::LazyLock;

use super::evidence::Evidence;
use super::pattern::{Rule, Rules};
use super::text::{Text, prose};
use crate::content::Place;

/// What speaks for an entity.
pub(super) fn judge(text: &Text<'_>) -> Evidence {
    static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::new(&TABLE));
    let mut evidence = Evidence::default();
    let lower = &text.lower;
    RULES.add(
        lower,
        &mut evidence,
        |weight, at| if prose(lower.get(..at).unwrap_or_default()) >= 4 { weight / 2 } else { weight },
    );
    let wide = lower.windows(2).any(|two| two == b"<\0");
    if wide {
        let narrow: Vec<u8> = lower.iter().copied().filter(|byte| *byte != 0).collect();
        RULES.add(&narrow, &mut evidence, |weight, _| weight);
    }
    let name = text.name.to_ascii_lowercase();
    if text.place == Place::Xml && name.contains(":include.@") && !name.contains("@xmlns") {
        evidence.add("xxe-include", 85, text.raw, 0);
    }
    if name.ends_with("@xsi:schemalocation") && text.lower.windows(4).any(|four| four == b"file") {
        evidence.add("xxe-schema", 70, text.raw, 0);
    }
    evidence
}

const TABLE: [Rule; 9] = [
    ("xxe-external", 92, r"<!entity\s+(?:%\s+)?[\w.:-]+\s+(?:system|public)\b"),
    ("xxe-parameter", 85, r"<!entity\s+%\s|<!entity\s+(?:&\#x25;|&\#37;)|%[\w.-]+;\s*(?:\]|%)"),
    ("xxe-entity", 72, r"<!entity\s+[\w.:-]+\s*['\x22]"),
    ("xxe-growing", 80, r"<!entity\s+[\w.:-]+\s+['\x22](?:&[\w.-]+;\s*){2,}"),
    ("xxe-doctype", 75, r"<!doctype\s+[\w.:-]+\s+system\s*['\x22](?:\w+:|/|\.\.)[^'\x22]*['\x22]"),
    (
        "xxe-doctype-public",
        68,
        r"<!doctype\s+[\w.:-]+\s+public\s*['\x22][^'\x22]*['\x22]\s*['\x22](?:https?://(?:[^w]|w[^w]|ww[^w])|file:|ftp:|gopher:|php:|jar:)",
    ),
    (
        "xxe-include",
        85,
        r"<\w*:?include\s[^>]{0,200}(?:href|parse|xinclude)|xmlns:\w+\s*=\s*['\x22]http://www\.w3\.org/\d+/xinclude",
    ),
    (
        "xxe-style",
        75,
        r"<xsl:(?:include|import|value-of|copy-of|variable)\s[^>]{0,160}(?:document\s*\(|system-property|unparsed-text|php:function|https?://|file:|rt:|ognl)|<msxsl:script|xmlns:(?:php|rt|ob)\s*=|<!doctype\s+[\w.:-]+\s*\[\s*<!(?:attlist|element)[^>]*>\s*<!entity",
    ),
    (
        "xxe-cdata-joined",
        60,
        r"<!\[cdata\[\s*<\]\]>|\]\]>\s*<!\[cdata\[.{0,40}(?:script|alert)|<!doctype\s+\w+\s*\[\s*(?:<!|%)",
    ),
];

#[cfg(test)]
pub(super) fn compiles() -> bool {
    Rules::new(&TABLE).compiles()
}
