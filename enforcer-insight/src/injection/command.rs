//! Commands of shells, and code of programs. In: a reading. Out: the rules that fire on it, as it stands and without what shells
//! take away (quotes inside of words, carets, `$IFS`). Never here: whether a shell reads it.
//!
//! A command counts where a shell would begin one: behind a sign that parts commands. Words that are English too need an argument
//! that only a command has. Behind prose less counts: people write about shells.
use std::sync::LazyLock;

use super::evidence::Evidence;
use super::own::{is_line, is_program, is_statement};
use super::pasted::{is_shown, words};
use super::pattern::{Pattern, Rule, Rules};
use super::text::{Text, prose};

/// What speaks for a command.
pub(super) fn judge(text: &Text<'_>) -> Evidence {
    let mut evidence = Evidence::default();
    let plain = plainer(&text.lower);
    for reading in std::iter::once(&text.lower[..]).chain(plain.as_deref()) {
        shell(reading, &mut evidence);
        let weigh = |weight: u8, at: usize| {
            let before = reading.get(..at).unwrap_or_default();
            match () {
                () if is_shown(reading, at) || (weight < 85 && is_program(reading)) => weight / 3,
                () if prose(before) >= 2 || words(before) >= 3 => weight / 2,
                () => weight,
            }
        };
        CODE.add(reading, &mut evidence, weigh);
    }
    if plain.is_some() && text.lower.windows(4).any(|four| four == b"$ifs" || four == b"${if") {
        evidence.add("command-separator-variable", 85, text.raw, 0);
    }
    evidence
}

/// Rules for shells; prose before, or lists that only look like commands, take most of their weight.
fn shell(reading: &[u8], evidence: &mut Evidence) {
    static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::new(&SHELL));
    let listed = is_list(reading);
    let fenced = reading.contains(&b'`');
    RULES.add(reading, evidence, |weight, at| {
        let before = reading.get(..at).unwrap_or_default();
        let fenced = fenced && reading.get(at) == Some(&b'`');
        let named = at == 0 && reading.first() == Some(&b'/') && !reading.contains(&b' ');
        let quoted = named || fenced && is_spoken_around(reading, at);
        // Three open a block, and what follows them names its language.
        let fence = reading.get(at) == Some(&b'`') && before.ends_with(b"``");
        let own = at > 0 && (weight < AIMED || is_install(before)) && is_line(reading, at);
        let spoken =
            quoted || is_shown(reading, at) || prose(before) >= 2 || words(before) >= 3 || is_entity(reading, at);
        let whole = || weight < AIMED && (is_program(reading) || is_statement(reading));
        match () {
            () if own || fence || whole() => weight / 5,
            () if spoken || (listed && weight < 80) => weight / 3,
            () => weight,
        }
    });
    end_rule(reading, listed, evidence);
}

/// Rules of this weight and more tell what only attackers aim at, wherever it stands.
const AIMED: u8 = 85;

/// How programs tell people to install them: fetched from a name, and not in the clear.
fn is_install(before: &[u8]) -> bool {
    static INSTALL: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(INSTALLS));
    INSTALL.matches(before)
}

const INSTALLS: &str = r"(?:curl|wget)\s+-\S+\s[^|;&]{0,80}https://[a-z][\w.-]*[a-z](?::\d+)?/[^\s|;&]+\s*$";

/// True for a semicolon that ends a reference of HTML.
fn is_entity(text: &[u8], at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let name = before.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'#').count();
    let opens = before.len().checked_sub(name + 1).and_then(|at| before.get(at));
    text.get(at) == Some(&b';') && (2..9).contains(&name) && opens == Some(&b'&')
}

/// A short command at the very end. Lists of names end so too: there a name stands right before the sign.
fn end_rule(reading: &[u8], listed: bool, evidence: &mut Evidence) {
    static END: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(ENDS));
    let Some((at, _)) = END.find(reading).filter(|_| !listed) else { return };
    let before = reading.get(..at).unwrap_or_default();
    let joined = before.len() >= 3 && before.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    let tight =
        matches!(reading.get(at), Some(b';' | b'|')) && reading.get(at + 1).is_some_and(u8::is_ascii_alphabetic);
    let fenced = reading.get(at) == Some(&b'`') && is_spoken_around(reading, at);
    let named = joined && tight;
    let inside = is_line(reading, at) || is_program(reading);
    let spoken = named || inside || fenced || is_shown(reading, at) || prose(before) >= 2 || words(before) >= 3;
    evidence.add_here("command-at-end", 66, if spoken { 22 } else { 66 }, reading, at);
}

