//! Files outside of their folder. In: a reading. Out: how far it climbs, by what tricks, and what it aims at. Never here: files.
//!
//! Programs and pages climb too (`../lib/x.js`): climbing counts with its depth, with a target that only attackers name, or with a trick
//! that only hides.
use std::sync::LazyLock;

use super::evidence::Evidence;
use super::own::{is_line, is_program};
use super::pasted::{is_shown, words};
use super::pattern::Pattern;
use super::text::Text;
use crate::content::{Place, WHOLE_PATH};

/// What speaks for a path.
pub(super) fn judge(text: &Text<'_>) -> Evidence {
    let mut evidence = Evidence::default();
    let slashed: Vec<u8> = text.lower.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect();
    let climb = Climb::of(&slashed);
    let begin = climb.at.unwrap_or(text.lower.len());
    let spoken = text.prose_before(begin) >= 2 || (climb.at.is_some() && is_line(&text.lower, begin));
    if let Some(at) = climb.at {
        climbing(&climb, at, &slashed, text, spoken, &mut evidence);
    }
    if let Some(at) = repeated(&slashed) {
        evidence.add("path-repeats", 60, text.raw, at);
    }
    if text.lower.contains(&b'\\') {
        mixed(text, &climb, &mut evidence);
    }
    targets(&slashed, &climb, text, &mut evidence);
    evidence
}

/// How a path climbs.
#[derive(Default)]
struct Climb {
    /// Segments that go up.
    depth: usize,
    /// Of them, those in a way that only hides: `....//`, `..;/`, doubled slashes.
    hidden: usize,
    /// Where the first stands.
    at: Option<usize>,
    /// Where what they lead to begins.
    end: usize,
}

impl Climb {
    fn of(text: &[u8]) -> Self {
        static UP: LazyLock<regex::bytes::Regex> = LazyLock::new(up);
        let mut climb = Self::default();
        for found in UP.find_iter(text).take(64) {
            let before = found.start().checked_sub(1).and_then(|at| text.get(at));
            let inside = !found.as_bytes().starts_with(b"/") && found.start() != climb.end;
            if inside && before.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'.') {
                continue;
            }
            climb.at.get_or_insert_with(|| found.start());
            climb.depth += 1;
            let shape = found.as_bytes().trim_ascii();
            climb.hidden += usize::from(!matches!(shape, b"../" | b".." | b"/../" | b"/.."));
            climb.end = found.end();
        }
        climb
    }
}

/// One step up in any of its forms; matches nothing if it could not be built.
fn up() -> regex::bytes::Regex {
    let pattern = regex::bytes::RegexBuilder::new(UP_FORMS).unicode(false).build();
    pattern.unwrap_or_else(|_| never())
}

fn never() -> regex::bytes::Regex {
    regex::bytes::Regex::new("").unwrap_or_else(|_| never())
}

/// Where the same step of dots and few other signs is taken thrice in a row: whoever escapes his steps, escapes each alike.
fn repeated(text: &[u8]) -> Option<usize> {
    let at = text.windows(2).position(|two| two == b"..")?;
    let rest = text.get(at..)?;
    let length = rest.windows(2).skip(2).position(|two| two == b"..").map(|length| length + 2)?;
    let (step, next) = rest.split_at_checked(length)?;
    let dots = step.iter().take_while(|byte| **byte == b'.').count();
    let tail = step.get(dots..).unwrap_or_default();
    let escaped = (2..=LONGEST_STEP).contains(&tail.len()) && !tail.contains(&b' ') && tail != b"//";
    (escaped && next.starts_with(step) && next.get(length..).is_some_and(|last| last.starts_with(step))).then_some(at)
}

/// Bytes of what stands for a slash, at most.
const LONGEST_STEP: usize = 16;

