//! Texts that stand by themselves: a line of commands, a statement, a program that somebody pasted whole. In: a text in lower case. Out: whether it is
//! one. Never here: what it would do.
//!
//! An attack closes what the server has opened, or joins on to it: before its first sign stands a value. A pasted text begins with a verb of its own and
//! closes only what it opened. What only attackers aim at (secrets, shells on sockets) counts all the same.
use std::sync::LazyLock;

use super::pasted::words;
use super::pattern::Pattern;

/// True when the line up to the sign at `at` began with a command of its own: the sign parts two commands of the sender, not the server's from his.
pub(super) fn is_line(text: &[u8], at: usize) -> bool {
    static LINE: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(LINES));
    // A substitution is an argument.
    let argument = matches!(text.get(at), Some(b'$' | b'`' | b'<'));
    let before = text.get(..at + usize::from(argument)).unwrap_or_default();
    let line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    LINE.matches(line.get(line.len().saturating_sub(LONGEST_LINE)..).unwrap_or_default())
}

/// True for a program, a file that programs read, a log, a trace, a difference: from its first line on, or by a line that nothing else has.
pub(super) fn is_program(text: &[u8]) -> bool {
    static PROGRAM: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(PROGRAMS));
    static FILE: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(FILES));
    let text = text.get(..text.len().min(LONGEST_PROGRAM)).unwrap_or_default();
    FILE.matches(text) || (text.contains(&b'\n') && PROGRAM.matches(text))
}

/// True when a whole statement of SQL stands here, perhaps behind a label: each of its strings is closed, and none reads as what follows a quote.
pub(super) fn is_statement(text: &[u8]) -> bool {
    static VERB: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(VERBS));
    static AIM: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(AIMS));
    let labels = text.iter().enumerate().filter(|(_, byte)| b":>\n`\"".contains(byte)).map(|(at, _)| at + 1);
    let spoken = |at: &usize| words(text.get(..*at).unwrap_or_default()) >= SPOKEN;
    let begins = |at: usize| VERB.matches(text.get(at..).unwrap_or_default());
    let begun = begins(0) || labels.take(MOST_LABELS).filter(spoken).any(begins);
    begun && !AIM.matches(text) && owns_its_strings(text)
}

/// Words before a label.
const SPOKEN: usize = 2;

/// Every quote closed, apostrophes of words aside; what stands in a string is no condition, union or end of something else.
pub(super) fn owns_its_strings(text: &[u8]) -> bool {
    static JOINT: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(JOINTS));
    let mut at = 0;
    while let Some(length) = text.get(at..).and_then(|rest| rest.iter().position(|byte| matches!(byte, b'\'' | b'"'))) {
        let open = at + length;
        let quote = text.get(open).copied().unwrap_or_default();
        let inside = text.get(open + 1..).unwrap_or_default();
        if quote == b'\'' && is_apostrophe(text, open) {
            at = open + 1;
            continue;
        }
        let Some(length) = inside.iter().position(|byte| *byte == quote) else { return false };
        if JOINT.matches(inside.get(..length).unwrap_or_default()) {
            return false;
        }
        at = open + length + 2;
    }
    true
}

fn is_apostrophe(text: &[u8], at: usize) -> bool {
    let letter = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_alphabetic);
    letter(at.checked_sub(1)) && letter(Some(at + 1))
}

/// Of a line, that much before a sign is looked at; of a program, that much of its beginning.
const LONGEST_LINE: usize = 400;
const LONGEST_PROGRAM: usize = 2048;
const MOST_LABELS: usize = 8;

