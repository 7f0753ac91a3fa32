//! The sections of a policy file.
//!
//! In: the parsed file. Out: parts of the document, and problems. Never here: what holds between sections (see `read.rs`).
use enforcer_common::{AllowKind, Prefix, SubjectKind};

use super::read::{FilePlace, Names};
use super::{
    Allow, Cell, Document, Filter, Forwarded, Identity, IdentityPlace, Mode, Service, Terms, WrittenDecision,
    WrittenSubject,
};
use crate::reading::{Report, Section, Value, shown};
use crate::{Action, Scope, Subject, Template, Token, parse_prefix, parse_rate};

/// Reads one file into the document.
pub(super) fn document(mut root: Section<'_>, document: &mut Document, names: &mut Names, report: &mut Report) {
    for (name, section) in named(&mut root, report, names, "service") {
        document.base.services.insert(name, service(section, names, report));
    }
    for (name, section) in named(&mut root, report, names, "filter") {
        document.base.filters.insert(name, filter(section, report));
    }
    for (name, section) in named(&mut root, report, names, "group") {
        document.base.groups.insert(name, group(section, report));
    }
    if let Some(section) = root.section(report, "matrix") {
        matrix(&section, document, names, report);
    }
    for section in root.sections(report, "allow") {
        document.base.allow.extend(allow(section, names, report));
    }
    for section in root.sections(report, "decision") {
        document.decisions.extend(decision(section, names, report));
    }
    root.finish(report);
    document.base.allow.sort();
}

/// The tables below a table whose keys are names.
fn named<'d>(
    root: &mut Section<'d>,
    report: &mut Report,
    names: &mut Names,
    kind: &'static str,
) -> Vec<(String, Section<'d>)> {
    let Some(section) = root.section(report, kind) else { return Vec::new() };
    let mut found = Vec::new();
    for (name, value) in section.entries(report) {
        if !is_name(&name) {
            let what = format!("{} is not a name", shown(&name));
            value.refuse(report, what, "use 1 to 64 lower-case letters, digits and hyphens, and not \"all\"");
        } else if let Err(file) = names.define(kind, &name) {
            value.refuse(report, format!("{file} names this {kind}, too"), "keep one of the two");
        } else if let Some(section) = value.section(report) {
            found.push((name, section));
        }
    }
    found
}

fn service(mut section: Section<'_>, names: &mut Names, report: &mut Report) -> Service {
    let mut service = Service::default();
    if let Some(value) = section.find(report, "ports") {
        let ports = value.list(report).into_iter().filter_map(|port| port.integer(report, 1..=65_535));
        service.ports = ports.filter_map(|port| u16::try_from(port).ok()).collect();
    }
    service.hosts = texts(&mut section, report, "hosts").iter().map(|host| host.to_ascii_lowercase()).collect();
    service.paths = paths(&mut section, report);
    service.owners = texts(&mut section, report, "owners");
    if let Some(facts) = section.section(report, "facts") {
        let entries = facts.entries(report);
        service.facts = entries.into_iter().filter_map(|(name, value)| Some((name, value.plain(report)?))).collect();
    }
    for kind in [SubjectKind::Device, SubjectKind::Session, SubjectKind::User, SubjectKind::ApiKey] {
        for rule in section.sections(report, kind.name()) {
            service.identities.extend(identity(kind, rule, report));
        }
    }
    service.terms = terms(&mut section, names, report);
    section.finish(report);
    service
}

