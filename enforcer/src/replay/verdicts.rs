//! What two policies would have done with the same calls. In: two policies; calls. Out: where they differ, by endpoint. Never here: the
//! kernel's tables; what they mean is said once more, in the plainest way.
use std::collections::BTreeMap;
use std::sync::Arc;

use enforcer_common::{Action, Address, AllowKind, Prefix};
use enforcer_insight::Call;
use enforcer_insight::http::lies_in_endpoint;
use enforcer_policy::revision::Content;
use enforcer_policy::{Decision, Scope, Subject};
use serde::Serialize;

/// Requests of one endpoint that the policies treat otherwise in the same way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Difference {
    /// The service.
    pub service: String,
    /// Method and template.
    pub endpoint: String,
    /// What the first policy does: an action, or `pass`.
    pub old: &'static str,
    /// What the second does.
    pub new: &'static str,
    /// The decision that does it; of the second policy where both have one.
    pub decision: String,
    /// How many requests.
    pub requests: u64,
}

/// Both policies, and where they differ.
pub(super) struct Verdicts<'p> {
    old: Policy<'p>,
    new: Policy<'p>,
    counts: BTreeMap<(Arc<str>, String, &'static str, &'static str, String), u64>,
}

/// Decisions and who is never refused, as they are looked up.
struct Policy<'p> {
    networks: Vec<(Prefix, &'p Decision)>,
    /// By kind and digest.
    tokens: BTreeMap<(usize, u64), Vec<&'p Decision>>,
    allowed: Vec<Prefix>,
}

impl<'p> Verdicts<'p> {
    pub(super) fn new(old: &'p Content, new: &'p Content) -> Self {
        Self { old: Policy::new(old), new: Policy::new(new), counts: BTreeMap::new() }
    }

    pub(super) fn take(&mut self, call: &Call) {
        let (old, new) = (self.old.verdict(call), self.new.verdict(call));
        let name = |decision: Option<&Decision>| decision.map_or("pass", |decision| decision.action.name());
        if name(old) == name(new) || (self.counts.len() >= DIFFERENCES) {
            return;
        }
        let template = call.placed.as_ref().map_or("/**", |placed| &placed.template);
        let endpoint = format!("{} {template}", String::from_utf8_lossy(&call.head.method));
        let decision =
            new.or(old).map(|one| format!("{} {}", one.subject.kind().name(), one.subject)).unwrap_or_default();
        let key = (Arc::clone(&call.service), endpoint, name(old), name(new), decision);
        *self.counts.entry(key).or_default() += 1;
    }

    pub(super) fn end(self) -> Vec<Difference> {
        let one = |((service, endpoint, old, new, decision), requests): ((Arc<str>, _, _, _, _), u64)| Difference {
            service: service.to_string(),
            endpoint,
            old,
            new,
            decision,
            requests,
        };
        self.counts.into_iter().map(one).collect()
    }
}

impl<'p> Policy<'p> {
    fn new(content: &'p Content) -> Self {
        let mut policy = Self { networks: Vec::new(), tokens: BTreeMap::new(), allowed: Vec::new() };
        for entry in content.entries() {
            let decision = &entry.decision;
            match &decision.subject {
                Subject::Ip(prefix) => policy.networks.push((*prefix, decision)),
                // A connection of a capture is over.
                Subject::Flow(_) => {}
                Subject::ApiKey(token) | Subject::Device(token) | Subject::Session(token) | Subject::User(token) => {
                    let key = (decision.subject.kind() as usize, token.digest);
                    policy.tokens.entry(key).or_default().push(decision);
                }
            }
        }
        let full = content.base().allow.iter().filter(|one| one.kind == AllowKind::Full);
        policy.allowed = full.map(|one| one.network).collect();
        policy
    }

    /// The harshest decision that holds for the call.
    fn verdict(&self, call: &Call) -> Option<&'p Decision> {
        let (source, client) = (Address::from(call.source), Address::from(call.client));
        if self.allowed.iter().any(|prefix| prefix.contains(source)) {
            return None;
        }
        let by_address = self.networks.iter().filter(|(prefix, _)| prefix.contains(source) || prefix.contains(client));
        let borne = call.digests.iter().enumerate().filter(|(_, digest)| **digest != 0);
        let by_token = borne.filter_map(|(kind, digest)| self.tokens.get(&(kind, *digest))).flatten().copied();
        let all = by_address.map(|(_, decision)| *decision).chain(by_token);
        all.filter(|decision| holds(decision, call)).max_by_key(|decision| rank(decision.action))
    }
}

fn holds(decision: &Decision, call: &Call) -> bool {
    let lasts = decision.until.is_none_or(|until| call.time < until);
    let there = match &decision.scope {
        Scope::All => true,
        Scope::Service(name) => **name == *call.service,
        Scope::Endpoint(endpoint) => endpoint.service() == &*call.service && lies_in_endpoint(&call.head, endpoint),
    };
    lasts && there
}

const fn rank(action: Action) -> u8 {
    action as u8
}

/// Kinds of differences that are told apart.
const DIFFERENCES: usize = 10_000;
