//! The services of the file.
//!
//! In: the `[[service]]` tables. Out: [`Service`]s that do not get in each other's way. Never here: interface numbers.
use std::collections::{BTreeMap, BTreeSet};

use enforcer_common::limits::{SERVICE_PORTS, WATCH_NAME, WATCH_PATTERN, WATCHES};
use enforcer_policy::service_id;

use super::compile::{SERVICES_PER_SIDE, WatchName};
use super::notice::notice;
use super::reader::{Report, Section, Value};
use super::suggest::shown;
use super::{DeviceRule, NoticeText, Service};

/// What the services read so far have taken.
#[derive(Default)]
struct Taken {
    names: BTreeMap<String, usize>,
    ids: BTreeMap<u32, String>,
    listeners: BTreeMap<(String, u16), String>,
    watches: BTreeSet<WatchName>,
}

/// Reads all services; one that names no interfaces listens on those of the fast path.
pub(super) fn services(sections: Vec<Section<'_>>, fastpath: &[String], report: &mut Report) -> Vec<Service> {
    let mut taken = Taken::default();
    let mut services = Vec::new();
    for section in sections {
        if services.len() == SERVICES_PER_SIDE {
            let what = format!("there are more than {SERVICES_PER_SIDE} services");
            section.refuse(report, what, "join services that share their devices and their notice");
            break;
        }
        services.push(service(section, fastpath, &mut taken, report));
    }
    services
}

/// The names of a list of interfaces, each once.
pub(super) fn interfaces(value: &Value<'_>, report: &mut Report) -> Vec<String> {
    let mut names = Vec::new();
    for element in value.list(report) {
        let Some(name) = element.text(report) else { continue };
        let bad = |c: char| c.is_whitespace() || c == '/' || c == ':';
        if name.len() > INTERFACE_BYTES || name.contains(bad) || matches!(name, "." | "..") {
            let what = format!("{} cannot be the name of an interface", shown(name));
            element.refuse(report, what, "write a name that `ip link` shows, at most 15 bytes");
        } else if names.iter().any(|known| known == name) {
            element.refuse(report, format!("{name} is listed twice"), "keep one of the two");
        } else {
            names.push(name.to_owned());
        }
    }
    names
}

fn service(mut section: Section<'_>, fastpath: &[String], taken: &mut Taken, report: &mut Report) -> Service {
    let name = section.need(report, "name", "\"pay\"").and_then(|value| name(&value, taken, report));
    let interfaces = match section.find(report, "interfaces") {
        Some(value) => some(interfaces(&value, report), &value, "interface", report),
        None => inherited(&mut section, fastpath, report),
    };
    let owner = name.clone().unwrap_or_else(|| section.place().to_owned());
    let ports = section
        .need(report, "ports", "[8080]")
        .map_or_else(Vec::new, |value| ports(&value, &interfaces, &owner, taken, report));
    let enforce = section
        .find(report, "mode")
        .and_then(|value| value.choice(report, &[("enforce", true), ("observe", false)]))
        .unwrap_or(true);
    let devices =
        section.sections(report, "device").into_iter().filter_map(|section| device(section, taken, report)).collect();
    let notice = section.section(report, "notice").map_or_else(NoticeText::default, |section| notice(section, report));
    section.finish(report);
    Service { name: name.unwrap_or_default(), ports, interfaces, enforce, devices, notice }
}

fn name(value: &Value<'_>, taken: &mut Taken, report: &mut Report) -> Option<String> {
    let text = value.text(report)?;
    let plain = text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if !plain || text.len() > NAME_BYTES {
        let what = format!("{} cannot be the name of a service", shown(text));
        value.refuse(report, what, format!("use a-z, 0-9 and hyphens, at most {NAME_BYTES} characters"));
        return None;
    }
    if text == "all" {
        value.refuse(report, "`all` means every service", "choose another name");
    }
    if let Some(line) = taken.names.insert(text.to_owned(), value.line(report)) {
        value.refuse(report, format!("the name `{text}` is already taken on line {line}"), "choose another name");
    } else if let Some(other) = taken.ids.insert(service_id(text), text.to_owned()) {
        let what = format!("the names `{text}` and `{other}` have the same number in the kernel");
        value.refuse(report, what, "choose another name");
    }
    Some(text.to_owned())
}

