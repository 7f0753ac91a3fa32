//! The list of all metric families: the one place where they have names.
//!
//! In: nothing. Out: names, types, units, labels, help; and the same as a page of the documentation. Never here: values.
use std::fmt::Write as _;

/// One family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Family {
    /// Without prefix, unit and `_total`.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) unit: Option<Base>,
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

/// What a family counts like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
}

/// Units; all others are plain numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Base {
    Bytes,
    Seconds,
}

/// Before every name.
pub(super) const PREFIX: &str = "enforcer";

macro_rules! families {
    ($($id:ident = $kind:ident $name:literal $($unit:ident)? [$($label:literal)*] $help:literal;)*) => {
        $(pub(super) const $id: Family = Family {
            name: $name,
            kind: Kind::$kind,
            unit: families!(@unit $($unit)?),
            labels: &[$($label),*],
            help: $help,
        };)*

        /// All of them, in the order of the page.
        pub(super) const ALL: &[Family] = &[$($id),*];
    };
    (@unit) => { None };
    (@unit $unit:ident) => { Some(Base::$unit) };
}

families! {
    BUILD = Info "build" ["version" "abi"] "This agent: its release and the layout of its maps.";
    PACKETS = Counter "packets" ["reason" "verdict"] "Packets by why and what happened to them; what could not be parsed has its cause as reason.";
    PACKET_BYTES = Counter "packet" Bytes ["reason" "verdict"] "Bytes of packets by why and what happened to them.";
    REQUESTS = Counter "requests" ["reason" "verdict"] "Requests on services' ports by why and what happened to them.";
    REQUEST_BYTES = Counter "request" Bytes ["reason" "verdict"] "Bytes of the segments that end a request's head, by why and what happened to them.";
    SEGMENTS = Counter "segments" ["reason" "verdict"] "Segments on services' ports that end no request head, by why and what happened to them.";
    SEGMENT_BYTES = Counter "segment" Bytes ["reason" "verdict"] "Bytes of segments that end no request head, by why and what happened to them.";
    SERVICE_REQUESTS = Counter "service_requests" ["service" "verdict"] "Requests of each service by what happened to them.";
    ANSWERS = Counter "responses" ["service" "class"] "Answers of each service by the first digit of their status.";
    ANSWER_BYTES = Counter "response" Bytes ["service"] "Bytes of the answers of each service, heads included.";
    FIRST_BYTE = Histogram "response_first_byte" Seconds ["service"] "From the end of a request's head to the first byte of its answer.";
    ANSWERED = Histogram "response" Seconds ["service"] "From the end of a request's head to the last byte of its answer.";
    INTENDED = Gauge "decisions_intended" ["kind"] "Decisions in force according to the agent.";
    INSTALLED = Gauge "decisions_installed" ["kind"] "Decisions that the kernel holds; less than intended means that some are not enforced.";
    ALLOWED = Gauge "allowlist_entries" [] "Networks that no decision can block.";
    MAP_USED = Gauge "map_entries" ["map"] "Entries that a kernel map holds.";
    MAP_CAPACITY = Gauge "map_capacity" ["map"] "Entries that a kernel map has room for.";
    REFUSED = Counter "orders_refused" [] "Orders refused because a map had no room left; the map is the one whose entries reach its capacity.";
    EVENTS = Counter "events" [] "Events read from the kernel.";
    EVENTS_LOST = Counter "events_lost" [] "Events that the kernel had no room for; counters stay exact.";
    SAMPLES = Counter "samples" [] "Requests and parts of answers that the kernel told of.";
    SAMPLES_LOST = Counter "samples_lost" [] "Requests and parts of answers that the kernel had no room to tell of; counters stay exact.";
    ATTACHED = Gauge "attachment" ["interface" "hook" "mode"] "1 for each program on an interface; generic and clsact are the slower modes.";
    BYPASS = Gauge "bypass" [] "1 while the operator lets everything pass.";
    LEASE = Gauge "lease" Seconds [] "How long the kernel enforces without a sign of the agent; 0 means until decisions expire.";
    LEASE_LEFT = Gauge "lease_left" Seconds [] "What is left of the lease; 0 without one.";
    DRIFT = Gauge "drift_entries" [] "Differences between policy and kernel at the last comparison.";
    REPAIRED = Counter "drift_repaired" [] "Differences between policy and kernel that were repaired.";
    COMPARED = Gauge "drift_last_check_timestamp" Seconds [] "When policy and kernel were last compared; 0 before the first time.";
    APIS = Gauge "api_endpoints" ["service"] "Endpoints (method and template) that calls of each service have shown.";
    APIS_FORGOTTEN = Counter "api_forgotten" ["limit"] "Calls that found no room in the inventory of APIs, by the limit that they met.";
    APIS_UNREAD = Counter "api_calls_unread" [] "Requests whose head was not recorded whole or could not be read: the inventory does not know them.";
    FINDINGS = Counter "findings" [] "Findings of filters, each counted once however often it is seen.";
    FINDINGS_FORGOTTEN = Counter "findings_forgotten" [] "Findings that gave way to newer ones.";
    FINDINGS_DECIDED = Counter "findings_decided" [] "Decisions that findings have led to, by themselves or by a person.";
    FILTERS = Gauge "filter_running" ["service" "filter"] "1 where a filter runs, 0 where it was stopped.";
    FILTER_CALLS = Counter "filter_calls" ["service" "filter"] "Calls and ticks that a filter was shown.";
    FILTER_TIME = Counter "filter_time" Seconds ["service" "filter"] "Time that a filter took.";
    FILTER_HELD = Gauge "filter_held" Bytes ["service" "filter"] "Memory that a filter holds.";
    FILTERS_LOST = Counter "filter_calls_lost" [] "Calls and signs for which there was no room on their way to or from the filters.";
    PUBLISHED = Gauge "published_modules" ["state"] "Modules that the center publishes for this host: loaded; refused, not used here; stopped, on one service at least.";
    SPOOL_WAITING = Gauge "spool_events" [] "Events on this host's disk that the center has not got; 0 without a center.";
    SPOOL_BYTES = Gauge "spool" Bytes [] "Bytes of events on this host's disk.";
    SPOOL_MOST = Gauge "spool_capacity" Bytes [] "Bytes of events that there may be; then the oldest are given up.";
    SPOOL_DROPPED = Counter "spool_dropped" [] "Events given up because there was no room for them; the center is told which.";
    SPOOL_DELIVERED = Counter "spool_delivered" [] "Events that the center has got.";
    CROWDSEC = Gauge "crowdsec_decisions" [] "Subjects that CrowdSec has banned; 0 without one.";
    CROWDSEC_LOCAL = Gauge "crowdsec_behind_local" [] "Subjects of CrowdSec on which a decision of this host or its center stands.";
    CROWDSEC_LEFT = Counter "crowdsec_left_out" ["why"] "Decisions of CrowdSec that mean nothing here or found no room.";
    CROWDSEC_ASKED = Gauge "crowdsec_last_answer_timestamp" Seconds [] "When CrowdSec last answered; 0 before the first time.";
    ENFORCEMENT = Histogram "enforcement" Seconds [] "From the arrival of a decision at the agent to the kernel's acknowledgement.";
}

