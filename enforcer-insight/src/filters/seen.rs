//! A call as filters see it. In: a call, its template, the key of digests. Out: who, where, which objects, as subjects and
//! digests, worked out once for all filters. Never here: state of filters, raw values that outlive the call.
use std::cell::OnceCell;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use enforcer_policy::{Address, Endpoint, Moment, Prefix, Scope, Subject, SubjectKind, Token};

use super::claims::{Claims, claims};
use super::crowds::Crowds;
use super::fields::pairs;
use super::login::{Attempt, attempt};
use super::state::{Book, Seed};
use super::templates::Templates;
use crate::{Call, Placed};

/// A call, and what every filter asks about it.
pub struct Seen<'a> {
    /// The call.
    pub call: &'a Call,
    /// Where it went.
    pub spot: Arc<Spot>,
    /// The objects it names in its path and query.
    pub objects: &'a [Object],
    /// Who it is for, as narrowly as is known: a user, else a key, a session, a device, an address.
    pub consumer: Party,
    /// The digest of its user agent; 0 for none.
    pub agent: u64,
    /// Several people were served at its address lately: whatever is dropped there, others pay for.
    pub is_crowded: bool,
    /// The key of digests.
    pub seed: Seed,
    attempt: OnceCell<Option<Attempt>>,
    claims: OnceCell<Option<Claims>>,
}

/// Somebody: a subject, and its digest as a key of tables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Party {
    /// The key, the same for the same subject.
    pub key: u64,
    /// Who.
    pub subject: Subject,
}

/// An endpoint that was seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spot {
    /// The key of tables.
    pub key: u64,
    /// Method and template, such as `GET /accounts/{}`.
    pub text: Arc<str>,
    /// Its path speaks of logging in.
    pub is_login: bool,
    /// Its path speaks of users.
    pub is_users: bool,
    /// Its path speaks of what takes passwords and is no login: signing up, logging out.
    pub is_no_login: bool,
}

/// An object that a call names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Object {
    /// The digest of its name.
    pub digest: u64,
    /// The name as a number, if it is one.
    pub number: Option<u64>,
}

impl Seen<'_> {
    /// When it was.
    pub const fn now(&self) -> Moment {
        self.call.time
    }

    /// The identity of a kind that it bears. What its token looked like is not known here: only the digest counts.
    pub fn party(&self, kind: SubjectKind) -> Option<Party> {
        let digest = self.call.digest(kind)?;
        Some(Party { key: key(kind, digest), subject: subject(kind, digest) })
    }

    /// The key of an identity, without its subject.
    pub fn key(&self, kind: SubjectKind) -> Option<u64> {
        self.call.digest(kind).map(|digest| key(kind, digest))
    }

    /// Who asked, as an address: for IPv6 the network of one household, in which everybody can take any address.
    pub fn address(&self) -> Party {
        self.network(128, 64)
    }

    /// The neighbourhood of who asked: what one owner of addresses is likely to have.
    pub fn neighbourhood(&self) -> Party {
        self.network(120, 48)
    }

    fn network(&self, v4: u8, v6: u8) -> Party {
        let prefix = Prefix::new(Address::from(self.call.client), if is_v4(self.call.client) { v4 } else { v6 });
        let (high, low) = (prefix.address().high(), prefix.address().low());
        Party { key: self.seed.words(high ^ u64::from(prefix.length()), low), subject: Subject::Ip(prefix) }
    }

    /// What it tries to log in with, if it does.
    pub fn attempt(&self) -> Option<&Attempt> {
        self.attempt.get_or_init(|| attempt(self.call, &self.spot, &self.seed)).as_ref()
    }

    /// What its bearer token says, if it is a token that says something.
    pub fn claims(&self) -> Option<&Claims> {
        self.claims.get_or_init(|| claims(self.call, &self.seed)).as_ref()
    }

    /// The scope of its endpoint; of its service where policy cannot name the endpoint.
    pub fn scope(&self) -> Scope {
        let text = format!("{}:{}", self.call.service, self.spot.text);
        let endpoint = text.parse::<Endpoint>().ok();
        endpoint.map_or_else(|| self.service(), |endpoint| Scope::Endpoint(Arc::new(endpoint)))
    }

    /// The scope of its service.
    pub fn service(&self) -> Scope {
        Scope::Service(Arc::clone(&self.call.service))
    }

    /// True when it came through a proxy that is believed.
    pub fn is_forwarded(&self) -> bool {
        self.call.client != self.call.source
    }

    /// The digest of some bytes.
    pub fn digest(&self, bytes: &[u8]) -> u64 {
        self.seed.bytes(bytes)
    }

    /// The query, without its question mark; empty when there is none.
    pub fn query(&self) -> &[u8] {
        query(&self.call.head.target)
    }
}