/// True when words stand before and behind what stands between two backticks, as in Markdown.
fn is_spoken_around(text: &[u8], at: usize) -> bool {
    let (before, inside) = (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
    let end = inside.iter().position(|byte| *byte == b'`');
    let behind = end.and_then(|end| inside.get(end + 1..)).unwrap_or_default();
    let apart = before.last().is_none_or(|last| !last.is_ascii_alphanumeric());
    (words(before) >= 2 && apart) || (behind.starts_with(b" ") && behind.get(1).is_some_and(u8::is_ascii_alphabetic))
}

/// Three parts or more of single words with the same sign between them: a list, a table, a query.
pub(super) fn is_list(text: &[u8]) -> bool {
    [b';', b'|', b','].into_iter().any(|sign| {
        let mut parts = text.split(|byte| *byte == sign).filter(|part| !part.trim_ascii().is_empty()).peekable();
        let word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.@".contains(byte);
        let mut count = 0;
        parts.all(|part| {
            count += 1;
            part.trim_ascii().iter().all(word)
        }) && count >= 3
    })
}

/// As a shell takes it: without quotes inside of words, backslashes, carets and empty variables; `None` when that changes nothing.
fn plainer(text: &[u8]) -> Option<Vec<u8>> {
    let strange = text.windows(3).any(|three| three == b"$()")
        || text.windows(2).any(|two| {
            let inside = matches!(two[1], b'\'' | b'"' | b'\\' | b'^' | b'`') && two[0].is_ascii_alphanumeric();
            inside || two[0] == b'\\' || matches!(two, b"$@" | b"$*" | b"$'" | b"${" | b"$i" | b"$1" | b"$9" | b"$u")
        });
    strange.then(|| stripped(text))
}

fn stripped(text: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((first, behind)) = rest.split_first() {
        let begins = |begin: &&str| rest.starts_with(begin.as_bytes());
        if let Some(blank) = BLANKS.iter().find(|begin| begins(begin)) {
            out.push(b' ');
            rest = rest.get(blank.len()..).unwrap_or_default();
        } else if let [b'$', b'{', b'a'..=b'z', b'}', ..] = rest {
            rest = rest.get(4..).unwrap_or_default();
        } else if let Some(nothing) = NOTHINGS.iter().find(|begin| begins(begin)) {
            rest = rest.get(nothing.len()..).unwrap_or_default();
        } else {
            if !matches!(first, b'\'' | b'"' | b'\\' | b'^') {
                out.push(*first);
            }
            rest = behind;
        }
    }
    out
}

const BLANKS: [&str; 6] = ["${ifs%??}", "${ifs}$9", "${ifs}", "$ifs$9", "$ifs", "%09"];
const NOTHINGS: [&str; 9] = ["$'", "$@", "$*", "$9", "$1", "$u", "$()", "``", "\\\n"];

const ENDS: &str = r"[\w.]&(?:env|ver)&?$|(?:[;|\n]|\|\||&&|^\s*&|`|\$\()[\s(]*(?:id|ls|dir|ps|pwd|env|df|uptime|ver|sh|arp|set|reboot|halt|mount|who)\s*(?:[;&`)\#'\x22}\n]|\\n|//|\|\||\|\s*['\x22]?\s*$|$)";

/// What shells begin commands behind, blanks and a folder.
macro_rules! begin {
    () => {
        r"(?:[;|\n\r`\x00]|&|\$\(|[<>]\(|\$\{)[\s({'\x22!@+]*(?:\w{1,10}=\S{0,20}\s+)?(?:(?:env|exec|command|builtin|nohup|time|then|do|else|!|if|until|while|nice(?:\s+-n\s*\d+)?)\s+){0,2}(?:/?(?:[a-z0-9_.?*~-]+/){0,4})"
    };
}
/// Commands whose names are no English words.
macro_rules! sure {
    () => {
        r"(?:whoami|uname|netsh|sysinfo|ifconfig|ipconfig|netstat|nslookup|wget|curl|systeminfo|tasklist|powershell|pwsh|phpinfo|printenv|certutil|bitsadmin|
        echo|tac|nc|ncat|netcat|cmd|bash|zsh|ksh|busybox|chmod|chown|useradd|adduser|sudo|crontab|tcpdump|traceroute|tracert|rundll32|regsvr32|mshta|
        wmic|openssl|schtasks|msiexec|pcalua|irm|ip\s+a(?:ddr)?|test-connection|invoke-\w+|iwr|iex|(?:start|stop|get|set|new|remove|write|out|add|resolve)-(?:sleep|content|childitem|process|item|location|object|command|host|output|file|service|dnsname|wmiobject|ciminstance)|xxd|base64|awk|gawk|sed|socat|mkfifo|nmap|lsof|printf|hostname|getent|lsb_release|mknod|nohup|telnet|tftp|qwinsta|gpresult|vssadmin|cscript|wscript|egrep|grep|fgrep|xargs|tee|rmdir|mkdir|usleep)"
    };
}
/// Commands whose names are.
macro_rules! words {
    () => {
        r"(?:cat|id|ls|dir|ss|ping6?|sleep|type|set|ps|pwd|w|who|env|find|head|tail|more|less|sort|cut|touch|rm|mv|cp|kill|date|time|host|net|arp|route|last|df|du|
        mount|test|python[\d.]*|perl|ruby|php|node|java|sh|cd|copy|del|start|mail|dig|reg|ssh|scp|ftp|timeout|wc|nl|uptime|halt|reboot|shutdown|history|rev|od|export|exec|eval|source|script|diff|tar|zip|gcc|man|vi|ed|lua|read|passwd|su|dd|ln|stat|split|join|paste|service|systemctl|lynx|links|get|rundll|ver|vol|attrib|query|tr|uniq|dmesg|locate|finger|groups|mount|docker|git|alias|trap)"
    };
}

