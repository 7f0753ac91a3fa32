//! The list of all metric families of the center.
//!
//! In: nothing. Out: names, types, units, labels, help; and the same as a page of the documentation. Never here: values.
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

/// One family.
pub(super) struct Family {
    /// Without prefix, unit and `_total`.
    pub(super) name: &'static str,
    pub(super) kind: MetricType,
    pub(super) unit: Option<Unit>,
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

/// Before every name.
pub(super) const PREFIX: &str = "enforcer_center";

macro_rules! families {
    ($($id:ident = $kind:ident $name:literal $($unit:ident)? [$($label:literal)*] $help:literal;)*) => {
        $(pub(super) const $id: &Family = &Family {
            name: $name,
            kind: MetricType::$kind,
            unit: families!(@unit $($unit)?),
            labels: &[$($label),*],
            help: $help,
        };)*

        /// All of them, in the order of the page.
        #[cfg(test)]
        pub(super) const ALL: &[&Family] = &[$($id),*];
    };
    (@unit) => { None };
    (@unit $unit:ident) => { Some(Unit::$unit) };
}

families! {
    BUILD = Info "build" ["version"] "This center's release.";
    REVISION = Gauge "revision" [] "The present revision: what every host should have.";
    PUBLISHED = Counter "revisions_published" [] "Revisions published since the start.";
    DECISIONS = Gauge "decisions" [] "Decisions of the present revision.";
    SNAPSHOT = Gauge "snapshot_revision" [] "The revision of the latest snapshot, which new hosts get first; 0 without one.";
    HOSTS = Gauge "hosts" ["state"] "Hosts by how they are: what GET /v1/hosts says.";
    HOST_REVISION = Gauge "host_revision" ["host"] "The revision that a host has acknowledged; less than enforcer_center_revision means that it lags.";
    HOST_SEEN = Gauge "host_seen_timestamp" Seconds ["host"] "When a host was last heard of; 0 for never.";
    HOST_FAILED = Gauge "host_decisions_failed" ["host"] "Decisions that a host could not enforce: no room, or no meaning there.";
    WATCHING = Gauge "watching" [] "Hosts that are connected and wait for news.";
    DELIVERIES = Counter "deliveries" [] "Deliveries handed to hosts.";
    DELIVERY_BYTES = Counter "delivery" Bytes [] "Bytes of deliveries handed to hosts.";
    ACKNOWLEDGEMENTS = Counter "acknowledgements" ["result"] "Words of hosts: kept; kept and a refusal of a delivery (refused); not kept, the store failed (lost).";
    REACHED = Histogram "reached" Seconds [] "From publishing a revision to a host's acknowledgement of it, on the disk.";
    EVENTS = Counter "events" [] "Events taken from hosts; what is told twice counts twice.";
    LAST_EVENT = Gauge "last_event" [] "The number of the last event.";
    EXPORT_CURSOR = Gauge "export_cursor" ["export"] "The number of the last event that is safely at an export's receiver.";
    EXPORT_BEHIND = Gauge "export_behind" ["export"] "Events that an export has still to bring.";
    EXPORT_WORKS = Gauge "export_works" ["export"] "0 while an export's receiver takes nothing.";
    SOURCE_HEARD = Gauge "source_heard_timestamp" Seconds ["source"] "When a source last said what it wants; 0 for never.";
    SOURCE_WANTED = Gauge "source_wanted" ["source"] "Subjects on which a source wants a decision.";
    SOURCE_HELD = Gauge "source_held" ["source"] "Decisions that a source keeps in the policy.";
    SOURCE_LEFT_OUT = Gauge "source_left_out" ["source"] "Wishes of a source that are not carried out: what GET /v1/sources says.";
    SOURCE_REMOVED = Gauge "source_removed" ["source"] "Entries of a list that name whom no list may hit, when it was read last.";
    SOURCE_WORKS = Gauge "source_works" ["source"] "0 while a source cannot be asked, or its wishes have to wait.";
    PROPOSALS = Gauge "proposals" [] "Changes that wait for a second person.";
    ROLLOUT_STAGE = Gauge "rollout_stage" [] "How many stages of a rollout are out; 0 when none is on.";
    ROLLOUTS = Counter "rollouts" ["result"] "Rollouts that ended: finished; stopped, and the policy before is back.";
    MODULES = Gauge "modules" ["state"] "Modules that are published for hosts; that wait for a second person.";
    MODULE_HOSTS = Gauge "module_hosts" ["state"] "Published modules on hosts, each counted on each host that gets it: loaded, refused there, stopped there, or unheard.";
    FILES = Gauge "file" Bytes ["file"] "Bytes of the center's files, with what SQLite has beside them.";
}

impl Family {
    /// The name as it stands on the page, with prefix, unit and suffix.
    #[cfg(test)]
    pub(super) fn full_name(&self) -> String {
        let unit = match &self.unit {
            None => String::new(),
            Some(unit) => format!("_{}", unit.as_str()),
        };
        let suffix = match self.kind {
            MetricType::Counter => "_total",
            MetricType::Info => "_info",
            MetricType::Gauge | MetricType::Histogram | MetricType::Unknown => "",
        };
        format!("{PREFIX}_{}{unit}{suffix}", self.name)
    }
}
