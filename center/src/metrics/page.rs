//! One page of OpenMetrics text.
//!
//! In: a snapshot. Out: the page. Never here: names (`families.rs`), HTTP.
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::registry::Registry;

use super::families::{self, Family};
use super::{HostFigures, Snapshot};
use crate::sources::SourceState;

/// The page of a snapshot.
pub(crate) fn render(snapshot: &Snapshot) -> String {
    let mut registry = Registry::with_prefix(families::PREFIX);
    registry.register_collector(Box::new(Page(snapshot.clone())));
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => text,
        // Writing to a string cannot fail, and half a page would be taken for a whole one.
        Err(fmt::Error) => String::from("# EOF\n"),
    }
}

/// A snapshot as prometheus-client wants to see it.
#[derive(Debug)]
struct Page(Snapshot);

impl Collector for Page {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = Writer(encoder);
        policy(&mut writer, &self.0)?;
        hosts(&mut writer, &self.0)?;
        traffic(&mut writer, &self.0)?;
        events(&mut writer, &self.0)?;
        sources(&mut writer, &self.0)?;
        modules(&mut writer, &self.0)
    }
}

fn policy(writer: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    writer.family(families::BUILD)?.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
    writer.gauge(families::REVISION, snapshot.revision)?;
    writer.counter(families::PUBLISHED, snapshot.totals.published)?;
    writer.gauge(families::DECISIONS, snapshot.decisions)?;
    writer.gauge(families::SNAPSHOT, snapshot.taken)?;
    writer.gauge(families::PROPOSALS, snapshot.proposals)?;
    writer.gauge(families::ROLLOUT_STAGE, snapshot.rollout_stage)?;
    let [finished, stopped] = snapshot.totals.rollouts;
    writer.counters(families::ROLLOUTS, [("finished", finished), ("stopped", stopped)])?;
    writer.gauges(families::FILES, snapshot.files.iter().map(|(file, bytes)| (*file, float(*bytes))))
}

fn hosts(writer: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    let hosts = &snapshot.hosts;
    let states = STATES.iter().map(|state| {
        let alike = hosts.iter().filter(|host| host.state == *state).count();
        (*state, float(alike as u64))
    });
    writer.gauges(families::HOSTS, states)?;
    // Nobody waits for those that are no longer spoken to.
    let each = |value: fn(&HostFigures) -> f64| {
        let spoken_to = hosts.iter().filter(|host| host.state != "revoked");
        spoken_to.map(move |host| (host.name.as_str(), value(host)))
    };
    writer.gauges(families::HOST_REVISION, each(|host| float(host.number)))?;
    writer.gauges(families::HOST_SEEN, each(|host| host.seen))?;
    writer.gauges(families::HOST_FAILED, each(|host| float(host.failed)))
}

fn traffic(writer: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    let totals = &snapshot.totals;
    writer.gauge(families::WATCHING, totals.watching)?;
    writer.counter(families::DELIVERIES, totals.deliveries)?;
    writer.counter(families::DELIVERY_BYTES, totals.delivered_bytes)?;
    let results = [("kept", totals.kept), ("refused", totals.refused), ("lost", totals.lost)];
    writer.counters(families::ACKNOWLEDGEMENTS, results)?;
    let (sum, count, buckets) = totals.reached.parts();
    writer.family(families::REACHED)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
}

fn events(writer: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    let exports = &snapshot.exports;
    writer.counter(families::EVENTS, snapshot.totals.events)?;
    writer.gauge(families::LAST_EVENT, snapshot.last_event)?;
    let cursors = exports.iter().map(|(name, cursor, _)| (name.as_str(), float(*cursor)));
    writer.gauges(families::EXPORT_CURSOR, cursors)?;
    let behind = |cursor: u64| float(snapshot.last_event.saturating_sub(cursor));
    writer.gauges(families::EXPORT_BEHIND, exports.iter().map(|(name, cursor, _)| (name.as_str(), behind(*cursor))))?;
    let works = exports.iter().map(|(name, _, works)| (name.as_str(), if *works { 1.0 } else { 0.0 }));
    writer.gauges(families::EXPORT_WORKS, works)
}

fn sources(writer: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    let each = |value: fn(&SourceState) -> f64| {
        snapshot.sources.iter().map(move |(name, state)| (name.as_str(), value(state)))
    };
    let heard =
        |state: &SourceState| state.heard.map_or(0.0, |heard| std::time::Duration::from_millis(heard.0).as_secs_f64());
    writer.gauges(families::SOURCE_HEARD, each(heard))?;
    writer.gauges(families::SOURCE_WANTED, each(|state| float(state.wanted)))?;
    writer.gauges(families::SOURCE_HELD, each(|state| float(state.held)))?;
    let left_out = |state: &SourceState| float(state.left_out.iter().map(|one| one.count).sum());
    writer.gauges(families::SOURCE_LEFT_OUT, each(left_out))?;
    let removed = |state: &SourceState| float(state.list.iter().flat_map(|list| list.removed.values()).sum());
    writer.gauges(families::SOURCE_REMOVED, each(removed))?;
    let works = |state: &SourceState| if state.failing.is_none() && state.waiting.is_none() { 1.0 } else { 0.0 };
    writer.gauges(families::SOURCE_WORKS, each(works))
}

fn modules(writer: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    let [published, waiting] = snapshot.modules;
    let states = [("published", float(published)), ("waiting", float(waiting))];
    writer.gauges(families::MODULES, states.into_iter())?;
    writer.gauges(families::MODULE_HOSTS, snapshot.module_hosts.iter().map(|(state, hosts)| (*state, float(*hosts))))
}

/// Writes families one after another.
struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn family(&mut self, family: &'static Family) -> Result<MetricEncoder<'_>, fmt::Error> {
        self.0.encode_descriptor(family.name, family.help, family.unit.as_ref(), family.kind)
    }

    fn counter(&mut self, family: &'static Family, count: u64) -> fmt::Result {
        self.family(family)?.encode_counter::<NoLabelSet, _, u64>(&count, None)
    }

    fn gauge(&mut self, family: &'static Family, value: u64) -> fmt::Result {
        self.family(family)?.encode_gauge(&float(value))
    }

    /// A family of counters by result.
    fn counters<const N: usize>(&mut self, family: &'static Family, series: [(&str, u64); N]) -> fmt::Result {
        let mut encoder = self.family(family)?;
        for (result, count) in series {
            encoder.encode_family(&[("result", result)])?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        Ok(())
    }

    /// A family of one label.
    fn gauges<'s>(&mut self, family: &'static Family, series: impl Iterator<Item = (&'s str, f64)>) -> fmt::Result {
        let mut encoder = self.family(family)?;
        let label = family.labels.first().copied().unwrap_or_default();
        for (name, value) in series {
            encoder.encode_family(&[(label, name)])?.encode_gauge(&value)?;
        }
        Ok(())
    }
}

/// Counts beyond 2^53 lose their last digits, which no gauge needs.
#[expect(clippy::cast_precision_loss, reason = "gauges are floating point on the wire anyway")]
const fn float(count: u64) -> f64 {
    count as f64
}

/// What a host can be, see `api/hosts.rs`.
const STATES: [&str; 7] = ["in sync", "behind", "forked", "differs", "refuses", "unheard", "revoked"];
