//! Values that would act as code where a server puts them. In: requests. Out: signs by class of injection. Never here: how values are
//! decoded and judged (the rooms `content` and `injection`), what the sender wrote.
//!
//! One value may be a coincidence: a caller is only refused without a person when it has sent several.
use std::time::Duration;

use super::state::{Book, Steps};
use super::{Entry, Filter, Out, Parameter, Parameters, Seen};
use crate::content;
use crate::findings::{Risk, Severity, Sign, Suggestion};
use crate::injection::{Class, Hit, judge};

/// The filter.
pub(super) fn entry() -> Entry {
    let title = "values that would act as code: SQL, scripts, commands, paths, templates and others";
    Entry::built_in("injection", title, Risk::Misconfiguration, SCHEMA, |parameters, _| Injection::new(parameters))
}

const SCHEMA: &[Parameter] = &[
    Parameter::count("sure", "60", 50, 100, "how sure the judgement of a value must be to count, of 100"),
    Parameter::count("times", "3", 1, 1_000, "values of one caller and class after which it may be refused"),
    Parameter::time("lasts", "6h", 60, 2_592_000, "how long a suggested decision lasts"),
    Parameter::count("entries", "16384", 256, 1_048_576, "callers that are remembered, for each class"),
];

struct Injection {
    sure: u32,
    times: u32,
    lasts: Duration,
    senders: Book<Sender>,
}

/// What one caller sent of one class.
#[derive(Default)]
struct Sender {
    values: u32,
    surest: u8,
    steps: Steps,
    told: bool,
}

impl Injection {
    fn new(parameters: &Parameters) -> Self {
        let [sure, times] = ["sure", "times"].map(|name| parameters.count(name));
        let senders = Book::new(parameters.size("entries"));
        Self { sure, times, lasts: parameters.time("lasts"), senders }
    }

    fn take(&mut self, seen: &Seen<'_>, hit: &Hit, out: &mut Out) {
        let key = seen.seed.words(seen.consumer.key, seen.digest(hit.class.name().as_bytes()));
        let sender = self.senders.entry(key);
        sender.values = sender.values.saturating_add(1);
        sender.surest = sender.surest.max(hit.confidence);
        let enough = sender.values >= self.times;
        // Told at the first value, when it is enough, and at each doubling from then on.
        let due = if enough { sender.steps.reach(sender.values, self.times) } else { !sender.told };
        sender.told = true;
        if due {
            let confidence = if enough { sender.surest.min(MOST) } else { sender.surest.min(ONE) };
            out.raise(sign(seen, hit, sender.values, confidence, self.lasts));
        }
    }
}

impl Filter for Injection {
    fn on_request(&mut self, seen: &Seen<'_>, out: &mut Out) {
        let hits = judge(&content::request(seen.call));
        let sure = self.sure;
        for hit in hits.iter().filter(|hit| u32::from(hit.confidence) >= sure) {
            self.take(seen, hit, out);
        }
    }

    fn retune(&mut self, parameters: &Parameters) {
        [self.sure, self.times] = ["sure", "times"].map(|name| parameters.count(name));
        self.lasts = parameters.time("lasts");
    }

    fn held_bytes(&self) -> usize {
        self.senders.held_bytes()
    }

    fn forgotten(&self) -> u64 {
        self.senders.forgotten()
    }
}

fn sign(seen: &Seen<'_>, hit: &Hit, values: u32, confidence: u8, lasts: Duration) -> Sign {
    let (kind, risk, severity, fix) = nature(hit.class);
    let who = seen.consumer.subject.clone();
    let suggestion = Suggestion::refuse(who.clone(), seen.service(), lasts);
    let sign = Sign::new(kind, risk, severity, confidence, fix).at(&seen.spot.text).by(who);
    let sign = sign.count("values", values).word("place", hit.place.name()).word("field", hit.name.to_string());
    sign.word("rules", hit.rules.join(", ")).word("excerpt", hit.excerpt.to_string()).suggest(Some(suggestion))
}

/// Kind, risk, severity and mend of a class.
const fn nature(class: Class) -> (&'static str, Risk, Severity, &'static str) {
    use Severity::{Critical, High, Medium};
    match class {
        Class::Command => {
            ("command_injection", Risk::Misconfiguration, Critical, "start programs with a list, never by a shell")
        }
        Class::Header => {
            ("header_injection", Risk::Misconfiguration, Medium, "refuse line ends in what becomes a header")
        }
        Class::Ldap => ("ldap_injection", Risk::Misconfiguration, High, "escape what becomes part of a filter"),
        Class::Lookup => {
            ("lookup_injection", Risk::Misconfiguration, Critical, "update the logging library; log values as values")
        }
        Class::NoSql => {
            ("nosql_injection", Risk::Misconfiguration, High, "take values of the type that is meant, never objects")
        }
        Class::Path => {
            ("path_traversal", Risk::Misconfiguration, High, "open files by names of your own, never of a caller's")
        }
        Class::Sql => {
            ("sql_injection", Risk::Misconfiguration, Critical, "bind parameters; build no statement from values")
        }
        Class::Ssrf => ("request_forgery", Risk::RequestForgery, High, "fetch only what is on a list of your own"),
        Class::Template => (
            "template_injection",
            Risk::Misconfiguration,
            Critical,
            "give values to templates, never build them from values",
        ),
        Class::Xss => ("script_injection", Risk::Misconfiguration, Medium, "escape values where a page shows them"),
        Class::Xxe => ("xml_entities", Risk::Misconfiguration, High, "switch off document types and external entities"),
    }
}

/// However sure a value is, one alone is less than what is decided on without a person.
const ONE: u8 = 85;
const MOST: u8 = 97;

#[cfg(test)]
mod tests {
    use enforcer_policy::document::Mode;

    use super::super::testing::call;
    use super::super::{Budget, Catalogue, Raised, Runner, Seed, Tools, Wanted, WantedCell};

    /// What is raised about the same request, sent so often.
    fn raised(request: &str, times: usize) -> Vec<Raised> {
        let tools = Tools { seed: Seed::new([1, 2]) };
        let mut runner = Runner::new(Catalogue::built_in(), tools, Budget::default());
        let mut wanted = Wanted::default();
        wanted.set("pay", "injection", WantedCell { mode: Mode::Observe, ..WantedCell::default() });
        runner.apply(&wanted);
        (0..times).flat_map(|_| runner.on_call(&call(request, "HTTP/1.1 200 OK\r\n\r\n"), &mut || 0)).collect()
    }

    #[test]
    fn several_values_are_needed_to_be_sure() {
        let attack = "GET /items?id=1'%20UNION%20SELECT%20name,password%20FROM%20users-- HTTP/1.1\r\nHost: a\r\n\r\n";
        let signs = raised(attack, 5);
        let told: Vec<_> = signs.iter().map(|one| (&*one.sign.kind, one.sign.confidence >= 90)).collect();
        assert_eq!(told, [("sql_injection", false), ("sql_injection", true)]);
        let shown = serde_json::to_string(&signs[0].sign.facts).unwrap();
        assert!(shown.contains("query") && !shown.contains("password"), "{shown}");
    }

    #[test]
    fn bodies_are_looked_at_and_names_of_people_are_no_attack() {
        let send = |body: &str| {
            let length = body.len();
            raised(
                &format!(
                    "POST /items HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
                ),
                1,
            )
        };
        assert_eq!(send("{\"note\":\"<script>alert(document.cookie)</script>\"}")[0].sign.kind, "script_injection");
        assert!(send("{\"name\":\"O'Brien\",\"note\":\"please select a table for two\"}").is_empty());
    }
}
