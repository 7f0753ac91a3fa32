//! What runs as a script. In: text in lower case. Out: whether it does; rules for values that stand in a script or a URL.
//! Never here: tags.
use std::sync::LazyLock;

use crate::injection::evidence::Evidence;
use crate::injection::own::is_program;
use crate::injection::pattern::{Pattern, Rule, Rules};
use crate::injection::text::prose;

/// True when the text calls or changes what pages have.
pub(super) fn is_script(text: &[u8]) -> bool {
    static SCRIPT: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(CALLS));
    SCRIPT.matches(text)
}

/// True when a URL runs a script: blanks and controls inside of its scheme do not matter.
pub(super) fn is_script_url(text: &[u8]) -> bool {
    let dense: Vec<u8> = text.iter().copied().filter(|byte| *byte > b' ').take(LONGEST_SCHEME).collect();
    let scheme = SCHEMES.iter().find_map(|scheme| {
        let at = dense.windows(scheme.len()).take(12).position(|window| window == scheme.as_bytes())?;
        dense.get(at + scheme.len()..)
    });
    scheme.is_some_and(|behind| !behind.is_empty() && !behind.starts_with(b"void") && !behind.starts_with(b";"))
}

/// True for a page that comes in its URL.
pub(super) fn is_data_page(text: &[u8]) -> bool {
    let dense: Vec<u8> = text.iter().copied().filter(|byte| *byte > b' ').take(LONGEST_SCHEME).collect();
    let kinds: [&[u8]; 6] = [b"text/html", b"image/svg", b"text/xml", b"application/x", b"text/javascript", b";base64"];
    dense
        .strip_prefix(b"data:")
        .is_some_and(|kind| kinds.iter().any(|begin| kind.starts_with(begin)) || kind.starts_with(b","))
}

/// True when a style runs a script.
pub(super) fn is_style(text: &[u8]) -> bool {
    static STYLE: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(STYLES));
    STYLE.matches(text)
}

/// Rules for a value inside of a script, or as a URL.
pub(super) fn judge(text: &[u8], evidence: &mut Evidence) {
    static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::new(&TABLE));
    RULES.add(text, evidence, |weight, at| match () {
        () if is_program(text) => weight / 3,
        () if prose(text.get(..at).unwrap_or_default()) >= 3 => weight / 2,
        () => weight,
    });
    let begin = text.trim_ascii_start();
    let begin = begin.strip_prefix(b"\"").or_else(|| begin.strip_prefix(b"'")).unwrap_or(begin);
    let colon = begin.iter().position(|byte| *byte == b':').unwrap_or(begin.len());
    let behind = begin.get(colon + 1..).unwrap_or_default();
    let called = is_script(behind) || behind.starts_with(b"//") || behind.starts_with(b"%0");
    if called && is_script_url(begin.get(..begin.len().min(LONGEST_SCHEME)).unwrap_or_default()) {
        evidence.add("xss-url", 88, text, 0);
    }
    if is_brackets(text) {
        evidence.add("xss-brackets", 85, text, 0);
    }
}

/// Programs of nothing but brackets and signs.
fn is_brackets(text: &[u8]) -> bool {
    let long = text.iter().filter(|byte| b"[]()!+{}".contains(byte)).count();
    long >= 40 && long * 10 >= text.len() * 9
}

/// Without blanks, that much of a URL is looked at.
const LONGEST_SCHEME: usize = 64;
const SCHEMES: [&str; 5] = ["javascript:", "vbscript:", "livescript:", "jscript:", "mocha:"];

