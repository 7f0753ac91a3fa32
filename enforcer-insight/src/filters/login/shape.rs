//! Did a login work? In: answers of logins, and what their callers did next. Out: yes, no, or not known yet. Never here: who tried.
//!
//! Statuses and fields say it where the application speaks plainly. Where every answer is 200, the shape of the answer is learned:
//! behind a login that worked, the caller goes on with other calls; behind one that did not, it tries again or goes.
use std::time::Duration;

use enforcer_policy::Moment;

use crate::Answer;
use crate::filters::fields::fields;
use crate::filters::state::{Book, Seed};

/// What an answer says about a login.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(in crate::filters) enum Clue {
    /// It did not work.
    Failed,
    /// It cannot be told, or not yet.
    Unknown,
    /// It worked.
    Worked,
}

/// What an answer says by itself.
fn clue(answer: &Answer) -> Clue {
    match answer.status {
        400 | 401 | 403 | 404 | 422 | 423 | 429 => return Clue::Failed,
        200..=399 => {}
        _ => return Clue::Unknown,
    }
    let location = answer.values("location").next();
    if location.is_some_and(|location| holds(location, &["error", "fail", "invalid", "denied"])) {
        return Clue::Failed;
    }
    let plain = fields(&answer.body).map(|field| word(field.name, field.value)).find(|clue| *clue != Clue::Unknown);
    let form = || holds(&answer.body, &["type=\"password\"", "type='password'"]);
    plain.unwrap_or_else(|| if form() { Clue::Failed } else { Clue::Unknown })
}

/// What one field of the answer says.
fn word(name: &[u8], value: &[u8]) -> Clue {
    let is = |words: &[&str]| words.iter().any(|word| name.eq_ignore_ascii_case(word.as_bytes()));
    let nothing = matches!(value, b"" | b"null" | b"false" | b"0");
    if is(TOKENS) {
        return if nothing { Clue::Unknown } else { Clue::Worked };
    }
    if is(OUTCOMES) {
        let failed = value == b"false" || holds(value, BAD);
        let worked = value == b"true" || holds(value, &["success", "ok", "authenticated"]);
        return match (failed, worked) {
            (true, _) => Clue::Failed,
            (_, true) => Clue::Worked,
            (false, false) => Clue::Unknown,
        };
    }
    if is(ERRORS) && !nothing { Clue::Failed } else { said(&is, value) }
}

fn said(is: &dyn Fn(&[&str]) -> bool, value: &[u8]) -> Clue {
    if is(&["message", "msg", "detail", "title", "reason"]) && holds(value, BAD) { Clue::Failed } else { Clue::Unknown }
}

/// True when one of the words, in small letters, stands in the bytes in any case.
fn holds(bytes: &[u8], words: &[&str]) -> bool {
    let stands = |word: &&str| bytes.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()));
    words.iter().any(stands)
}

/// The shapes of answers, and what they meant.
pub(in crate::filters) struct Shapes {
    shapes: Book<Shape>,
    waiting: Book<Waiting>,
}

#[derive(Default)]
struct Shape {
    seen: u32,
    followed: u32,
}

struct Waiting {
    shape: u64,
    since: Moment,
}

impl Shapes {
    /// With room for this many callers whose next call is waited for.
    pub(in crate::filters) fn new(callers: usize) -> Self {
        Self { shapes: Book::new(SHAPES), waiting: Book::new(callers) }
    }

    /// A login of `caller` was answered at an endpoint; did it work?
    pub(in crate::filters) fn judge(
        &mut self,
        seed: &Seed,
        spot: u64,
        caller: u64,
        answer: &Answer,
        now: Moment,
    ) -> Clue {
        let plain = clue(answer);
        if plain != Clue::Unknown || answer.status >= 400 {
            return plain;
        }
        let key = seed.words(spot, shape(answer, seed));
        let shape = self.shapes.entry(key);
        shape.count();
        let meant = shape.meaning();
        *self.waiting.entry_with(caller, || Waiting { shape: key, since: now }) = Waiting { shape: key, since: now };
        meant
    }

    /// `caller` made a call that is no login.
    pub(in crate::filters) fn follow(&mut self, caller: u64, now: Moment) {
        if self.waiting.is_empty() || self.waiting.peek(caller).is_none() {
            return;
        }
        let Some(waiting) = self.waiting.find(caller) else { return };
        let soon = waiting.since.until(now) < SOON && waiting.shape != 0;
        let shape = std::mem::take(&mut waiting.shape);
        if soon && let Some(shape) = self.shapes.find(shape) {
            shape.followed = shape.followed.saturating_add(1).min(shape.seen);
        }
    }

    /// Bytes held.
    pub(in crate::filters) fn held_bytes(&self) -> usize {
        self.shapes.held_bytes() + self.waiting.held_bytes()
    }
}