/// What begins a command line: programs that no value is called by, with an argument; others where a line, a quote or a prompt begins, with one that
/// only a program has.
const LINES: &str = r"(?:^|[\s'\x22`(\[:>@!])(?:docker(?:-compose)?|podman|nerdctl|crictl|kubectl|oc|helm|git|npm|npx|pnpm|yarn|cargo|go\ (?:test|build|run|mod|get|install|vet)|mvnw?|\./gradlew|pip3?|poetry|
    apt(?:-get)?|dnf|yum|apk|brew|dpkg|rpm|flatpak|systemctl|journalctl|sudo|cd|alias|ssh-add|rsync|scp|ssh|mkdir|chmod|chown|grep|egrep|awk|sed|xargs|jq|tar|gzip|unzip|curl|wget|
    terraform|ansible(?:-playbook)?|aws|az|gcloud|gh|psql|mysql|mysqldump|pg_dump|pg_restore|redis-cli|mongosh?|sqlite3|openssl|keytool|ffmpeg|tcpdump|strace|gdb|valgrind|
    dotnet|rails|bundle\ exec|php\ artisan|bazel|zig|dune|rclone|restic|zfs|lvs|nmcli|netstat|ss|crontab|nohup|mktemp|tee|uniq|du|df|dmesg|get-\w+|set-\w+|\./\w[\w./-]*|make\ (?:-|all|clean|install|test|build)|ipconfig|nslookup|pwsh|java\ -jar|python3?\ \S|node\ \S)\s+\S|(?:^|[\s'\x22`(:>])ps\s+(?:aux|-\w+)
    |(?:^|[\x22'`(\[:>]\s*|[$\#%]\s+|sudo\s+|^\s*(?:-|\*|\d+\.|>|\[[x\ ]\])\s+)(?:ls|cat|sort|top|tail|head|cut|wc|echo|env|mount|ip|which|ps|find|kill|killall|cp|mv|rm|ln|touch|test|ping|dig|host|date|id|sleep|nc|perl|ruby|php|node|python3?|java|source|exec|dir|net|type|more|less|diff|stat|watch|time|read|set|lsof|vim|convert|make|go|service|export|vault|consul|nomad|mix|history|shutdown|whoami|uname|hostname|tac|base64|printf|touch)\s+(?:\S+\s+){0,2}(?:-{1,2}[a-z]|\x22|'|\$|\*|\.|~|/|%|\d|[\w-]*[./*=@:]\S)
    |^\s*(?:(?:-|\*|\d+\.|>|[$\#%])\s+)?(?:for\s+\w+\s+in\s|while\s+\S|until\s+\S|if\s+[\[!(\w]|elif\s|do\s+\S|then\s+\S|done\b|fi\b|\w+=\$(?:\([^)]{1,80}\)|\{[^}]{1,80}\})|exit\s+\d|return\s+\d|set\s+-[a-z]|\#)";

/// What the first line, or a line of several, of nothing else is.
const FILES: &str = r"^(?:\#!/|diff\ --git\ |---\ a/|@@\ -\d|commit\ [0-9a-f]{7,40}\n|<{7}\s|traceback\ \(most|exception\ in\ thread|goroutine\ \d|
    cron\[\d+\]|[\w.-]{2,30}\[\d+\]:\s|audit:\s|kernel:\s|time=\x22|\d{4}-\d\d-\d\d[t\ ]\d\d:|\d{1,3}(?:\.\d{1,3}){3}\ -\ |\[\w{3,20}\]\r?\n\w|exec(?:start|stop)\w*=|
    (?:[\d*/,-]{1,12}\s+){5}[\w/@*.]|@(?:daily|hourly|weekly|monthly|reboot|yearly)\s|from\s+[\w./:-]+(?:\s+as\s+\w+)?\r?\n|entrypoint\s*\[|run\s+(?:apt|curl|wget|pip|npm|cd|mkdir|set|yum|apk|echo|useradd)|
    def\s+\w+\s*\([^)]{0,120}\)[^:]{0,40}:\s|function\s+\w+\s*\([^)]{0,120}\)\s*\{\s*\n|(?:public|private|protected)\s+(?:static\s+)?[\w<>\[\]]+\s+\w+\s*\(|(?:pub\s+)?fn\s+\w+\s*[(<]|func\s+[\w(]|\#include\s*[<\x22]|pipeline\s*\{|host\s+[\w.*-]+\r?\n|\$\(['\x22][.\#]?[\w-]+['\x22]\)\.\w+\(|resource\s+\x22|<\?php\s|
    [a-z]{2,20}:\s(?:(?:line\s)?\d+:\s)?\S+:\s(?:no\ such|permission|not\ found|command\ not)|\w+(?:\.\w+)*(?:error|exception):\s)";

/// Lines that only programs, files and traces of several lines have.
const PROGRAMS: &str = r"(?:^|\n)[\ \t>+-]*(?:def\s+\w+\s*\(|class\s+\w+|function\s+\w+\s*\(|(?:const|let|var|val)\s+[\w{\[][^=\n]{0,60}=\s|import\s+[\w{*]|from\s+[\w.]+\s+import\s|\#include|package\s+[\w.]+|public\s|private\s|try\s*[{:]|
    if\s*\(.{1,120}\)\s*\{|for\s*\(|return\s|\}\s*(?:else|catch|finally)|println!|system\.out\.|end\r?(?:\n|$)|at\s+[\w.$<>]{2,80}\s?\(|file\s\x22[^\x22]{1,120}\x22,\sline\s\d|run\s+\S|cmd\s*\[|workdir\s|copy\s+\S+\s\S|env\s+\w+=|
    (?:-\s+)?(?:run|script|steps|jobs|services|image|command|shell|hosts|tasks|when|environment|name|stage|runs-on):(?:\s|\r?$)|\w[\w.-]*:[^\n=]{0,60}\n\t|restart=|user=|[\w.]+\s=\s\S|\w+\.\w+\(.{0,120}\);?\r?\n|\$\w+(?:->|\s=\s)|echo\s\x22<|puts\s|printf\(|print\()";

const VERBS: &str = r"^\s*(?:--[^\n]{0,120}\n\s*){0,4}(?:explain\s+(?:analyze\s+)?)?(?:select\s[^;]{1,600}\sfrom\s+[\w.`\x22\[(]|insert\s+into\s+\S+\s*(?:\(|select|values|default)|update\s+\S+(?:\s+\w+)?\s+set\s+\S+\s*=|
    delete\s+from\s+\S+\s*(?:where|using|;|$)|merge\s+into\s|with\s+\w+\s*(?:\([^)]{0,200}\)\s*)?as\s*\(|(?:create|alter|drop)\s+(?:or\s+replace\s+)?(?:temp\s+)?(?:table|view|index|user|role|database|schema|function|procedure|trigger|sequence|type)\s|
    truncate\s+(?:table\s+)?\w|(?:grant|revoke)\s[\w,\s]{2,80}\s(?:on|to|from)\s|(?:exec|execute|call)\s+[a-wyz][\w.]+|declare\s+@?\w+\s+\w+|begin(?:\s+transaction)?\s*;|start\s+transaction|
    set\s+[\w.]+\s*=|show\s+\w+|if\s+(?:not\s+)?exists\s*\(\s*select|vacuum\s|analyze\s+\w)";

/// What nobody pastes to ask about.
const AIMS: &str = r"into\s+(?:out|dump)file|load_file\s*\(|xp_\w+|benchmark\s*\(|utl_\w+|dbms_\w+|extractvalue\s*\(|updatexml\s*\(|/\*!|waitfor\s+delay|group_concat\s*\(|0x[0-9a-f]{2,}|select\s+null\b|null\s*,\s*null";

/// How what is joined on to a statement begins.
const JOINTS: &str =
    r"^\s*(?:(?:or|and|union|having|xor|order|group|limit|like|rlike|between|waitfor)\b|\|\||&&|;|\)|--)";

#[cfg(test)]
pub(super) fn compiles() -> bool {
    [LINES, FILES, PROGRAMS, VERBS, AIMS, JOINTS].iter().all(|pattern| Pattern::new(pattern).compiles())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_with_a_command_and_a_value_does_not() {
        for line in
            ["docker compose up -d ", "cd /srv/api ", "$ ls -la ", "ran: tail -n 5 x.log ", "*/5 * * * * cd /srv "]
        {
            assert!(is_line(line.as_bytes(), line.len()), "{line}");
        }
        for value in ["127.0.0.1", "docker", "report.pdf ", "git\nx", "x' ", "host", "sort by price", "the id of ann "]
        {
            assert!(!is_line(value.as_bytes(), value.len()), "{value}");
        }
    }

    #[test]
    fn a_statement_is_whole_and_what_joins_on_is_not() {
        for whole in [
            "select a from b where c = 'x' or 1=1;",
            "-- monthly\nselect a, 'it''s' from b",
            "please run: delete from b where c = 'd'; -- thanks",
            "update b set c = '' where d is null",
        ] {
            assert!(is_statement(whole.as_bytes()), "{whole}");
        }
        for part in [
            "1 union select a from b",
            "select a from b' union select c from d--",
            "select a from b where c = ' or 1=1--'",
            "select a from b\" or \"1\"=\"1",
            "select load_file('/etc/passwd') from b",
            "x'; drop table b--",
        ] {
            assert!(!is_statement(part.as_bytes()), "{part}");
        }
    }

    #[test]
    fn programs_are_told_by_their_lines() {
        for program in [
            "from debian:12\nrun apt-get update && true",
            "0 3 * * 1 /usr/bin/php x",
            "const a = 1;\nb(a);",
            "def f(x):\n  return 1",
            "sh: 1: x: not found",
        ] {
            assert!(is_program(program.as_bytes()), "{program}");
        }
        for value in ["x\ncat /etc/passwd", "';alert(1)//", "var a=1;alert(a)", "1 2 3", "ann: hello"] {
            assert!(!is_program(value.as_bytes()), "{value}");
        }
    }
}