impl Family {
    /// The name as it stands on the page, with prefix, unit and suffix.
    pub(super) fn full_name(&self) -> String {
        let unit = match self.unit {
            None => "",
            Some(Base::Bytes) => "_bytes",
            Some(Base::Seconds) => "_seconds",
        };
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        format!("{PREFIX}_{}{unit}{suffix}", self.name)
    }
}

/// `docs/metrics.md`.
#[cfg_attr(not(test), expect(dead_code, reason = "the page is written and compared by a test"))]
pub(super) fn documentation() -> String {
    let mut text = String::from(HEAD);
    for family in ALL {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Info => "info",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| `{}` | {kind} | {} | {} |", family.full_name(), labels.join(", "), family.help);
    }
    text.push_str("\n## Reasons\n\n| reason | layer |\n|---|---|\n");
    for reason in enforcer_common::Reason::ALL {
        let _ = writeln!(text, "| `{}` | {} |", reason.name(), reason.layer());
    }
    text
}

const HEAD: &str = "\
# Metrics

The agent serves these at `/metrics` (default `127.0.0.1:9920`), in OpenMetrics text; `/healthz` says that it runs and
`/readyz` that the kernel enforces. This page is generated: `UPDATE=1 cargo test -p enforcer metrics`.

Values of labels are closed lists (`reason`, `verdict`, `kind`, `map`, `hook`, `mode`, `limit`, `state`) or come from the configuration
(`service`, `interface`), so the number of series is bounded. `verdict` is `refuse` where one reason has several verdicts.

| metric | type | labels | meaning |
|---|---|---|---|
";