/// Digests of several kinds lie in one table.
const fn key(kind: SubjectKind, digest: u64) -> u64 {
    digest ^ (kind as u64) << 56
}

/// The subject of a digest. What its token looked like is not known here, so nothing of it is shown; a kind without tokens
/// counts as a device.
pub(super) fn subject(kind: SubjectKind, digest: u64) -> Subject {
    let token = || Token { digest, masked: HIDDEN.into() };
    Subject::with_token(kind, token()).unwrap_or_else(|| Subject::Device(token()))
}

/// True for an address of IPv4, mapped ones too.
fn is_v4(address: IpAddr) -> bool {
    Address::from(address).is_v4()
}

fn query(target: &[u8]) -> &[u8] {
    let begin = target.iter().position(|byte| *byte == b'?').map_or(target.len(), |at| at + 1);
    target.get(begin..).unwrap_or_default()
}

/// Turns calls into [`Seen`]. Holds what is shared between calls.
pub(super) struct Eyes {
    seed: Seed,
    templates: Templates,
    spots: Book<Arc<Spot>>,
    crowds: Crowds,
    placed: Placed,
    objects: Vec<Object>,
    text: String,
}

impl Eyes {
    pub(super) fn new(seed: Seed) -> Self {
        let (templates, placed, objects, text) = (Templates::new(SPOTS), Placed::default(), Vec::new(), String::new());
        let (spots, crowds) = (Book::new(SPOTS), Crowds::new());
        Self { seed, templates, spots, crowds, placed, objects, text }
    }

    pub(super) fn see<'a>(&'a mut self, call: &'a Call) -> Seen<'a> {
        self.place(call);
        let spot = self.spot(&call.head.method);
        self.name_objects(call);
        let agent = call.head.values("user-agent").next().map_or(0, |agent| self.seed.bytes(agent));
        let (attempt, claims) = (OnceCell::new(), OnceCell::new());
        let consumer = Party { key: 0, subject: Subject::Ip(Prefix::host(Address::from(call.client))) };
        let mut seen = Seen {
            call,
            spot,
            objects: &self.objects,
            consumer,
            agent,
            is_crowded: false,
            seed: self.seed,
            attempt,
            claims,
        };
        seen.is_crowded = self.crowds.count(&seen);
        seen.consumer = CONSUMERS.iter().find_map(|kind| seen.party(*kind)).unwrap_or_else(|| seen.address());
        seen
    }

    /// As the inventory knows it; where it does not, as it looks.
    fn place(&mut self, call: &Call) {
        self.placed.template.clear();
        self.placed.parameters.clear();
        if let Some(placed) = &call.placed {
            self.placed.clone_from(placed);
        } else {
            self.templates.place(call, &mut self.placed);
        }
    }

    fn spot(&mut self, method: &[u8]) -> Arc<Spot> {
        self.text.clear();
        // A method is a token of HTTP, so it is text.
        let method = std::str::from_utf8(method).unwrap_or_default();
        let method = method.get(..METHOD).unwrap_or(method);
        // Writing to a text cannot fail.
        let _ = write!(self.text, "{method} {}", self.placed.template);
        let (key, text) = (self.seed.bytes(self.text.as_bytes()), &self.text);
        Arc::clone(self.spots.entry_with(key, || Arc::new(Spot::new(key, text))))
    }

