//! How much an endpoint could cost. In: what is known of it. Out: a score from 0 to 100, and its reasons. Never here: what is done
//! about it. The points are a judgement; each stands beside its reason, so that it can be argued with.
use serde::Serialize;

use super::auth::Auth;
use super::classes::Place;
use super::list::{Listed, Segment};
use super::shape::Shape;

/// Calls before a share of errors says something.
const ENOUGH: u64 = 20;

/// How much an endpoint could cost.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Risk {
    /// From 0, nothing known, to 100.
    pub score: u8,
    /// Why, with points; the heaviest first.
    pub reasons: Vec<Reason>,
}

/// One reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Reason {
    /// Its points.
    pub points: u8,
    /// Its words.
    pub why: &'static str,
}

/// The risk of an endpoint; `documented` is false when it is in no specification, `None` when there is none.
pub fn risk(endpoint: &Listed<'_>, documented: Option<bool>) -> Risk {
    let facts = facts(endpoint, documented);
    let mut reasons: Vec<Reason> =
        facts.into_iter().filter(|(holds, ..)| *holds).map(|(_, points, why)| Reason { points, why }).collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.points));
    let sum: u16 = reasons.iter().map(|reason| u16::from(reason.points)).sum();
    Risk { score: u8::try_from(sum.min(100)).unwrap_or(100), reasons }
}

fn facts(endpoint: &Listed<'_>, documented: Option<bool>) -> [(bool, u8, &'static str); 10] {
    let usage = endpoint.usage;
    let writes = !matches!(endpoint.method, "GET" | "HEAD" | "OPTIONS" | "TRACE");
    let open = usage.open > 0;
    let tells = usage.classes.are_in(Place::Answer);
    let bears = |auth: Auth| usage.auth.contains_key(&auth);
    let errors = usage.answers(|status| status >= 500);
    let counted = endpoint
        .path
        .iter()
        .any(|segment| matches!(segment, Segment::Parameter(_, shapes) if shapes.contains(&Shape::Integer)));
    [
        (open && tells, 40, "sensitive data is served without credentials"),
        (open && writes, 30, "it writes without credentials"),
        (open && !tells && !writes, 10, "it is served without credentials"),
        (tells, 20, "answers hold sensitive data"),
        (usage.classes.are_in(Place::Url), 20, "sensitive data stands in the URL"),
        (bears(Auth::Url), 15, "keys or tokens stand in the URL"),
        (bears(Auth::Basic), 10, "passwords are sent with every request"),
        (documented == Some(false), 15, "it is in no specification"),
        (usage.calls >= ENOUGH && errors * 20 >= usage.calls, 10, "one answer in twenty or more is a server's error"),
        (counted && tells, 10, "ids that can be counted lead to sensitive data"),
    ]
}
