//! One page of OpenMetrics text.
//!
//! In: a snapshot. Out: the page. Never here: names (`families.rs`), HTTP.
use std::fmt;
use std::time::Duration;

use enforcer_common::{BUCKETS, Counter, FIRST_BUCKET, Verdict};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeExemplarValue, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::families::{self, Base, Family, Kind};
use super::{Lease, Snapshot};
use crate::wire::{FilterReport, KindCount, TimesReport};

/// The page of a snapshot.
pub fn render(snapshot: &Snapshot) -> String {
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
        let snapshot = &self.0;
        build(&mut writer, snapshot)?;
        traffic(&mut writer, snapshot)?;
        policy(&mut writer, snapshot)?;
        health(&mut writer, snapshot)
    }
}

fn build(writer: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    let labels = labels(families::BUILD, [snapshot.build.version.clone(), snapshot.build.abi.to_string()]);
    writer.family(families::BUILD)?.encode_info(&labels)
}

fn traffic(writer: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    let packets = |counter: &Counter| counter.count;
    let bytes = |counter: &Counter| counter.bytes;
    layer(writer, snapshot, families::PACKETS, "packet", packets)?;
    layer(writer, snapshot, families::PACKET_BYTES, "packet", bytes)?;
    layer(writer, snapshot, families::REQUESTS, "request", packets)?;
    layer(writer, snapshot, families::REQUEST_BYTES, "request", bytes)?;
    layer(writer, snapshot, families::SEGMENTS, "stream", packets)?;
    layer(writer, snapshot, families::SEGMENT_BYTES, "stream", bytes)?;
    let services = snapshot.services.iter().flat_map(|service| {
        let of_verdict = |known: &crate::wire::VerdictCount| ([service.name.clone(), word(known.verdict)], known.count);
        service.requests.iter().map(of_verdict)
    });
    writer.counters(families::SERVICE_REQUESTS, services)?;
    answers(writer, snapshot)?;
    writer.counters(families::EVENTS, [([], snapshot.events.seen)])?;
    writer.counters(families::EVENTS_LOST, [([], snapshot.events.lost)])?;
    writer.counters(families::SAMPLES, [([], snapshot.events.samples)])?;
    writer.counters(families::SAMPLES_LOST, [([], snapshot.events.samples_lost)])
}

fn answers(writer: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    const CLASSES: [&str; 6] = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];
    let services = &snapshot.services;
    let classes = services.iter().flat_map(|service| {
        let class = |(class, count): (&str, u64)| ([service.name.clone(), class.to_owned()], count);
        CLASSES.into_iter().zip(service.answers).map(class)
    });
    writer.counters(families::ANSWERS, classes)?;
    writer.counters(
        families::ANSWER_BYTES,
        services.iter().map(|service| ([service.name.clone()], service.answer_bytes)),
    )?;
    writer.times(families::FIRST_BYTE, services.iter().map(|service| (&service.name, &service.first_byte)))?;
    writer.times(families::ANSWERED, services.iter().map(|service| (&service.name, &service.whole)))
}

fn layer(
    writer: &mut Writer<'_>,
    snapshot: &Snapshot,
    family: Family,
    layer: &str,
    value: impl Fn(&Counter) -> u64,
) -> fmt::Result {
    let of_layer = snapshot.counters.iter().filter(|(reason, _, _)| reason.layer() == layer);
    let series = of_layer.map(|(reason, verdict, counter)| {
        let verdict = verdict.map_or_else(|| "refuse".to_owned(), word);
        ([reason.name().to_owned(), verdict], value(counter))
    });
    writer.counters(family, series)
}

