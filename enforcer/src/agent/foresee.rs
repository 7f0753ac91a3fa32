//! Beforehand: whom a decision would have hit. In: requests that were served; an order that is not carried out, or decisions that a center
//! thinks of. Out: figures, and what to beware of. Never here: a change of anything that is enforced.
use enforcer_common::{Address, AllowKind, Prefix, SubjectKind, Verdict};
use enforcer_policy::reach::{Considered, Crowd, Told};
use enforcer_policy::{Allowed, Moment, Scope, Subject, service_id};

use super::clock;
use super::core::Core;
use super::orders::{exempts_requests, subject};
use crate::config::{Service, Share};
use crate::exchanges::Exchange;
use crate::reach::{Caller, TOKENS};
use crate::wire::{BlockRequest, Exit, ForeseenReport, Trouble};

impl Core {
    /// Remembers whom a request came from. What was refused teaches nothing: a decision hits it already.
    pub(super) fn note_caller(&mut self, exchange: &Exchange) {
        let asking = &exchange.asking;
        if asking.verdict > Verdict::Observe as u8 {
            return;
        }
        let client = if asking.client == Address::default() { asking.source } else { asking.client };
        let digest = |kind: SubjectKind| asking.digests.get(kind as usize).copied().unwrap_or(0);
        let caller = Caller { source: asking.source, client, service: asking.service, tokens: TOKENS.map(digest) };
        self.reach.take(caller, clock::on_the_wall(asking.time));
    }

    /// What such a decision would have hit, had it been in force.
    pub(super) fn foresee(&self, request: &BlockRequest) -> Result<ForeseenReport, Trouble> {
        let subject = subject(&request.subject, self.key)?;
        let scope = self.scope(request.scope.as_deref())?;
        if let Subject::Flow(_) = subject {
            let hint = "ask for its address: enforcer block ip ADDRESS --dry-run";
            return Err(Trouble::new(Exit::Usage, "what single connections did is not remembered", hint));
        }
        let now = clock::now();
        let told = self.told(&subject, &scope, now);
        let reached = told.reached();
        let since = self.remembers_since(now);
        let crowd = reached.crowd.filter(|_| subject.network().is_some());
        let warnings = self.beware(&scope, since.is_none(), crowd);
        Ok(ForeseenReport { subject: subject.to_string(), scope: scope.to_string(), since, reached, warnings })
    }

    /// The same of one that a center thinks of, in few bytes.
    pub(super) fn tell_center(&self, considered: &Considered, most: usize) -> Told {
        let Considered { subject, scope } = considered;
        let partly = self.partly(scope).next().is_some();
        Told { partly, ..self.told(subject, scope, clock::now()) }.at_most(most)
    }

    fn told(&self, subject: &Subject, scope: &Scope, now: Moment) -> Told {
        let allowed = self.allowed();
        let service = scope.service().map(service_id);
        let in_scope = |caller: &Caller| service.is_none_or(|id| id == caller.service);
        self.reach.of(now, |caller| hit_by(subject, caller, &allowed).filter(|_| in_scope(caller)))
    }

    /// From when on callers are remembered.
    pub(super) fn remembers_since(&self, now: Moment) -> Option<Moment> {
        self.reach.since(now).map(|since| since.max(self.started))
    }

    fn beware(&self, scope: &Scope, is_empty: bool, crowd: Option<Crowd>) -> Vec<String> {
        let mut warnings = Vec::new();
        if is_empty {
            warnings.push("no request was looked at since the agent started: what it would hit is unknown".to_owned());
        }
        warnings.extend(crowd.and_then(|crowd| crowd.warning()));
        if scope.endpoint().is_some() {
            warnings.push("endpoints are not told apart: this is what was asked of the whole service".to_owned());
        }
        let partly = self.partly(scope);
        warnings.extend(
            partly.map(|name| format!("only a part of the requests of {name} is looked at (sample): it was more")),
        );
        warnings
    }

