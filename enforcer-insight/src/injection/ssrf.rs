//! URLs that only the server can reach. In: a reading that is a URL. Out: whether its host is the server itself, its network or its
//! cloud, or its scheme one that pages do not have. Never here: names resolved.
use std::sync::LazyLock;

use super::evidence::Evidence;
use super::pattern::{Rule, Rules};
use super::text::{Sign, Text, prose};

/// What speaks for such a URL. Whoever writes about one, writes more than the URL; browsers name theirs in `Referer` and `Origin`.
pub(super) fn judge(text: &Text<'_>) -> Evidence {
    static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::new(&TABLE));
    let mut evidence = Evidence::default();
    let begins = text.lower.first().is_some_and(|first| matches!(first, b'/' | b'\\'));
    if NAMES.contains(&text.name) || !(begins || text.has(Sign::COLON)) {
        return evidence;
    }
    let lower = folded(&text.lower);
    let spoken = prose(&lower) >= 2 || lower.trim_ascii().contains(&b' ');
    RULES.add(&lower, &mut evidence, |weight, _| if spoken { weight / 2 } else { weight });
    evidence
}

/// With digits in circles as digits.
fn folded(text: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((first, behind)) = rest.split_first() {
        match rest {
            [0xe2, 0x91, third @ 0xa0..=0xa8, ..] => {
                out.push(third - 0xa0 + b'1');
                rest = rest.get(3..).unwrap_or_default();
            }
            [0xe2, 0x93, 0xaa, ..] => {
                out.push(b'0');
                rest = rest.get(3..).unwrap_or_default();
            }
            [0xe3, 0x80, 0x82, ..] => {
                out.push(b'.');
                rest = rest.get(3..).unwrap_or_default();
            }
            _ => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    out
}

const NAMES: [&str; 4] = ["referer", "origin", "host", "user-agent"];

macro_rules! web {
    () => {
        r"^[\s'\x22<(]*(?:url:|view-source:)?(?:https?|ftps?|wss?|sftp|tftp|ldaps?|rmi|jar:https?|file|smb)?:?[\\/]{2,3}(?:[^/@\s]{1,80}@)?\[?"
    };
}
macro_rules! end {
    () => {
        r"\]?(?:[:/?\#\s\\;'\x22]|$)"
    };
}

const TABLE: [Rule; 10] = [
    // Names in letters that few hosts have, or two hosts in one: what they stand in tells the rest.
    (
        "ssrf-odd-host",
        35,
        r"^[\s'\x22]*(?:[a-z]{2,6}:)?[\\/]{2,}[^/\s]{0,80}(?:[\x80-\xff@\#\\]|%[0-9a-f]{2}|\d\.?(?:[:/?]|$))",
    ),
    (
        "ssrf-metadata",
        92,
        r"169\.254\.169\.25[34]|169\.254\.170\.2|metadata\.(?:google|azure|tencentyun|packet)|(?:latest|2009-04-04|computemetadata)/(?:meta-data|user-data|dynamic|v1)|100\.100\.100\.200|metadata/(?:instance|v1|identity)|fd00:ec2::254|192\.0\.0\.192/|/opc/v[12]/|rancher-metadata",
    ),
    (
        "ssrf-self",
        72,
        concat!(
            web!(),
            r"(?:localhost(?:\.localdomain)?|127(?:\.\d{1,3}){0,3}|0|0\.0\.0\.0|::1?|0:0:0:0:0:0:0:1|0000::1|ip6-localhost|::ffff:(?:127|7f00|0?a9fe)[\w:.]*|::ffff:\d[\d.]*|localho\.st)\.?",
            end!()
        ),
    ),
    (
        "ssrf-network",
        58,
        concat!(
            web!(),
            r"(?:10(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2}|169\.254(?:\.\d{1,3}){2}|f[cd][0-9a-f]{2}:[0-9a-f:]+|fe80:[0-9a-f:]+)",
            end!()
        ),
    ),
    (
        "ssrf-odd-number",
        85,
        concat!(
            web!(),
            r"(?:0x[0-9a-f]{2,10}(?:\.(?:0x)?[0-9a-f]{1,8}){0,3}|\d{8,12}|0\d{2,}(?:\.\d{1,4}){0,3}|0+\d{1,3}\.(?:0+\d{0,3}\.){1,2}0*\d{1,3}|\d{1,3}\.\d{1,8}|\d{1,3}\.\d{1,3}\.\d{1,6}|(?:0x?[0-9a-f]{1,3}|\d{1,3})(?:\.0x[0-9a-f]{1,3}|\.0\d{2,3}){1,3}|\d{4,}\.\d+\.\d+\.\d+|3\d{2}\.\d+\.\d+\.\d+)",
            end!()
        ),
    ),
    (
        "ssrf-name",
        78,
        concat!(
            web!(),
            r"[\w.-]*(?:127[.-]0[.-]0[.-]1|10[.-]\d+[.-]\d+[.-]\d+|192[.-]168[.-]\d+[.-]\d+|169[.-]254[.-]\d+[.-]\d+)?[\w.-]*\.?(?:nip\.io|sslip\.io|xip\.io|localtest\.me|lvh\.me|vcap\.me|lacolhost\.com|yoogle\.com|1u\.ms|spoofed\.burpcollaborator\.net|localdomain|internal|intranet|svc\.cluster\.local|corp|home\.arpa)\.?",
            end!()
        ),
    ),
    (
        "ssrf-scheme",
        88,
        r"^[\s'\x22<]*(?:url:)?(?:gopher|dict|netdoc|tftp|sftp|ldaps?|jar|mysql|rmi|smb|imap|pop3|smtp|telnet|ssh2|svn)://?\S|^[\s'\x22]*(?:gopher|dict|jar:https?):",
    ),
    ("ssrf-file", 80, r"^[\s'\x22<]*(?:url:)?file:/{1,4}\S|^[\s'\x22<]*file:\\\\"),
    (
        "ssrf-confused",
        75,
        r"^[\s'\x22]*https?:[\\/]{2,}[^/\s]{0,60}(?:@|\#@|\\@|&@|;@|%40|\s)(?:127\.|localhost|10\.|192\.168\.|169\.254|\[::|0x|\d{8,}|internal)|^https?:/{0,1}(?:localhost|127\.|169\.254)|^https?:///+(?:127|localhost|169)",
    ),
    (
        "ssrf-service",
        70,
        concat!(
            web!(),
            r"(?:kubernetes(?:\.default)?(?:\.svc)?|consul|vault|elasticsearch|redis|admin|backend|intern|intranet|jenkins|docker|etcd|mongo\w*|mysql|postgres|memcached|rabbitmq|metadata|db|database|api-internal|internal[\w.-]*):?\d*",
            end!()
        ),
    ),
];

#[cfg(test)]
pub(super) fn compiles() -> bool {
    Rules::new(&TABLE).compiles()
}
