//! The table of places: what lies behind each port, where services share it or decisions speak of endpoints.
//!
//! In: services, the endpoints of live decisions, the key of digests. Out: places that the kernel compares requests with, and
//! for each group of services that share a port, where its places lie side by side. Never here: writing maps, watched headers.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use enforcer_common::limits::{PLACE_SEGMENTS, PLACES};
use enforcer_common::{Place, SipKey, siphash};
use enforcer_policy::{Endpoint, Template, service_id};

use super::Service;

/// Places of one configuration: each side has half of the table.
pub const PLACES_PER_SIDE: usize = PLACES / 2;

/// The services, by their place in the file, that share a port.
pub(super) type Group = Vec<usize>;

/// Places, and where those of each group lie.
pub(super) struct Table {
    /// At most [`PLACES_PER_SIDE`].
    pub(super) places: Vec<Place>,
    /// The first place of each group, and how many there are.
    pub(super) ranges: BTreeMap<Group, (u16, u16)>,
    /// Endpoints for which there was no room.
    pub(super) unplaced: Vec<Arc<Endpoint>>,
}

/// Which services listen on each port of each interface. It does not matter which interfaces there are: a table must not
/// move when one comes.
pub(super) fn listeners(services: &[Service]) -> BTreeMap<(&str, u16), Group> {
    let mut listeners: BTreeMap<(&str, u16), Group> = BTreeMap::new();
    for (at, service) in services.iter().enumerate() {
        for interface in &service.interfaces {
            for port in &service.ports {
                listeners.entry((interface, *port)).or_default().push(at);
            }
        }
    }
    listeners
}

/// The service whose rule stands for the whole port: the first that names neither hosts nor paths, else the first.
pub(super) fn owner(group: &Group, services: &[Service]) -> Option<usize> {
    let whole = group.iter().find(|at| services.get(**at).is_some_and(Service::is_whole_port));
    whole.or_else(|| group.first()).copied()
}

/// Places that the services need, without any endpoint.
pub(super) fn fixed(services: &[Service]) -> usize {
    groups(services).iter().flatten().filter_map(|at| services.get(*at)).map(own_places).sum()
}

/// The whole table.
pub(super) fn table(services: &[Service], key: SipKey, endpoints: &BTreeSet<Arc<Endpoint>>) -> Table {
    let groups = groups(services);
    let mut room = PLACES_PER_SIDE.saturating_sub(fixed(services));
    let (mut placed, mut unplaced) = (Vec::new(), Vec::new());
    for endpoint in endpoints {
        let needed = needed(endpoint, services, &groups);
        match room.checked_sub(needed) {
            Some(left) => {
                room = left;
                placed.push(endpoint);
            }
            None => unplaced.push(Arc::clone(endpoint)),
        }
    }
    let mut table = Table { places: Vec::new(), ranges: BTreeMap::new(), unplaced };
    for group in groups {
        let first = table.places.len();
        for service in group.iter().filter_map(|at| services.get(*at)) {
            table.places.extend(of_service(service, key));
            let its = placed.iter().filter(|endpoint| endpoint.service() == service.name);
            table.places.extend(its.flat_map(|endpoint| of_endpoint(endpoint, service, key)));
        }
        // More do not fit only where nobody has checked the file.
        table.places.truncate(PLACES_PER_SIDE);
        table.ranges.insert(group, (narrow(first), narrow(table.places.len().saturating_sub(first))));
    }
    table
}

fn groups(services: &[Service]) -> BTreeSet<Group> {
    listeners(services).into_values().collect()
}

/// Places of an endpoint, in all groups of its service.
fn needed(endpoint: &Endpoint, services: &[Service], groups: &BTreeSet<Group>) -> usize {
    let members = groups.iter().flatten().filter_map(|at| services.get(*at));
    members.filter(|service| service.name == endpoint.service()).map(|service| service.hosts.len().max(1)).sum()
}

/// Places of a service that is not the whole port.
fn own_places(service: &Service) -> usize {
    if service.is_whole_port() { 0 } else { service.hosts.len().max(1) * service.paths.len().max(1) }
}

fn of_service(service: &Service, key: SipKey) -> Vec<Place> {
    if service.is_whole_port() {
        return Vec::new();
    }
    let everything = Template::default().opened();
    let paths = if service.paths.is_empty() { std::slice::from_ref(&everything) } else { &service.paths };
    let id = service_id(&service.name);
    let hosts = hosts(service, key);
    let whole = |place| Place { whole: 1, ..place };
    hosts.iter().flat_map(|host| paths.iter().map(|path| whole(place(id, *host, 0, path, key)))).collect()
}

fn of_endpoint(endpoint: &Endpoint, service: &Service, key: SipKey) -> Vec<Place> {
    let (id, method) = (endpoint.id(), endpoint.method().map_or(0, word));
    hosts(service, key).into_iter().map(|host| place(id, host, method, endpoint.template(), key)).collect()
}

