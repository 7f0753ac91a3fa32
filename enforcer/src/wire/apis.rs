//! The inventory of APIs, for `enforcer apis`. In: endpoints of the inventory. Out: its parts on the socket, and flat reports. Never
//! here: values of parameters, raw identities; only names, types and counts were ever kept.
use std::collections::BTreeMap;

use enforcer_common::SubjectKind;
use enforcer_insight::inventory::{Drift, Fields, Histogram, Listed, Service, Usage, risk};
use enforcer_policy::Moment;
use serde::{Deserialize, Serialize};

use super::shape;

/// A part of an inventory, as the agent keeps it (postcard).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApisPart {
    /// The bytes that follow those of the parts before.
    pub bytes: Vec<u8>,
    /// True for the last one.
    pub last: bool,
    /// In the last one: who answers for each service that was called.
    pub owners: BTreeMap<String, Vec<ApiOwner>>,
}

/// Who listens for a service. What is `None` is not known: where the agent is not root, the names of processes of others may not be read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct ApiOwner {
    /// Where it listens.
    pub address: String,
    /// The name of the process; that of all processes of its control group, where whose the socket is may not be read.
    pub process: Option<String>,
    /// The unit of systemd.
    pub unit: Option<String>,
    /// The runtime, a colon, the container's id or name.
    pub container: Option<String>,
    /// The pod of Kubernetes.
    pub pod: Option<String>,
    /// The number of the user that made the socket.
    pub user: u32,
    /// The path of the control group.
    pub group: Option<String>,
}

/// All endpoints.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ApisReport {
    /// Services that were called.
    pub services: Vec<ApiService>,
    /// Their endpoints.
    pub endpoints: Vec<ApiLine>,
}

/// One service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApiService {
    /// Its name.
    pub name: String,
    /// How many endpoints it has.
    pub endpoints: u64,
    /// Calls that the application saw.
    pub calls: u64,
    /// Calls that were refused before.
    pub refused: u64,
    /// Calls of no endpoint whose answer was not seen.
    pub unanswered: u64,
    /// Answers of no endpoint, by status.
    pub unmatched: BTreeMap<u16, u64>,
    /// Calls that found no room, by the limit that they met.
    pub forgotten: BTreeMap<String, u64>,
    /// Who answers; nobody where no socket of the host's network namespace listens on its ports.
    pub owners: Vec<ApiOwner>,
}

/// One endpoint in a line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApiLine {
    /// Its service.
    pub service: String,
    /// Its method.
    pub method: String,
    /// Its path, parameters in braces.
    pub path: String,
    /// Calls that the application saw.
    pub calls: u64,
    /// Calls that were refused before.
    pub refused: u64,
    /// Calls that were served without credentials.
    pub open: u64,
    /// Answers with a status of 500 or more.
    pub errors: u64,
    /// How many different clients called; an estimate when there are many.
    pub clients: u64,
    /// The credentials that calls bore.
    pub auth: Vec<String>,
    /// 95 of 100 answers began within so many microseconds.
    pub first_byte_p95_micros: Option<u64>,
    /// When it was first called.
    #[serde(with = "shape")]
    pub first: Option<Moment>,
    /// And last.
    #[serde(with = "shape")]
    pub last: Option<Moment>,
    /// How much it could cost, from 0 to 100.
    pub risk: u8,
}

/// All that is known of one endpoint.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApiReport {
    /// The endpoint in a line.
    pub endpoint: ApiLine,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Calls by the credentials they bore.
    pub auth: BTreeMap<String, u64>,
    /// How many different ones called.
    pub consumers: ApiConsumers,
    /// To the first byte of the answer, microseconds.
    pub first_byte_micros: Option<ApiSpread>,
    /// To its last byte, microseconds.
    pub whole_micros: Option<ApiSpread>,
    /// Bytes of requests.
    pub request_bytes: Option<ApiSpread>,
    /// Bytes of answers.
    pub answer_bytes: Option<ApiSpread>,
    /// Content types of request bodies.
    pub request_types: BTreeMap<String, u64>,
    /// Content types of good answers.
    pub answer_types: BTreeMap<String, u64>,
    /// Parameters of the query.
    pub query: Vec<ApiField>,
    /// Fields of request bodies.
    pub request: Vec<ApiField>,
    /// Fields of the bodies of good answers.
    pub answer: Vec<ApiField>,
    /// Classes of data that were found in it.
    pub data: Vec<ApiData>,
    /// The reasons of its risk.
    pub risk: Vec<ApiRisk>,
    /// Who answers for its service.
    pub owners: Vec<ApiOwner>,
}

/// How many different ones called; estimates when there are many.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApiConsumers {
    /// Addresses of clients, behind trusted proxies.
    pub clients: u64,
    /// Devices.
    pub devices: u64,
    /// Sessions.
    pub sessions: u64,
    /// Users.
    pub users: u64,
    /// Keys.
    pub keys: u64,
}