    fn name_objects(&mut self, call: &Call) {
        self.objects.clear();
        let found = self.placed.parameters.iter().map(|parameter| &parameter[..]);
        let asked = pairs(query(&call.head.target)).filter(|pair| names_object(pair.name)).map(|pair| pair.value);
        let seed = self.seed;
        let object = |name: &[u8]| Object { digest: seed.bytes(name), number: number(name) };
        self.objects.extend(found.chain(asked).filter(|name| !name.is_empty()).take(OBJECTS).map(object));
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.templates.held_bytes() + self.spots.held_bytes() + self.spots.len() * SPOT + self.crowds.held_bytes()
    }
}

impl Spot {
    pub(super) fn new(key: u64, text: &str) -> Self {
        let lower = text.to_ascii_lowercase();
        let parts = || lower.split(|c: char| !c.is_ascii_alphanumeric());
        let has = |words: &[&str]| parts().any(|part| words.contains(&part));
        let is_login = has(LOGIN) || lower.contains("sign-in") || lower.contains("log-in");
        let is_no_login = has(NO_LOGIN);
        Self { key, text: text.into(), is_login: is_login && !is_no_login, is_users: has(USERS), is_no_login }
    }
}

/// True for a name in a query whose value names an object.
fn names_object(name: &[u8]) -> bool {
    let ends = |end: &[u8]| name.len() >= end.len() && name[name.len() - end.len()..].eq_ignore_ascii_case(end);
    OBJECT_NAMES.iter().any(|end| ends(end.as_bytes()))
}

/// The number that a name ends with, when it is mostly a number.
fn number(name: &[u8]) -> Option<u64> {
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let tail = name.get(name.len() - digits..).filter(|_| digits * 2 >= name.len())?;
    std::str::from_utf8(tail).ok()?.parse().ok()
}

const CONSUMERS: [SubjectKind; 4] = [SubjectKind::User, SubjectKind::ApiKey, SubjectKind::Session, SubjectKind::Device];
const HIDDEN: &str = "…";
/// Endpoints whose texts are shared.
const SPOTS: usize = 4_096;
/// Bytes of a spot with its text, about.
const SPOT: usize = 160;
/// Objects of one call that are looked at.
const OBJECTS: usize = 8;
/// Bytes of a method that are kept.
const METHOD: usize = 16;
const LOGIN: &[&str] = &[
    "login",
    "logon",
    "signin",
    "auth",
    "authenticate",
    "authentication",
    "authorize",
    "token",
    "oauth",
    "oauth2",
    "session",
    "sessions",
    "otp",
    "sso",
];
const NO_LOGIN: &[&str] = &["logout", "signout", "register", "signup", "refresh", "revoke"];
const USERS: &[&str] = &[
    "user",
    "users",
    "member",
    "members",
    "customer",
    "customers",
    "profile",
    "profiles",
    "email",
    "username",
    "forgot",
    "register",
    "signup",
    "exists",
    "lookup",
];
const OBJECT_NAMES: &[&str] =
    &["id", "_no", "number", "account", "user", "email", "phone", "customer", "invoice", "order"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_told_by_their_words() {
        let spot = |text: &str| {
            let spot = Spot::new(1, text);
            (spot.is_login, spot.is_users)
        };
        assert_eq!(spot("POST /api/v1/login"), (true, false));
        assert_eq!(spot("POST /Auth/Token"), (true, false));
        assert_eq!(spot("POST /auth/sign-in"), (true, false));
        assert_eq!(spot("POST /auth/logout"), (false, false));
        assert_eq!(spot("POST /users/register"), (false, true));
        assert_eq!(spot("GET /authors/{}"), (false, false), "whole words");
    }

    #[test]
    fn numbers_stand_at_the_end_of_names() {
        let read = |name: &str| number(name.as_bytes());
        assert_eq!([read("17"), read("AC-20391"), read("a1b2c3"), read("")], [Some(17), Some(20391), None, None]);
        assert_eq!(read("99999999999999999999999"), None);
        assert!(names_object(b"accountId") && names_object(b"order_id") && names_object(b"email"));
        assert!(!names_object(b"page") && !names_object(b"q"));
    }
}
