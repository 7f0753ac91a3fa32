//! Partners outside of what was agreed. In: calls with a partner's key, and contracts from the policy. Out: signs of endpoints,
//! times and volumes that no contract names. Never here: how contracts are written (`terms`).
use std::time::Duration;

use enforcer_policy::{Moment, SubjectKind};

use super::state::{Book, Steps};
use super::{Entry, Filter, Out, Parameter, Parameters, Party, Seen};
use crate::findings::{Risk, Severity, Sign, Suggestion};

mod terms;

use terms::{Terms, contracts};

/// The filter.
pub(super) fn entry() -> Entry {
    let title = "partners outside of their contract";
    Entry::built_in("contract", title, Risk::FunctionAuthorization, SCHEMA, |parameters, _| Contract::new(parameters))
}

const SCHEMA: &[Parameter] = &[
    Parameter::text("contracts", "", 16_384, terms::DOC),
    Parameter::choice(
        "strangers",
        "ignore",
        &[super::Word::Borrowed("ignore"), super::Word::Borrowed("report")],
        "what is done with keys that no contract names",
    ),
    Parameter::time("lasts", "24h", 60, 2_592_000, "how long a suggested decision lasts"),
    Parameter::count("entries", "4096", 64, 1_048_576, "keys that are remembered"),
];

struct Contract {
    contracts: Vec<(u64, Terms)>,
    /// Parts of the text that are no contract.
    unreadable: u32,
    told_unreadable: bool,
    strangers: bool,
    lasts: Duration,
    keys: Book<Volume>,
    told: Book<Steps>,
}

/// Calls of a key.
#[derive(Default)]
struct Volume {
    minute: u64,
    in_minute: u32,
    day: u64,
    in_day: u32,
    minutes: Steps,
    days: Steps,
}

/// What is outside.
#[derive(Clone, Copy)]
struct Outside {
    kind: &'static str,
    confidence: u8,
    fix: &'static str,
}

impl Contract {
    fn new(parameters: &Parameters) -> Self {
        let (keys, told) = (Book::new(parameters.size("entries")), Book::new(parameters.size("entries")));
        let (contracts, lasts) = (Vec::new(), Duration::ZERO);
        let mut new = Self { contracts, unreadable: 0, told_unreadable: false, strangers: false, lasts, keys, told };
        new.retune(parameters);
        new
    }

    fn tell(&mut self, seen: &Seen<'_>, who: &Party, outside: Outside, out: &mut Out) {
        let key = seen.seed.words(who.key ^ seen.digest(outside.kind.as_bytes()), seen.spot.key);
        if !self.told.entry(key).reach(1, 1) {
            return;
        }
        // The one endpoint is closed, and the partner is not cut off.
        let suggestion = Suggestion::refuse(who.subject.clone(), seen.scope(), self.lasts);
        let sign =
            Sign::new(outside.kind, Risk::FunctionAuthorization, Severity::Medium, outside.confidence, outside.fix);
        out.raise(sign.at(&seen.spot.text).by(who.subject.clone()).suggest(Some(suggestion)));
    }

    fn volume(&mut self, seen: &Seen<'_>, who: &Party, terms: &Terms, out: &mut Out) {
        let volume = self.keys.entry(who.key);
        volume.count(seen.now());
        let over = |steps: &mut Steps, count: u32, limit: Option<u32>| {
            limit.is_some_and(|limit| count > limit && steps.reach(count, limit + 1))
        };
        let minute = over(&mut volume.minutes, volume.in_minute, terms.per_minute);
        let day = over(&mut volume.days, volume.in_day, terms.per_day);
        if minute || day {
            let rate = terms.per_minute.unwrap_or(LEAST);
            let suggestion = Suggestion::limit(who.subject.clone(), seen.service(), rate, self.lasts);
            let sign = Sign::new("over_volume", Risk::ResourceConsumption, Severity::Low, 95, FIX_VOLUME);
            let sign = sign.by(who.subject.clone()).word("of", if minute { "minute" } else { "day" });
            let sign = sign.count("in_minute", volume.in_minute).count("in_day", volume.in_day);
            out.raise(sign.suggest(suggestion));
        }
    }
}

impl Filter for Contract {
    fn on_request(&mut self, seen: &Seen<'_>, out: &mut Out) {
        let Some(who) = seen.party(SubjectKind::ApiKey) else { return };
        let digest = seen.call.digest(SubjectKind::ApiKey).unwrap_or_default();
        let found = self.contracts.iter().find(|(key, _)| *key == digest || *key == 0).map(|(_, terms)| terms.clone());
        let Some(terms) = found else {
            if self.strangers {
                self.tell(seen, &who, STRANGER, out);
            }
            return;
        };
        if !terms.allows(&seen.spot.text) {
            self.tell(seen, &who, ENDPOINT, out);
        }
        if !terms.is_open(seen.now()) {
            self.tell(seen, &who, TIME, out);
        }
        self.volume(seen, &who, &terms, out);
    }

    fn on_tick(&mut self, _: Moment, out: &mut Out) {
        if self.unreadable > 0 && !self.told_unreadable {
            self.told_unreadable = true;
            let sign = Sign::new("unreadable_contract", Risk::Misconfiguration, Severity::Medium, 100, FIX_TEXT);
            out.raise(sign.count("contracts", self.unreadable));
        }
    }

    fn retune(&mut self, parameters: &Parameters) {
        let (contracts, unreadable) = contracts(parameters.word("contracts"));
        (self.contracts, self.unreadable, self.told_unreadable) = (contracts, unreadable, false);
        (self.strangers, self.lasts) = (parameters.word("strangers") == "report", parameters.time("lasts"));
    }

    fn held_bytes(&self) -> usize {
        let terms: usize = self.contracts.iter().map(|(_, terms)| terms.held_bytes()).sum();
        self.keys.held_bytes() + self.told.held_bytes() + terms
    }

    fn forgotten(&self) -> u64 {
        self.keys.forgotten() + self.told.forgotten()
    }
}

impl Volume {
    fn count(&mut self, now: Moment) {
        let (minute, day) = (now.0 / 60_000, now.0 / 86_400_000);
        if minute != self.minute {
            (self.minute, self.in_minute, self.minutes) = (minute, 0, Steps::default());
        }
        if day != self.day {
            (self.day, self.in_day, self.days) = (day, 0, Steps::default());
        }
        self.in_minute = self.in_minute.saturating_add(1);
        self.in_day = self.in_day.saturating_add(1);
    }
}

const ENDPOINT: Outside = Outside {
    kind: "outside_endpoints",
    confidence: 95,
    fix: "give the partner's key rights on the agreed endpoints only, or extend the contract",
};
const TIME: Outside = Outside { kind: "outside_hours", confidence: 90, fix: "ask the partner, or extend the contract" };
const STRANGER: Outside =
    Outside { kind: "key_without_contract", confidence: 80, fix: "write a contract for the key, or withdraw it" };
const FIX_VOLUME: &str = "agree on a higher volume, or limit the key in front of the service";
const FIX_TEXT: &str = "write contracts as the parameter's description says";
/// Calls in a minute where only a day's volume was agreed.
const LEAST: u32 = 10;
