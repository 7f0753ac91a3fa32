//! Traffic for tests and measurements: clean users of a bank's API, from a seed. In: a seed, how many users. Out: labelled calls in
//! the order of their time. Never here: attacks (`attacks`).
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use enforcer_insight::http::Head;
use enforcer_insight::{Answer, AnswerHead, Call};
use enforcer_policy::{DecisionId, Moment, SubjectKind};

/// A generator of numbers, the same for the same seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// Who calls.
#[derive(Clone, Default)]
pub(crate) struct Who {
    pub(crate) device: u64,
    pub(crate) session: u64,
    pub(crate) user: u64,
    pub(crate) key: u64,
    pub(crate) address: u32,
    pub(crate) agent: &'static str,
    /// A bearer token.
    pub(crate) bearer: String,
}

/// One call to be.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) headers: String,
    pub(crate) body: String,
    pub(crate) status: u16,
    pub(crate) answer: String,
    pub(crate) millis: u64,
    pub(crate) bytes: u64,
    pub(crate) refused_by: Option<DecisionId>,
}

pub(crate) fn get(target: impl Into<String>) -> Ask {
    Ask {
        method: "GET",
        target: target.into(),
        headers: String::new(),
        body: String::new(),
        status: 200,
        answer: "{\"items\":[{\"name\":\"x\",\"amount\":12}]}".to_owned(),
        millis: 20,
        bytes: 0,
        refused_by: None,
    }
}

pub(crate) fn post(target: impl Into<String>, body: impl Into<String>) -> Ask {
    Ask { method: "POST", body: body.into(), ..get(target) }
}

/// All calls, and what is known of who is clean.
pub(crate) struct World {
    pub(crate) calls: Vec<Call>,
    pub(crate) random: Random,
    next: u64,
}

/// When everything begins: a Monday, eight in the morning.
pub(crate) const START: u64 = 1_795_420_800_000;