fn policy(writer: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    let kinds = |counts: &[KindCount]| {
        counts.iter().map(|held| ([held.kind.name().to_owned()], float(held.count))).collect::<Vec<_>>()
    };
    writer.gauges(families::INTENDED, kinds(&snapshot.decisions.intended))?;
    writer.gauges(families::INSTALLED, kinds(&snapshot.decisions.installed))?;
    writer.gauges(families::ALLOWED, [([], float(snapshot.allowed))])?;
    let maps = &snapshot.maps;
    writer.gauges(families::MAP_USED, maps.iter().map(|map| ([map.map.clone()], float(map.used))))?;
    writer.gauges(families::MAP_CAPACITY, maps.iter().map(|map| ([map.map.clone()], float(map.capacity))))?;
    writer.counters(families::REFUSED, [([], snapshot.orders_refused)])?;
    apis(writer, snapshot)?;
    findings(writer, snapshot)?;
    spool(writer, snapshot)?;
    crowdsec(writer, snapshot)?;
    let enforcement = &snapshot.enforcement;
    let (sum, count, buckets) = (enforcement.sum(), enforcement.count(), enforcement.buckets());
    writer.family(families::ENFORCEMENT)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
}

fn apis(writer: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    let apis = &snapshot.apis;
    let endpoints = apis.endpoints.iter().map(|(service, count)| ([service.clone()], float(*count)));
    writer.gauges(families::APIS, endpoints)?;
    let forgotten = apis.forgotten.iter().map(|(limit, count)| ([(*limit).to_owned()], *count));
    writer.counters(families::APIS_FORGOTTEN, forgotten)?;
    writer.counters(families::APIS_UNREAD, [([], apis.unread)])
}

fn findings(writer: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    let found = &snapshot.findings;
    writer.counters(families::FINDINGS, [([], found.new)])?;
    writer.counters(families::FINDINGS_FORGOTTEN, [([], found.forgotten)])?;
    writer.counters(families::FINDINGS_DECIDED, [([], found.decided)])?;
    let label = |one: &FilterReport| [one.service.clone(), one.filter.clone()];
    let each = |value: fn(&FilterReport) -> u64| found.filters.iter().map(move |one| (label(one), value(one)));
    let runs = each(|one| u64::from(one.stopped.is_none()));
    writer.gauges(families::FILTERS, runs.map(|(label, runs)| (label, float(runs))))?;
    writer.counters(families::FILTER_CALLS, each(|one| one.calls))?;
    let seconds = each(|one| one.total_nanos).map(|(label, nanos)| (label, Duration::from_nanos(nanos).as_secs_f64()));
    writer.counters(families::FILTER_TIME, seconds)?;
    let held = each(|one| one.held_bytes).map(|(label, bytes)| (label, float(bytes)));
    writer.gauges(families::FILTER_HELD, held)?;
    writer.counters(families::FILTERS_LOST, [([], found.lost)])?;
    let published = snapshot.published.iter().map(|(state, count)| ([(*state).to_owned()], float(*count)));
    writer.gauges(families::PUBLISHED, published)
}

fn spool(writer: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    let spool = snapshot.spool;
    writer.gauges(families::SPOOL_WAITING, [([], float(spool.waiting))])?;
    writer.gauges(families::SPOOL_BYTES, [([], float(spool.bytes))])?;
    writer.gauges(families::SPOOL_MOST, [([], float(spool.most))])?;
    writer.counters(families::SPOOL_DROPPED, [([], spool.dropped)])?;
    writer.counters(families::SPOOL_DELIVERED, [([], spool.delivered)])
}

fn crowdsec(writer: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    let crowdsec = &snapshot.crowdsec;
    writer.gauges(families::CROWDSEC, [([], float(crowdsec.wanted))])?;
    writer.gauges(families::CROWDSEC_LOCAL, [([], float(crowdsec.behind_local))])?;
    let left_out = crowdsec.left_out.iter().map(|(why, count)| ([(*why).to_owned()], *count));
    writer.counters(families::CROWDSEC_LEFT, left_out)?;
    let asked = crowdsec.last.map_or(Duration::ZERO, |at| Duration::from_millis(at.0));
    writer.gauges(families::CROWDSEC_ASKED, [([], asked.as_secs_f64())])
}

