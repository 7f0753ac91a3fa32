//! One way of sending a request, as a line of a table.
//!
//! In: how its segments are made for a twin. Out: a form with what must come of it. Never here: sending.
//!
//! Every form is played by two twins that differ in nothing but the device: the evil one is blocked. Requests bear numbers;
//! an odd one must never be served.

use enforcer_tests::{Finish, Play};

/// The blocked device, and one that isn't; of the same length.
pub(super) const EVIL: &str = "mallory";
pub(super) const HONEST: &str = "wallory";

/// The shortest usual request; what tells the twins apart comes last.
pub(super) const HEAD: &str = "GET /health HTTP/1.1\r\nHost: a\r\nX-Device-Id: {id}\r\nX-Request-Number: {n}\r\n\r\n";

/// One way of sending a request.
pub(super) struct Form {
    pub(super) name: String,
    /// What must come of the evil twin.
    pub(super) evil: Expect,
    /// What must come of the honest one; none if there is no other.
    pub(super) honest: Option<Expect>,
    /// What comes of the evil twin without enforcer.
    pub(super) unguarded: Expect,
    pub(super) make: Make,
}

type Make = Box<dyn Fn(&Twin) -> Play + Sync + Send>;

/// What must come of a play.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Expect {
    /// Refused, or not evil any more in the server's eyes: so many answers with 200.
    Either(usize),
    /// A 403 or a reset, after at least so many answers with 200. Where the server was still answering earlier requests
    /// when the refusal overtook it, the end of the connection may be all that is seen of it.
    Refused(usize),
    /// Refused, or rejected by the server itself, after at most one answer with 200.
    Rejected,
    /// So many answers with 200, and nothing else.
    Served(usize),
    /// Exactly these.
    Statuses(Vec<u16>),
}

/// One of the two, in one of the repetitions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Twin {
    pub(super) is_evil: bool,
    /// Numbers from here on are its own.
    pub(super) base: usize,
    /// Which repetition.
    pub(super) turn: usize,
}

/// Numbers of one twin.
pub(super) const NUMBERS: usize = 32;

impl Form {
    /// The evil one is refused; the other gets so many answers.
    pub(super) fn refused(name: &str, answers: usize, make: impl Fn(&Twin) -> Play + Send + Sync + 'static) -> Self {
        Self::refused_after(0, name, answers, make)
    }

    /// The evil one is refused after so many answers; the other gets so many altogether.
    pub(super) fn refused_after(
        first: usize,
        name: &str,
        answers: usize,
        make: impl Fn(&Twin) -> Play + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.to_owned(),
            evil: Expect::Refused(first),
            honest: Some(Expect::Served(answers)),
            unguarded: Expect::Served(answers),
            make: Box::new(make),
        }
    }

    /// It only looks evil: all is answered.
    pub(super) fn served(name: &str, answers: usize, make: impl Fn(&Twin) -> Play + Send + Sync + 'static) -> Self {
        let all = Expect::Served(answers);
        Self { evil: all.clone(), honest: None, ..Self::refused(name, answers, make) }
    }

    /// The evil one is refused or the server doesn't take it for evil; the other gets so many answers.
    pub(super) fn either(name: &str, answers: usize, make: impl Fn(&Twin) -> Play + Send + Sync + 'static) -> Self {
        Self { evil: Expect::Either(answers), ..Self::refused(name, answers, make) }
    }

    /// The evil one is refused; the other may be rejected too, since nobody honest sends such segments: whoever says two
    /// things of the same bytes is reset.
    pub(super) fn contradicting(mut self) -> Self {
        self.honest = Some(Expect::Rejected);
        self
    }

    /// The server itself rejects such requests, whoever sends them.
    pub(super) fn rejected(name: &str, make: impl Fn(&Twin) -> Play + Send + Sync + 'static) -> Self {
        let by_server = || Expect::Rejected;
        Self { evil: by_server(), honest: Some(by_server()), unguarded: by_server(), ..Self::refused(name, 1, make) }
    }

    /// The same with the request as text in one segment (or as many as it needs).
    pub(super) fn text(name: &str, text: &'static str) -> Self {
        Self::refused(name, 1, move |twin| Play::new().flow(&twin.text(text)))
    }
}

impl Expect {
    /// Whether this is it.
    pub(super) fn is_met(&self, statuses: &[u16], finish: Finish) -> bool {
        let served = statuses.iter().take_while(|status| **status == 200).count();
        let refused = match statuses[served..] {
            [] => finish == Finish::Reset || served > 0 && finish == Finish::Closed,
            [only] => only == 403,
            _ => false,
        };
        let is_over = statuses[served..].iter().any(|status| *status >= 400) || finish != Finish::Answered;
        finish != Finish::TimedOut
            && match self {
                Self::Either(count) => refused || Self::Served(*count).is_met(statuses, finish),
                Self::Refused(first) => refused && served >= *first,
                Self::Rejected => served <= 1 && is_over,
                Self::Served(count) => served == *count && statuses.len() == *count,
                Self::Statuses(exact) => statuses == exact,
            }
    }
}

impl Twin {
    /// Text with `{id}` as the twin's device and `{n}` as its number; `{c0}` to `{c9}` are numbers that may be served,
    /// `{evil}` and `{odd}` are always a blocked device and a number that must not be.
    pub(super) fn text(&self, template: &str) -> Vec<u8> {
        self.filled(template, self.is_evil)
    }

    /// The short request.
    pub(super) fn head(&self) -> Vec<u8> {
        self.text(HEAD)
    }

    /// What the evil one sends first, to be taken for the honest one: the same but for device and number. The honest one
    /// has nothing to hide: a client that sends something again sends the same.
    pub(super) fn decoy(&self) -> Vec<u8> {
        self.filled(HEAD, false)
    }

    /// A request of the honest device with the k-th of the numbers that may be served.
    pub(super) fn clean(&self, k: usize) -> Vec<u8> {
        self.filled(&HEAD.replace("{n}", &format!("{{c{k}}}")), false)
    }

    /// So many of those.
    pub(super) fn cleans(&self, count: usize) -> Vec<u8> {
        (0..count).flat_map(|k| self.clean(k)).collect()
    }

    fn filled(&self, template: &str, is_evil: bool) -> Vec<u8> {
        let number = |offset: usize| format!("{:010}", self.base + offset);
        let mut text = template
            .replace("{id}", if is_evil { EVIL } else { HONEST })
            .replace("{n}", &number(if is_evil { 1 } else { 2 }))
            .replace("{evil}", EVIL)
            .replace("{odd}", &number(3));
        for k in 0..10 {
            text = text.replace(&format!("{{c{k}}}"), &number(4 + 2 * k));
        }
        text.into_bytes()
    }
}
