//! Expressions of templates. In: a reading. Out: what its expressions would compute or reach. Never here: templates run.
//!
//! Templates in mails and pages name variables (`{{ user.name }}`); an attack computes with constants, or reaches for the program.
use std::sync::LazyLock;

use super::evidence::Evidence;
use super::own::is_program;
use super::pasted::{is_json, is_shown};
use super::pattern::{Pattern, Rule, Rules};
use super::text::{Text, prose};

/// What speaks for a template.
pub(super) fn judge(text: &Text<'_>) -> Evidence {
    static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::new(&TABLE));
    let mut evidence = Evidence::default();
    let program = is_program(&text.lower);
    for (open, close, weight) in BRACKETS {
        let weight = if program { weight / 3 } else { weight };
        // A document of JSON is one such bracket.
        if open != "{" || !is_json(&text.lower) {
            expressions(open, close, weight, text, &mut evidence);
        }
    }
    let lower = &text.lower;
    RULES.add(lower, &mut evidence, |weight, at| match () {
        () if program || is_shown(lower, at) => weight / 3,
        () if prose(lower.get(..at).unwrap_or_default()) >= 4 => weight / 2,
        () => weight,
    });
    evidence
}

/// Each expression between these brackets.
fn expressions(open: &str, close: &str, weight: u8, text: &Text<'_>, evidence: &mut Evidence) {
    static REACHES: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(REACH));
    static COMPUTES: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(COMPUTE));
    let (mut rest, mut begin) = (&text.lower[..], 0);
    for _ in 0..MOST_EXPRESSIONS {
        let Some(at) = position(rest, open.as_bytes()) else { return };
        let inside = rest.get(at + open.len()..).unwrap_or_default();
        let length = position(inside, close.as_bytes()).unwrap_or_else(|| inside.len().min(LONGEST_EXPRESSION));
        let expression = inside.get(..length).unwrap_or_default().trim_ascii();
        let whole = text.lower.len() <= length + open.len() + close.len() + NEAR;
        if COMPUTES.matches(expression) && (weight > SINGLE || whole) {
            evidence.add("template-computes", if weight > SINGLE { weight } else { 64 }, text.raw, begin + at);
        }
        if REACHES.matches(expression) && (weight > SINGLE || whole) {
            evidence.add("template-reaches", if weight > SINGLE { 88 } else { 66 }, text.raw, begin + at);
        }
        begin += at + open.len();
        rest = inside;
    }
}

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// How an expression begins and ends, and the weight of computing with constants in it.
const BRACKETS: [(&str, &str, u8); 16] = [
    ("{{", "}}", 85),
    ("${", "}", 80),
    ("#{", "}", 80),
    ("<%", "%>", 80),
    ("{%", "%}", 85),
    ("[[", "]]", 65),
    ("*{", "}", 75),
    ("~{", "}", 75),
    ("@{", "}", 75),
    ("@(", ")", SINGLE),
    ("%{", "}", 75),
    ("{", "}", SINGLE),
    ("[=", "]", 65),
    ("{#", "}", SINGLE),
    ("{@", "}", SINGLE),
    ("[%", "%]", 75),
];
/// Brackets that other texts have too.
const SINGLE: u8 = 40;
const MOST_EXPRESSIONS: usize = 8;
const LONGEST_EXPRESSION: usize = 400;
/// An expression is all there is, when that few bytes are left.
const NEAR: usize = 14;

