//! What the kernel must hold for the services of a configuration.
//!
//! In: a [`Config`], and a [`Scene`]: the interfaces of the host, the endpoints of live decisions, and which of the two sides
//! of the maps is free. Out: [`MapOp`]s. Never here: writing maps. A reload fills the free side first and then turns each
//! service to it, so no request ever meets half of an old and half of a new configuration.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use enforcer_common::limits::SERVICES;
use enforcer_common::{LIMITED, ServiceKey, ServiceRule, SipKey, Watch, Watchlist};
use enforcer_policy::{Endpoint, MapOp, service_id};

use super::places::{self, Group, PLACES_PER_SIDE, Table};
use super::{Config, IdentityRule, Manners, Service};

/// Services of one configuration: each side has half of the notices.
pub const SERVICES_PER_SIDE: usize = SERVICES / 2;

/// What a configuration is compiled for.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The interfaces of the host, by name.
    pub interfaces: &'a BTreeMap<String, u32>,
    /// The endpoints that decisions speak of.
    pub endpoints: &'a BTreeSet<Arc<Endpoint>>,
    /// The secret of the digests of hosts and paths.
    pub key: SipKey,
    /// The side of watchlists, notices and places: 0 or 1.
    pub side: u8,
}

/// The kernel's part of a configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Compiled {
    /// The watchlist, the notices, the places, then the services that refer to them.
    pub ops: Vec<MapOp>,
    /// Every service entry, so that the entries of earlier configurations can be told and removed.
    pub services: BTreeMap<ServiceKey, ServiceRule>,
    /// Interfaces that services name and the host does not have, each once.
    pub missing: Vec<String>,
    /// Endpoints for which the table of places has no room.
    pub unplaced: Vec<Arc<Endpoint>>,
    /// Places in use on this side.
    pub places: usize,
}

/// Renders the services for one side.
pub fn compile(config: &Config, scene: &Scene<'_>) -> Compiled {
    let side = scene.side & 1;
    let services = &config.services;
    let watches = watches(services);
    let table = places::table(services, scene.key, scene.endpoints);
    let mut ops = vec![MapOp::PutWatchlist { index: side, watchlist: Box::new(watchlist(&watches)) }];
    ops.extend(numbered(side, services).flat_map(|(number, service)| notices(number, service)));
    ops.extend(place_ops(side, &table));
    let mut rules = BTreeMap::new();
    let mut missing = BTreeSet::new();
    for ((interface, port), group) in places::listeners(services) {
        let Some(&ifindex) = scene.interfaces.get(interface) else {
            missing.insert(interface.to_owned());
            continue;
        };
        let rule = rule(&group, services, &watches, &table, side);
        rules.extend(rule.map(|rule| (ServiceKey { ifindex, port, pad: 0 }, rule)));
    }
    ops.extend(rules.iter().map(|(&key, &rule)| MapOp::PutService { key, rule }));
    let (unplaced, places) = (table.unplaced, table.places.len());
    Compiled { ops, services: rules, missing: missing.into_iter().collect(), unplaced, places }
}

/// The rule of a port that these services share: of its owner, looking for the subjects of all.
fn rule(group: &Group, services: &[Service], watches: &[IdentityRule], table: &Table, side: u8) -> Option<ServiceRule> {
    let owner = places::owner(group, services)?;
    let service = services.get(owner)?;
    let members = group.iter().filter_map(|at| services.get(*at));
    let (first, places) = table.ranges.get(group).copied().unwrap_or((0, 0));
    Some(ServiceRule {
        id: service_id(&service.name),
        watches: members.fold(BUILT_IN, |bits, member| bits | watch_bits(member, watches)),
        first_place: first_place(side) + first,
        places,
        enforce: u8::from(service.enforce),
        notice: notice_index(side, owner)?,
        watchlist: side,
        flags: flags(service.manners),
        sample: service.manners.sample.0,
    })
}