/// Digests of the service's host names; 0 alone for any.
fn hosts(service: &Service, key: SipKey) -> Vec<u64> {
    // The kernel sets this bit in every byte: it makes letters lower-case.
    let folded = |host: &String| host.bytes().map(|byte| byte | 0x20).collect::<Vec<_>>();
    let named = service.hosts.iter().map(|host| siphash(key, &folded(host)));
    if service.hosts.is_empty() { vec![0] } else { named.collect() }
}

fn place(scope: u32, host: u64, method: u64, template: &Template, key: SipKey) -> Place {
    let segments = template.segments();
    let mut path = [0; PLACE_SEGMENTS];
    for (to, segment) in path.iter_mut().zip(segments) {
        *to = segment.as_ref().map_or(0, |text| siphash(key, text.as_bytes()));
    }
    let count = u8::try_from(segments.len()).unwrap_or(u8::MAX);
    Place { scope, segments: count, open: u8::from(template.is_open()), whole: 0, host, method, path }
}

/// A method as the kernel compares it: its first eight bytes, little-endian, zero-padded.
fn word(method: &str) -> u64 {
    method.bytes().take(size_of::<u64>()).rev().fold(0, |word, byte| word << 8 | u64::from(byte))
}

/// Numbers here are at most [`PLACES`].
fn narrow(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const KEY: SipKey = SipKey([1, 2]);
    const FILE: &str = r#"
        [[service]]
        name = "web"
        ports = [443, 80]
        interfaces = ["eth0"]
        [[service]]
        name = "pay"
        ports = [443]
        interfaces = ["eth0"]
        hosts = ["API.bank.example", "api2.bank.example"]
        paths = ["/pay", "/v2/{tenant}/pay"]
        [[service]]
        name = "lone"
        ports = [8443]
        interfaces = ["eth0"]
        hosts = ["lone.example"]
    "#;

    fn with(endpoints: &[&str]) -> (Vec<Service>, Table) {
        let services = Config::parse(FILE).unwrap().services;
        let endpoints = endpoints.iter().map(|text| Arc::new(text.parse().unwrap())).collect();
        let table = table(&services, KEY, &endpoints);
        (services, table)
    }

    #[test]
    fn each_host_with_each_path_is_a_place() {
        let (services, table) = with(&[]);
        assert_eq!(fixed(&services), 5);
        assert_eq!(table.places.len(), 5);
        let first = table.places[0];
        assert_eq!((first.scope, first.segments, first.open, first.method), (service_id("pay"), 1, 1, 0));
        assert_eq!(first.host, siphash(KEY, b"api.bank.example"));
        assert_eq!(first.path[..2], [siphash(KEY, b"pay"), 0]);
        let second = table.places[1];
        assert_eq!((second.segments, second.path[1]), (3, 0));
        let lone = table.places[4];
        assert_eq!((lone.scope, lone.segments, lone.open), (service_id("lone"), 0, 1));
    }

    #[test]
    fn the_places_of_a_port_lie_side_by_side() {
        let (services, table) = with(&["web:GET /accounts/{id}", "pay:/pay/**", "gone:/x"]);
        // The group of port 80 (web alone), of 443 (web and pay), of 8443.
        assert_eq!(table.ranges, BTreeMap::from([(vec![0], (0, 1)), (vec![0, 1], (1, 7)), (vec![2], (8, 1))]));
        assert_eq!(table.places[0], table.places[1], "the endpoint of web, on both ports");
        assert_eq!(table.places[0].method, u64::from_le_bytes(*b"GET\0\0\0\0\0"));
        let endpoint: Endpoint = "pay:/pay/**".parse().unwrap();
        let of_pay: Vec<&Place> = table.places.iter().filter(|place| place.scope == endpoint.id()).collect();
        assert!(of_pay.len() == 2 && of_pay.iter().all(|place| place.host != 0 && place.open == 1));
        assert!(table.unplaced.is_empty());
        assert_eq!(owner(&vec![0, 1], &services), Some(0));
        assert_eq!(owner(&vec![2], &services), Some(2));
    }

    #[test]
    fn what_has_no_room_is_named() {
        let many: Vec<String> = (0..70).map(|n| format!("web:/{n}")).collect();
        let (_, table) = with(&many.iter().map(String::as_str).collect::<Vec<_>>());
        // 128 places, 5 of services, two for each endpoint on two ports.
        assert_eq!(table.places.len(), 127);
        assert_eq!(table.unplaced.len(), 70 - 61);
    }

    #[test]
    fn a_method_fills_its_word() {
        assert_eq!(word("PROPFIND"), u64::from_le_bytes(*b"PROPFIND"));
        assert_eq!(word("GET"), 0x54_45_47);
    }
}