impl World {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { calls: Vec::new(), random: Random::new(seed), next: 1 }
    }

    /// Makes a call at `at` milliseconds from the start.
    pub(crate) fn call(&mut self, at: u64, who: &Who, ask: &Ask) {
        let id = self.next;
        self.next += 1;
        let call = call(id, Moment(START + at), who, ask);
        self.calls.push(call);
    }

    /// All calls in the order of their time.
    pub(crate) fn finish(mut self) -> Vec<Call> {
        self.calls.sort_by_key(|call| (call.time, call.id));
        self.calls
    }

    /// `count` users, each of whom logs in and works, over `hours`.
    pub(crate) fn clean_users(&mut self, count: u64, hours: u64) {
        for user in 1..=count {
            let visits = 1 + self.random.below(2);
            for visit in 0..visits {
                let at = self.random.below(hours * 3_600_000);
                self.visit(user, visit, at);
            }
        }
    }

    /// One user's visit: a login, sometimes with a slip, then what people do.
    fn visit(&mut self, user: u64, visit: u64, mut at: u64) {
        let portal = user.is_multiple_of(4);
        let mut who = clean(user, visit);
        let anonymous = Who { session: 0, user: 0, bearer: String::new(), ..who.clone() };
        for _ in 0..self.random.below(10).saturating_sub(7) {
            let wrong = format!("slip{}", self.random.below(3));
            self.call(at, &anonymous, &login(portal, user, &wrong, false));
            at += 4_000 + self.random.below(10_000);
        }
        self.call(at, &anonymous, &login(portal, user, "right", true));
        who.bearer = if portal { String::new() } else { token("RS256", &format!("u{user}"), at) };
        for _ in 0..10 + self.random.below(25) {
            at += 500 + self.random.below(9_000);
            // Some are on the move: another network, the same device.
            if user.is_multiple_of(7) && self.random.below(8) == 0 {
                who.address =
                    0x6440_0000 + (u32::try_from(user).unwrap() << 10) + u32::try_from(self.random.below(700)).unwrap();
            }
            let ask = self.work(user);
            self.call(at, &who, &ask);
        }
    }

    fn work(&mut self, user: u64) -> Ask {
        let own = 10_000 + user * 37 + self.random.below(3) * 11;
        match self.random.below(12) {
            0 => get("/accounts"),
            1..=3 => get(format!("/accounts/{own}")),
            4 | 5 => get(format!("/accounts/{own}/transactions?page={}&limit=50", self.random.below(5))),
            6 => Ask { bytes: 90_000, ..get(format!("/documents/{}", own * 3)) },
            7 => get(format!("/products/{}", 1 + self.random.below(40))),
            8 => get(format!("/users/{}/profile", 500_000 + user * 7)),
            9 => {
                post("/transfers", format!("{{\"from\":\"{own}\",\"to\":\"9\",\"amount\":{}}}", self.random.below(900)))
            }
            10 => get(format!("/search?q=O%27Brien&page={}", self.random.below(9))),
            _ => {
                let gone = self.random.below(15) == 0;
                Ask { status: if gone { 404 } else { 200 }, ..get(format!("/messages/{}", own * 5)) }
            }
        }
    }

    /// A campus: three hundred people behind one address, who come within minutes, mistype, and use browsers without a device token,
    /// on wires and wireless networks in turns.
    pub(crate) fn campus(&mut self, hours: u64) {
        for student in 0..300 {
            let user = 1_000 + student;
            let begin = self.random.below(hours * 6) * 600_000;
            let mut at = begin + self.random.below(400_000);
            let session = 0x1300_0000 + student;
            let mut who = Who { device: 0, session, address: 0x0a07_0001, ..clean(user, 0) };
            let anonymous = Who { session: 0, user: 0, bearer: String::new(), ..who.clone() };
            for slip in 0..self.random.below(4).saturating_sub(1) {
                self.call(at, &anonymous, &login(false, user, &format!("slip{slip}"), false));
                at += 5_000 + self.random.below(9_000);
            }
            self.call(at, &anonymous, &login(false, user, "right", true));
            who.bearer = token("RS256", &format!("u{user}"), at);
            for _ in 0..self.random.below(20) {
                at += 1_000 + self.random.below(9_000);
                who.address = 0x0a07_0001 + u32::try_from(self.random.below(2)).unwrap() * 0x0001_0000;
                let ask = self.work(user);
                self.call(at, &who, &ask);
            }
        }
    }

    /// A program that asks every second whether all is well.
    pub(crate) fn monitor(&mut self, hours: u64) {
        let who = Who { address: 0x0a08_0001, agent: "monitor/2", ..Who::default() };
        for at in (0..hours * 3_600_000).step_by(1_250) {
            self.call(at, &who, &Ask { millis: 1, ..get("/health") });
        }
    }

    /// A partner that keeps to its contract.
    pub(crate) fn partner(&mut self, hours: u64) {
        let who = Who { key: PARTNER, address: 0x0a05_0001, agent: "partner/1.0", ..Who::default() };
        for at in (0..hours * 3_600_000).step_by(6_000) {
            let currency = 100 + self.random.below(20);
            self.call(at, &who, &get(format!("/rates/{currency}")));
        }
    }

    /// A back office: one address for many people, who look up customers.
    pub(crate) fn office(&mut self, hours: u64) {
        for clerk in 0..12 {
            let user = 900 + clerk;
            let mut who = Who { address: 0x0a06_0001, ..clean(user, 0) };
            let mut at = self.random.below(600_000);
            let anonymous = Who { session: 0, user: 0, bearer: String::new(), ..who.clone() };
            self.call(at, &anonymous, &login(false, user, "right", true));
            while at < hours * 3_600_000 {
                at += 30_000 + self.random.below(30_000);
                who.bearer = token("RS256", &format!("u{user}"), at);
                let customer = self.random.below(4_000);
                self.call(at, &who, &get(format!("/office/customers/{}", 70_000 + customer * 13)));
            }
        }
    }
}

/// The key of the partner that keeps to its contract.
pub(crate) const PARTNER: u64 = 0x1000_7777;