fn health(writer: &mut Writer<'_>, snapshot: &Snapshot) -> fmt::Result {
    let attached = snapshot
        .attachments
        .iter()
        .map(|attachment| ([attachment.interface.clone(), attachment.hook.clone(), attachment.mode.clone()], 1.0));
    writer.gauges(families::ATTACHED, attached)?;
    writer.gauges(families::BYPASS, [([], if snapshot.bypass { 1.0 } else { 0.0 })])?;
    let lease = snapshot.lease.unwrap_or(Lease { length: Duration::ZERO, left: Duration::ZERO });
    writer.gauges(families::LEASE, [([], lease.length.as_secs_f64())])?;
    writer.gauges(families::LEASE_LEFT, [([], lease.left.as_secs_f64())])?;
    let drift = &snapshot.drift;
    writer.gauges(families::DRIFT, [([], float(drift.differences))])?;
    writer.counters(families::REPAIRED, [([], drift.repaired)])?;
    let compared = drift.last_check.map_or(Duration::ZERO, |at| Duration::from_millis(at.0));
    writer.gauges(families::COMPARED, [([], compared.as_secs_f64())])
}

/// Writes families one after another.
struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn family(&mut self, family: Family) -> Result<MetricEncoder<'_>, fmt::Error> {
        let unit = family.unit.map(|unit| match unit {
            Base::Bytes => &Unit::Bytes,
            Base::Seconds => &Unit::Seconds,
        });
        let kind = match family.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Histogram => MetricType::Histogram,
            Kind::Info => MetricType::Info,
        };
        self.0.encode_descriptor(family.name, family.help, unit, kind)
    }

    fn counters<const N: usize, V: EncodeCounterValue + EncodeExemplarValue>(
        &mut self,
        family: Family,
        series: impl IntoIterator<Item = ([String; N], V)>,
    ) -> fmt::Result {
        let mut encoder = self.family(family)?;
        series.into_iter().try_for_each(|(values, count)| match labels(family, values) {
            none if none.is_empty() => encoder.encode_counter::<NoLabelSet, V, u64>(&count, None),
            labels => encoder.encode_family(&labels)?.encode_counter::<NoLabelSet, V, u64>(&count, None),
        })
    }

    fn times<'t>(
        &mut self,
        family: Family,
        series: impl Iterator<Item = (&'t String, &'t TimesReport)>,
    ) -> fmt::Result {
        let mut encoder = self.family(family)?;
        for (name, times) in series {
            let labels = labels(family, [name.clone()]);
            let buckets: Vec<(f64, u64)> = bounds().zip(times.buckets.iter().copied()).collect();
            let count = times.buckets.iter().sum();
            let mut of_service = encoder.encode_family(&labels)?;
            of_service.encode_histogram::<NoLabelSet>(times.sum_seconds, count, &buckets, None)?;
        }
        Ok(())
    }

    fn gauges<const N: usize>(
        &mut self,
        family: Family,
        series: impl IntoIterator<Item = ([String; N], f64)>,
    ) -> fmt::Result {
        let mut encoder = self.family(family)?;
        series.into_iter().try_for_each(|(values, value)| match labels(family, values) {
            none if none.is_empty() => encoder.encode_gauge(&value),
            labels => encoder.encode_family(&labels)?.encode_gauge(&value),
        })
    }
}

/// The upper bounds of the kernel's histograms, in seconds.
fn bounds() -> impl Iterator<Item = f64> {
    let bound = |bucket| Duration::from_nanos(1_u64 << (FIRST_BUCKET + bucket)).as_secs_f64();
    (0..).take(BUCKETS - 1).map(bound).chain([f64::INFINITY])
}

/// The family's labels with these values.
fn labels<const N: usize>(family: Family, values: [String; N]) -> Vec<(&'static str, String)> {
    family.labels.iter().copied().zip(values).collect()
}

fn word(verdict: Verdict) -> String {
    verdict.name().to_owned()
}

/// Counts beyond 2^53 lose their last digits, which no gauge needs.
#[expect(clippy::cast_precision_loss, reason = "gauges are floating point on the wire anyway")]
const fn float(count: u64) -> f64 {
    count as f64
}
