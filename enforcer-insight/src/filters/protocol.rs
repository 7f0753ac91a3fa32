//! Smuggled requests and other abuse of the protocol. In: heads, and what the kernel found in them. Out: signs of heads that
//! servers read differently, odd methods, overrides and tricks with names of hosts. Never here: what bodies say.
use std::time::Duration;

use enforcer_common::Reason;

use super::state::{Book, Distinct};
use super::{Entry, Filter, Out, Parameter, Parameters, Seen};
use crate::findings::{Risk, Severity, Sign, Suggestion};
use crate::http::{Ambiguity, Head, Oddity, read_paths};

/// The filter.
pub(super) fn entry() -> Entry {
    let title = "smuggled requests, odd methods, overrides and tricks with hosts";
    Entry::built_in("protocol", title, Risk::Misconfiguration, SCHEMA, |parameters, _| Protocol::new(parameters))
}

const SCHEMA: &[Parameter] = &[
    Parameter::time("lasts", "1h", 60, 2_592_000, "how long a suggested decision lasts"),
    Parameter::count("usual", "5", 2, 1_000, "callers of an endpoint that do the same before it counts as usual there"),
    Parameter::count("entries", "8192", 256, 1_048_576, "callers and endpoints that are remembered"),
];

struct Protocol {
    lasts: Duration,
    usual: u32,
    told: Book<()>,
    /// Who does something on an endpoint.
    doers: Book<Distinct<1>>,
}

/// Something odd about a head.
#[derive(Clone, Copy)]
struct Odd {
    kind: &'static str,
    word: &'static str,
    confidence: u8,
    severity: Severity,
    fix: &'static str,
    /// Applications may be made like that: what many callers do is usual.
    custom: bool,
}

impl Protocol {
    fn new(parameters: &Parameters) -> Self {
        let entries = parameters.size("entries");
        let (told, doers) = (Book::new(entries), Book::new(entries / 4));
        Self { lasts: parameters.time("lasts"), usual: parameters.count("usual"), told, doers }
    }

    fn tell(&mut self, seen: &Seen<'_>, odd: Odd, out: &mut Out) {
        if odd.custom && self.is_usual(seen, &odd) {
            return;
        }
        let key = seen.seed.words(seen.consumer.key, seen.digest(odd.word.as_bytes()));
        if self.told.find(key).is_some() {
            return;
        }
        self.told.entry(key);
        let who = seen.consumer.subject.clone();
        let suggestion = Suggestion::refuse(who.clone(), seen.service(), self.lasts);
        let sign = Sign::new(odd.kind, Risk::Misconfiguration, odd.severity, odd.confidence, odd.fix);
        out.raise(sign.at(&seen.spot.text).by(who).word("seen", odd.word).suggest(Some(suggestion)));
    }

    fn is_usual(&mut self, seen: &Seen<'_>, odd: &Odd) -> bool {
        let key = seen.seed.words(seen.spot.key, seen.digest(odd.word.as_bytes()));
        let doers = self.doers.entry(key);
        doers.add(seen.consumer.key);
        doers.count() >= self.usual
    }
}

impl Filter for Protocol {
    fn on_request(&mut self, seen: &Seen<'_>, out: &mut Out) {
        let head = &seen.call.head;
        head.ambiguities().iter().for_each(|one| self.tell(seen, smuggling(*one), out));
        if head.ambiguities().is_empty() && seen.call.reason == Reason::RequestAmbiguous {
            self.tell(seen, Odd { word: "found in the kernel", ..SMUGGLING }, out);
        }
        let others = [method(head), overrides(seen), host(seen), path(head)];
        for odd in others.into_iter().flatten() {
            self.tell(seen, odd, out);
        }
    }

    fn retune(&mut self, parameters: &Parameters) {
        (self.lasts, self.usual) = (parameters.time("lasts"), parameters.count("usual"));
    }

    fn held_bytes(&self) -> usize {
        self.told.held_bytes() + self.doers.held_bytes()
    }

    fn forgotten(&self) -> u64 {
        self.told.forgotten() + self.doers.forgotten()
    }
}

fn smuggling(one: Ambiguity) -> Odd {
    let (word, confidence) = match one {
        Ambiguity::BadCoding => ("a transfer coding that servers read differently", 92),
        Ambiguity::BadLength => ("a length that is no number", 92),
        Ambiguity::BothLengths => ("a length beside a transfer coding", 95),
        Ambiguity::Control => ("a control character", 80),
        Ambiguity::DifferingLengths => ("lengths that differ", 95),
        Ambiguity::Folded => ("a folded line", 70),
        Ambiguity::Spaced => ("blanks before a colon", 80),
    };
    Odd { word, confidence, ..SMUGGLING }
}