/// What so many of 100 values do not exceed, to a quarter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApiSpread {
    /// 50.
    pub p50: u64,
    /// 95.
    pub p95: u64,
    /// 99.
    pub p99: u64,
}

/// A parameter or a field.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApiField {
    /// Its name; fields below others with dots, items of arrays with `[]`, the body itself empty.
    pub name: String,
    /// What its values were.
    pub types: Vec<String>,
    /// How many there were.
    pub seen: u64,
}

/// Data of a class.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApiData {
    /// `answer`, `header`, `request` or `url`.
    pub place: String,
    /// The field.
    pub field: String,
    /// The class.
    pub class: String,
    /// How often.
    pub count: u64,
}

/// A reason of a risk.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApiRisk {
    /// Its points.
    pub points: u8,
    /// Its words.
    pub why: String,
}

/// How the calls of a service differ from a specification.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DriftReport {
    /// The service.
    pub service: String,
    /// Its endpoints.
    pub endpoints: u64,
    /// Operations of the specification.
    pub operations: u64,
    /// What differs.
    pub differences: Vec<Drift>,
}

impl ApiService {
    /// Of a service of the inventory.
    pub fn new(name: &str, service: &Service, owners: Vec<ApiOwner>) -> Self {
        let forgotten = service.forgotten.each().into_iter().filter(|(_, count)| *count > 0);
        Self {
            name: name.to_owned(),
            endpoints: service.endpoints() as u64,
            calls: service.calls,
            refused: service.refused,
            unanswered: service.unanswered,
            unmatched: service.unmatched.clone(),
            forgotten: forgotten.map(|(limit, count)| (limit.to_owned(), count)).collect(),
            owners,
        }
    }
}

impl From<&Listed<'_>> for ApiLine {
    fn from(endpoint: &Listed<'_>) -> Self {
        let usage = endpoint.usage;
        Self {
            service: endpoint.service.to_owned(),
            method: endpoint.method.to_owned(),
            path: endpoint.template(),
            calls: usage.calls,
            refused: usage.refused,
            open: usage.open,
            errors: usage.answers(|status| status >= 500),
            clients: usage.consumers_of(SubjectKind::Ip),
            auth: usage.auth.keys().map(|auth| auth.name().to_owned()).collect(),
            first_byte_p95_micros: usage.first_byte.quantile(95),
            first: usage.first,
            last: usage.last,
            risk: risk(endpoint, None).score,
        }
    }
}

impl ApiReport {
    /// Of an endpoint of the inventory.
    pub fn new(endpoint: &Listed<'_>, owners: Vec<ApiOwner>) -> Self {
        let usage = endpoint.usage;
        let reasons = risk(endpoint, None).reasons.into_iter();
        Self {
            endpoint: endpoint.into(),
            statuses: usage.statuses.clone(),
            auth: usage.auth.iter().map(|(auth, count)| (auth.name().to_owned(), *count)).collect(),
            consumers: usage.into(),
            first_byte_micros: spread(&usage.first_byte),
            whole_micros: spread(&usage.whole),
            request_bytes: spread(&usage.request_bytes),
            answer_bytes: spread(&usage.answer_bytes),
            request_types: named(&usage.request_types),
            answer_types: named(&usage.answer_types),
            query: fields(&usage.query),
            request: fields(&usage.request),
            answer: fields(&usage.answer),
            data: data(usage),
            risk: reasons.map(|reason| ApiRisk { points: reason.points, why: reason.why.to_owned() }).collect(),
            owners,
        }
    }
}

impl From<&Usage> for ApiConsumers {
    fn from(usage: &Usage) -> Self {
        let of = |kind| usage.consumers_of(kind);
        Self {
            clients: of(SubjectKind::Ip),
            devices: of(SubjectKind::Device),
            sessions: of(SubjectKind::Session),
            users: of(SubjectKind::User),
            keys: of(SubjectKind::ApiKey),
        }
    }
}

fn spread(histogram: &Histogram) -> Option<ApiSpread> {
    let at = |percent| histogram.quantile(percent);
    Some(ApiSpread { p50: at(50)?, p95: at(95)?, p99: at(99)? })
}

fn named(counts: &BTreeMap<Box<str>, u64>) -> BTreeMap<String, u64> {
    counts.iter().map(|(name, count)| (name.to_string(), *count)).collect()
}

fn fields(fields: &Fields) -> Vec<ApiField> {
    let types =
        |field: enforcer_insight::inventory::Field| field.types.words().into_iter().map(str::to_owned).collect();
    fields
        .iter()
        .map(|(name, field)| ApiField { name: name.to_owned(), types: types(field), seen: field.seen })
        .collect()
}

fn data(usage: &Usage) -> Vec<ApiData> {
    let one = |(place, field, class, count): (enforcer_insight::inventory::Place, &str, &str, u64)| ApiData {
        place: place.name().to_owned(),
        field: field.to_owned(),
        class: class.to_owned(),
        count,
    };
    usage.classes.iter().map(one).collect()
}
