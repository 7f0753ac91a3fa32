//! Lines of heads. In: a reading. Out: whether a line of it would be a header of an answer, or of a mail. Never here: framing of the
//! request itself, that is the HTTP room's.
use std::sync::LazyLock;

use super::evidence::Evidence;
use super::pasted::is_head;
use super::pattern::{Rule, Rules};
use super::text::{Text, prose};

/// What speaks for a line. Bodies hold texts of many lines: there only headers that texts do not have count, behind a short line.
pub(super) fn judge(text: &Text<'_>) -> Evidence {
    static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::new(&TABLE));
    static HEAD: LazyLock<Rules> = LazyLock::new(|| Rules::new(&IN_HEADS));
    let mut evidence = Evidence::default();
    let lower = &text.lower;
    let copied = is_head(lower);
    let weigh = |weight: u8, at: usize| {
        let before = lower.get(..at).unwrap_or_default();
        let lines = before.split(|byte| *byte == b'\n').count() - 1;
        let far = text.place.is_body() && (lines > 2 || before.len() > 120);
        match () {
            () if far && weight <= ANY => 0,
            () if copied => weight / 3,
            () if prose(before) >= 3 || far => weight / 2,
            () => weight,
        }
    };
    RULES.add(lower, &mut evidence, weigh);
    if !text.place.is_body() {
        HEAD.add(lower, &mut evidence, weigh);
    }
    evidence
}

macro_rules! line {
    () => {
        // Two letters of Chinese end in the bytes of a line's end where servers cut them to one byte.
        r"(?:\r\n?|\n|\\r\\n|\\n|%0d%0a|%0a|%0d|\xe5\x98[\x8a\x8d])(?:[\s\\rn]|\xe5\x98[\x8a\x8d])*"
    };
}

/// Texts have lines that begin so, too.
const ANY: u8 = 40;

const TABLE: [Rule; 7] = [
    // Any name at all: how sure that makes is told by what it stands in.
    ("header-name", ANY, concat!(line!(), r"[a-z][a-z0-9-]{2,30}\s?:\s?\S")),
    (
        "header-behind-address",
        80,
        concat!(r"^[\w.+-]{1,64}@[\w.-]{1,80}", line!(), r"(?:subject|from|to|cc|bcc|reply-to|x-[a-z-]+)\s*:"),
    ),
    ("header-then-page", 55, r"^[^\s]{0,60}(?:\r?\n){2,}<(?:html|script|body)"),
    // A line and a header, and nothing else: nobody writes so.
    ("header-alone", 70, r"^[^\r\n]{0,60}\r?\nx-[a-z][a-z-]{1,30}:\s?\S+\s*$"),
    (
        "header-of-answer",
        85,
        concat!(
            line!(),
            r"(?:set-cookie2?|location|content-length|content-type|content-disposition|transfer-encoding|x-xss-protection|refresh|access-control-[a-z-]+|x-forwarded-(?:for|host)|content-security-policy|last-modified|link|www-authenticate|clear-site-data|strict-transport-security|x-frame-options)\s*:|(?:\r\n?|\n|%0d%0a|%0a)\s*http/\d(?:\.\d)?\s+\d{3}\b"
        ),
    ),
    (
        "header-of-mail",
        78,
        concat!(
            line!(),
            r"(?:bcc|cc|to|mail\s+from|rcpt\s+to|reply-to|mime-version|x-mailer|content-transfer-encoding|return-path)\s*:\s*(?:<?[\w.+%-]+@|smtp|1\.0)|",
            r"\r?\n\.\r?\n\s*(?:mail|rcpt|quit|data)"
        ),
    ),
    (
        "header-of-request",
        85,
        concat!(
            line!(),
            r"(?:get|post|put|delete|head|options|patch)\s+\S+\s+http/\d|",
            r"(?:\r\n|\n)(?:auth|flushall|config\s+set|set\s+\S+\s+\d|slaveof|eval\s+['\x22])\s"
        ),
    ),
];

/// In paths, queries, headers and cookies no line has any business.
const IN_HEADS: [Rule; 2] = [
    (
        "header-any",
        80,
        concat!(
            line!(),
            r"(?:x-[a-z-]+|host|cookie|user-agent|connection|cache-control|server|etag|vary|pragma|expires|content-[a-z-]+|authorization|origin|referer|status|date|accept[a-z-]*)\s*:\s*\S"
        ),
    ),
    ("header-body", 75, r"(?:\r\n|\n|\r){2,}\s*<(?:html|script|body|h1|svg|img|iframe)"),
];

#[cfg(test)]
pub(super) fn compiles() -> bool {
    Rules::new(&TABLE).compiles() && Rules::new(&IN_HEADS).compiles()
}