fn method(head: &Head) -> Option<Odd> {
    match &head.method[..] {
        b"GET" | b"HEAD" | b"POST" | b"PUT" | b"PATCH" | b"DELETE" | b"OPTIONS" => None,
        b"TRACE" | b"TRACK" | b"CONNECT" | b"DEBUG" => Some(Odd { word: "a method that reveals or tunnels", ..METHOD }),
        _ => Some(Odd { word: "an unusual method", confidence: 65, custom: true, ..METHOD }),
    }
}

/// Headers that change what was asked for behind the back of whoever checks it.
fn overrides(seen: &Seen<'_>) -> Option<Odd> {
    let head = &seen.call.head;
    let mut found = None;
    for header in &head.headers {
        let is = |names: &[&str]| names.iter().any(|name| header.name.eq_ignore_ascii_case(name.as_bytes()));
        if header.name.len() > 30 || !matches!(header.name.first(), Some(b'x' | b'X')) {
            continue;
        }
        if is(&["x-original-url", "x-rewrite-url", "x-override-url"]) {
            return Some(Odd { word: "a header that names another path", confidence: 90, custom: false, ..OVERRIDE });
        }
        let other = !header.value.eq_ignore_ascii_case(&head.method);
        if is(&["x-http-method-override", "x-http-method", "x-method-override"]) && other {
            found = Some(Odd { word: "a header that names another method", ..OVERRIDE });
        }
    }
    found
}

fn host(seen: &Seen<'_>) -> Option<Odd> {
    let head = &seen.call.head;
    let mut hosts = head.values("host");
    let first = hosts.next();
    if hosts.next().is_some() {
        return Some(Odd { word: "several names of hosts", confidence: 92, ..HOST });
    }
    let odd = |byte: &u8| matches!(byte, b'@' | b'/' | b'\\' | b' ' | b',' | b'?' | b'#' | b'<' | b'\'' | b'"');
    if first.is_some_and(|host| host.iter().any(odd)) {
        return Some(Odd { word: "a name of a host that is none", confidence: 92, ..HOST });
    }
    // A whole URL may name one host and the header another: routing and checks may each follow one of them.
    let differs = || {
        let authority = read_paths(&head.target).authority?;
        Some(first.is_some_and(|host| !host.eq_ignore_ascii_case(&authority)))
    };
    if head.target.first() != Some(&b'/') && differs() == Some(true) {
        return Some(Odd { word: "two hosts that differ", confidence: 85, ..HOST });
    }
    let forged = !seen.is_forwarded() && head.values("x-forwarded-host").chain(head.values("x-host")).next().is_some();
    forged.then_some(Odd { word: "a forwarded host without a proxy", confidence: 60, custom: true, ..HOST })
}

/// Dots and backslashes that only some servers resolve.
fn path(head: &Head) -> Option<Odd> {
    let target = &head.target;
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let signs = path.iter().any(|byte| matches!(byte, b'%' | b'\\' | b';')) || path.windows(2).any(|two| two == b"/.");
    if !signs {
        return None;
    }
    let reading = read_paths(target);
    let climbs = reading.paths.iter().any(|path| path.segments.iter().any(|segment| segment.windows(3).any(is_climb)));
    let hidden = reading.odd.contains(&Oddity::Dots) && reading.paths.len() > 1;
    (climbs || hidden).then_some(PATH)
}

fn is_climb(three: &[u8]) -> bool {
    matches!(three, b"../" | b"..\\" | b"/..")
}

const SMUGGLING: Odd = Odd {
    kind: "request_smuggling",
    word: "",
    confidence: 85,
    severity: Severity::High,
    fix: "deny ambiguous requests on the service, and let proxy and server speak the same version strictly",
    custom: false,
};
const METHOD: Odd = Odd {
    kind: "odd_method",
    word: "",
    confidence: 85,
    severity: Severity::Low,
    fix: "allow the methods that endpoints have, and refuse all others",
    custom: false,
};
const OVERRIDE: Odd = Odd {
    kind: "override_header",
    word: "",
    confidence: 75,
    severity: Severity::Medium,
    fix: "do not let headers change method or path, or check what they change",
    custom: true,
};
const HOST: Odd = Odd {
    kind: "host_trick",
    word: "",
    confidence: 85,
    severity: Severity::Medium,
    fix: "serve the names of hosts that are configured, and refuse all others",
    custom: false,
};
const PATH: Odd = Odd {
    kind: "path_confusion",
    word: "a path that servers read differently",
    confidence: 85,
    severity: Severity::Medium,
    fix: "resolve paths before they are checked, once and everywhere alike",
    custom: false,
};