const STYLES: &str = r"expression\s*(?:/\*.*?\*/)?\s*\(|javascript\s*:|-moz-binding\s*:|behaviou?r\s*:\s*url|vbscript\s*:|exp\w*/\*|
    @import\s*['\x22]";

const CALLS: &str = r"(?:alert|confirm|prompt|eval|settimeout|setinterval|fetch|import|atob|unescape|print|postmessage|fromcharcode|
    xmlhttprequest|throw|find|map|foreach|filter|sendbeacon|msgbox|write|writeln|function|open|join|source|call|apply|reload|
    constructor|assign|replace|settimeout|onerror|location|name|\$)[)'\x22\]\s]*(?:\(|`|\?\.\(|\[|=)
    |document\s*[.\[]|window\s*[.\[]|location\s*[=.\[]|cookie|innerhtml|globalthis|constructor|(?:top|self|this|parent|frames)\s*[\[.]
    |=\s*(?:alert|confirm|prompt|eval)|\+\s*(?:alert|confirm|prompt)|\\u00|javascript:|=>|\(\s*(?:alert|confirm|prompt|eval)\s*\)|new\s+image";

/// In these rules a call must stand where a script would be after a quote, or be all there is.
const TABLE: [Rule; 16] = [
    // A handler, a call, a style from elsewhere, wherever they stand: what they stand in tells the rest.
    ("xss-any-handler", 40, r"(?:^|[\s'\x22/+;,.\]&<>\x0c])on[a-z]{4,20}\s*=\s*[^\s=>]"),
    (
        "xss-any-call",
        40,
        r"\b(?:alert|confirm|prompt|eval|msgbox)(?:\s|\))*(?:\(|`|&(?:\#x?0*(?:40|28);?|lpar;)|\x5cx28|\+\d)",
    ),
    (
        "xss-any-element",
        40,
        r"<\w+:script\b|<link\s[^>]{0,80}href|style\s*=[^>]{0,80}(?:script\s*:|expr)|\bscript\W{1,3}alert|^\W{0,3}(?:ja|j|a)?v?ascript:",
    ),
    (
        "xss-script-string",
        85,
        r"['\x22`\\][\s)\]}]*(?:[;,+\-*/%|&^<>=?:!~{(\[]|\\n)[;,+\-*/%|&^<>=?:!~{(\[\s]*(?:(?:window|self|top|this|parent|globalthis|frames)\s*(?:\[|\.\s*(?:location|document|name|alert|opener|eval|confirm|prompt)\b)|document\s*[.\[]|location\s*=|
        [(\[]*(?:alert|confirm|prompt|eval|settimeout|setinterval|fetch|import|function|atob|onerror|throw|var\s|console\.log|new\s+image|string\.fromcharcode|\$\.get\w*|document|write|print)[)\]\s]*(?:\(|`|=|\.call|\.apply|\.constructor|\?\.))",
    ),
    (
        "xss-script-assigned",
        65,
        r"^(?:alert|confirm|prompt)\.(?:call|apply)\s*\(|['\x22;]\s*\w{1,12}\s*=\s*(?:alert|confirm|prompt|eval)\s*[,;/)]",
    ),
    (
        "xss-script-alone",
        66,
        r"^[\s;)}\]/*\-+,'\x22]*[(\[]?(?:(?:window|self|top|parent|globalthis)\.)?(?:alert|confirm|prompt|eval|(?:settimeout|setinterval)\(\s*['\x22`])[)\]]?\s*[(`]\s*[\d'\x22`/xd(]?[^\s]*[)`][\s;/\-+)'\x22]*(?://|$|;|<)",
    ),
    (
        "xss-cookie",
        75,
        r"(?:document|window)\s*(?:\.|\[['\x22])\s*(?:cookie|domain)\b.{0,4}[)+,;'\x22\]]|location\s*=\s*['\x22`(].{0,60}(?:cookie|//)|\w\(\s*document\.(?:cookie|domain)",
    ),
    (
        "xss-constructor",
        82,
        r"constructor\s*(?:\.\s*constructor|\[\s*['\x22]constructor['\x22]\s*\])?\s*\(\s*(?:['\x22`\\]|\w+\.constructor)",
    ),
    (
        "xss-computed-call",
        75,
        r"(?:window|self|top|this|parent|globalthis|frames|document)\s*\[\s*(?:['\x22`/(\\]|8680439|\w+\s*\()[^\]]{1,40}\]\s*[(`\[]",
    ),
    (
        "xss-callback",
        70,
        r"\[[^\]]{0,12}\]\s*\.\s*(?:find|map|foreach|filter|some|every|sort|findindex|flatmap|reduce)\s*\(\s*(?:alert|confirm|prompt|eval)",
    ),
    (
        "xss-encoded-script",
        75,
        r"(?:eval|settimeout|function)\s*\(\s*(?:atob|unescape|string\.fromcharcode|decodeuri\w*|\w+\.fromcharcode)\s*\(",
    ),
    ("xss-seven-bit", 75, r"\+adw-.{1,200}\+ad4"),
    ("xss-data-url", 75, r"^[\s'\x22]*data:\s*text/html\s*[;,]|^[\s'\x22]*data:[^,]{0,40},\s*(?:<|%3c|alert)"),
    (
        "xss-style",
        70,
        r"[:;\s]\s*(?:x\s*s\s*s\s*:)?\s*expression\s*\(\s*(?:alert|eval|document)|-moz-binding\s*:\s*url|url\(\s*['\x22]?\s*javascript:",
    ),
    (
        "xss-url-inside",
        80,
        r"[=('\x22`,\s:]\s*javascript:\s*[^\s'\x22<]{0,60}(?:alert|confirm|prompt|eval|document|window|location|fetch|import)\s*[(`.=]",
    ),
    (
        "xss-template-string",
        78,
        r"\$\{\s*(?:alert|confirm|prompt|eval|fetch|import|document|window|self|top)\s*[(`.\[]",
    ),
];

#[cfg(test)]
pub(super) fn compiles() -> bool {
    Rules::new(&TABLE).compiles() && [CALLS, STYLES].iter().all(|pattern| Pattern::new(pattern).compiles())
}