fn terms(section: &mut Section<'_>, names: &mut Names, report: &mut Report) -> Terms {
    let mut flag = |key, words: &[(&'static str, bool)]| {
        section.find(report, key).and_then(|value| value.choice(report, words)).unwrap_or(false)
    };
    let observe = flag("mode", &[("enforce", false), ("observe", true)]);
    let deny_ambiguous = flag("ambiguous", &[("observe", false), ("deny", true)]);
    let mut boolean = |key| section.find(report, key).and_then(|value| value.boolean(report)).unwrap_or(false);
    let (strict, proxy_protocol) = (boolean("strict"), boolean("proxy_protocol"));
    let sample = section.find(report, "sample").and_then(|value| sample(&value, report)).filter(|parts| *parts != 1);
    let mut headers: Vec<Forwarded> =
        section.sections(report, "forwarded").into_iter().filter_map(|rule| forwarded(rule, report)).collect();
    headers.dedup();
    let groups = groups(section, names, report);
    Terms { groups, observe, strict, deny_ambiguous, proxy_protocol, sample, forwarded: headers }
}

/// One in so many; 0 for none.
fn sample(value: &Value<'_>, report: &mut Report) -> Option<u32> {
    let text = value.text(report)?;
    let parts = match text {
        "all" => Some(1),
        "none" => Some(0),
        other => other.strip_prefix("1/").and_then(|parts| parts.parse().ok()).filter(|parts| *parts > 0),
    };
    if parts.is_none() {
        let what = format!("{} is not a share", shown(text));
        value.refuse(report, what, "write \"all\", \"none\", or one in so many, such as \"1/100\"");
    }
    parts
}

fn forwarded(mut rule: Section<'_>, report: &mut Report) -> Option<Forwarded> {
    let header = rule.need(report, "header", "\"X-Forwarded-For\"").and_then(|value| value.text(report));
    let header = header.map(str::to_ascii_lowercase);
    let single = rule.find(report, "single").and_then(|value| value.boolean(report)).unwrap_or(false);
    rule.finish(report);
    Some(Forwarded { header: header?, single })
}

fn paths(section: &mut Section<'_>, report: &mut Report) -> Vec<String> {
    let Some(value) = section.find(report, "paths") else { return Vec::new() };
    let read = |path: Value<'_>, report: &mut Report| {
        let text = path.text(report)?;
        match text.parse::<Template>() {
            Ok(template) => return Some(template.to_string()),
            Err(error) => path.refuse(report, error.to_string(), error.fault.mend()),
        }
        None
    };
    value.list(report).into_iter().filter_map(|path| read(path, report)).collect()
}

fn identity(kind: SubjectKind, mut rule: Section<'_>, report: &mut Report) -> Option<Identity> {
    let text = |rule: &mut Section<'_>, report: &mut Report, key| {
        rule.find(report, key).and_then(|value| value.text(report)).map(str::to_owned)
    };
    let header = text(&mut rule, report, "header").map(|name| name.to_ascii_lowercase());
    let pattern = text(&mut rule, report, "pattern");
    let cookie = text(&mut rule, report, "cookie");
    let bearer = rule.find(report, "bearer").and_then(|value| value.boolean(report)).unwrap_or(false);
    let place = match (header, cookie, bearer) {
        (Some(header), None, false) => Some(IdentityPlace::Header(header, pattern)),
        (None, Some(cookie), false) => Some(IdentityPlace::Cookie(cookie)),
        (None, None, true) => Some(IdentityPlace::Bearer),
        (_, _, _) => None,
    };
    if place.is_none() {
        rule.refuse(report, "exactly one place is meant", "write header = \"...\", cookie = \"...\" or bearer = true");
    }
    rule.finish(report);
    place.map(|place| Identity { kind, place })
}

fn filter(mut section: Section<'_>, report: &mut Report) -> Filter {
    let text = |section: &mut Section<'_>, report: &mut Report, key| {
        section.find(report, key).and_then(|value| value.text(report)).unwrap_or_default().to_owned()
    };
    let (title, risk) = (text(&mut section, report, "title"), text(&mut section, report, "risk"));
    let parameters = section.section(report, "parameters").map_or_else(Vec::new, |free| free.entries(report));
    let parameters = parameters.into_iter().filter_map(|(name, value)| Some((name, value.plain(report)?))).collect();
    section.finish(report);
    Filter { title, risk, parameters }
}