static CODE: LazyLock<Rules> = LazyLock::new(|| Rules::new(&PROGRAMS));

const SHELL: [Rule; 19] = [
    // A name that no list knows, with an argument or an end as only commands have them.
    (
        "command-of-any-name",
        35,
        concat!(begin!(), r"[a-z][a-z0-9_.-]{1,20}(?:\s+-{1,2}[a-z]|\s+/\w|\s+\$|\s*(?:[|;`]|&&)\s*$|\s*[<>]\s*/)"),
    ),
    (
        "command-on-target",
        86,
        concat!(
            begin!(),
            r"[a-z0-9_.-]{2,20}\s[^;|&]{0,60}(?:/etc/(?:passwd|shadow|hosts|group)|/proc/self|<\s*/(?:etc|proc|dev|var|home|root|tmp)/|\.ssh/|\.bash_history)"
        ),
    ),
    ("command-behind-sign", 80, concat!(begin!(), sure!(), r"(?:\.exe)?(?:[\s;|&<>`)'\x22}\\$\#%]|//|$)")),
    (
        "command-with-argument",
        75,
        concat!(
            begin!(),
            words!(),
            r"(?:\.exe)?(?:[\s+]+(?:-{1,2}[a-z0-9]|aux\b|/|[0-9]|\$|\*|~|[a-z]:|\.|'|\x22|%|>|<|&|http|\w+@|[a-z0-9_-]+\.(?:[a-z]{2,}|\d+\.)|[\w.]*/)|[<>][\s&(]*[\w/.]|[;&|]\s*(?:",
            "cat|ls|id|whoami|echo))"
        ),
    ),
    (
        "command-in-folder",
        70,
        concat!(r"(?:^|[;|&`\n(])[\s(]*/?(?:usr/)?(?:local/)?s?bin/", r"[\w?*\[\]-]+(?://|[\s;|&<>`)'\x22$]|$)"),
    ),
    ("command-wildcards", 72, r"(?:^|[;|&\s`(])/[?*a-z\[\]-]{0,8}[?*][?*a-z\[\]-]{0,8}/[?*a-z0-9\[\]-]*[?*a-z]"),
    ("command-braces", 75, concat!(r"(?:^|[;|&\s`(])\{(?:", sure!(), "|", words!(), r"),[^\s}]+\}")),
    (
        "command-target",
        65,
        concat!(
            r"^[\s'\x22(]*(?:/[\w/]*/)?(?:",
            sure!(),
            "|",
            words!(),
            r")\s+(?:\S+\s+){0,4}(?:/etc/(?:passwd|shadow|hosts|group|issue|sudoers|crontab|ssh|hostname|\S*\*|\s|$)|/proc/|c:[\\/](?:windows|winnt|boot|inetpub|users|\W|$)|-[a-z]+\s+/(?:etc|proc|root|home|bin|tmp|var)?/?(?:\s|$)|/var/log/(?:auth\.log|syslog|secure\b|messages)|(?:\.\./){2}|/dev/(?:tcp|udp|sd)|\.bash_|/root/|/home/\w+/\.|\.ssh/(?:id|auth)|id_rsa|\.env\b)"
        ),
    ),
    (
        "command-shell-socket",
        88,
        r"/dev/(?:tcp|udp)/|\bnc(?:at)?(?:\.\w+)?\s+(?:\S+\s+){0,4}-[a-z]*[ec]\b|bash\s+-i|mkfifo\s|>&\s*/dev/|0<&196|\|\s*(?:/bin/)?(?:ba|z|k|da)?sh\s*(?:$|[;&|'\x22)`-])|-e\s+/bin/",
    ),
    (
        "command-substring",
        78,
        r"\$\{\w+:\d+:\d+\}|\$\{\w+%%|\$\{\w+\#\#|(?:^|[^<])<<<\s*[\w'\x22$(]|\$'\\x|\$\(\(|\$0\b.*<<|\b\w+=\w+;\s*\$\w",
    ),
    (
        "command-windows",
        75,
        r"cmd(?:\.exe)?\s+/[ck]\s|powershell(?:\.exe)?\s+-\w|%(?:systemroot|comspec|windir|programfiles|path|homepath)(?::[^%]*)?%|\bnet\s+(?:user|localgroup|view)\b|\breg\s+(?:add|query|save)\s|c:[\\/]windows[\\/]system32[\\/]\w+\.exe",
    ),
    (
        "command-word-waits",
        70,
        r"^[\s'\x22]*(?:sleep|timeout|ping)\s+(?:-[a-z]\s+\d+\s+|/\w\s+)*[0-9.]+\s*(?:[;&|\#`]|$)",
    ),
    ("command-substitution", 70, concat!(r"\$\(\s*(?:", sure!(), "|", words!(), r")\s*(?:[^=.,(\s]|\s+[^=\s]|$)")),
    (
        "command-raw",
        62,
        r"^\s*(?:whoami|ifconfig|ipconfig|netstat\s+-\w+|uname\s+-\w|cat\s+/(?:etc|proc|root|home|boot|dev)\S*|cat\s+/\w+|ls\s+-[a-z]+(?:\s+/\S*)?|type\s+(?:%\w+%|c:|\\)\S*|net\s+user|id\s*;.*)\s*$",
    ),
    (
        "command-download",
        70,
        r"(?:wget|curl)\s+(?:-\S+\s+(?:\S+\s+)?)*(?:http://|https?://\d)[^\s|;>]+(?:\s*[|;>]|\s+&|\s+-o\s|\s*$)",
    ),
    ("command-shock", 95, r"\(\s*\)\s*\{\s*(?::|_|[^}]{0,20})\s*;?\s*\}\s*(?:;|>)"),
    (
        "command-option",
        85,
        r"--(?:checkpoint-action=exec|use-compress-program=|to-command=|rsh=|upload-pack=)|-oproxycommand=",
    ),
    (
        "command-windows-script",
        82,
        r"%\w+:~-?\d+(?:,-?\d+)?%|\bcall\s+%\w+%|\bfor\s+/[a-z]\s.{0,40}%\w\s+in\s*\(|[;|&]\s*&?\s*\(\s*'[^']{1,20}'\s*\+|\|\s*iex\b",
    ),
    ("command-fork", 85, r":\(\)\s*\{\s*:\s*\|"),
];

