//! Single orders: block, unblock, allow, bypass. In: a request. Out: a reply. Kernel first, journal second: what is urgent
//! takes effect even on a full disk, and says so.
use std::sync::Arc;
use std::time::Duration;

use enforcer_common::{AllowKind, SipKey, SubjectKind, siphash};
use enforcer_policy::{
    Allowed, Decision, Endpoint, Note, Order, Origin, Refusal, Scope, Subject, Token, mask, parse_flow, parse_prefix,
    put, put_allow, remove, remove_allow,
};

use super::clock;
use super::core::{Core, trouble};
use crate::apply::apply;
use crate::config::Service;
use crate::kernel::monotonic;
use crate::store::Record;
use crate::wire::{
    AllowReport, AllowRequest, AllowedEntry, BlockReport, BlockRequest, Change, DecisionReport, Exit, REASON_MAX, Raw,
    SubjectInput, Trouble, UnblockBy, UnblockReport,
};

impl Core {
    /// Makes a decision, and enforces it.
    pub(super) fn block(&mut self, request: &BlockRequest, who: &str) -> Result<BlockReport, Trouble> {
        let arrived = monotonic();
        let now = clock::now();
        let order = Order {
            subject: subject(&request.subject, self.key)?,
            scope: self.scope(request.scope.as_deref())?,
            action: request.action,
            rate: request.rate,
            until: request.until(now),
            shorten: request.shorten,
            wide: request.wide,
            note: note(&request.reason, Origin::Cli, who)?,
        };
        self.carry_out(order, arrived)
    }

    /// Makes the decision that is ordered, and enforces it.
    pub(super) fn carry_out(&mut self, order: Order, arrived: u64) -> Result<BlockReport, Trouble> {
        self.place(&order.scope)?;
        let before = self.ledger.get(&order.subject, &order.scope);
        let entropy = self.entropy();
        let blocked = self.ledger.block(order, clock::now(), entropy).map_err(|refusal| refused(&refusal))?;
        let decision = blocked.decision;
        let mut enforced_in = None;
        let mut warnings = Vec::new();
        if blocked.change != enforcer_policy::Change::Unchanged {
            enforced_in = Some(self.enforce(&decision, before, arrived)?);
            if let Err(error) = self.keep(&[Record::Put(decision.clone())]) {
                warnings.push(format!("enforced, but not saved: {error}"));
            }
        }
        warnings.extend(self.doubts(&decision));
        Ok(BlockReport { decision: (&decision).into(), change: blocked.change.into(), enforced_in, warnings })
    }

    /// Writes a decision into the kernel. When that fails, the ledger is as it was `before`.
    fn enforce(&mut self, decision: &Decision, before: Option<Decision>, arrived: u64) -> Result<Duration, Trouble> {
        if let Err(error) = apply(&mut self.kernel, &[put(decision, &clock::both())]) {
            self.ledger.unblock(&decision.subject, &decision.scope);
            if let Some(before) = before {
                self.ledger.insert_raw(before);
            }
            tracing::error!(%error, id = %decision.id, "a decision could not be enforced");
            self.note_if_full(&error.source);
            return Err(trouble(&error));
        }
        let took = clock::since(arrived);
        self.enforcement.observe(took);
        Ok(took)
    }