impl Shape {
    fn count(&mut self) {
        self.seen += 1;
        if self.seen > FADES {
            (self.seen, self.followed) = (self.seen / 2, self.followed / 2);
        }
    }

    /// Half of them being followed is plenty: people leave. Hardly any being followed is what failures look like.
    const fn meaning(&self) -> Clue {
        if self.seen < ENOUGH {
            Clue::Unknown
        } else if self.followed * 5 >= self.seen * 2 {
            Clue::Worked
        } else if self.followed * 10 <= self.seen {
            Clue::Failed
        } else {
            Clue::Unknown
        }
    }
}

/// What answers of one meaning have in common: status, where they lead, the names of cookies and of fields, short outcomes. Without
/// fields, how long they are counts, too.
fn shape(answer: &Answer, seed: &Seed) -> u64 {
    let mut digest = seed.words(u64::from(answer.status), 0);
    let mut mix = |bytes: &[u8]| digest = seed.words(digest, seed.bytes(bytes));
    let path = |bytes: &[u8], end: u8| bytes.iter().position(|byte| *byte == end).unwrap_or(bytes.len());
    answer.values("location").for_each(|location| mix(&location[..path(location, b'?')]));
    answer.values("set-cookie").for_each(|cookie| mix(&cookie[..path(cookie, b'=')]));
    let mut plain = false;
    for field in fields(&answer.body) {
        plain = true;
        mix(field.name);
        if field.value.len() <= SHORT && OUTCOMES.iter().any(|name| field.name.eq_ignore_ascii_case(name.as_bytes())) {
            mix(field.value);
        }
    }
    if plain { digest } else { seed.words(digest, answer.bytes / LENGTH_STEP) }
}

const TOKENS: &[&str] = &["access_token", "accessToken", "token", "id_token", "idToken", "jwt", "session", "sessionId"];
const OUTCOMES: &[&str] = &["success", "ok", "authenticated", "result", "status", "code", "resultCode", "loggedIn"];
const ERRORS: &[&str] = &["error", "errors", "error_code", "errorCode", "errorMessage", "error_description"];
const BAD: &[&str] = &[
    "fail",
    "invalid",
    "incorrect",
    "wrong",
    "denied",
    "unauthor",
    "not found",
    "locked",
    "mismatch",
    "error",
    "bad ",
];
/// Shapes that are kept.
const SHAPES: usize = 512;
/// Answers of a shape before it means something.
const ENOUGH: u32 = 20;
/// More answers than this, and the old ones fade.
const FADES: u32 = 2_000;
/// Who is still there goes on within this.
const SOON: Duration = Duration::from_mins(2);
/// Bytes of an outcome.
const SHORT: usize = 12;
/// Answers whose lengths lie within this are alike.
const LENGTH_STEP: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filters::testing::answer;

    #[test]
    fn plain_answers_speak_for_themselves() {
        let said = |text: &str| clue(&answer(text));
        for worked in [
            "HTTP/1.1 200 OK\r\n\r\n{\"access_token\":\"abc\"}",
            "HTTP/1.1 200 OK\r\n\r\n{\"success\":true}",
            "HTTP/1.1 200 OK\r\n\r\n{\"status\":\"SUCCESS\",\"message\":\"welcome\"}",
        ] {
            assert_eq!(said(worked), Clue::Worked, "{worked}");
        }
        for failed in [
            "HTTP/1.1 401 Unauthorized\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n{\"success\":false}",
            "HTTP/1.1 200 OK\r\n\r\n{\"code\":4001,\"message\":\"Invalid password\"}",
            "HTTP/1.1 302 Found\r\nLocation: /login?error=1\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n<form><input type=\"password\"></form>",
            "HTTP/1.1 200 OK\r\n\r\n{\"token\":null,\"error\":\"no\"}",
        ] {
            assert_eq!(said(failed), Clue::Failed, "{failed}");
        }
        assert_eq!(said("HTTP/1.1 302 Found\r\nLocation: /home\r\n\r\n"), Clue::Unknown);
        assert_eq!(said("HTTP/1.1 500 Oops\r\n\r\n"), Clue::Unknown);
    }

    #[test]
    fn shapes_are_learned_from_what_comes_next() {
        let (mut shapes, seed) = (Shapes::new(100), Seed::new([1, 2]));
        let home = answer("HTTP/1.1 200 OK\r\n\r\n{\"next\":\"a\",\"name\":\"x\"}");
        let again = answer("HTTP/1.1 200 OK\r\n\r\n{\"next\":\"b\"}");
        let (mut now, mut last) = (Moment(0), (Clue::Unknown, Clue::Unknown));
        for caller in 0..50 {
            now = now.plus(Duration::from_secs(1));
            last.0 = shapes.judge(&seed, 7, caller, &home, now);
            shapes.follow(caller, now);
            last.1 = shapes.judge(&seed, 7, caller + 1000, &again, now);
        }
        assert_eq!(last, (Clue::Worked, Clue::Failed));
    }
}