/// Constants joined by an operator; a method of a constant.
const COMPUTE: &str = r"^[=\-+!:\s({\#$@\[]*(?:\d+(?:\.\d+)?|'[^']{0,20}'|\x22[^\x22]{0,20}\x22)\s*[*+%/|^-]+\s*(?:\d+|'[^']{0,20}'|\x22[^\x22]{0,20}\x22)[\s)}\]]*$
    |^[=\-+\s(]*(?:'[^']{0,30}'|\x22[^\x22]{0,30}\x22|\d+|\[\]|\(\))\s*\.\s*[a-z_]+\s*[(.\[]?|^=?\s*['\x22][\w]{0,20}['\x22]\s*\|\s*\w+\s*(?:\(|\||$)
    |^[=\s]*\d+\s*\*\s*\d+|^\s*(?:print|echo|puts)?[(\s]*['\x22]?\d{1,9}['\x22]?\s*\*\s*['\x22]?\d{1,9}['\x22]?";

/// What lies behind templates.
const REACH: &str = r"__\w+__|\\x5f|\b_self\b|getclass|classloader|forname|getruntime|runtime\b|processbuilder|\bpopen\b|\bsystem\s*[(']|\bexec\s*\(|\beval\s*\(|
    (?:^|[;(])\s*import\s|import_module|\.system\s|new\s+system\.|(?:^|[^.\w])(?:config|self|request|application|session|settings|env|cycler|joiner|lipsum|namespace|url_for|get_flashed_messages)\s*(?:$|\.\s*(?:__|items|application|environ|from_object|secret|_|class|mro|init|getclass|query|args|globals|\w+_key|config)|\[|\|)|
    constructor|\bfile_excerpt|registerundefined|getfilter|\|\s*(?:map|filter|sort|reduce)\s*\(\s*['\x22](?:system|exec|passthru|\w+)|\|\s*attr\s*\(|freemarker|\?\s*(?:new|api|eval|interpret)\b|\bt\s*\(\s*(?:java|org|[\w.]+)\s*\)|
    \#(?:rt|_memberaccess|context|cmd|a\b|req|res|_\b|application|session|parameters|attr)|@java|@org|ognl|getenv|getproperty|java\.(?:lang|util|io|net|nio)|javax?\.|file\.(?:open|read)|file_get|dir\.(?:entries|glob)|io\.popen|`\s*\w+|
    \bphp\b.*;|\binclude\s+['\x22]?/|\bdump\s*\(\s*(?:app|_context)?|\bdebug\b\s*$|\bload\s+\w+\s*$|require\s*\(|process\.|global\.|child_process|self::|getstreamvariable|smarty\.|\bapp\s*\.\s*request|open\s*\(\s*['\x22]|
    \bbuiltins\b|\bos\s*\.\s*\w+\s*\(|subprocess|\$on\.|\$eval|\ba\s*=\s*['\x22]|tojson|\bphpinfo|_context|\bsource\s*\(|\bconstant\s*\(|\#this|\(\)\s*\.\s*class|\[\]\s*\.\s*class|''\s*\.\s*class|session\.(?:_|get|set|id\b|servlet|invalidate)|alert\s*\(|ws\.sh|xmlhttp|system\.(?:diagnostics|io|net|environment)|pageContext|pagecontext|param\.\w+|applicationscope|facescontext|servletcontext";

const TABLE: [Rule; 10] = [
    // A call with a constant, any directive: mails and pages have them too, what they stand in tells.
    ("template-calls", 40, r"(?:\{\{|[$\#*@%~]\{|<%|\{%|\[\[)[^}%\]]{0,200}?\w\s*\([^})]{0,80}?['\x22\d]"),
    (
        "template-statement",
        35,
        r"\{%-?\s*\w|\{\{\#\w|\{\{[\s(]*[\d(]|\{\{[^}]{0,80}(?:messages|config|settings|session|request)\b",
    ),
    (
        "template-directive",
        82,
        r"\#set\s*\(\s*\$|\#evaluate\s*\(|\#include\s*\(|\#parse\s*\(|\#foreach\s*\(\s*\$|\$class\.inspect|\$!?\{?\w+\.(?:getclass|class\.)",
    ),
    (
        "template-tag",
        85,
        r"[<\[]\#(?:assign|import|include|macro|function|setting)\s|\{php\}|\{literal\}.{0,40}\{/|\{(?:if|include|fetch|system|eval|math)\s+[\w=]*['\x22(]?(?:system|phpinfo|file|/etc|exec|passthru|readfile)",
    ),
    (
        "template-import",
        85,
        r"\{%-?\s*(?:import|include|extends|debug|load|set|for|if|macro|from|raw|print|exec|call|with|autoescape|block)\b[^%]{0,200}(?:__|/etc|\bos\b|system|request|popen|config|log|\.\./|eval|class|mro|subclasses|settings|debug|open\s*\()",
    ),
    (
        "template-java",
        85,
        r"t\(\s*java\.|new\s+java\.|@java\.|\#_memberaccess|\.getclass\s*\(\s*\)|class\.forname|\.class\.(?:classloader|module|protection)",
    ),
    (
        "template-python",
        85,
        r"\.__(?:class|mro|base|bases|globals|subclasses|init|builtins|import|dict|getattribute|code|self)__|\[['\x22]__\w+__['\x22]\]|\|attr\(",
    ),
    (
        "template-probe",
        75,
        r"\$\{\{\s*[\d\x22\x27<(]|\{\{\{?\s*<%|<%\[%|\#\{\s*\d|\{\{\s*\[\s*\]|\{\{=\s*\d|@\(\s*\d+\s*[*+-]\s*\d+\s*\)|@\{\s*(?:system|\d)|\{\{\s*\d+\s*\}\}|\$\{\s*[\x22'<%\[]|%\{\s*\(|\#\{\s*(?:system|exec|`|%x|file)",
    ),
    (
        "template-code",
        75,
        r"<%=?\s*(?:system|exec|`|file|dir|io|require|import|eval|puts|response|request|out\.|foobar|self|global|\(?\s*\d+\s*[*+]\s*\d+|perl|['\x22])|\$\{\s*(?:system|exec|self\.module|import|open|__)|^%\s*(?:import|for)\s",
    ),
    (
        "template-angular",
        82,
        r"\{\{\s*(?:constructor|\$on|\$eval|tostring|'a'|x\s*=|\[\]\.|this\.(?:constructor|\$|_)|\(_|_=|a=|!ready|c=|0\[)|\.constructor(?:\.prototype)?\.\w+\s*=|constructor\.constructor",
    ),
];

#[cfg(test)]
pub(super) fn compiles() -> bool {
    Rules::new(&TABLE).compiles() && [COMPUTE, REACH].iter().all(|pattern| Pattern::new(pattern).compiles())
}