    /// What stands between a decision and its effect.
    fn doubts(&self, decision: &Decision) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.kernel.bypass().unwrap_or(false) {
            doubts.push("bypass is on: nothing is refused until `enforcer bypass off`".to_owned());
        }
        if let Subject::Ip(prefix) = &decision.subject {
            let allowed = self.allowed();
            let hit = allowed.iter().find(|one| one.prefix.overlaps(*prefix));
            if let Some(one) = hit {
                doubts.push(format!("the allowlist entry {} wins over it", one.prefix));
            }
        }
        if let Some(name) = decision.scope.service()
            && self.config.services.iter().any(|service| service.name == name && !service.enforce)
        {
            doubts.push(format!("the service {name} only observes: it is counted, not refused"));
        }
        let kind = decision.subject.kind();
        let mut services = self.config.services.iter();
        let named = decision.scope.service().and_then(|name| services.clone().find(|service| service.name == name));
        let meant = |service: &Service| named.is_none_or(|named| named.shares_a_port(service));
        if kind.is_token() && self.config.services.is_empty() {
            doubts.push("no service is configured, so no request is looked at".to_owned());
        } else if kind.is_token() && !services.any(|service| meant(service) && service.knows(kind)) {
            let name = kind.name();
            doubts.push(format!(
                "the configuration does not say where requests carry a {name}: add {name} = [...] there"
            ));
        }
        doubts
    }

    /// Ends decisions.
    pub(super) fn unblock(&mut self, by: &UnblockBy) -> Result<UnblockReport, Trouble> {
        let arrived = monotonic();
        let found = match by {
            UnblockBy::Id(id) => self.ledger.by_id(*id),
            UnblockBy::Subject { subject: input, scope } => {
                let scope = self.scope(scope.as_deref())?;
                self.ledger.get(&subject(input, self.key)?, &scope)
            }
        };
        let Some(decision) = found else {
            return Ok(UnblockReport { ended: Vec::new(), enforced_in: None, still: self.still(by) });
        };
        apply(&mut self.kernel, &[remove(&decision)]).map_err(|error| trouble(&error))?;
        let took = clock::since(arrived);
        self.ledger.unblock_id(decision.id);
        self.lift(&decision);
        self.lift_crowdsec(&decision);
        self.enforcement.observe(took);
        // A problem for `status`, and noted there: the kernel no longer refuses, which is what was asked for.
        let _ = self.keep(&[Record::Remove(decision.id)]);
        Ok(UnblockReport { ended: vec![(&decision).into()], enforced_in: Some(took), still: self.still(by) })
    }

    /// What still applies to a subject whose decision was ended, or never was.
    fn still(&self, by: &UnblockBy) -> Vec<DecisionReport> {
        let UnblockBy::Subject { subject: input, .. } = by else { return Vec::new() };
        match subject(input, self.key) {
            Ok(Subject::Ip(prefix)) => self.ledger.covering(prefix.address()).iter().map(Into::into).collect(),
            Ok(subject) => self.on_token(&subject).iter().map(Into::into).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// All decisions on a token, whatever their scope; none for what has no token.
    pub(super) fn on_token(&self, subject: &Subject) -> Vec<Decision> {
        let services = self.config.services.iter().map(|service| Scope::named(&service.name));
        let endpoints = self.ledger.endpoints().map(|endpoint| Scope::Endpoint(Arc::clone(endpoint)));
        let scopes = std::iter::once(Scope::All).chain(services).chain(endpoints);
        let scopes = scopes.filter(|_| subject.kind().is_token());
        scopes.filter_map(|scope| self.ledger.get(subject, &scope)).collect()
    }

    /// Changes the allowlist.
    pub(super) fn allow(&mut self, request: &AllowRequest, who: &str) -> Result<AllowReport, Trouble> {
        if request.remove {
            return self.disallow(request);
        }
        let entry = Allowed {
            prefix: request.prefix,
            kind: request.kind,
            until: request.until(clock::now()),
            note: note(&request.reason, Origin::Cli, who)?,
        };
        apply(&mut self.kernel, &[put_allow(&entry)]).map_err(|error| {
            self.note_if_full(&error.source);
            trouble(&error)
        })?;
        let before = self.ledger.allow(entry.clone());
        let change = if before.is_some() { Change::Changed } else { Change::Added };
        // A problem for `status`, and noted there.
        let _ = self.keep(&[Record::Allow(entry.clone())]);
        Ok(AllowReport { entry: (&entry).into(), change })
    }

    fn disallow(&mut self, request: &AllowRequest) -> Result<AllowReport, Trouble> {
        if self.config.allow.iter().any(|entry| entry.prefix == request.prefix) {
            let message = format!("{} is on the allowlist by configuration", request.prefix);
            return Err(Trouble::new(
                Exit::Refused,
                message,
                "take it out of the configuration file, then enforcer reload",
            ));
        }
        let nothing = || {
            Trouble::new(Exit::Nothing, format!("{} is not on the allowlist", request.prefix), "enforcer allow --list")
        };
        let entry = self.ledger.allowlist().find(|one| one.prefix == request.prefix).cloned().ok_or_else(nothing)?;
        apply(&mut self.kernel, &[remove_allow(request.prefix)]).map_err(|error| trouble(&error))?;
        self.ledger.disallow(request.prefix);
        // A problem for `status`, and noted there.
        let _ = self.keep(&[Record::Disallow(request.prefix)]);
        Ok(AllowReport { entry: (&entry).into(), change: Change::Removed })
    }

    /// The whole allowlist.
    pub(super) fn allowlist(&self) -> Vec<AllowedEntry> {
        self.allowed().iter().map(Into::into).collect()
    }

    /// Switches enforcement off or on.
    pub(super) fn bypass(&mut self, on: bool) -> Result<(), Trouble> {
        apply(&mut self.kernel, &[enforcer_policy::MapOp::Bypass(on)]).map_err(|error| trouble(&error))?;
        tracing::warn!(on, "bypass");
        // A problem for `status`, and noted there.
        let _ = self.keep(&[Record::Bypass(on)]);
        Ok(())
    }

    /// A scope by the name of a configured service, or an endpoint of one.
    pub(super) fn scope(&self, text: Option<&str>) -> Result<Scope, Trouble> {
        let scope = text.map_or(Ok(Scope::All), Scope::parse);
        let scope = scope.map_err(|error| Trouble::new(Exit::Usage, error.to_string(), error.fault.mend()))?;
        let Some(name) = scope.service() else { return Ok(scope) };
        if let Some(service) = self.config.services.iter().find(|service| service.name == name) {
            return if let Some(endpoint) = scope.endpoint() { below(service, endpoint) } else { Ok(()) }
                .map(|()| scope);
        }
        let known: Vec<&str> = self.config.services.iter().map(|service| service.name.as_str()).collect();
        let hint = if known.is_empty() {
            format!("no service is configured; add a [[service]] to {}", self.path.display())
        } else {
            format!("configured services: {}", known.join(", "))
        };
        Err(Trouble::new(Exit::Refused, format!("there is no service {name}"), hint))
    }
}

/// An endpoint lies below one of the paths of its service.
fn below(service: &Service, endpoint: &Endpoint) -> Result<(), Trouble> {
    let paths = &service.paths;
    if paths.is_empty() || paths.iter().any(|path| path.meets(endpoint.template())) {
        return Ok(());
    }
    let known: Vec<String> = paths.iter().map(ToString::to_string).collect();
    let message = format!("{endpoint} is no place of the service {}", service.name);
    Err(Trouble::new(Exit::Refused, message, format!("write the whole path; the service has {}", known.join(", "))))
}

/// A subject as typed becomes one of the policy; the raw value of a token ends here.
pub(super) fn subject(input: &SubjectInput, key: SipKey) -> Result<Subject, Trouble> {
    let wrong = |message: String| Trouble::new(Exit::Usage, message, "");
    match input {
        SubjectInput::Flow(text) => parse_flow(text).map(Subject::Flow).map_err(|error| wrong(error.to_string())),
        SubjectInput::Ip(text) => parse_prefix(text).map(Subject::Ip).map_err(|error| wrong(error.to_string())),
        SubjectInput::Token { kind, value } => with_token(*kind, value, key),
    }
}

/// The subject of a raw token.
pub(super) fn with_token(kind: SubjectKind, value: &Raw, key: SipKey) -> Result<Subject, Trouble> {
    let known = || Trouble::new(Exit::Usage, format!("{} has no token", kind.name()), "give it in its own form");
    Subject::with_token(kind, token(value.reveal(), key)?).ok_or_else(known)
}

/// The keyed digest of a token, and its mask.
pub(super) fn token(raw: &str, key: SipKey) -> Result<Token, Trouble> {
    const LONGEST: usize = enforcer_common::limits::TOKEN;
    let raw = raw.trim();
    let wrong = if raw.is_empty() {
        "the value is empty".to_owned()
    } else if raw.len() > LONGEST {
        format!("the value has {} bytes; {LONGEST} is the longest that is looked for in requests", raw.len())
    } else if raw.bytes().any(|byte| byte.is_ascii_control()) {
        "the value has control characters, which no header can carry".to_owned()
    } else {
        return Ok(Token { digest: siphash(key, raw.as_bytes()), masked: mask(raw) });
    };
    Err(Trouble::new(Exit::Usage, wrong, "give the token exactly as it stands in the request"))
}

/// Why, and who says so.
pub(super) fn note(reason: &str, origin: Origin, who: &str) -> Result<Arc<Note>, Trouble> {
    if reason.len() > REASON_MAX {
        let message = format!("the reason has {} bytes; at most {REASON_MAX} are kept", reason.len());
        return Err(Trouble::new(Exit::Usage, message, "say it shorter"));
    }
    Ok(Arc::new(Note { reason: reason.to_owned(), origin, approved_by: who.to_owned(), created: clock::now() }))
}

/// What the policy refuses, in the words of the socket.
pub(super) fn refused(refusal: &Refusal) -> Trouble {
    Trouble::new(Exit::Refused, refusal.to_string(), "")
}

/// The kinds an allowlist entry can have, for reports.
pub(super) const fn exempts_requests(kind: AllowKind) -> bool {
    matches!(kind, AllowKind::Full)
}
