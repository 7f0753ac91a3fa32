//! The replay room: a recorded capture, shown to the same rooms as the calls of this host.
//!
//! ```text
//! capture ─ calls ─ classes of data ─ inventory ─ filters ─ findings          (what would have been noticed)
//!               └─ two policies ─ verdicts that differ                        (what would have been refused)
//! ```
//! In: a file of packets, a configuration, the key of digests. Out: a report; the same file gives the same report, byte for byte. Never
//! here: the kernel, the agent, clocks: the time is that of the packets.
mod verdicts;

use std::collections::HashMap;
use std::io::Read;

use enforcer_common::{SipKey, SubjectKind, siphash};
use enforcer_insight::Call;
use enforcer_insight::capture::{self, CaptureError, Counts, Identity, Scene, Served};
use enforcer_insight::classes::Sensitive;
use enforcer_insight::decide::{Course, Decider};
use enforcer_insight::filters::{Budget, Catalogue, Raised, Runner, Seed, Tools};
use enforcer_insight::findings::{Finding, Findings, Noted};
use enforcer_insight::inventory::Inventory;
use enforcer_policy::revision::Content;
use enforcer_policy::{AllowKind, Moment, Subject};
use serde::Serialize;

pub use verdicts::Difference;
use verdicts::Verdicts;

use crate::config::Config;
use crate::exchanges::user_of;

/// What a capture would have led to.
#[derive(Serialize, Debug)]
pub struct Replayed {
    /// What the file had in it.
    pub counts: Counts,
    /// Endpoints that its calls show.
    pub endpoints: usize,
    /// What filters noticed, the latest first.
    pub findings: Vec<Judged>,
    /// Where two policies would have treated requests otherwise; empty when none were given.
    pub differences: Vec<Difference>,
}

/// A finding, and what would have become of it.
#[derive(Serialize, Debug)]
pub struct Judged {
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// True when it would have become a decision by itself.
    pub decides: bool,
}

/// Plays a capture.
///
/// # Errors
/// What is wrong with the file.
pub fn replay(
    file: impl Read + Send,
    config: &Config,
    catalogue: &Catalogue,
    key: SipKey,
    policies: Option<(&Content, &Content)>,
) -> Result<Replayed, CaptureError> {
    let mut play = Play::new(config, catalogue, key, policies);
    let counts = capture::read(file, &scene(config, key), &mut |call| play.take(call))?;
    Ok(play.end(counts))
}

/// What the configuration says of services, for captures.
fn scene(config: &Config, key: SipKey) -> Scene {
    let services = config.services.iter().map(|service| Served {
        name: service.name.as_str().into(),
        ports: service.ports.clone(),
        hosts: service.hosts.clone(),
        paths: service.paths.clone(),
        identities: service.identities.iter().map(identity).collect(),
    });
    let proxies = config.allow.iter().filter(|entry| entry.kind == AllowKind::Proxy).map(|entry| entry.prefix);
    Scene { services: services.collect(), proxies: proxies.collect(), key }
}

fn identity(rule: &crate::config::IdentityRule) -> Identity {
    Identity { kind: rule.kind, header: rule.header.clone(), take: rule.take, pattern: rule.pattern.clone() }
}

/// The rooms a call goes through.
struct Play<'p> {
    config: &'p Config,
    key: SipKey,
    inventory: Inventory,
    runner: Runner,
    findings: Findings,
    decider: Decider,
    decides: HashMap<u64, bool>,
    /// Users of sessions, as the kernel learns them.
    users: HashMap<u64, u64>,
    verdicts: Option<Verdicts<'p>>,
    ticked: Moment,
}

impl<'p> Play<'p> {
    fn new(
        config: &'p Config,
        catalogue: &Catalogue,
        key: SipKey,
        policies: Option<(&'p Content, &'p Content)>,
    ) -> Self {
        let tools = Tools { seed: Seed::new(key.0) };
        let mut runner = Runner::new(catalogue.clone(), tools, Budget::default());
        runner.apply(&config.wanted_filters(catalogue));
        Self {
            config,
            key,
            inventory: Inventory::default(),
            runner,
            findings: Findings::new(FINDINGS),
            decider: Decider::default(),
            decides: HashMap::new(),
            users: HashMap::new(),
            verdicts: policies.map(|(old, new)| Verdicts::new(old, new)),
            ticked: Moment(0),
        }
    }

    fn take(&mut self, mut call: Call) {
        self.know_user(&mut call);
        call.sensitive = Sensitive::of(&call);
        call.placed = self.inventory.take(&call, self.key);
        if let Some(verdicts) = &mut self.verdicts {
            verdicts.take(&call);
        }
        // What filters cost here is not what they cost there: time stands still for them.
        let mut raised = self.runner.on_call(&call, &mut || 0);
        if self.ticked.until(call.time) >= TICK {
            self.ticked = call.time;
            raised.extend(self.runner.on_tick(call.time, &mut || 0));
        }
        for sign in raised {
            self.note(sign, call.time);
        }
    }

    /// The user of a session, once the server has served a token that names it.
    fn know_user(&mut self, call: &mut Call) {
        let (Some(session), None) = (call.digest(SubjectKind::Session), call.digest(SubjectKind::User)) else { return };
        if let (Some(user), Some(place)) = (self.users.get(&session), call.digests.get_mut(SubjectKind::User as usize))
        {
            *place = *user;
        } else if call.status().is_some_and(|status| status < 400)
            && self.users.len() < USERS
            && let Some(user) = self.user_of(call, session)
        {
            self.users.insert(session, user);
        }
    }

    fn user_of(&self, call: &Call, session: u64) -> Option<u64> {
        let service = self.config.services.iter().find(|service| *service.name == *call.service)?;
        let user = user_of(service, &call.head, self.key, session)?;
        Some(siphash(self.key, user.as_bytes()))
    }

    fn note(&mut self, raised: Raised, now: Moment) {
        let Raised { filter, service, mode, sign } = raised;
        let noted = self.findings.note(&filter, &service, sign, now);
        let (Noted::New(id) | Noted::Worse(id)) = noted else { return };
        let Some(finding) = self.findings.find(id) else { return };
        let config = self.config;
        let guard = |subject: &Subject| {
            subject.network().is_some_and(|network| config.allow.iter().any(|one| one.prefix.overlaps(network)))
        };
        let decides = matches!(self.decider.course(finding, mode, &guard, now), Course::Decide(_));
        *self.decides.entry(id.0).or_default() |= decides;
    }

    fn end(self, counts: Counts) -> Replayed {
        let judged = |finding: &Finding| {
            let decides = self.decides.get(&finding.id.0).copied().unwrap_or_default();
            Judged { finding: finding.clone(), decides }
        };
        Replayed {
            counts,
            endpoints: self.inventory.endpoints(),
            findings: self.findings.iter().map(judged).collect(),
            differences: self.verdicts.map(Verdicts::end).unwrap_or_default(),
        }
    }
}

/// Findings that are kept.
const FINDINGS: usize = 10_000;
/// Sessions whose users are known.
const USERS: usize = 1 << 20;
const TICK: std::time::Duration = std::time::Duration::from_secs(1);
