//! The center's services and matrix beside the host's own.
//!
//! In: the host's [`Config`], and what the center says. Out: the configuration that is in force, and what of the center's could
//! not become part of it. Never here: decisions and the allowlist (the agent's), the kernel.
//!
//! What the host's own file says stands first: a service that both name is the file's, and so is what it says of a filter there.
//! A service of the center listens on the interfaces of the host's fast path, or where its own services listen. It is read as if it
//! stood in the file, so that the same rules hold for it and the same words say what is wrong.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use enforcer_insight::filters::{Catalogue, Parameters, WantedCell};
use enforcer_policy::document::{self, Base, Cell, IdentityPlace, Terms};
use enforcer_policy::reading::{Problems, Section};
use toml::de::DeTable;
use toml::{Table, Value};

use super::filters::EVERY;
use super::reader::Report;
use super::service::Taken;
use super::{Config, Service};

/// A part of the center's policy that cannot be carried out here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeftOut {
    /// Which: `service pay`, or `filter walking on pay`.
    pub what: String,
    /// Why, and what to do about it.
    pub why: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl Config {
    /// This file with the center's policy for a host of these groups.
    pub fn with_center(&self, base: &Base, groups: &[String]) -> (Self, Vec<LeftOut>) {
        let (mut merged, mut left_out) = (self.clone(), Vec::new());
        let interfaces = self.where_to_listen();
        for (name, service) in &base.services {
            let own = self.services.iter().any(|own| own.name == *name);
            if own || service.ports.is_empty() || !service.terms.is_for(groups) {
                continue;
            }
            if let Err(problems) = merged.add(name, service, &interfaces) {
                let why = problems.0.iter().map(|one| format!("{}: {} ({})", one.place, one.what, one.mend));
                let why = why.collect::<Vec<_>>().join("; ");
                left_out.push(LeftOut { what: format!("service {name}"), why });
            }
        }
        for (filter, service, cell) in cells(base) {
            if let Err(why) = merged.set_filter(filter, service, cell, self) {
                left_out.push(LeftOut { what: format!("filter {filter} on {service}"), why });
            }
        }
        (merged, left_out)
    }

    fn where_to_listen(&self) -> Vec<String> {
        if !self.fastpath.interfaces.is_empty() {
            return self.fastpath.interfaces.clone();
        }
        let own: BTreeSet<&String> = self.services.iter().flat_map(|service| &service.interfaces).collect();
        own.into_iter().cloned().collect()
    }

    fn add(&mut self, name: &str, service: &document::Service, interfaces: &[String]) -> Result<(), Problems> {
        let text = written(name, service);
        let (table, errors) = DeTable::parse_recoverable(&text);
        let mut report = Report::new(&text, &errors);
        let mut root = Section::root(table.get_ref());
        let mut taken = Taken::of(&self.services);
        let mut services = self.services.clone();
        for section in root.sections(&mut report, "service") {
            taken.add(section, interfaces, &mut services, &mut report);
        }
        report.finish()?;
        if let Some(last) = services.last_mut() {
            last.from_center = true;
        }
        self.services = services;
        Ok(())
    }

    /// A cell of the center's matrix, where `own` says nothing of the filter.
    fn set_filter(&mut self, filter: &str, service: &str, cell: WantedCell, own: &Self) -> Result<(), String> {
        if own.services.iter().any(|one| one.name == service && speaks(one, filter)) {
            return Ok(());
        }
        let Some(service) = self.services.iter_mut().find(|one| one.name == service) else { return Ok(()) };
        if own.modules.iter().any(|module| module.name == filter) || own.published.contains_key(filter) {
            // What fits a module is known where its file is read; there it is told, too.
            service.filters.insert(filter.to_owned(), cell);
            return Ok(());
        }
        let catalogue = Catalogue::built_in();
        let Some(entry) = catalogue.find(filter) else {
            let built_in = catalogue.iter().map(|entry| &*entry.name);
            let known: Vec<&str> = built_in.chain(own.modules.iter().map(|module| &*module.name)).collect();
            return Err(format!("this host has no such filter; it has {}", known.join(", ")));
        };
        let read = Parameters::read(&entry.schema, "", &cell.parameters);
        read.map_err(|problems| {
            let words = problems.into_iter().map(|problem| format!("{} ({})", problem.what, problem.mend));
            words.collect::<Vec<_>>().join("; ")
        })?;
        service.filters.insert(filter.to_owned(), cell);
        Ok(())
    }
}

