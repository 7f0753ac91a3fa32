//! What the kernel must hold for the services of a configuration.
//!
//! In: a [`Config`], the numbers of the interfaces, and which of the two sides of the maps is free. Out: [`MapOp`]s. Never
//! here: writing maps. A reload fills the free side first and then turns each service to it, so no request ever meets half
//! of an old and half of a new configuration.
use std::collections::{BTreeMap, BTreeSet};

use enforcer_common::limits::SERVICES;
use enforcer_common::{ServiceKey, ServiceRule, SubjectKind, Watch, Watchlist};
use enforcer_policy::{MapOp, service_id};

use super::{Config, DeviceRule, Service};

/// Services of one configuration: each side has half of the notices.
pub const SERVICES_PER_SIDE: usize = SERVICES / 2;

/// The kernel's part of a configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Compiled {
    /// The watchlist, then the notices, then the services that refer to them.
    pub ops: Vec<MapOp>,
    /// Every service entry, so that the entries of earlier configurations can be told and removed.
    pub services: BTreeMap<ServiceKey, ServiceRule>,
    /// Interfaces that services name and the host does not have, each once.
    pub missing: Vec<String>,
}

/// A watched header as the kernel tells them apart: name in lower case, and pattern.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct WatchName {
    header: String,
    pattern: String,
}

impl WatchName {
    /// What a rule watches.
    pub(super) fn of(rule: &DeviceRule) -> Self {
        Self { header: rule.header.to_ascii_lowercase(), pattern: rule.pattern.clone().unwrap_or_default() }
    }
}

/// Renders the services for `side` (0 or 1); `ifindex` holds the interfaces of the host.
pub fn compile(config: &Config, ifindex: &BTreeMap<String, u32>, side: u8) -> Compiled {
    let side = side & 1;
    let names = watch_names(&config.services);
    let mut ops = vec![MapOp::PutWatchlist { index: side, watchlist: Box::new(watchlist(&names)) }];
    let mut services = BTreeMap::new();
    let mut missing = BTreeSet::new();
    for (number, service) in numbered(side, &config.services) {
        ops.push(MapOp::PutNotice { index: number, notice: Box::new(service.notice.render()) });
        let rule = ServiceRule {
            id: service_id(&service.name),
            enforce: u8::from(service.enforce),
            watches: watch_bits(service, &names),
            notice: number,
            watchlist: side,
        };
        for interface in &service.interfaces {
            let Some(&ifindex) = ifindex.get(interface) else {
                missing.insert(interface.clone());
                continue;
            };
            services.extend(service.ports.iter().map(|&port| (ServiceKey { ifindex, port, pad: 0 }, rule)));
        }
    }
    ops.extend(services.iter().map(|(&key, &rule)| MapOp::PutService { key, rule }));
    Compiled { ops, services, missing: missing.into_iter().collect() }
}

/// Each service with the index of its notice.
fn numbered(side: u8, services: &[Service]) -> impl Iterator<Item = (u8, &Service)> {
    let first = usize::from(side) * SERVICES_PER_SIDE;
    let numbers = first..first + SERVICES_PER_SIDE;
    numbers.filter_map(|number| u8::try_from(number).ok()).zip(services)
}

/// All watched headers, each once, in the order of the file.
fn watch_names(services: &[Service]) -> Vec<WatchName> {
    let mut names = Vec::new();
    for name in services.iter().flat_map(|service| &service.devices).map(WatchName::of) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn watchlist(names: &[WatchName]) -> Watchlist {
    let mut list = Watchlist::EMPTY;
    for (at, name) in (0..list.watches.len()).zip(names) {
        if let Some(watch) = Watch::new(SubjectKind::Device, &name.header, &name.pattern) {
            list.set(at, watch);
        }
    }
    list
}

/// The places of the service's headers in the watchlist, one bit each.
fn watch_bits(service: &Service, names: &[WatchName]) -> u8 {
    let places = service.devices.iter().map(WatchName::of);
    let bits = places.filter_map(|name| names.iter().position(|known| *known == name));
    bits.filter_map(|at| 1_u8.checked_shl(u32::try_from(at).ok()?)).fold(0, |bits, bit| bits | bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [[service]]
        name = "pay"
        ports = [80, 8080]
        interfaces = ["eth0", "lo", "gone0"]
        device = [{header = "X-Device-Id"}, {header = "User-Agent", pattern = "DeviceId/"}]
        [[service]]
        name = "shop"
        ports = [81]
        interfaces = ["eth0", "gone0"]
        mode = "observe"
        device = [{header = "X-Shop"}, {header = "x-device-id"}]
    "#;

    fn compiled(side: u8) -> Compiled {
        let ifindex = BTreeMap::from([("eth0".to_owned(), 2), ("lo".to_owned(), 1)]);
        compile(&Config::parse(FILE).unwrap(), &ifindex, side)
    }

    #[test]
    fn every_port_of_every_present_interface_is_a_service_entry() {
        let compiled = compiled(1);
        let keys: Vec<_> = compiled.services.keys().map(|key| (key.ifindex, key.port)).collect();
        assert_eq!(keys, [(1, 80), (1, 8080), (2, 80), (2, 81), (2, 8080)]);
        assert_eq!(compiled.missing, ["gone0"]);
        let shop = compiled.services[&ServiceKey { ifindex: 2, port: 81, pad: 0 }];
        assert_eq!(shop, ServiceRule { id: service_id("shop"), enforce: 0, watches: 0b101, notice: 33, watchlist: 1 });
        let pay = compiled.services[&ServiceKey { ifindex: 1, port: 80, pad: 0 }];
        assert_eq!(pay, ServiceRule { id: service_id("pay"), enforce: 1, watches: 0b011, notice: 32, watchlist: 1 });
    }

    #[test]
    fn what_is_referred_to_is_written_first() {
        let ops = compiled(0).ops;
        let kinds: Vec<_> = ops.iter().map(MapOp::map).collect();
        assert_eq!(kinds[..4], ["watchlists", "notices", "notices", "services"]);
        assert_eq!(kinds.len(), 8);
    }

    #[test]
    fn the_same_header_in_another_case_is_one_watch() {
        let compiled = compiled(0);
        let MapOp::PutWatchlist { watchlist, .. } = &compiled.ops[0] else { panic!("no watchlist") };
        let used = watchlist.watches.iter().filter(|watch| watch.name_length > 0).count();
        assert_eq!(used, 3);
        assert_eq!(watchlist.first[usize::from(b'X')], 0b101);
        assert_eq!(watchlist.first[usize::from(b'u')], 0b010);
    }

    #[test]
    fn no_services_is_an_empty_watchlist_and_nothing_else() {
        let compiled = compile(&Config::default(), &BTreeMap::new(), 0);
        assert_eq!(compiled.ops.len(), 1);
        assert!(compiled.services.is_empty() && compiled.missing.is_empty());
    }
}
