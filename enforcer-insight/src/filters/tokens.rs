//! How well tokens are kept. In: bearer tokens, addresses of requests, answers of logins. Out: signs of tokens without signature or
//! end, of secrets in addresses, of tokens for subjects that nobody logged in. Never here: raw tokens, checking signatures.
//!
//! Most of it is about a service or an endpoint, not about a caller: then it is told once.
use std::time::Duration;

use enforcer_policy::{Moment, Subject};

use super::claims::{Claims, read};
use super::fields::{fields, pairs};
use super::state::{Book, Distinct};
use super::{Entry, Filter, Out, Parameter, Parameters, Seen};
use crate::Answer;
use crate::findings::{Risk, Severity, Sign, Suggestion};

/// The filter.
pub(super) fn entry() -> Entry {
    let title = "tokens without signature or end, secrets in addresses, tokens nobody was given";
    Entry::built_in("tokens", title, Risk::Authentication, SCHEMA, |parameters, _| Tokens::new(parameters))
}

const SCHEMA: &[Parameter] = &[
    Parameter::time("life", "24h", 60, 31_536_000, "the longest life of a token that is all right"),
    Parameter::time("slack", "2m", 1, 3_600, "how far clocks may differ"),
    Parameter::time("lasts", "12h", 60, 2_592_000, "how long a suggested decision lasts"),
    Parameter::count("entries", "65536", 256, 4_194_304, "subjects of given tokens that are remembered"),
];

struct Tokens {
    life: Duration,
    slack: Duration,
    lasts: Duration,
    told: Book<()>,
    given: Book<()>,
    givers: Givers,
}

/// Where the service gives tokens itself.
#[derive(Default)]
struct Givers {
    tokens: u32,
    subjects: Distinct<2>,
    since: Moment,
}

/// What is wrong with an accepted token.
#[derive(Clone, Copy)]
struct Flaw {
    kind: &'static str,
    confidence: u8,
    severity: Severity,
    fix: &'static str,
    about: About,
}

/// What a flaw says something about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Caller,
    Endpoint,
    Service,
}

impl Tokens {
    fn new(parameters: &Parameters) -> Self {
        let (told, given) = (Book::new(TOLD), Book::new(parameters.size("entries")));
        let [life, slack, lasts] = ["life", "slack", "lasts"].map(|name| parameters.time(name));
        Self { life, slack, lasts, told, given, givers: Givers::default() }
    }

    /// Raises a flaw once for whatever it is about.
    fn tell(&mut self, seen: &Seen<'_>, flaw: Flaw, out: &mut Out, more: impl FnOnce(Sign) -> Sign) {
        let about = match flaw.about {
            About::Caller => seen.consumer.key,
            About::Endpoint => seen.spot.key,
            About::Service => 0,
        };
        let key = seen.seed.words(about, seen.digest(flaw.kind.as_bytes()));
        if self.told.find(key).is_some() {
            return;
        }
        self.told.entry(key);
        let sign = Sign::new(flaw.kind, Risk::Authentication, flaw.severity, flaw.confidence, flaw.fix);
        let sign = match flaw.about {
            About::Caller => {
                let who = culprit(seen);
                let suggestion = Suggestion::refuse(who.clone(), seen.service(), self.lasts);
                sign.at(&seen.spot.text).by(who).suggest(Some(suggestion))
            }
            About::Endpoint => sign.at(&seen.spot.text),
            About::Service => sign.word("seen_at", seen.spot.text.to_string()),
        };
        out.raise(more(sign));
    }

    fn address(&mut self, seen: &Seen<'_>, out: &mut Out) {
        let query = seen.query();
        if query.is_empty() {
            return;
        }
        let secret = pairs(query).find(|pair| !pair.value.is_empty() && is_secret(pair.name));
        let token = || pairs(query).find(|pair| pair.value.starts_with(b"eyJ") && pair.value.contains(&b'.'));
        if let Some(pair) = secret.or_else(token) {
            let known = SECRETS.iter().find(|name| pair.name.eq_ignore_ascii_case(name.as_bytes()));
            self.tell(seen, IN_URL, out, |sign| sign.word("parameter", known.copied().unwrap_or("a token")));
        }
    }

    /// A token that the application took.
    fn accepted(&mut self, seen: &Seen<'_>, claims: Claims, out: &mut Out) {
        let now = seen.now().0 / 1_000;
        if claims.unsigned {
            self.tell(seen, UNSIGNED, out, |sign| sign);
        }
        match claims.ends {
            None => self.tell(seen, ENDLESS, out, |sign| sign),
            Some(ends) if ends + self.slack.as_secs() < now => self.tell(seen, OVER, out, |sign| sign),
            Some(ends) => {
                let life = ends.saturating_sub(claims.made.unwrap_or(now));
                if life > self.life.as_secs().saturating_add(self.slack.as_secs()) {
                    self.tell(seen, LONG, out, |sign| sign.count("days", life / 86_400));
                }
            }
        }
        self.stranger(seen, claims, out);
    }