fn speaks(service: &Service, filter: &str) -> bool {
    service.filters.contains_key(filter) || service.filters.contains_key(EVERY)
}

/// The matrix, each cell with its filter's own parameters below its own.
fn cells(base: &Base) -> impl Iterator<Item = (&str, &str, WantedCell)> {
    base.matrix.iter().flat_map(|(filter, row)| {
        let parameters = base.filters.get(filter).map_or_else(BTreeMap::new, |filter| filter.parameters.clone());
        row.iter().map(move |(service, Cell { mode, parameters: own })| {
            let parameters = parameters.clone().into_iter().chain(own.clone()).collect();
            (filter.as_str(), service.as_str(), WantedCell { mode: *mode, parameters })
        })
    })
}

/// The service as the host's file would say it.
fn written(name: &str, service: &document::Service) -> String {
    let texts = |list: &[String]| Value::Array(list.iter().cloned().map(Value::String).collect());
    let ports = service.ports.iter().map(|port| Value::Integer((*port).into())).collect();
    let mut table = Table::from_iter([
        ("name".to_owned(), Value::String(name.to_owned())),
        ("ports".to_owned(), Value::Array(ports)),
    ]);
    for (key, list) in [("hosts", &service.hosts), ("paths", &service.paths)] {
        if !list.is_empty() {
            table.insert(key.to_owned(), texts(list));
        }
    }
    for identity in &service.identities {
        let list = table.entry(identity.kind.name()).or_insert_with(|| Value::Array(Vec::new()));
        list.as_array_mut().into_iter().for_each(|list| list.push(place(&identity.place)));
    }
    terms(&service.terms, &mut table);
    Table::from_iter([("service".to_owned(), Value::Array(vec![Value::Table(table)]))]).to_string()
}

fn place(place: &IdentityPlace) -> Value {
    let text = |key: &str, text: &String| (key.to_owned(), Value::String(text.clone()));
    Value::Table(match place {
        IdentityPlace::Bearer => Table::from_iter([("bearer".to_owned(), Value::Boolean(true))]),
        IdentityPlace::Cookie(name) => Table::from_iter([text("cookie", name)]),
        IdentityPlace::Header(name, None) => Table::from_iter([text("header", name)]),
        IdentityPlace::Header(name, Some(pattern)) => {
            Table::from_iter([text("header", name), text("pattern", pattern)])
        }
    })
}

fn terms(terms: &Terms, table: &mut Table) {
    let words = [(terms.observe, "mode", "observe"), (terms.deny_ambiguous, "ambiguous", "deny")];
    for (_, key, word) in words.into_iter().filter(|(said, _, _)| *said) {
        table.insert(key.to_owned(), Value::String(word.to_owned()));
    }
    for (key, said) in [("strict", terms.strict), ("proxy_protocol", terms.proxy_protocol)] {
        table.insert(key.to_owned(), Value::Boolean(said));
    }
    if let Some(parts) = terms.sample {
        let share = if parts == 0 { "none".to_owned() } else { format!("1/{parts}") };
        table.insert("sample".to_owned(), Value::String(share));
    }
    if !terms.forwarded.is_empty() {
        let rule = |rule: &document::Forwarded| {
            let header = ("header".to_owned(), Value::String(rule.header.clone()));
            Value::Table(Table::from_iter([header, ("single".to_owned(), Value::Boolean(rule.single))]))
        };
        table.insert("forwarded".to_owned(), Value::Array(terms.forwarded.iter().map(rule).collect()));
    }
}

#[cfg(test)]
mod tests {
    use enforcer_policy::document::Document;

    use super::*;

    const OWN: &str = "[fastpath]\ninterfaces = [\"eth0\"]\n[[service]]\nname = \"pay\"\nports = [80]\n\
                       [service.filters]\nwalking = \"off\"\n";

    fn merged(own: &str, center: &str) -> (Config, Vec<LeftOut>) {
        let document = Document::parse(&[("center.toml".to_owned(), center.to_owned())]).unwrap();
        Config::parse(own).unwrap().with_center(&document.base, &["edge".to_owned()])
    }