fn flags(manners: Manners) -> u8 {
    let flags = [
        (manners.strict, ServiceRule::STRICT),
        (manners.deny_ambiguous, ServiceRule::DENY_AMBIGUOUS),
        (manners.proxy_protocol, ServiceRule::PROXY_HEADER),
    ];
    flags.into_iter().filter(|(set, _)| *set).fold(0, |all, (_, flag)| all | flag)
}

/// Each service with the index of its notice.
fn numbered(side: u8, services: &[Service]) -> impl Iterator<Item = (u8, &Service)> {
    services.iter().enumerate().filter_map(move |(at, service)| Some((notice_index(side, at)?, service)))
}

fn notice_index(side: u8, at: usize) -> Option<u8> {
    u8::try_from(usize::from(side) * SERVICES_PER_SIDE + at).ok().filter(|_| at < SERVICES_PER_SIDE)
}

/// The refusal of a service, and the answer to its limited subjects.
fn notices(number: u8, service: &Service) -> [MapOp; 2] {
    let refusal = MapOp::PutNotice { index: number, notice: Box::new(service.notice.render()) };
    [refusal, MapOp::PutNotice { index: number + LIMITED, notice: Box::new(service.notice.render_limited()) }]
}

fn place_ops(side: u8, table: &Table) -> impl Iterator<Item = MapOp> {
    let numbers = first_place(side)..;
    numbers.zip(&table.places).map(|(index, place)| MapOp::PutPlace { index, place: Box::new(*place) })
}

fn first_place(side: u8) -> u16 {
    u16::from(side) * u16::try_from(PLACES_PER_SIDE).unwrap_or(0)
}

/// All watched headers, each once, in the order of the file.
fn watches(services: &[Service]) -> Vec<IdentityRule> {
    let mut known: Vec<IdentityRule> = Vec::new();
    for rule in services.iter().flat_map(|service| &service.identities) {
        if !known.contains(rule) {
            known.push(rule.clone());
        }
    }
    known
}

fn watchlist(watches: &[IdentityRule]) -> Watchlist {
    let mut list = Watchlist::new();
    for (at, rule) in (Watchlist::BUILT_IN..list.watches.len()).zip(watches) {
        if let Some(watch) = Watch::new(rule.kind, &rule.header, rule.take, &rule.pattern) {
            list.set(at, watch);
        }
    }
    list
}

/// The places of the service's headers in the watchlist, one bit each.
fn watch_bits(service: &Service, watches: &[IdentityRule]) -> u32 {
    let bits = service.identities.iter().filter_map(|rule| watches.iter().position(|known| known == rule));
    let bits = bits.filter_map(|at| 1_u32.checked_shl(u32::try_from(Watchlist::BUILT_IN + at).ok()?));
    bits.fold(0, |bits, bit| bits | bit)
}