/// The interfaces of the fast path, for a service that names none.
fn inherited(section: &mut Section<'_>, fastpath: &[String], report: &mut Report) -> Vec<String> {
    if fastpath.is_empty() {
        section.need(report, "interfaces", "[\"eth0\"], or name the interfaces of [fastpath]");
    }
    fastpath.to_vec()
}

/// Refuses a list without entries.
fn some<T>(list: Vec<T>, value: &Value<'_>, what: &str, report: &mut Report) -> Vec<T> {
    if list.is_empty() {
        value.refuse(
            report,
            format!("there is no {what}: nothing would be judged"),
            format!("write at least one {what}"),
        );
    }
    list
}

fn ports(value: &Value<'_>, interfaces: &[String], owner: &str, taken: &mut Taken, report: &mut Report) -> Vec<u16> {
    let mut ports = Vec::new();
    for element in value.list(report) {
        let port = element.integer(report, 1..=65_535).and_then(|port| u16::try_from(port).ok());
        let Some(port) = port else { continue };
        if ports.contains(&port) {
            element.refuse(report, format!("port {port} is listed twice"), "keep one of the two");
            continue;
        }
        for interface in interfaces {
            if let Some(other) = taken.listeners.insert((interface.clone(), port), owner.to_owned()) {
                let what = format!("port {port} on {interface} already belongs to service `{other}`");
                element.refuse(report, what, "give each port of an interface to one service");
            }
        }
        ports.push(port);
    }
    if taken.listeners.len() > SERVICE_PORTS {
        let what = format!("the services have more than {SERVICE_PORTS} ports, counted on each interface");
        value.refuse(report, what, "name fewer ports or interfaces");
    }
    some(ports, value, "port", report)
}

fn device(mut section: Section<'_>, taken: &mut Taken, report: &mut Report) -> Option<DeviceRule> {
    let header = section.need(report, "header", "\"X-Device-Id\"").and_then(|value| header(&value, report));
    let pattern = section.find(report, "pattern").map(|value| pattern(&value, report));
    let rule = match pattern {
        None => header.map(|header| DeviceRule { header, pattern: None }),
        Some(pattern) => header.zip(pattern).map(|(header, pattern)| DeviceRule { header, pattern: Some(pattern) }),
    };
    if let Some(rule) = &rule {
        taken.watches.insert(WatchName::of(rule));
        if taken.watches.len() > WATCHES {
            let what = format!("this is one more header and pattern than the {WATCHES} that all services share");
            section.refuse(report, what, "let services use the same headers and patterns");
            // Each one over the limit is reported, once.
            taken.watches.remove(&WatchName::of(rule));
        }
    }
    section.finish(report);
    rule
}

fn header(value: &Value<'_>, report: &mut Report) -> Option<String> {
    let text = value.text(report)?;
    if let Some(bad) = text.chars().find(|c| !is_token(*c)) {
        let what = format!("{} cannot be the name of a header: it holds {}", shown(text), shown(&bad.to_string()));
        value.refuse(report, what, "write the name alone, without colon or spaces, such as \"X-Device-Id\"");
    } else if text.len() > WATCH_NAME {
        let what = format!("the name of the header has {} bytes", text.len());
        value.refuse(report, what, format!("at most {WATCH_NAME} are looked at in the kernel"));
    } else {
        return Some(text.to_owned());
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

/// A character of a header's name (RFC 9110, 5.6.2).
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

/// As a label of a host name, so that it also fits there.
const NAME_BYTES: usize = 63;
/// What the kernel allows, without the zero at the end.
const INTERFACE_BYTES: usize = 15;