fn group(mut section: Section<'_>, report: &mut Report) -> std::collections::BTreeSet<String> {
    let hosts = texts(&mut section, report, "hosts").into_iter().collect();
    section.finish(report);
    hosts
}

fn matrix(section: &Section<'_>, document: &mut Document, names: &mut Names, report: &mut Report) {
    for (filter, row) in section.entries(report) {
        uses(names, "filter", &filter, &row, report);
        let Some(row) = row.section(report) else { continue };
        for (service, value) in row.entries(report) {
            uses(names, "service", &service, &value, report);
            if let Err(file) = names.define("cell", &format!("{filter} {service}")) {
                value.refuse(report, format!("{file} has this cell, too"), "keep one of the two");
            } else if let Some(cell) = cell(&value, report) {
                document.base.matrix.entry(filter.clone()).or_default().insert(service, cell);
            }
        }
    }
}

fn cell(value: &Value<'_>, report: &mut Report) -> Option<Cell> {
    const MODES: [(&str, Mode); 3] = [("off", Mode::Off), ("observe", Mode::Observe), ("enforce", Mode::Enforce)];
    if !value.is_table() {
        return value.choice(report, &MODES).map(|mode| Cell { mode, ..Cell::default() });
    }
    let mut section = value.section(report)?;
    let mode = section.need(report, "mode", "\"observe\"").and_then(|mode| mode.choice(report, &MODES));
    let others = section.entries(report).into_iter().filter(|(name, _)| name != "mode");
    let parameters = others.filter_map(|(name, value)| Some((name, value.plain(report)?))).collect();
    Some(Cell { mode: mode?, parameters })
}

fn allow(mut section: Section<'_>, names: &mut Names, report: &mut Report) -> Option<Allow> {
    let network = section.need(report, "network", "\"10.0.0.0/8\"").and_then(|value| network(&value, report));
    let kinds = [("full", AllowKind::Full), ("proxy", AllowKind::Proxy)];
    let kind = section.find(report, "as").and_then(|value| value.choice(report, &kinds));
    let reason = reason(&mut section, report);
    let groups = groups(&mut section, names, report);
    let everything = network.is_some_and(|network| network.length() <= 96 && network.contains(V4_NONE));
    if everything {
        section.refuse(report, "this holds every address of a family", "name the networks that are meant");
    }
    section.finish(report);
    Some(Allow { network: network?, kind: kind.unwrap_or(AllowKind::Full), reason, groups })
}

fn decision(mut section: Section<'_>, names: &mut Names, report: &mut Report) -> Option<WrittenDecision> {
    let subject = subject(&mut section, report);
    let scope = section.find(report, "scope");
    let scope = scope.map_or(Some(Scope::All), |value| {
        let text = value.text(report)?;
        let scope = Scope::parse(text).map_err(|error| value.refuse(report, error.to_string(), error.fault.mend()));
        let scope = scope.ok()?;
        scope.service().into_iter().for_each(|service| uses(names, "service", service, &value, report));
        Some(scope)
    });
    let actions = [Action::Observe, Action::Limit, Action::Deny, Action::Reset, Action::Drop];
    let actions = actions.map(|action| (action.name(), action));
    let action = section.need(report, "action", "\"deny\"").and_then(|value| value.choice(report, &actions));
    let rate = section.find(report, "rate").and_then(|value| {
        let read = parse_rate(value.text(report)?, None);
        read.map_err(|error| value.refuse(report, error.to_string(), "write it such as \"60/m\"")).ok()
    });
    let until = section.find(report, "until").and_then(|value| value.moment(report));
    let (reason, groups) = (reason(&mut section, report), groups(&mut section, names, report));
    if let (Some(subject), Some(scope)) = (&subject, &scope)
        && let Err(file) = names.define("decision", &subject.key(scope))
    {
        section.refuse(report, format!("{file} decides on this subject and scope, too"), "keep one of the two");
    }
    section.finish(report);
    Some(WrittenDecision { subject: subject?, scope: scope?, action: action?, rate, until, reason, groups })
}

