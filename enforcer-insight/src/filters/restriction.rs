//! What decisions do, and who comes close to them. In: refused calls, and calls that pass. Out: signs of somebody refused who goes
//! on in another guise. Never here: decisions themselves.
//!
//! After a refusal, a device that was never seen before and brings the same user, session or key, or comes from the same address
//! with the same user agent, is likely the same somebody. What was there before the refusal is not: it belongs to others.
use std::time::Duration;

use enforcer_policy::{DecisionId, Moment, SubjectKind};

use super::state::{Book, Steps};
use super::{Entry, Filter, Out, Parameter, Parameters, Seen};
use crate::findings::{Risk, Severity, Sign, Suggestion};

/// The filter.
pub(super) fn entry() -> Entry {
    let title = "decisions, and who comes close to them";
    Entry::built_in("restriction", title, Risk::BusinessFlows, SCHEMA, |parameters, _| Restriction::new(parameters))
}

const SCHEMA: &[Parameter] = &[
    Parameter::time("window", "1h", 60, 86_400, "how long after a refusal others are compared with who was refused"),
    Parameter::time("lasts", "1h", 60, 2_592_000, "how long a suggested decision lasts"),
    Parameter::count(
        "entries",
        "16384",
        256,
        1_048_576,
        "refused identities that are remembered, and 4 times as many devices",
    ),
];

struct Restriction {
    window: Duration,
    lasts: Duration,
    refused: Book<Refused>,
    devices: Book<Moment>,
    decisions: Book<Hits>,
}

/// An identity that was refused, or came with one that was.
#[derive(Default)]
struct Refused {
    decision: u64,
    since: Moment,
    last: Moment,
    device: u64,
    steps: Steps,
    passed: u32,
}

/// What a decision refused.
#[derive(Default)]
struct Hits {
    calls: u64,
}

/// What a call has in common with a refused one.
#[derive(Clone, Copy)]
struct Link {
    key: u64,
    word: &'static str,
    confidence: u8,
}

impl Restriction {
    fn new(parameters: &Parameters) -> Self {
        let entries = parameters.size("entries");
        let (refused, devices) = (Book::new(entries), Book::new(entries.saturating_mul(4)));
        let (window, lasts) = (parameters.time("window"), parameters.time("lasts"));
        Self { window, lasts, refused, devices, decisions: Book::new(entries) }
    }
}

impl Filter for Restriction {
    fn on_refused(&mut self, seen: &Seen<'_>, _: &mut Out) {
        let Some(DecisionId(decision)) = seen.call.decision else { return };
        self.decisions.entry(decision).calls += 1;
        let device = seen.key(SubjectKind::Device).unwrap_or_default();
        for link in links(seen) {
            let refused = self.refused.entry(link.key);
            if refused.last.until(seen.now()) > self.window {
                *refused = Refused { since: seen.now(), ..Refused::default() };
            }
            (refused.decision, refused.last, refused.device) = (decision, seen.now(), device);
        }
    }

    fn on_request(&mut self, seen: &Seen<'_>, out: &mut Out) {
        let device = seen.key(SubjectKind::Device);
        let first = device.map(|device| *self.devices.entry_with(device, || seen.now()));
        if self.refused.is_empty() {
            return;
        }
        for link in links(seen) {
            let Some(refused) = self.refused.find(link.key) else { continue };
            let recent = refused.last.until(seen.now()) <= self.window;
            // Only a device that appeared after the refusal, and is not the refused one on a path that is open to it.
            let new = first.is_some_and(|first| first > refused.since) && device != Some(refused.device);
            if !recent || !new || refused.decision == 0 {
                continue;
            }
            refused.passed += 1;
            if refused.steps.reach(refused.passed, AGAIN) {
                out.raise(evasion(seen, link, refused, self.lasts));
            }
            break;
        }
    }

    fn retune(&mut self, parameters: &Parameters) {
        (self.window, self.lasts) = (parameters.time("window"), parameters.time("lasts"));
    }

    fn held_bytes(&self) -> usize {
        self.refused.held_bytes() + self.devices.held_bytes() + self.decisions.held_bytes()
    }

    fn forgotten(&self) -> u64 {
        self.refused.forgotten() + self.devices.forgotten() + self.decisions.forgotten()
    }
}

/// What is compared, the strongest first. A user whose device is refused may well use another one of its own: it is told, not
/// believed.
fn links(seen: &Seen<'_>) -> impl Iterator<Item = Link> {
    let identity = |kind, word, confidence| seen.key(kind).map(|key| Link { key, word, confidence });
    let agent = seen.seed.words(seen.address().key, seen.agent);
    [
        identity(SubjectKind::Session, "session", 88),
        identity(SubjectKind::ApiKey, "apikey", 85),
        identity(SubjectKind::User, "user", 70),
        (seen.agent != 0).then_some(Link { key: agent, word: "address and user agent", confidence: 60 }),
    ]
    .into_iter()
    .flatten()
}

fn evasion(seen: &Seen<'_>, link: Link, refused: &Refused, lasts: Duration) -> Sign {
    let device = seen.party(SubjectKind::Device).unwrap_or_else(|| seen.consumer.clone());
    let suggestion = (link.confidence >= 80).then(|| Suggestion::refuse(device.subject.clone(), seen.service(), lasts));
    let sign = Sign::new("near_miss", Risk::BusinessFlows, Severity::Medium, link.confidence, FIX).by(device.subject);
    let decision = DecisionId(refused.decision).to_string();
    sign.word("same", link.word).word("decision", decision).count("calls", refused.passed).suggest(suggestion)
}

const FIX: &str = "decide on the user or key rather than on one device, if it is the same somebody";
/// Calls before it is told.
const AGAIN: u32 = 3;
