//! The services of the file.
//!
//! In: the `[[service]]` tables. Out: [`Service`]s that do not get in each other's way. Never here: interface numbers.
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

use enforcer_common::Watchlist;
use enforcer_common::limits::{SERVICE_PORTS, WATCHES};
use enforcer_policy::{Template, service_id};

use super::compile::SERVICES_PER_SIDE;
use super::filters::{Others, filters};
use super::notice::notice;
use super::places::{PLACES_PER_SIDE, fixed, listeners};
use super::reader::{Report, Section, Value, shown};
use super::{Filters, IdentityRule, Manners, NoticeText, Service, Share, identity};

/// What the services read so far have taken.
#[derive(Default)]
pub(super) struct Taken<'m> {
    /// Filters that services may speak of besides those that are built in.
    others: Others<'m>,
    names: BTreeMap<String, usize>,
    ids: BTreeMap<u32, String>,
    listeners: BTreeMap<(String, u16), Vec<(String, Service)>>,
    watches: BTreeSet<IdentityRule>,
}

/// Reads all services; one that names no interfaces listens on those of the fast path.
pub(super) fn services(
    sections: Vec<Section<'_>>,
    fastpath: &[String],
    others: Others<'_>,
    report: &mut Report,
) -> Vec<Service> {
    let mut taken = Taken { others, ..Taken::default() };
    let mut services = Vec::new();
    for section in sections {
        if !taken.add(section, fastpath, &mut services, report) {
            break;
        }
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

fn service(mut section: Section<'_>, fastpath: &[String], taken: &mut Taken<'_>, report: &mut Report) -> Service {
    let name = section.need(report, "name", "\"pay\"").and_then(|value| name(&value, taken, report));
    let interfaces = match section.find(report, "interfaces") {
        Some(value) => some(interfaces(&value, report), &value, "interface", report),
        None => inherited(&mut section, fastpath, report),
    };
    let owner = name.clone().unwrap_or_else(|| section.place().to_owned());
    let enforce = flag(&mut section, "mode", &[("enforce", true), ("observe", false)], true, report);
    let deny_ambiguous = flag(&mut section, "ambiguous", &[("deny", true), ("observe", false)], false, report);
    let mut boolean = |key| section.find(report, key).and_then(|value| value.boolean(report)).unwrap_or(false);
    let (strict, proxy_protocol) = (boolean("strict"), boolean("proxy_protocol"));
    let sample = section.find(report, "sample").and_then(|value| share(&value, report)).unwrap_or_default();
    let hosts = section.find(report, "hosts").map_or_else(Vec::new, |value| hosts(&value, report));
    let paths = section.find(report, "paths").map_or_else(Vec::new, |value| paths(&value, report));
    let identities = identities(&mut section, taken, report);
    let notice = section.section(report, "notice").map_or_else(NoticeText::default, |section| notice(section, report));
    let filters = section.section(report, "filters");
    let filters = filters.map_or_else(Filters::new, |section| self::filters(&section, taken.others, report));
    let name = name.unwrap_or_default();
    let mut service = Service {
        name,
        ports: Vec::new(),
        interfaces,
        hosts,
        paths,
        enforce,
        manners: Manners { strict, deny_ambiguous, proxy_protocol, sample },
        identities,
        notice,
        filters,
        from_center: false,
    };
    service.ports = section
        .need(report, "ports", "[8080]")
        .map_or_else(Vec::new, |value| ports(&value, &service, &owner, taken, report));
    section.finish(report);
    service
}

/// `all`, `none`, or one in so many.
fn share(value: &Value<'_>, report: &mut Report) -> Option<Share> {
    let text = value.text(report)?;
    let one_in = |text: &str| text.strip_prefix("1/")?.parse::<u32>().ok().filter(|parts| *parts > 0);
    let share = match text {
        "all" => Some(u32::MAX),
        "none" => Some(0),
        other => one_in(other).map(|parts| u32::MAX / parts),
    };
    if share.is_none() {
        let what = format!("{} is not a share", shown(text));
        value.refuse(report, what, "write \"all\", \"none\", or one in so many, such as \"1/100\"");
    }
    share.map(Share)
}

/// A key with one of two words.
fn flag(
    section: &mut Section<'_>,
    key: &'static str,
    words: &[(&'static str, bool)],
    default: bool,
    report: &mut Report,
) -> bool {
    section.find(report, key).and_then(|value| value.choice(report, words)).unwrap_or(default)
}

/// The places of tokens and of forwarded addresses; each one more than the kernel can watch is reported, once.
fn identities(section: &mut Section<'_>, taken: &mut Taken<'_>, report: &mut Report) -> Vec<IdentityRule> {
    let mut rules = Vec::new();
    for (key, kind) in identity::TOKENS {
        for mut entry in section.sections(report, key) {
            let rule = identity::token(&mut entry, kind, report);
            rules.extend(rule.and_then(|rule| taken.watch(rule, &entry, report)));
            entry.finish(report);
        }
    }
    for mut entry in section.sections(report, "forwarded") {
        let rule = identity::forwarded(&mut entry, report);
        rules.extend(rule.and_then(|rule| taken.watch(rule, &entry, report)));
        entry.finish(report);
    }
    rules
}

impl Taken<'_> {
    /// What these services have taken.
    pub(super) fn of(services: &[Service]) -> Self {
        let mut taken = Self::default();
        for service in services {
            taken.ids.insert(service_id(&service.name), service.name.clone());
            taken.watches.extend(service.identities.iter().cloned());
            for (interface, port) in listeners(std::slice::from_ref(service)).into_keys() {
                let sharers = taken.listeners.entry((interface.to_owned(), port)).or_default();
                sharers.push((service.name.clone(), service.clone()));
            }
        }
        taken
    }

    /// Reads one more service; false when there is no room for any other.
    pub(super) fn add(
        &mut self,
        section: Section<'_>,
        fastpath: &[String],
        services: &mut Vec<Service>,
        report: &mut Report,
    ) -> bool {
        if services.len() == SERVICES_PER_SIDE {
            let what = format!("there are more than {SERVICES_PER_SIDE} services");
            section.refuse(report, what, "join services that share their subjects and their notice");
            return false;
        }
        let (at, place) = (section.at(), section.place().to_owned());
        services.push(service(section, fastpath, self, report));
        if fixed(services) > PLACES_PER_SIDE {
            let what = format!("the hosts and paths of the services make more than {PLACES_PER_SIDE} places");
            report.refuse(at, &place, what, "name fewer hosts or paths: each host counts with each path");
            return false;
        }
        true
    }

    /// Counts what is watched.
    fn watch(&mut self, rule: IdentityRule, entry: &Section<'_>, report: &mut Report) -> Option<IdentityRule> {
        const MOST: usize = WATCHES - Watchlist::BUILT_IN;
        self.watches.insert(rule.clone());
        if self.watches.len() > MOST {
            let what = format!("this is one more header and pattern than the {MOST} that all services share");
            entry.refuse(report, what, "let services use the same headers and patterns");
            self.watches.remove(&rule);
            return None;
        }
        Some(rule)
    }
}

/// Host names, in lower case, each once.
fn hosts(value: &Value<'_>, report: &mut Report) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for element in value.list(report) {
        let Some(text) = element.text(report) else { continue };
        let name = text.to_ascii_lowercase();
        if let Some(mend) = not_a_host(&name) {
            element.refuse(report, format!("{} cannot be the name of a host", shown(text)), mend);
        } else if names.contains(&name) {
            element.refuse(report, format!("{name} is listed twice"), "keep one of the two");
        } else {
            names.push(name);
        }
    }
    some(names, value, "host", report)
}

/// What to do about a text that no `Host` header matches.
fn not_a_host(name: &str) -> Option<&'static str> {
    let literal = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(address) = literal {
        return address.parse::<Ipv6Addr>().is_err().then_some("write an IPv6 address between the brackets");
    }
    let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    if name.contains('*') {
        Some("write each name out: there are no wildcards")
    } else if name.contains(':') || name.contains('/') {
        Some("write the name alone, without scheme, port or path")
    } else if name.len() > HOST_BYTES || name.split('.').any(str::is_empty) || !name.bytes().all(plain) {
        Some("write it as it stands in the Host header, such as \"api.bank.example\"")
    } else {
        None
    }
}

/// What paths begin with, each once.
fn paths(value: &Value<'_>, report: &mut Report) -> Vec<Template> {
    let mut paths = Vec::new();
    for element in value.list(report) {
        let Some(text) = element.text(report) else { continue };
        match text.parse::<Template>().map(Template::opened) {
            Err(error) => element.refuse(report, error.to_string(), error.fault.mend()),
            Ok(path) if paths.contains(&path) => {
                element.refuse(report, format!("{text} is listed twice"), "keep one of the two");
            }
            Ok(path) => paths.push(path),
        }
    }
    some(paths, value, "path", report)
}

fn name(value: &Value<'_>, taken: &mut Taken<'_>, report: &mut Report) -> Option<String> {
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

fn ports(value: &Value<'_>, service: &Service, owner: &str, taken: &mut Taken<'_>, report: &mut Report) -> Vec<u16> {
    let mut ports = Vec::new();
    for element in value.list(report) {
        let port = element.integer(report, 1..=65_535).and_then(|port| u16::try_from(port).ok());
        let Some(port) = port else { continue };
        if ports.contains(&port) {
            element.refuse(report, format!("port {port} is listed twice"), "keep one of the two");
            continue;
        }
        for interface in &service.interfaces {
            let sharers = taken.listeners.entry((interface.clone(), port)).or_default();
            if let Some((what, mend)) = sharers.iter().find_map(|(name, other)| clash(service, name, other)) {
                element.refuse(report, format!("port {port} on {interface} {what}"), mend);
            }
            sharers.push((owner.to_owned(), service.clone()));
        }
        ports.push(port);
    }
    if taken.listeners.len() > SERVICE_PORTS {
        let what = format!("the services have more than {SERVICE_PORTS} ports, counted on each interface");
        value.refuse(report, what, "name fewer ports or interfaces");
    }
    some(ports, value, "port", report)
}

/// Why two services cannot share a port. The port has one rule: what it says must hold for both.
fn clash(one: &Service, name: &str, other: &Service) -> Option<(String, String)> {
    if (&one.hosts, &one.paths) == (&other.hosts, &other.paths) {
        let mend = "give each port of an interface to one service, or tell services apart by hosts or paths";
        return Some((format!("already belongs to service `{name}`"), mend.to_owned()));
    }
    let keys = [
        ("mode", one.enforce == other.enforce),
        ("strict", one.manners.strict == other.manners.strict),
        ("ambiguous", one.manners.deny_ambiguous == other.manners.deny_ambiguous),
        ("proxy_protocol", one.manners.proxy_protocol == other.manners.proxy_protocol),
        ("sample", one.manners.sample == other.manners.sample),
        ("notice", one.notice == other.notice),
    ];
    let (key, _) = keys.into_iter().find(|(_, alike)| !alike)?;
    let what = format!("is shared with service `{name}`, which has another {key}");
    Some((what, format!("give services that share a port the same {key}")))
}

/// As a label of a host name, so that it also fits there.
const NAME_BYTES: usize = 63;
/// What the kernel allows, without the zero at the end.
const INTERFACE_BYTES: usize = 15;
/// The longest name of a host.
const HOST_BYTES: usize = 253;