fn subject(section: &mut Section<'_>, report: &mut Report) -> Option<WrittenSubject> {
    let ip = section.find(report, "ip");
    let mut count = usize::from(ip.is_some());
    let mut found = ip.and_then(|value| network(&value, report)).map(|ip| WrittenSubject::Known(Subject::Ip(ip)));
    for kind in [SubjectKind::Device, SubjectKind::Session, SubjectKind::User, SubjectKind::ApiKey] {
        let Some(value) = section.find(report, kind.name()) else { continue };
        count += 1;
        found = if value.is_text() {
            value.text(report).map(|raw| WrittenSubject::Raw(kind, raw.to_owned()))
        } else {
            token(&value, report).and_then(|token| Subject::with_token(kind, token)).map(WrittenSubject::Known)
        };
    }
    if count != 1 {
        section.refuse(
            report,
            "exactly one subject is meant",
            "write one of ip, device, session, user or apikey, such as device = \"A1B2\"",
        );
    }
    found.filter(|_| count == 1)
}

/// `{digest = "0123456789abcdef", masked = "A1…B2"}`: how exported files say a token.
fn token(value: &Value<'_>, report: &mut Report) -> Option<Token> {
    let mut section = value.section(report)?;
    let digest = section.need(report, "digest", "\"0123456789abcdef\"").and_then(|value| {
        let digest = crate::model::hex(value.text(report)?);
        if digest.is_none() {
            value.refuse(report, "this is not a digest", "write its 16 lower-case hexadecimal digits");
        }
        digest
    });
    let masked = section.find(report, "masked").and_then(|value| value.text(report)).unwrap_or("…");
    section.finish(report);
    Some(Token { digest: digest?, masked: masked.into() })
}

fn network(value: &Value<'_>, report: &mut Report) -> Option<Prefix> {
    let text = value.text(report)?;
    let read = parse_prefix(text);
    let mend = "write an address or a network such as 192.0.2.0/24";
    read.map_err(|error| value.refuse(report, error.to_string(), mend)).ok()
}

fn reason(section: &mut Section<'_>, report: &mut Report) -> String {
    let Some(value) = section.find(report, "reason") else { return String::new() };
    let text = value.text(report).unwrap_or_default();
    if text.len() > REASON {
        value.refuse(report, format!("the reason has {} bytes", text.len()), format!("say it in {REASON} bytes"));
    }
    text.to_owned()
}

fn groups(section: &mut Section<'_>, names: &mut Names, report: &mut Report) -> Vec<String> {
    let Some(value) = section.find(report, "groups") else { return Vec::new() };
    let list = value.list(report);
    let mut groups: Vec<String> = list
        .into_iter()
        .filter_map(|group| {
            let name = group.text(report)?.to_owned();
            uses(names, "group", &name, &group, report);
            Some(name)
        })
        .collect();
    groups.sort();
    groups.dedup();
    groups
}

fn texts(section: &mut Section<'_>, report: &mut Report, key: &'static str) -> Vec<String> {
    let Some(value) = section.find(report, key) else { return Vec::new() };
    value.list(report).into_iter().filter_map(|text| text.text(report).map(str::to_owned)).collect()
}

fn uses(names: &mut Names, kind: &'static str, name: &str, value: &Value<'_>, report: &Report) {
    let place = FilePlace { file: names.file.clone(), line: value.line(report), place: value.place().to_owned() };
    names.used.push((kind, name.to_owned(), place));
}

/// What services, filters, groups and hosts may be called. `all` means every one of them.
fn is_name(name: &str) -> bool {
    let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    letters && (1..=64).contains(&name.len()) && name != "all"
}

/// Bytes of a reason.
const REASON: usize = 512;
const V4_NONE: enforcer_common::Address = enforcer_common::Address::v4([0; 4]);