/// A clean user with a device, and a session for each visit. Ten of them share an address.
pub(crate) fn clean(user: u64, visit: u64) -> Who {
    let agents = ["Mozilla/5.0 (iPhone)", "Mozilla/5.0 (Android 15)", "Mozilla/5.0 (Windows NT 10.0)", "bank-app/7.1"];
    Who {
        device: 0x1000_0000 + user,
        session: 0x1100_0000 + user * 8 + visit,
        user: 0x1200_0000 + user,
        key: 0,
        address: 0x0a01_0000 + u32::try_from(user / 10).unwrap() * 16,
        agent: agents[usize::try_from(user % 4).unwrap()],
        bearer: token("RS256", &format!("u{user}"), 0),
    }
}

/// A token that looks like those of the bank, made `at` milliseconds from the start, for an hour.
pub(crate) fn token(algorithm: &str, subject: &str, at: u64) -> String {
    let made = (START + at) / 1_000;
    let parts = [
        format!("{{\"alg\":\"{algorithm}\",\"typ\":\"JWT\"}}"),
        format!("{{\"sub\":\"{subject}\",\"iat\":{made},\"exp\":{}}}", made + 3_600),
    ];
    let [header, payload] = parts.map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
    format!("{header}.{payload}.c2lnbmF0dXJl")
}

/// A login. The portal answers 200 to all, and says in no plain word whether it worked.
pub(crate) fn login(portal: bool, user: u64, password: &str, works: bool) -> Ask {
    let body = format!("{{\"username\":\"u{user}\",\"password\":\"{password}\"}}");
    if portal {
        let answer = if works { "{\"view\":\"v1\",\"menu\":[1,2]}" } else { "{\"view\":\"v0\"}" };
        return Ask { answer: answer.to_owned(), millis: 80, ..post("/portal/enter", body) };
    }
    let token = token("RS256", &format!("u{user}"), 0);
    let (status, answer) =
        if works { (200, format!("{{\"access_token\":\"{token}\"}}")) } else { (401, "{\"error\":\"no\"}".to_owned()) };
    Ask { status, answer, millis: 80, ..post("/login", body) }
}

pub(crate) fn call(id: u64, time: Moment, who: &Who, ask: &Ask) -> Call {
    let mut text = format!("{} {} HTTP/1.1\r\nHost: bank.example\r\n", ask.method, ask.target);
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
    };
    line("User-Agent", who.agent);
    let bearer = if who.bearer.is_empty() { String::new() } else { format!("Bearer {}", who.bearer) };
    line("Authorization", &bearer);
    if !ask.body.is_empty() {
        line("Content-Length", &ask.body.len().to_string());
    }
    text.push_str(&ask.headers);
    text.push_str("\r\n");
    let head = Head::read(&Bytes::from(text)).unwrap().expect("a whole head");
    let mut digests = [0; enforcer_common::KINDS];
    for (kind, digest) in [
        (SubjectKind::Device, who.device),
        (SubjectKind::Session, who.session),
        (SubjectKind::User, who.user),
        (SubjectKind::ApiKey, who.key),
    ] {
        digests[kind as usize] = digest;
    }
    let client = IpAddr::V4(Ipv4Addr::from_bits(who.address));
    let refused = ask.refused_by.is_some();
    Call {
        id,
        time,
        service: "bank".into(),
        source: [10, 0, 0, 9].into(),
        source_port: 40_000,
        client,
        digests,
        reason: if refused { enforcer_common::Reason::BlockedDevice } else { enforcer_common::Reason::RequestClean },
        verdict: if refused { enforcer_common::Verdict::Deny } else { enforcer_common::Verdict::Pass },
        decision: ask.refused_by,
        placed: None,
        sensitive: enforcer_insight::classes::Sensitive::default(),
        head,
        body: Bytes::from(ask.body.clone()),
        answer: (!refused).then(|| answer(ask)),
    }
}

fn answer(ask: &Ask) -> Answer {
    let text = format!("HTTP/1.1 {} X\r\nContent-Type: application/json\r\n\r\n{}", ask.status, ask.answer);
    let bytes = ask.bytes.max(text.len() as u64);
    let AnswerHead { headers, body } = AnswerHead::read(&Bytes::from(text));
    let time = Duration::from_millis(ask.millis);
    Answer { status: ask.status, first_byte: time, whole: time, bytes, complete: true, headers, body }
}
