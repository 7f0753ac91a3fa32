//! What is served where, and where requests say who they are. In: what the operator has written. Out: calls. Never here: connections.
use std::net::IpAddr;
use std::sync::Arc;

use enforcer_common::{Address, KINDS, Prefix, Reason, SipKey, SubjectKind, Take, Verdict, siphash};
use enforcer_policy::{Moment, Template};

use super::conversation::Exchange;
use crate::classes::Sensitive;
use crate::http::{Head, is_for_host, lies_in, read_paths, tokens};
use crate::{Call, body};

/// What a capture is read with.
#[derive(Clone)]
pub struct Scene {
    /// In the order of the file: the first that fits has the call.
    pub services: Vec<Served>,
    /// Those whose lists of addresses are believed.
    pub proxies: Vec<Prefix>,
    /// The key of digests.
    pub key: SipKey,
}

/// A service.
#[derive(Clone, Debug)]
pub struct Served {
    /// Its name.
    pub name: Arc<str>,
    /// Its ports.
    pub ports: Vec<u16>,
    /// Its host names; none for any.
    pub hosts: Vec<String>,
    /// How its paths begin; none for any.
    pub paths: Vec<Template>,
    /// Where its requests carry identities, and addresses of clients.
    pub identities: Vec<Identity>,
}

/// Where requests carry one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Whose.
    pub kind: SubjectKind,
    /// The header.
    pub header: String,
    /// How it stands in it.
    pub take: Take,
    /// What that needs.
    pub pattern: String,
}

impl Scene {
    /// True when some service is on this port.
    pub(super) fn serves(&self, port: u16) -> bool {
        self.services.iter().any(|service| service.ports.contains(&port))
    }

    /// The call that an exchange is; `None` when it is for no service.
    pub(super) fn call(&self, id: u64, exchange: Exchange) -> Option<Call> {
        let Exchange { client, server, time, head, body: bytes, answer } = exchange;
        let service = self.services.iter().find(|service| service.has(server.port(), &head))?;
        Some(Call {
            id,
            time: Moment(time / 1_000_000),
            service: Arc::clone(&service.name),
            source: client.ip(),
            source_port: client.port(),
            client: self.client(client.ip(), &head, service),
            digests: self.digests(&head, service),
            reason: Reason::RequestClean,
            verdict: Verdict::Pass,
            decision: None,
            body: body(&head, &bytes),
            placed: None,
            sensitive: Sensitive::default(),
            head,
            answer,
        })
    }

    fn digests(&self, head: &Head, service: &Served) -> [u64; KINDS] {
        let mut digests = [0; KINDS];
        for identity in &service.identities {
            let found = tokens(head, &identity.header, identity.take, &identity.pattern);
            if let (Some(token), Some(place)) = (found.first(), digests.get_mut(identity.kind as usize))
                && *place == 0
            {
                *place = siphash(self.key, token);
            }
        }
        digests
    }

    /// Who asked: behind proxies that are believed, the first address from the right that is none of theirs.
    fn client(&self, source: IpAddr, head: &Head, service: &Served) -> IpAddr {
        if !self.is_proxy(source) {
            return source;
        }
        let mut lists = service.identities.iter().filter(|one| one.kind == SubjectKind::Ip);
        let of = |identity: &Identity| {
            let values: Vec<_> = head.values(&identity.header).collect();
            let named = values.iter().rev().flat_map(|value| addresses(value, identity.take));
            let mut clients = named.skip_while(|address| address.is_some_and(|address| self.is_proxy(address)));
            clients.next().flatten()
        };
        lists.find_map(of).unwrap_or(source)
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|prefix| prefix.contains(Address::from(address)))
    }
}

impl Served {
    fn has(&self, port: u16, head: &Head) -> bool {
        let host = self.hosts.is_empty() || self.hosts.iter().any(|host| is_for_host(head, host));
        let begins = |template: &Template| read_paths(&head.target).paths.iter().any(|path| lies_in(path, template));
        self.ports.contains(&port) && host && (self.paths.is_empty() || self.paths.iter().any(begins))
    }
}

/// The addresses of a list from its right end; `None` for what is no address.
fn addresses(value: &[u8], take: Take) -> Vec<Option<IpAddr>> {
    let text = String::from_utf8_lossy(value);
    let elements: Vec<&str> = if take == Take::Address { vec![&*text] } else { text.split(',').collect() };
    elements
        .iter()
        .rev()
        .map(|element| address(if take == Take::Forwarded { named_for(element) } else { element }))
        .collect()
}

/// What stands behind `for=`.
fn named_for(element: &str) -> &str {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for")).map(|(_, value)| value).next().unwrap_or_default()
}

/// An address, maybe in brackets, maybe with a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|rest| rest.split(']').next()).unwrap_or(text);
    let plain = bare.parse().or_else(|_| bare.rsplit_once(':').map_or(bare, |(address, _)| address).parse::<IpAddr>());
    plain.ok().map(|address| address.to_canonical())
}
