//! Requests and answers: one with the other for `enforcer requests`, and those of a service together. In: what the agent joined,
//! what the kernel counted. Out: flat records. Never here: queries, values of headers, raw identities.
use std::net::IpAddr;
use std::time::Duration;

use enforcer_common::{Reason, ServiceCounters, SubjectKind, Times, Verdict};
use enforcer_policy::{DecisionId, Moment};
use serde::{Deserialize, Serialize};

use super::{VerdictCount, shape};

/// One request and what came of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RequestReport {
    /// When its head was complete.
    #[serde(with = "shape")]
    pub time: Moment,
    /// Its number, as 16 hexadecimal digits.
    pub id: String,
    /// The service; `None` when it is not configured any more.
    pub service: Option<String>,
    /// Where it arrived.
    pub interface: String,
    /// Who sent it.
    pub source: IpAddr,
    /// From which port.
    pub source_port: u16,
    /// The forwarded address it was judged by.
    pub client: Option<IpAddr>,
    /// Its method.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// The host it asked for.
    pub host: Option<String>,
    /// Why it was passed on or refused.
    #[serde(with = "shape")]
    pub reason: Reason,
    /// What happened to it.
    #[serde(with = "shape")]
    pub verdict: Verdict,
    /// The decision that matched.
    pub decision: Option<DecisionId>,
    /// Who asked, as digests.
    pub identities: Vec<Identity>,
    /// Bytes of its head.
    pub head_bytes: u32,
    /// The answer's status; `None` where no answer was seen, as to everything below.
    pub status: Option<u16>,
    /// From the end of the request's head to the first byte of the answer.
    #[serde(rename = "first_byte_seconds", with = "shape")]
    pub first_byte: Option<Duration>,
    /// From the end of the request's head to the last byte of the answer.
    #[serde(rename = "took_seconds", with = "shape")]
    pub took: Option<Duration>,
    /// Bytes of the answer, head included.
    pub bytes: Option<u64>,
    /// True when the answer was seen to its end.
    pub complete: bool,
}

/// Who asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Identity {
    /// What it is.
    #[serde(with = "shape")]
    pub kind: SubjectKind,
    /// The keyed digest of its value.
    pub digest: String,
}

/// Requests of one service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServiceRequests {
    /// Its name.
    pub name: String,
    /// By verdict.
    pub requests: Vec<VerdictCount>,
    /// Answers by the first digit of their status; first those whose status is none.
    pub answers: [u64; 6],
    /// Bytes of the answers.
    pub answer_bytes: u64,
    /// From the request to the first byte of its answer.
    pub first_byte: TimesReport,
    /// From the request to the last byte of its answer.
    pub whole: TimesReport,
}

impl ServiceRequests {
    /// From the kernel's counters.
    pub fn new(name: &str, counters: &ServiceCounters) -> Self {
        Self {
            name: name.to_owned(),
            requests: VerdictCount::list(&counters.requests),
            answers: counters.answers,
            answer_bytes: counters.bytes,
            first_byte: (&counters.first_byte).into(),
            whole: (&counters.whole).into(),
        }
    }
}

/// A histogram of times.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct TimesReport {
    /// How many fell into each bucket; each ends where the next begins (`bounds` of the kernel's contract), the last is open.
    pub buckets: Vec<u64>,
    /// The sum of all.
    pub sum_seconds: f64,
}

impl Eq for TimesReport {}

impl From<&Times> for TimesReport {
    fn from(times: &Times) -> Self {
        Self { buckets: times.buckets.to_vec(), sum_seconds: Duration::from_nanos(times.sum).as_secs_f64() }
    }
}