/// Code of programs that starts others, and of pages that include files.
const PROGRAMS: [Rule; 12] = [
    ("code-starts", 80, r"\b(?:shell_exec|passthru|proc_open|pcntl_exec|popen|phpinfo|system_exec|dl_exec)\s*\("),
    (
        "code-system",
        75,
        r"\bsystem\s*\(\s*['\x22$`/@_\w(]|\bexec\s*\(\s*['\x22$`]|\beval\s*\(\s*(?:base64|\$_|gz|str_rot|chr|compile|request)|\bassert\s*\(\s*['\x22$]?(?:\$_|phpinfo|system)",
    ),
    (
        "code-python",
        82,
        r"__import__\s*\(|\bos\s*\.\s*(?:system|popen|exec\w*)\s*\(|subprocess\s*\.\s*(?:popen|call|run|check_output)|importlib\.import|\bexec\s*\(\s*(?:compile|open)|__builtins__|builtins\.exec",
    ),
    (
        "code-node",
        80,
        r"child_process|process\s*\.\s*(?:mainmodule|binding|env\b)|global\.process|require\s*\(\s*['\x22]\s*(?:fs|os|net|child|vm)\b.{0,40}(?:exec|read|spawn)",
    ),
    (
        "code-java",
        85,
        r"getruntime\s*\(\s*\)\s*(?:\.\s*(?:exec|load)|[^.\s]|$)|processbuilder|java\.lang\.runtime|javax\.script|java\.io\.file\w*reader|nashorn",
    ),
    (
        "code-page",
        85,
        r"<\?(?:=|\s*(?:system|echo|eval|passthru|exec|include)\b)|<\?php\b[^?]{0,300}(?:\bsystem|exec\s*\(|eval\s*\(|passthru|assert\s*\(|popen|phpinfo|base64_decode|file_(?:get|put)|readfile|scandir|fwrite|echo\s+['\x22\d]{1,8}[\w*]{0,12}['\x22]?\s*;?\s*\?|`|\$_(?:get|post|request|cookie|server)\s*\[[^\]]{0,30}\]\s*\()|<\?\s*@?(?:system|eval)|<%\s*(?:eval|execute|runtime|response|out\.|=\s*(?:system|exec|file|dir|`))|<script\s+language\s*=\s*.?php",
    ),
    (
        "code-include",
        90,
        r"<!--\s*\#\s*(?:exec|include|echo|config|printenv|fsize|set)\b|<esi:(?:include|vars|debug|inline)",
    ),
    (
        "code-variable-call",
        80,
        r"\$\{\s*@?(?:print|phpinfo|system|eval|exec|passthru|die|sleep)\s*[({]|\{\$\{|\b(?:system|exec|eval|assert|passthru|popen|include|require|unserialize|call_user_func|create_function)\b[^;]{0,30}\$_(?:get|post|request|cookie|server)\s*\[|`\s*\$_(?:get|post|request|cookie)",
    ),
    (
        "code-ruby",
        78,
        r"\b(?:io|kernel|open3)\s*\.\s*(?:popen\w*|exec|system|spawn|capture\w*)|%x\s*[({\[|]|\bfile\.open\s*\(\s*['\x22]/",
    ),
    (
        "code-perl",
        70,
        r"\bopen\s*\(\s*\w+\s*,\s*['\x22][^'\x22]{0,40}\||\bqx\s*[/({]|perl\s+-e\s|python[\d.]*\s+-c\s.{0,60}(?:\bos\b|socket|subprocess|\bpty\b|exec|eval|system|__import|open\s*\(|urllib|requests)|php\s+-r\s|ruby\s+-e\s|node\s+-e\s",
    ),
    (
        "code-files",
        70,
        r"\b(?:file_get_contents|file_put_contents|readfile|show_source|highlight_file|fopen|include_once|require_once|(?:^|[^\#\w])(?:include|require))\s*\(?\s*['\x22](?:/|https?:|php:|data:|\.\.)",
    ),
    (
        "code-windows",
        80,
        r"wscript\.shell|new\s+activexobject|shell\.application|createobject\s*\(|xp_cmdshell|scripting\.filesystem",
    ),
];

#[cfg(test)]
pub(super) fn compiles() -> bool {
    Rules::new(&SHELL).compiles()
        && CODE.compiles()
        && [ENDS, INSTALLS].iter().all(|pattern| Pattern::new(pattern).compiles())
}