    /// Services in a scope of whose requests only a part is looked at.
    fn partly<'c>(&'c self, scope: &'c Scope) -> impl Iterator<Item = &'c str> {
        let meant = move |one: &&Service| scope.service().is_none_or(|name| name == one.name);
        let partly = |one: &&Service| one.manners.sample != Share::default();
        self.config.services.iter().filter(meant).filter(partly).map(|one| one.name.as_str())
    }
}

/// The address by which a decision on a subject would hit a caller.
fn hit_by(subject: &Subject, caller: &Caller, allowed: &[Allowed]) -> Option<Address> {
    match subject {
        Subject::Ip(network) => address_hit(*network, caller, allowed),
        Subject::Device(token) | Subject::Session(token) | Subject::User(token) | Subject::ApiKey(token) => {
            let at = TOKENS.iter().position(|kind| *kind == subject.kind());
            token_hit(at, token.digest, caller, allowed)
        }
        Subject::Flow(_) => None,
    }
}

/// The address by which a decision on a network would hit a caller. The allowlist wins, and a proxy is never hit as a source.
fn address_hit(network: Prefix, caller: &Caller, allowed: &[Allowed]) -> Option<Address> {
    let of_source = allowed.iter().filter(|one| one.prefix.contains(caller.source));
    let (is_allowed, is_proxy) = of_source.fold((false, false), |(full, proxy), one| {
        (full || exempts_requests(one.kind), proxy || one.kind == AllowKind::Proxy)
    });
    if is_allowed {
        return None;
    }
    let of_packets = Some(caller.source).filter(|source| !is_proxy && network.contains(*source));
    of_packets
        .or_else(|| Some(caller.client).filter(|client| network.contains(*client)))
        .filter(|address| !(is_proxy && *address == caller.source))
}

/// The same for a decision on a token.
fn token_hit(at: Option<usize>, digest: u64, caller: &Caller, allowed: &[Allowed]) -> Option<Address> {
    let bears = at.and_then(|at| caller.tokens.get(at)).is_some_and(|held| *held == digest && digest != 0);
    let is_allowed = || allowed.iter().any(|one| exempts_requests(one.kind) && one.prefix.contains(caller.source));
    (bears && !is_allowed()).then_some(caller.client)
}

#[cfg(test)]
mod tests {
    use enforcer_policy::Origin;

    use super::*;

    fn allowed(prefix: Prefix, kind: AllowKind) -> Allowed {
        let note = enforcer_policy::Note {
            reason: String::new(),
            origin: Origin::File,
            approved_by: String::new(),
            created: Moment(1),
        };
        Allowed { prefix, kind, until: None, note: note.into() }
    }

    #[test]
    fn the_allowlist_wins_and_a_proxy_is_hit_by_what_it_forwards() {
        let (proxy, client) = (Address::v4([10, 0, 0, 1]), Address::v4([203, 0, 113, 7]));
        let caller = Caller { source: proxy, client, service: 1, tokens: [5, 0, 0, 0] };
        let everything = Prefix::new(Address::v4([0, 0, 0, 0]), 96);
        let list = [allowed(Prefix::host(proxy), AllowKind::Proxy)];
        assert_eq!(address_hit(everything, &caller, &[]), Some(proxy));
        assert_eq!(address_hit(everything, &caller, &list), Some(client));
        assert_eq!(address_hit(Prefix::host(proxy), &caller, &list), None);
        let direct = Caller { client: proxy, ..caller };
        assert_eq!(address_hit(everything, &direct, &list), None);
        assert_eq!(token_hit(Some(0), 5, &caller, &list), Some(client));
        let full = [allowed(Prefix::host(proxy), AllowKind::Full)];
        assert_eq!((address_hit(everything, &caller, &full), token_hit(Some(0), 5, &caller, &full)), (None, None));
        assert_eq!((token_hit(Some(0), 6, &caller, &[]), token_hit(Some(1), 0, &caller, &[])), (None, None));
    }
}
