//! Where requests say who they are.
//!
//! In: the lists `device`, `session`, `user`, `apikey` and `forwarded` of a service. Out: [`IdentityRule`]s that the kernel can
//! carry out. Never here: how many of them fit.
use enforcer_common::limits::{WATCH_NAME, WATCH_PATTERN};
use enforcer_common::{SubjectKind, Take};

use super::IdentityRule;
use super::reader::{Report, Section, Value, shown};

/// The lists of tokens, and whose they are.
pub(super) const TOKENS: [(&str, SubjectKind); 4] = [
    ("device", SubjectKind::Device),
    ("session", SubjectKind::Session),
    ("user", SubjectKind::User),
    ("apikey", SubjectKind::ApiKey),
];

/// Reads one entry of a list of tokens: a header, what follows a pattern in it, a cookie, or a bearer token.
pub(super) fn token(section: &mut Section<'_>, kind: SubjectKind, report: &mut Report) -> Option<IdentityRule> {
    let pattern = section.find(report, "pattern").map(|value| pattern(&value, report));
    let cookie = section.find(report, "cookie");
    let bearer = section.find(report, "bearer");
    if let Some(other) = cookie.as_ref().or(bearer.as_ref()) {
        if pattern.is_some() || section.find(report, "header").is_some() || (cookie.is_some() && bearer.is_some()) {
            let mend =
                "write one of header (with or without pattern), cookie and bearer; a second place is a second entry";
            other.refuse(report, "this is one place too many", mend);
            return None;
        }
        return match cookie {
            Some(value) => cookie_rule(&value, kind, report),
            None => bearer.and_then(|value| bearer_rule(&value, kind, report)),
        };
    }
    let header = section.need(report, "header", EXAMPLE).and_then(|value| header(&value, report))?;
    Some(match pattern {
        None => IdentityRule { kind, header, take: Take::Whole, pattern: String::new() },
        Some(pattern) => IdentityRule { kind, header, take: Take::After, pattern: pattern? },
    })
}

/// Reads one entry of `forwarded`: a header with addresses that trusted proxies write.
pub(super) fn forwarded(section: &mut Section<'_>, report: &mut Report) -> Option<IdentityRule> {
    let single = section.find(report, "single").and_then(|value| value.boolean(report)).unwrap_or(false);
    let header = section.need(report, "header", "\"X-Forwarded-For\"").and_then(|value| header(&value, report))?;
    let take = match (single, header.as_str()) {
        (true, _) => Take::Address,
        (false, "forwarded") => Take::Forwarded,
        (false, _) => Take::ForwardedFor,
    };
    Some(IdentityRule { kind: SubjectKind::Ip, header, take, pattern: String::new() })
}

fn cookie_rule(value: &Value<'_>, kind: SubjectKind, report: &mut Report) -> Option<IdentityRule> {
    let name = value.text(report)?;
    if let Some(bad) = name.chars().find(|c| !is_token(*c)) {
        let what = format!("{} cannot be the name of a cookie: it holds {}", shown(name), shown(&bad.to_string()));
        value.refuse(report, what, "write the name alone, without equals sign, such as \"sid\"");
    } else if name.len() >= WATCH_PATTERN {
        let what = format!("the name of the cookie has {} bytes", name.len());
        value.refuse(report, what, format!("at most {} are looked at in the kernel", WATCH_PATTERN - 1));
    } else {
        let (header, pattern) = ("cookie".to_owned(), format!("{name}="));
        return Some(IdentityRule { kind, header, take: Take::Cookie, pattern });
    }
    None
}

fn bearer_rule(value: &Value<'_>, kind: SubjectKind, report: &mut Report) -> Option<IdentityRule> {
    if !value.boolean(report)? {
        value.refuse(report, "this entry looks at nothing", "write bearer = true, or remove the entry");
        return None;
    }
    let (header, pattern) = ("authorization".to_owned(), "bearer ".to_owned());
    Some(IdentityRule { kind, header, take: Take::Scheme, pattern })
}

/// The name of a header, in lower case.
fn header(value: &Value<'_>, report: &mut Report) -> Option<String> {
    let text = value.text(report)?;
    if let Some(bad) = text.chars().find(|c| !is_token(*c)) {
        let what = format!("{} cannot be the name of a header: it holds {}", shown(text), shown(&bad.to_string()));
        value.refuse(report, what, "write the name alone, without colon or spaces, such as \"X-Device-Id\"");
    } else if text.len() > WATCH_NAME {
        let what = format!("the name of the header has {} bytes", text.len());
        value.refuse(report, what, format!("at most {WATCH_NAME} are looked at in the kernel"));
    } else {
        return Some(text.to_ascii_lowercase());
    }
    None
}

fn pattern(value: &Value<'_>, report: &mut Report) -> Option<String> {
    let text = value.text(report)?;
    if text.contains(|c: char| !matches!(c, ' '..='~')) {
        value.refuse(report, format!("{} is not plain ASCII", shown(text)), "use letters, digits, signs and spaces");
    } else if text.len() > WATCH_PATTERN {
        let mend = format!("at most {WATCH_PATTERN} are looked at in the kernel: write the end of it");
        value.refuse(report, format!("the pattern has {} bytes", text.len()), mend);
    } else {
        return Some(text.to_owned());
    }
    None
}

/// A character of a header's or a cookie's name (RFC 9110, 5.6.2).
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

const EXAMPLE: &str = "\"X-Device-Id\", or cookie = \"sid\", or bearer = true";