    /// A token whose subject nobody logged in as, although it was made while all logins were seen.
    fn stranger(&mut self, seen: &Seen<'_>, claims: Claims, out: &mut Out) {
        let (Some(subject), Some(made)) = (claims.subject, claims.made) else { return };
        let watched = self.givers.are_known() && made > self.givers.since.0 / 1_000 + self.slack.as_secs();
        // Once subjects were forgotten, a missing one says nothing.
        if watched && self.given.forgotten() == 0 && self.given.peek(subject).is_none() {
            self.tell(seen, STRANGER, out, |sign| sign);
        }
    }

    fn give(&mut self, seen: &Seen<'_>, answer: &Answer) {
        for field in fields(&answer.body).filter(|field| field.value.starts_with(b"eyJ")) {
            let Some(subject) = read(field.value, &seen.seed).and_then(|claims| claims.subject) else { continue };
            if self.givers.tokens == 0 {
                self.givers.since = seen.now();
            }
            self.givers.tokens = self.givers.tokens.saturating_add(1);
            self.givers.subjects.add(subject);
            self.given.entry(subject);
        }
    }

    /// Passwords on a wire that nobody encrypted. A proxy that says it did is believed.
    fn plain(&mut self, seen: &Seen<'_>, out: &mut Out) {
        let basic = |value: &bytes::Bytes| value.len() > 6 && value[..6].eq_ignore_ascii_case(b"basic ");
        let head = &seen.call.head;
        let proxied = || head.values("x-forwarded-proto").chain(head.values("forwarded")).next().is_some();
        if head.values("authorization").any(basic)
            && !seen.is_forwarded()
            && !proxied()
            && !seen.call.source.is_loopback()
        {
            self.tell(seen, PLAIN, out, |sign| sign);
        }
    }
}

impl Filter for Tokens {
    fn on_request(&mut self, seen: &Seen<'_>, out: &mut Out) {
        self.address(seen, out);
        self.plain(seen, out);
    }

    fn on_response(&mut self, seen: &Seen<'_>, answer: &Answer, out: &mut Out) {
        if !(200..400).contains(&answer.status) {
            return;
        }
        if let Some(claims) = seen.claims().copied() {
            self.accepted(seen, claims, out);
        }
        if seen.spot.is_login || seen.attempt().is_some() {
            self.give(seen, answer);
        }
    }

    fn retune(&mut self, parameters: &Parameters) {
        let [life, slack, lasts] = ["life", "slack", "lasts"].map(|name| parameters.time(name));
        (self.life, self.slack, self.lasts) = (life, slack, lasts);
    }

    fn held_bytes(&self) -> usize {
        self.told.held_bytes() + self.given.held_bytes()
    }

    fn forgotten(&self) -> u64 {
        self.told.forgotten() + self.given.forgotten()
    }
}

impl Givers {
    const fn are_known(&self) -> bool {
        self.tokens >= ENOUGH && self.subjects.count() >= SUBJECTS
    }
}

/// Whom to refuse: whoever bears the token, as closely as a decision can name it.
fn culprit(seen: &Seen<'_>) -> Subject {
    seen.party(enforcer_policy::SubjectKind::Session)
        .map_or_else(|| seen.consumer.subject.clone(), |party| party.subject)
}

fn is_secret(name: &[u8]) -> bool {
    SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret.as_bytes()))
}

const UNSIGNED: Flaw = Flaw {
    kind: "unsigned_token",
    confidence: 95,
    severity: Severity::Critical,
    fix: "accept only the algorithms that the service signs with",
    about: About::Caller,
};
const ENDLESS: Flaw = Flaw {
    kind: "token_without_end",
    confidence: 90,
    severity: Severity::Medium,
    fix: "give tokens an end (exp), and refuse those without",
    about: About::Service,
};
const OVER: Flaw = Flaw {
    kind: "token_after_its_end",
    confidence: 90,
    severity: Severity::High,
    fix: "check the end of tokens (exp)",
    about: About::Service,
};
const LONG: Flaw = Flaw {
    kind: "long_lived_token",
    confidence: 85,
    severity: Severity::Low,
    fix: "let tokens live for minutes or hours, and renew them",
    about: About::Service,
};
const STRANGER: Flaw = Flaw {
    kind: "token_nobody_was_given",
    confidence: 80,
    severity: Severity::Critical,
    fix: "change the key that signs tokens, and find out who else has it",
    about: About::Caller,
};
const IN_URL: Flaw = Flaw {
    kind: "secret_in_url",
    confidence: 90,
    severity: Severity::Medium,
    fix: "send it in a header: addresses are written to logs on the way",
    about: About::Endpoint,
};
const PLAIN: Flaw = Flaw {
    kind: "password_over_plain_http",
    confidence: 85,
    severity: Severity::High,
    fix: "put TLS in front, or use tokens that end soon",
    about: About::Endpoint,
};
const SECRETS: &[&str] = &[
    "access_token",
    "token",
    "id_token",
    "api_key",
    "apikey",
    "key",
    "password",
    "passwd",
    "pwd",
    "secret",
    "client_secret",
    "session",
    "sessionid",
    "sid",
    "jwt",
    "auth",
];
/// Endpoints and callers that were told of.
const TOLD: usize = 8_192;
/// Tokens that are given before the service counts as one that gives them.
const ENOUGH: u32 = 30;
/// To so many subjects.
const SUBJECTS: u32 = 10;