fn climbing(climb: &Climb, at: usize, slashed: &[u8], text: &Text<'_>, spoken: bool, evidence: &mut Evidence) {
    let target = slashed.get(climb.end..).unwrap_or_default();
    let source = SOURCES.iter().any(|end| target.ends_with(end.as_bytes())) || target.is_empty();
    let in_path = text.place == Place::Path;
    let bare = slashed.iter().all(|byte| b"./".contains(byte));
    let weight = match climb.depth {
        0 => 0,
        2.. if bare => 60,
        1 => 20,
        2 => 35,
        3 if source => 40,
        3 => 55,
        4 if source => 48,
        _ => 72,
    };
    let weight = weight + if in_path && weight >= 35 && !source { 20 } else { 0 };
    evidence.add_here("path-climbs", weight, if spoken { weight / 3 } else { weight }, text.raw, at);
    if spoken {
        return;
    }
    if climb.hidden > 0 {
        evidence.add("path-climbs-hidden", if climb.hidden >= 2 { 62 } else { 30 }, text.raw, at);
    }
    if in_path && text.name != WHOLE_PATH && climb.depth >= 1 && !source {
        evidence.add("path-climbs-in-segment", if climb.depth == 1 { 30 } else { 60 }, text.raw, at);
    }
    if text.raw.contains(&0) || slashed.windows(3).any(|three| three == b"%00") {
        evidence.add("path-cut", 50, text.raw, at);
    }
}

/// Backslashes climb on Windows only: nobody writes three of them by accident.
fn mixed(text: &Text<'_>, climb: &Climb, evidence: &mut Evidence) {
    let steps = text.lower.windows(3).filter(|three| *three == b"..\\").count();
    if steps >= 2 || (steps == 1 && climb.depth >= 2) {
        evidence.add("path-climbs-backslash", if steps >= 3 { 55 } else { 40 }, text.raw, climb.at.unwrap_or(0));
    }
}

fn targets(slashed: &[u8], climb: &Climb, text: &Text<'_>, evidence: &mut Evidence) {
    static TARGETS: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(TARGET_FILES));
    static SCHEMES: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(TARGET_SCHEMES));
    static SYSTEMS: LazyLock<Pattern> = LazyLock::new(|| Pattern::new(SYSTEM_FOLDERS));
    let squeezed = squeeze(slashed);
    let shown = |text: &[u8], at: usize| {
        let before = text.get(..at).unwrap_or_default();
        is_shown(text, at) || words(before) > 0 || is_line(text, at) || is_program(text)
    };
    let spoken = |at: usize| shown(&squeezed, at);
    if let Some((at, end)) = TARGETS.find(&squeezed) {
        let behind = words(squeezed.get(end..).unwrap_or_default());
        let whole = !spoken(at) && behind < 2 && at < MOST_BEFORE;
        let weight = match climb.depth {
            0 if whole => 66,
            0 => 20,
            _ if spoken(at) => 40,
            _ => 85,
        };
        evidence.add_here("path-target", if climb.depth == 0 { 66 } else { 85 }, weight, text.raw, at);
    }
    if let Some((at, end)) = SCHEMES.find(slashed) {
        let spoken = shown(slashed, at) || words(slashed.get(end..).unwrap_or_default()) >= 2;
        evidence.add_here("path-scheme", 75, if spoken { 30 } else { 75 }, text.raw, at);
    }
    if let Some((at, _)) = SYSTEMS.find(slashed) {
        evidence.add("path-of-system", 55, text.raw, at);
    }
}

/// With doubled slashes and dots between slashes as one slash, and no NUL.
fn squeeze(text: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    for byte in text.iter().copied().filter(|byte| *byte != 0) {
        if byte == b'/' && out.ends_with(b"/.") {
            out.pop();
        } else if byte != b'/' || out.last() != Some(&b'/') {
            out.push(byte);
        }
    }
    out
}

/// A target counts by itself when it stands this near to the beginning.
const MOST_BEFORE: usize = 64;

const UP_FORMS: &str = r"/?(?:\.{2,4}[;\x00]?/+|/\.\.$|^\.\.$|\.\x00\./|\.{2}(?:%00|%0a|%0d|\s)/|\.\./+\.?/*|\x2e/\x2e/?\x00|\.\.0x2f|\.\.%5c|\.\.%2f|\.\.u2215|\.\.u2216|\.\.%c0%af|0x2e0x2e(?:0x2f|0x5c|/))";