    #[test]
    fn a_service_of_the_center_is_one_like_those_of_the_file() {
        let keys = "ports = [81, 82]\nhosts = [\"shop.example\"]\npaths = [\"/a/{id}\"]\ndevice = [{header = \"X-Device-Id\"}, \
                    {header = \"User-Agent\", pattern = \"Id/\"}]\nsession = [{cookie = \"sid\"}, {bearer = true}]\n\
                    mode = \"observe\"\nambiguous = \"deny\"\nstrict = true\nproxy_protocol = true\nsample = \"1/10\"\n\
                    forwarded = [{header = \"X-Forwarded-For\"}, {header = \"X-Real-IP\", single = true}]\n";
        let (config, left_out) =
            merged(OWN, &format!("[service.shop]\n{keys}owners = [\"a\"]\nfacts = {{a = \"b\"}}\n"));
        assert_eq!(left_out, []);
        let in_file = Config::parse(&format!("{OWN}[[service]]\nname = \"shop\"\n{keys}")).unwrap();
        let mut expected = in_file.services.clone();
        expected[1].from_center = true;
        assert_eq!(config.services, expected);
    }

    #[test]
    fn the_file_stands_before_the_center() {
        let center = "[service.pay]\nports = [99]\n[filter.walking]\n[filter.logins]\n[matrix.walking]\npay = \"enforce\"\n\
                      [matrix.logins]\npay = \"enforce\"\n";
        let (config, left_out) = merged(OWN, center);
        assert_eq!((left_out, config.services.len()), (Vec::new(), 1));
        let service = &config.services[0];
        assert_eq!((service.ports.as_slice(), service.from_center), (&[80][..], false));
        let mode = |name: &str| service.filters[name].mode.name();
        assert_eq!((mode("walking"), mode("logins")), ("off", "enforce"));
    }

    #[test]
    fn a_module_of_this_host_is_a_filter_of_the_matrix() {
        let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let own = format!("{OWN}[[module]]\nname = \"pages\"\nfile = \"/pages.wasm\"\nkeys = [\"{key}\"]\n");
        let center =
            "[service.pay]\nports = [99]\n[filter.pages]\nparameters = {page = 7}\n[matrix.pages]\npay = \"enforce\"\n";
        let (config, left_out) = merged(&own, center);
        assert_eq!((left_out, config.services[0].filters["pages"].mode.name()), (Vec::new(), "enforce"));
        assert_eq!(merged(OWN, center).1.len(), 1, "of a host without it, it is left out");
    }

    #[test]
    fn services_for_other_groups_and_services_without_ports_are_not_for_here() {
        let center = "[group.edge]\n[group.core]\n[service.here]\nports = [81]\ngroups = [\"edge\"]\n[service.there]\n\
                      ports = [82]\ngroups = [\"core\"]\n[service.named]\nowners = [\"a\"]\n";
        let (config, left_out) = merged(OWN, center);
        let names: Vec<&str> = config.services.iter().map(|service| service.name.as_str()).collect();
        assert_eq!((names, left_out), (vec!["pay", "here"], Vec::new()));
    }

    #[test]
    fn what_cannot_be_is_left_out_with_words_and_keeps_nothing_else_out() {
        let center = "[service.a]\nports = [80]\n[service.b]\nports = [83]\n[filter.bola]\n[filter.walking]\n\
                      parameters = {objects = \"many\"}\n[matrix.bola]\nb = \"observe\"\n[matrix.walking]\nb = \"enforce\"\n";
        let (config, left_out) = merged(OWN, center);
        let names: Vec<&str> = config.services.iter().map(|service| service.name.as_str()).collect();
        assert_eq!(names, ["pay", "b"]);
        let told: Vec<String> = left_out.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].contains("service a") && told[0].contains("already belongs to service `pay`"), "{told:?}");
        assert!(told[1].contains("filter bola on b") && told[1].contains("walking"), "{told:?}");
        assert!(told[2].contains("filter walking on b"), "{told:?}");
    }

    #[test]
    fn a_host_without_interfaces_says_so() {
        let (config, left_out) = merged("", "[service.a]\nports = [80]\n");
        assert!(config.services.is_empty());
        assert!(left_out[0].why.contains("interfaces"), "{left_out:?}");
    }
}
