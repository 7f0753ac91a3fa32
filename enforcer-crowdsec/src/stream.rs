//! Answers of `/v1/decisions/stream`.
//!
//! In: JSON. Out: items with who, why and how long; ids that ended; how many items mean nothing here. Never here: which item counts when
//! several speak of one value.
use std::time::Duration;

use enforcer_common::{Prefix, SubjectKind};
use enforcer_policy::parse_prefix;
use serde::Deserialize;

/// Not what the protocol says.
#[derive(Debug, thiserror::Error)]
#[error("CrowdSec's answer is no list of decisions: {0}")]
pub struct StreamError(#[from] serde_json::Error);

/// Whom an item is about; raw values go no further than a digest.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// An address or a network.
    Ip(Prefix),
    /// The owner of a token, as it stands in requests.
    Token(SubjectKind, String),
}

impl std::fmt::Debug for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(prefix) => prefix.fmt(f),
            Self::Token(kind, _) => f.write_str(kind.name()),
        }
    }
}

/// A decision of CrowdSec.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// CrowdSec's id.
    pub id: i64,
    /// Whom it is about.
    pub who: Who,
    /// How long it lasts from now.
    pub lasts: Duration,
    /// Where CrowdSec has it from, and why.
    pub reason: String,
}

/// Items that mean nothing here, by what is strange about them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ignored {
    /// Another measure than a ban.
    pub measures: u64,
    /// About something that no request carries, such as a country.
    pub scopes: u64,
    /// A value or a time that cannot be read.
    pub values: u64,
}

/// One answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answer {
    /// New or extended ones.
    pub new: Vec<Item>,
    /// Ids of those that ended.
    pub ended: Vec<i64>,
    /// What was left out of `new`.
    pub ignored: Ignored,
}

#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    new: Option<Vec<Decision>>,
    #[serde(default)]
    deleted: Option<Vec<Decision>>,
}

#[derive(Deserialize)]
struct Decision {
    id: i64,
    #[serde(default)]
    origin: String,
    #[serde(default, rename = "type")]
    measure: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    duration: String,
    #[serde(default)]
    scenario: String,
}

/// Scopes that are asked for: all but the first two are told apart by case.
pub(super) const SCOPES: &str = "ip,range,DeviceId,device,Device,session,Session,user,User,username,apikey,ApiKey";

impl Answer {
    /// Reads one.
    pub fn read(json: &[u8]) -> Result<Self, StreamError> {
        let written: Written = serde_json::from_slice(json)?;
        let mut answer = Self::default();
        for decision in &written.new.unwrap_or_default() {
            if let Some(item) = item(decision, &mut answer.ignored) {
                answer.new.push(item);
            }
        }
        answer.ended = written.deleted.unwrap_or_default().into_iter().map(|decision| decision.id).collect();
        Ok(answer)
    }
}

fn item(decision: &Decision, ignored: &mut Ignored) -> Option<Item> {
    if !decision.measure.eq_ignore_ascii_case("ban") {
        ignored.measures += 1;
        return None;
    }
    let Some(kind) = kind(&decision.scope) else {
        ignored.scopes += 1;
        return None;
    };
    let who = if kind == SubjectKind::Ip {
        parse_prefix(decision.value.trim()).ok().map(Who::Ip)
    } else {
        Some(Who::Token(kind, decision.value.trim().to_owned()))
    };
    let lasts = duration(&decision.duration).filter(|lasts| !lasts.is_zero());
    let Some((who, lasts)) = who.zip(lasts) else {
        ignored.values += 1;
        return None;
    };
    let reason = format!("{}: {}", decision.origin, decision.scenario).chars().take(REASON).collect();
    Some(Item { id: decision.id, who, lasts, reason })
}

fn kind(scope: &str) -> Option<SubjectKind> {
    match scope.to_ascii_lowercase().as_str() {
        "ip" | "range" => Some(SubjectKind::Ip),
        "device" | "deviceid" => Some(SubjectKind::Device),
        "session" => Some(SubjectKind::Session),
        "user" | "username" => Some(SubjectKind::User),
        "apikey" => Some(SubjectKind::ApiKey),
        _ => None,
    }
}

/// A duration as Go writes it: `3h59m57.474s`. One in the past is zero.
fn duration(text: &str) -> Option<Duration> {
    if text.starts_with('-') {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut sum) = (text, 0.0);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        sum += number.parse::<f64>().ok()? * seconds;
        rest = after;
    }
    Duration::try_from_secs_f64(sum).ok().filter(|_| !text.is_empty())
}

/// Characters of a reason.
const REASON: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_as_it_was_seen_is_read() {
        let json = r#"{"deleted":null,"new":[
            {"duration":"1h59m57.47s","id":2,"origin":"cscli","scenario":"manual 'ban' from 'localhost'","scope":"Range","type":"ban","value":"203.0.113.0/24"},
            {"duration":"24h0m0s","id":3,"origin":"cscli","scenario":"x","scope":"DeviceId","type":"ban","value":"tok-123"},
            {"duration":"4h","id":4,"origin":"lists","scenario":"x","scope":"Ip","type":"captcha","value":"192.0.2.1"},
            {"duration":"4h","id":5,"origin":"lists","scenario":"x","scope":"Country","type":"ban","value":"XX"},
            {"duration":"-1.039s","id":6,"origin":"lists","scenario":"x","scope":"Ip","type":"ban","value":"192.0.2.1"},
            {"duration":"4h","id":7,"origin":"lists","scenario":"x","scope":"Ip","type":"ban","value":"nobody"}]}"#;
        let answer = Answer::read(json.as_bytes()).unwrap();
        let ids: Vec<i64> = answer.new.iter().map(|item| item.id).collect();
        assert_eq!(ids, [2, 3]);
        assert_eq!(answer.new[0].lasts, Duration::from_millis(7_197_470));
        assert_eq!(answer.new[1].who, Who::Token(SubjectKind::Device, "tok-123".to_owned()));
        assert!(!format!("{:?}", answer.new[1]).contains("tok-123"));
        assert_eq!(answer.ignored, Ignored { measures: 1, scopes: 1, values: 2 });
        assert_eq!(Answer::read(b"{}").unwrap(), Answer::default());
        assert!(Answer::read(br#"{"new":[{"id":1,"#).is_err());
        let ended = Answer::read(br#"{"new":null,"deleted":[{"id":9,"duration":"-1s"}]}"#).unwrap();
        assert_eq!(ended.ended, [9]);
    }

    #[test]
    fn durations_are_those_of_go() {
        for (text, millis) in
            [("4h", 14_400_000), ("1m0.5s", 60_500), ("1.5h", 5_400_000), ("250ms", 250), ("-3h2m", 0), ("0s", 0)]
        {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "h", "3", "3d", "3h ", "1e9h", "..s", "9999999999999999999999999999h"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
