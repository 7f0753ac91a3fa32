//! Asks both parsers about the same bytes. In: bytes from a request boundary on. Out: every way in which the kernel would let
//! by what the agent knows. Never here: where the bytes come from; the fuzzers ask the same.
#![allow(dead_code, unreachable_pub, reason = "shared with the fuzzers, each of which asks for less")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use enforcer::config::{Config, IdentityRule, Scene, compile};
use enforcer_common::{Place, Reason, SipKey, Watchlist, siphash};
use enforcer_insight::http::{Ambiguity, Framing, Head, HeadError, is_for_host, lies_in_endpoint, tokens};
use enforcer_kernel_rooms::{Scanned, scan_bytes};
use enforcer_policy::{Endpoint, MapOp};

/// What the operator has asked for, on both sides.
pub struct Ground {
    list: Watchlist,
    rules: Vec<IdentityRule>,
    endpoints: Vec<(Arc<Endpoint>, Vec<Place>)>,
}

/// What one head is about.
#[derive(Default)]
pub struct Facts {
    /// Identities in it.
    pub tokens: usize,
    /// Endpoints it lies in.
    pub places: usize,
    /// It has a body that every server reads alike.
    pub framed: bool,
    /// Servers read it differently.
    pub odd: bool,
}

impl Ground {
    /// The services of [`FILE`] with the endpoints of [`ENDPOINTS`], compiled as the agent does it.
    pub fn new() -> Option<Self> {
        let config = Config::parse(FILE).ok()?;
        let endpoints: BTreeSet<Arc<Endpoint>> =
            ENDPOINTS.iter().filter_map(|text| Some(Arc::new(text.parse().ok()?))).collect();
        let interfaces = BTreeMap::from([("eth0".to_owned(), 1)]);
        let compiled = compile(&config, &Scene { interfaces: &interfaces, endpoints: &endpoints, key: KEY, side: 0 });
        let list = compiled
            .ops
            .iter()
            .find_map(|op| if let MapOp::PutWatchlist { watchlist, .. } = op { Some(**watchlist) } else { None })?;
        let of = |endpoint: &Endpoint| {
            let places = compiled
                .ops
                .iter()
                .filter_map(|op| if let MapOp::PutPlace { place, .. } = op { Some(**place) } else { None });
            places.filter(|place| place.scope == endpoint.id()).collect()
        };
        let endpoints = endpoints.iter().map(|endpoint| (Arc::clone(endpoint), of(endpoint))).collect();
        let rules = config.services.iter().flat_map(|service| service.identities.clone()).collect();
        Some(Self { list, rules, endpoints })
    }

    /// Where the kernel is not the stricter one; empty when all is well.
    pub fn differences(&self, bytes: &[u8]) -> Vec<String> {
        let mut kernel = scan_bytes(bytes, &self.list);
        let mut found = Vec::new();
        match (Head::read(&Bytes::copy_from_slice(bytes)), kernel.end()) {
            (Ok(Some(head)), Ok(end)) => {
                if head.end != end {
                    found.push(format!("the head ends at {} for the agent, at {end} for the kernel", head.end));
                }
                self.tokens(&head, &mut kernel, &mut found);
                framing(&head, &kernel, &mut found);
                self.places(&head, &mut kernel, &mut found);
            }
            (Ok(Some(_)), Err(reason)) => found.push(format!("a head for the agent, {reason:?} for the kernel")),
            (Ok(None), Ok(end)) => found.push(format!("open for the agent, ends at {end} for the kernel")),
            (Ok(None), Err(Reason::HeadTooLong)) => found.push("open for the agent, too long for the kernel".into()),
            // What the agent refuses, the kernel may read or not.
            (Ok(None) | Err(HeadError::NotHttp(_) | HeadError::TooLong), _) => {}
        }
        found
    }

    /// What the agent finds, to see that the heads are about something.
    pub fn facts(&self, bytes: &[u8]) -> Facts {
        let Ok(Some(head)) = Head::read(&Bytes::copy_from_slice(bytes)) else { return Facts::default() };
        let of = |rule: &IdentityRule| tokens(&head, &rule.header, rule.take, &rule.pattern).len();
        Facts {
            tokens: self.rules.iter().map(of).sum(),
            places: self.endpoints.iter().filter(|(endpoint, _)| lies_in_endpoint(&head, endpoint)).count(),
            framed: matches!(head.framing, Framing::Chunked | Framing::Length(_)),
            odd: !head.ambiguities().is_empty(),
        }
    }

    fn tokens(&self, head: &Head, kernel: &mut Scanned, found: &mut Vec<String>) {
        let seen = kernel.found(KEY);
        let wrong = seen.iter().filter(|token| token.digest != siphash(KEY, &token.text));
        found.extend(wrong.map(|token| format!("the digest of {} is wrong", token.text.escape_ascii())));
        for rule in &self.rules {
            for token in tokens(head, &rule.header, rule.take, &rule.pattern) {
                let same = seen.iter().any(|one| one.kind == rule.kind as u16 && one.text == token);
                // What is too long or too many is counted, and that is told.
                if !same && kernel.missed() == 0 {
                    found.push(format!("{:?} `{}` is not seen in {}", rule.kind, token.escape_ascii(), rule.header));
                }
            }
        }
    }

    fn places(&self, head: &Head, kernel: &mut Scanned, found: &mut Vec<String>) {
        for (endpoint, places) in &self.endpoints {
            let host = endpoint.service() != "pay" || is_for_host(head, HOST);
            if host && lies_in_endpoint(head, endpoint) && !places.iter().any(|place| kernel.lies_in(place, KEY)) {
                found.push(format!("the request lies in {endpoint}, and not for the kernel"));
            }
        }
    }
}

/// A body that the kernel does not doubt is the same for both; what servers read differently, both doubt.
fn framing(head: &Head, kernel: &Scanned, found: &mut Vec<String>) {
    let kernels = match (kernel.is_chunked(), kernel.length()) {
        (true, _) => Framing::Chunked,
        (false, Some(length)) => Framing::Length(length),
        (false, None) => Framing::None,
    };
    if kernel.odd() == 0 && head.framing != kernels {
        found.push(format!("the body is {:?} for the agent, {kernels:?} for the kernel", head.framing));
    }
    let doubted = head.ambiguities().iter().find(|one| **one != Ambiguity::Spaced);
    if let Some(one) = doubted.filter(|_| kernel.odd() == 0) {
        found.push(format!("{one:?} is not odd for the kernel"));
    }
}

pub const KEY: SipKey = SipKey([11, 12]);
const HOST: &str = "api.bank.example";
const FILE: &str = r#"
    [[service]]
    name = "web"
    ports = [443]
    interfaces = ["eth0"]
    device = [{ header = "X-Device-Id" }, { header = "User-Agent", pattern = "DeviceId/" }]
    session = [{ cookie = "sid" }, { bearer = true }]
    apikey = [{ header = "X-Api-Key" }]
    [[service]]
    name = "pay"
    ports = [443]
    interfaces = ["eth0"]
    hosts = ["api.bank.example"]
"#;
/// The paths that generated requests are about.
pub const ENDPOINTS: [&str; 8] = [
    "web:/",
    "web:/**",
    "web:/a",
    "web:GET /a/{id}",
    "web:POST /a/b/**",
    "web:/a/{}/b",
    "pay:/a/b",
    "pay:GET /{}/a/**",
];