/// What every service looks at.
const BUILT_IN: u32 = (1 << Watchlist::BUILT_IN) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [[service]]
        name = "pay"
        ports = [80, 8080]
        interfaces = ["eth0", "lo", "gone0"]
        device = [{header = "X-Device-Id"}, {header = "User-Agent", pattern = "DeviceId/"}]
        session = [{cookie = "sid"}, {bearer = true}]
        forwarded = [{header = "X-Forwarded-For"}]
        [[service]]
        name = "shop"
        ports = [81]
        interfaces = ["eth0", "gone0"]
        mode = "observe"
        strict = true
        ambiguous = "deny"
        proxy_protocol = true
        device = [{header = "X-Shop"}, {header = "x-device-id"}]
        [[service]]
        name = "till"
        ports = [8080]
        interfaces = ["eth0"]
        hosts = ["till.example"]
        user = [{header = "X-Device-Id"}]
    "#;

    fn compiled(side: u8) -> Compiled {
        let interfaces = BTreeMap::from([("eth0".to_owned(), 2), ("lo".to_owned(), 1)]);
        let endpoints = BTreeSet::from([Arc::new("pay:/x".parse().unwrap())]);
        let scene = Scene { interfaces: &interfaces, endpoints: &endpoints, key: SipKey([3, 4]), side };
        compile(&Config::parse(FILE).unwrap(), &scene)
    }

    fn rule(compiled: &Compiled, ifindex: u32, port: u16) -> ServiceRule {
        compiled.services[&ServiceKey { ifindex, port, pad: 0 }]
    }

    #[test]
    fn every_port_of_every_present_interface_is_a_service_entry() {
        let compiled = compiled(1);
        let keys: Vec<_> = compiled.services.keys().map(|key| (key.ifindex, key.port)).collect();
        assert_eq!(keys, [(1, 80), (1, 8080), (2, 80), (2, 81), (2, 8080)]);
        assert_eq!(compiled.missing, ["gone0"]);
        let shop = rule(&compiled, 2, 81);
        assert_eq!((shop.id, shop.enforce, shop.notice, shop.watchlist), (service_id("shop"), 0, 33, 1));
        assert_eq!((shop.flags, shop.watches, shop.places), (7, 0b0001_0000_1111, 0));
        let pay = rule(&compiled, 1, 80);
        assert_eq!((pay.id, pay.enforce, pay.notice, pay.watchlist), (service_id("pay"), 1, 32, 1));
        assert_eq!((pay.flags, pay.watches), (0, 0b0000_1111_1111));
    }

    #[test]
    fn a_shared_port_has_the_rule_of_its_owner_and_the_watches_and_places_of_all() {
        let compiled = compiled(1);
        let shared = rule(&compiled, 2, 8080);
        assert_eq!((shared.id, shared.notice), (service_id("pay"), 32));
        assert_eq!(shared.watches, 0b0010_1111_1111, "the user by the same header is another watch");
        assert_eq!(shared.places, 2, "the endpoint of pay, and till by its host");
        let alone = rule(&compiled, 1, 8080);
        assert_eq!((alone.places, alone.first_place), (1, 128));
        assert_eq!(shared.first_place, 129);
        assert_eq!(rule(&compiled, 1, 80).first_place, alone.first_place, "ports of one group share their places");
        assert_eq!(compiled.places, 3);
    }

    #[test]
    fn what_is_referred_to_is_written_first() {
        let ops = compiled(0).ops;
        let mut kinds: Vec<_> = ops.iter().map(MapOp::map).collect();
        assert_eq!(kinds.len(), 1 + 6 + 3 + 5);
        kinds.dedup();
        assert_eq!(kinds, ["watchlists", "notices", "places", "services"]);
        let limited = |op: &MapOp| matches!(op, MapOp::PutNotice { index: 64.., notice } if notice.bytes.starts_with(b"HTTP/1.1 429"));
        assert_eq!(ops.iter().filter(|op| limited(op)).count(), 3);
    }

    #[test]
    fn the_same_header_in_another_case_is_one_watch() {
        let compiled = compiled(0);
        let MapOp::PutWatchlist { watchlist, .. } = &compiled.ops[0] else { panic!("no watchlist") };
        let used = watchlist.watches.iter().filter(|watch| watch.name_length > 0).count();
        assert_eq!(used, 3 + 7);
        assert_eq!(watchlist.first[usize::from(b'X')] & 0b1000, 0b1000);
        assert_eq!(watchlist.first[usize::from(b'u')], 0b1_0000);
    }

    #[test]
    fn no_services_is_an_empty_watchlist_and_nothing_else() {
        let (interfaces, endpoints) = (BTreeMap::new(), BTreeSet::new());
        let scene = Scene { interfaces: &interfaces, endpoints: &endpoints, key: SipKey([0, 0]), side: 0 };
        let compiled = compile(&Config::default(), &scene);
        assert_eq!(compiled.ops.len(), 1);
        assert!(compiled.services.is_empty() && compiled.missing.is_empty() && compiled.places == 0);
    }
}
