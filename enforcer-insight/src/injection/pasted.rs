//! Parts of a text that are shown, and not said: code in fences and between backticks, lines behind a prompt, heads that were copied,
//! documents of JSON. In: a text in lower case. Out: whether a place in it is such a part. Never here: what stands there.
//!
//! People who ask for help paste what they did. What is pasted so weighs less, it does not weigh nothing.
use std::sync::LazyLock;

use serde::de::IgnoredAny;

use super::pattern::Pattern;

/// True when what begins at this place is shown.
pub(super) fn is_shown(text: &[u8], at: usize) -> bool {
    let (before, behind) = text.split_at(at.min(text.len()));
    is_document(text) || is_fenced(text, at) || is_between_backticks(before, behind) || is_behind_prompt(before, behind)
}

/// A script or a difference, from its first line on; a program that begins with a variable, as no shell has it.
fn is_document(text: &[u8]) -> bool {
    let name = text.strip_prefix(b"$").unwrap_or_default();
    let length = name.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    let assigned = length > 0 && name.get(length..).is_some_and(|rest| rest.starts_with(b" = "));
    assigned || text.starts_with(b"#!/") || text.starts_with(b"diff --git ")
}

/// Inside of a block that lines of three backticks begin and end; what begins on the first of them is inside.
fn is_fenced(text: &[u8], at: usize) -> bool {
    let is_fence = |line: &&[u8]| line.trim_ascii_start().starts_with(FENCE);
    let fences = |text: &[u8]| text.split(|byte| *byte == b'\n').filter(is_fence).count();
    let line_end = text.iter().skip(at).position(|byte| *byte == b'\n').map_or(text.len(), |length| at + length);
    let (before, behind) = text.split_at(line_end);
    fences(before) % 2 == 1 && fences(behind) > 0
}

const FENCE: &[u8] = b"```";

/// Between two backticks of one line, with words before or behind them.
fn is_between_backticks(before: &[u8], behind: &[u8]) -> bool {
    let line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let rest = behind.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let (ticks, end) = (line.split(|byte| *byte == b'`').count() - 1, rest.iter().position(|byte| *byte == b'`'));
    let (Some(end), 1) = (end, ticks % 2) else { return false };
    let open = line.iter().rposition(|byte| *byte == b'`').unwrap_or(0);
    let (said, goes_on) = (line.get(..open).unwrap_or_default(), rest.get(end + 1..).unwrap_or_default());
    said.ends_with(b" ") && words(said) > 0 || goes_on.starts_with(b" ") && words(goes_on) > 0
}

/// On a line that begins with the prompt of a shell.
fn is_behind_prompt(before: &[u8], behind: &[u8]) -> bool {
    static PROMPT: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(PROMPTS));
    let begun = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut rest = behind.split(|byte| *byte == b'\n');
    let line = if behind.starts_with(b"\n") {
        rest.nth(1).unwrap_or_default().to_vec()
    } else {
        [begun, rest.next().unwrap_or_default()].concat()
    };
    PROMPT.matches(&line)
}

const PROMPTS: &str = r"^\s*(?:[\w.@:~/-]{0,40}\s?[$%\#]|(?:mysql|mariadb|postgres|sqlite|mongo|irb|julia)[\w():=\#]{0,12}>|\[[\w.-]+@[\w.-]+\s[^\]\s]{1,40}\][$%\#]|ps\s[a-z]:\\[^>]{0,60}>|[a-z]:\\[^>]{0,60}>|>>>)\s";

/// True for a text that is a whole document of JSON.
pub(super) fn is_json(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let looks = matches!((text.first(), text.last()), (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')));
    looks && serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// True for a text that begins with lines of a head: an answer or a mail that somebody copied.
pub(super) fn is_head(text: &[u8]) -> bool {
    static HEAD: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(HEADS));
    HEAD.matches(text)
}

const HEADS: &str = r"^\s*(?:begin:v[a-z]{4,9}\r?\n|http/\d(?:\.\d)?\s\d{3}\b[^\n]{0,40}\n[a-z][\w-]{1,40}:\s|(?:from|to|subject|date|received|return-path|delivered-to):\s[^\n]{1,200}\n[a-z][\w-]{1,40}:\s[^\n]{1,400}\n)";

/// Words of a language: letters, with a mark at their end at most.
pub(super) fn words(text: &[u8]) -> usize {
    let word = |word: &&[u8]| {
        let word = word.strip_suffix(b"\"").unwrap_or(word).strip_prefix(b"\"").unwrap_or(word);
        let stem = word
            .strip_suffix(b",")
            .or_else(|| word.strip_suffix(b"."))
            .or_else(|| word.strip_suffix(b":"))
            .unwrap_or(word);
        let letters = |byte: &u8| byte.is_ascii_alphabetic() || *byte >= 0x80 || *byte == b'\'';
        stem.len() > 1 && stem.iter().all(letters)
    };
    text.split(u8::is_ascii_whitespace).filter(word).count()
}

#[cfg(test)]
pub(super) fn compiles() -> bool {
    [PROMPTS, HEADS].iter().all(|pattern| Pattern::new(pattern).compiles())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, part: &str) -> bool {
        is_shown(text.as_bytes(), text.find(part).unwrap())
    }

    #[test]
    fn what_is_pasted_is_shown() {
        assert!(at("```bash\nls -la | grep x\n```\nfails", "| grep"));
        assert!(at("i tried `uname -a; uptime` twice", "; uptime"));
        assert!(at("ann@host:~$ ls; id\nnothing", "; id"));
        assert!(at("$ make\n$ cat /etc/hosts | head", "| head"));
        assert!(at("[ann@web ~]$ wget http://x", "wget"));
    }

    #[test]
    fn what_is_sent_is_not() {
        assert!(!at("x; cat /etc/passwd", "; cat"));
        assert!(!at("`id`", "id"));
        assert!(!at("```; id", "; id"), "a fence that does not end");
        assert!(!at("a$(id)", "(id)"));
        assert!(!at("x\n$ y\n;id", ";id"));
    }

    #[test]
    fn documents_and_heads_are_told() {
        assert!(is_json(b" {\"a\": [1, \"b\"]} ") && !is_json(b"{\"a\": 1}, {\"b\": 2}") && !is_json(b"{{x}}"));
        assert!(is_head(b"http/1.1 200 ok\ncontent-type: a/b\n") && is_head(b"from: a\nto: b\nsubject: c\n"));
        assert!(!is_head(b"x\nset-cookie: a=b\n") && !is_head(b"from: x"));
    }
}