/// What programs and pages name by climbing.
const SOURCES: [&str; 26] = [
    ".js", ".ts", ".jsx", ".tsx", ".css", ".scss", ".png", ".jpg", ".svg", ".gif", ".rs", ".py", ".md", ".html", ".h",
    ".c", ".cpp", ".json", ".vue", ".rb", ".go", ".java", ".toml", ".txt", ".yml", ".yaml",
];

const TARGET_FILES: &str = r"etc/(?:passwd|shadow|hosts\b|group\b|issue\b|motd|fstab|crontab|sudoers|ssh/|hostname|apache2|httpd|nginx|mysql/|my\.cnf|php|resolv\.conf|profile|master\.passwd|security|redhat-release|services|networks|inetd|gshadow|ssl|aliases|bashrc|tomcat|samba|proftpd|vsftpd|exports|ftpusers|host\.conf|inittab|ld\.so|lilo|logrotate|modules|mtab|printcap|rsyslog|sysctl|syslog|updatedb|wu-ftpd|chrootusers|pure-ftpd|mail|init\.d|cron|snmp|ldap|openldap|postgres|vhcs|at\.|firewall|login|pam|passwd|sysconfig|termcap|timezone|x11)
    |(?:^|/)proc/(?:self|\d+|version|cmdline|mounts|net/|cpuinfo|sched|config|meminfo|partitions|stat)|boot\.ini|(?:^|/)win\.ini|win(?:dows|nt)/(?:system32/(?:config|drivers/etc|cmd|inetsrv|eula|license|logfiles)|win\.ini|repair|system\.ini|php\.ini|debug|panther|my\.ini|iis|explorer|notepad|system32$)
    |web-inf/|meta-inf/|(?:^|/)\.(?:htaccess|htpasswd|env|git/(?:config|head)|ssh/|bash_history|aws/|svn/|bashrc|npmrc|docker|kube/|mysql_history)
    |id_[rd]sa\b|authorized_keys|web\.config|wp-config|(?:^|/)var/(?:log/|www/|lib/(?:mlocate|mysql|php)|spool/|run/|mail/|apache|adm/|cpanel|htmp|local)|(?:^|/)(?:usr/(?:local/)?(?:etc|apache|apache2|php|psa|pkg|cpanel|home|ports|zeus)/)
    |(?:^|/)(?:opt/lampp|home/\w+/\.(?:ssh|bash|aws|mysql|gnupg|kube|docker|netrc|viminfo|zsh)|root/\.|xampp/|apache\d?/(?:logs|conf)|apache\ group|inetpub/|mysql/(?:data|bin|my)|php\d?/php\.ini|autoexec\.bat|config\.sys|sysprep|unattend|sam\b|global\.asa|library/webserver|private/etc|dev/(?:fd|shm)|sys/class|users/administrator|documents\ and\ settings|minint|logs/(?:access|error)|conf(?:ig)?/(?:database|settings|httpd|server|tomcat))
    |system32/(?:drivers/etc|config/|cmd\.exe)|[a-z]:/(?:boot\.|win\.ini|winnt/|autoexec|config\.sys|pagefile|sysprep|unattend)|/etc/?$";

/// What begins with a file of the system itself.
const SYSTEM_FOLDERS: &str =
    r"^[\s'\x22]*(?:[a-z]:/{1,4}(?:windows|winnt|inetpub|boot|users/administrator)/|/(?:etc|proc|root|sys)/)\S";

const TARGET_SCHEMES: &str = r"(?:^|[=\s'\x22(])(?:php://(?:filter|input|fd|memory|temp)|expect://|zip://|phar://|data://|glob://|ogg://|ssh2\.|rar://|compress\.|zlib:|netdoc:|file:///?(?:etc|proc|c:|c%3a|var|root|home|sys|dev|usr|bin|opt|tmp|windows|\.\.|localhost|$)|jar:(?:https?|file)|file:/+|local_file:)|convert\.(?:base64|iconv|quoted)";

#[cfg(test)]
pub(super) fn compiles() -> bool {
    let patterns = [TARGET_FILES, TARGET_SCHEMES, SYSTEM_FOLDERS];
    up().as_str() == UP_FORMS && patterns.iter().all(|pattern| Pattern::new(pattern).compiles())
}
