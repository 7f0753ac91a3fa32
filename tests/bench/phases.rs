//! The phases of a run: each with a network and an agent of its own.

use std::path::Path;

use bench_ebpf::Shape;

use crate::{
    Effort,
    clean::{self, Expect},
    contest::{Contender, Outcome, contest},
    flood::Stream,
    ground::{Arena, Ground},
    lists::{self, Reader},
    loads::{self, Load},
    memory,
    object::{Baseline, Object},
    report::{Bars, Report, Unit},
    rivals::Rival,
    samples::float,
};

/// A part of the run.
pub(crate) struct Phase {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What happens in it.
    pub(crate) what: &'static str,
    /// Runs it.
    pub(crate) run: fn(Effort, &mut Report) -> anyhow::Result<()>,
}

/// All of them.
pub(crate) const ALL: [Phase; 4] = [
    Phase { name: "empty", what: "an agent with few entries", run: empty },
    Phase { name: "hosts", what: "1,000,000 IPv4 addresses", run: hosts },
    Phase { name: "six", what: "1,000,000 IPv6 addresses and networks", run: six },
    Phase { name: "networks", what: "1,000,000 IPv4 networks", run: networks },
];

fn empty(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let ground = Ground::new("addresses_v4");
    clean_packets(&ground, effort, report, "IPv4, no entries", CLEAN4, Bars::AtMost(Some(120.0), 30.0))?;
    clean_packets(&ground, effort, report, "IPv6, no entries", CLEAN6, Bars::AtMost(Some(120.0), 30.0))?;
    for (name, entries) in [("IPv4, 1,000 addresses", 0..1000), ("IPv4, 100,000 addresses", 1000..100_000)] {
        loads::import(&ground.agent, &lists::write(ground.net.folder(), Shape::Hosts4, entries, Reader::Enforcer)?)?;
        clean_packets(&ground, effort, report, name, CLEAN4, Bars::AtMost(Some(120.0), 30.0))?;
    }
    Ok(())
}

fn hosts(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let ground = Ground::new("addresses_v4");
    let load = full(&ground, Shape::Hosts4)?;
    told(report, "1,000,000 IPv4 addresses", load, [(2.0, 0.5)]);
    weighed(report, &ground, "1,000,000 IPv4 addresses", "SOURCES4")?;
    clean_packets(&ground, effort, report, "IPv4, 1,000,000 addresses", CLEAN4, Bars::AtMost(Some(120.0), 45.0))?;
    refused_packets(&ground, effort, report, "IPv4, 1,000,000 addresses", ALL4)?;
    orders(&ground, effort, report, Shape::Hosts4)?;

    let mut arena = ground.arena(effort)?;
    let (list, few) = (Stream::over(Shape::Hosts4, MILLION), Stream::over(Shape::Hosts4, 1000));
    let mut outcomes = {
        let nft = rival(&ground, Shape::Hosts4, Reader::Nft, report)?;
        let enforcer = |arena: &mut Arena<'_>| arena.enforcer(list);
        let active = |arena: &mut Arena<'_>| arena.enforcer(few);
        let count = |arena: &mut Arena<'_>| arena.baseline(Baseline::Count, list);
        let other = |arena: &mut Arena<'_>| arena.rival(list);
        let mut contenders = vec![
            Contender { name: "enforcer, 1,000,000 addresses", measure: &enforcer },
            Contender { name: "enforcer, 1,000 of them active", measure: &active },
            Contender { name: "read the source, count, drop", measure: &count },
        ];
        if nft.is_some() {
            contenders.push(Contender { name: "nft hash set, the same list", measure: &other });
        }
        let outcomes = contest(effort, &mut arena, &bare(list), &contenders)?;
        nft.map_or(Ok(()), Rival::remove)?;
        outcomes
    };
    outcomes.extend(against(
        &ground,
        &mut arena,
        effort,
        report,
        (Shape::Hosts4, Reader::Ipset, "ipset hash:ip, the same list"),
    )?);
    let bars = [Bars::AtLeast(Some(0.13), 0.22), Bars::AtLeast(Some(0.35), 0.5)];
    drops(report, "Drops, IPv4 addresses", &outcomes, &bars);
    times(report, "Drops, IPv4 addresses", &outcomes, "read the source", Bars::AtLeast(None, 0.35));
    times(report, "Drops, IPv4 addresses", &outcomes, "nft", Bars::AtLeast(None, 2.2));
    times(report, "Drops, IPv4 addresses", &outcomes, "ipset", Bars::AtLeast(None, 2.5));
    Ok(())
}

fn six(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let ground = Ground::new("addresses_v6");
    let folder = ground.net.folder();
    if !effort.quick {
        for (name, entries) in [("IPv6, 1,000 entries", 0..1000), ("IPv6, 100,000 entries", 1000..100_000)] {
            loads::import(&ground.agent, &lists::write(folder, Shape::Mixed6, entries, Reader::Enforcer)?)?;
            clean_packets(&ground, effort, report, name, CLEAN6, Bars::AtMost(Some(120.0), 30.0))?;
        }
        drop(ground);
        return six_full(effort, report, &Ground::new("addresses_v6"));
    }
    six_full(effort, report, &ground)
}

fn six_full(effort: Effort, report: &mut Report, ground: &Ground) -> anyhow::Result<()> {
    let load = full(ground, Shape::Mixed6)?;
    told(report, "1,000,000 IPv6 /128 and /64", load, [(2.0, 0.5)]);
    weighed(report, ground, "1,000,000 IPv6 /128 and /64", "SOURCES6")?;
    clean_packets(ground, effort, report, "IPv6, 1,000,000 entries", CLEAN6, Bars::AtMost(Some(120.0), 45.0))?;
    let list = Stream::over(Shape::Mixed6, MILLION);
    refused_packets(ground, effort, report, "IPv6, 1,000,000 entries", list)?;
    let mut arena = ground.arena(effort)?;
    let enforcer = |arena: &mut Arena<'_>| arena.enforcer(list);
    let contenders = [Contender { name: "enforcer, 1,000,000 /128 and /64", measure: &enforcer }];
    let outcomes = contest(effort, &mut arena, &bare(list), &contenders)?;
    drops(report, "Drops, IPv6", &outcomes, &[Bars::AtLeast(Some(0.13), 0.22)]);
    Ok(())
}

fn networks(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    let ground = Ground::new("addresses_v4");
    let load = full(&ground, Shape::Networks4)?;
    told(report, "1,000,000 IPv4 networks", load, [(4.0, 1.0)]);
    weighed(report, &ground, "1,000,000 IPv4 networks", "SOURCES4")?;
    let bars = Bars::AtMost(Some(120.0), 45.0);
    // What would be the next entries of the list: all in other /24s.
    let elsewhere = Stream::over(Shape::Networks4, 13_000_000).from(MILLION);
    clean_packets(&ground, effort, report, "IPv4, 1,000,000 networks, other /24s", elsewhere, bars)?;
    let beside = Stream::over(Shape::Beside4, MILLION);
    clean_packets(&ground, effort, report, "IPv4, 1,000,000 networks, beside them", beside, Bars::None)?;
    let list = Stream::over(Shape::Networks4, MILLION);
    refused_packets(&ground, effort, report, "IPv4, 1,000,000 networks", list)?;

    let mut arena = ground.arena(effort)?;
    let enforcer = |arena: &mut Arena<'_>| arena.enforcer(list);
    let contenders = [Contender { name: "enforcer, 1,000,000 networks", measure: &enforcer }];
    let mut outcomes = contest(effort, &mut arena, &bare(list), &contenders)?;
    if effort.quick {
        report.note("nft interval set and ipset hash:net: not in a quick run, they load slowly".to_owned());
    } else {
        for (reader, name) in
            [(Reader::Nft, "nft interval set, the same list"), (Reader::Ipset, "ipset hash:net, the same list")]
        {
            outcomes.extend(against(&ground, &mut arena, effort, report, (Shape::Networks4, reader, name))?);
        }
    }
    drops(report, "Drops, IPv4 networks", &outcomes, &[Bars::AtLeast(Some(0.07), 0.17)]);
    times(report, "Drops, IPv4 networks", &outcomes, "nft", Bars::AtLeast(None, 3.0));
    times(report, "Drops, IPv4 networks", &outcomes, "ipset", Bars::AtLeast(None, 3.0));
    Ok(())
}

/// The full list through the product's door.
fn full(ground: &Ground, shape: Shape) -> anyhow::Result<Load> {
    let list = lists::write(ground.net.folder(), shape, 0..MILLION, Reader::Enforcer)?;
    let load = loads::import(&ground.agent, &list)?;
    anyhow::ensure!(load.added == u64::from(MILLION), "only {} entries are new", load.added);
    Ok(load)
}

fn told(report: &mut Report, name: &str, load: Load, [(floor, target)]: [(f64, f64); 1]) {
    let wall = load.wall.as_secs_f64();
    report.add("Load from a file", &format!("{name}, wall"), Unit::Seconds, wall, Bars::AtMost(Some(floor), target));
    let busy = load.busy.as_secs_f64();
    report.add("Load from a file", &format!("{name}, processor"), Unit::Seconds, busy, Bars::AtMost(None, 0.3));
    let last = load.enforced.as_secs_f64() * 1e6;
    report.add("Load from a file", &format!("{name}, last chunk in the agent"), Unit::Microseconds, last, Bars::None);
}

fn weighed(report: &mut Report, ground: &Ground, name: &str, family: &str) -> anyhow::Result<()> {
    let kernel = memory::kernel(&ground.agent, family)?;
    let (all, own) = memory::resident(&ground.agent)?;
    let each = float(kernel.tables) / f64::from(MILLION);
    let group = "Memory";
    report.add(group, &format!("{name}, kernel, each"), Unit::Bytes, each, Bars::None);
    report.add(
        group,
        &format!("{name}, kernel, all maps"),
        Unit::Mebibytes,
        float(kernel.all),
        Bars::AtMost(None, 32.0 * 1_048_576.0),
    );
    let floor = Some(64.0 * 1_048_576.0);
    report.add(group, &format!("{name}, agent"), Unit::Mebibytes, float(own), Bars::AtMost(floor, 40.0 * 1_048_576.0));
    report.add(group, &format!("{name}, agent with mapped tables"), Unit::Mebibytes, float(all), Bars::None);
    Ok(())
}

fn orders(ground: &Ground, effort: Effort, report: &mut Report, shape: Shape) -> anyhow::Result<()> {
    let (agent, folder): (_, &Path) = (&ground.agent, ground.net.folder());
    let (ones, thousands) = effort.orders;
    let later = MILLION + u32::try_from(ones)?;
    let group = "Orders beside 1,000,000 addresses";
    for (name, deltas, floor, target) in [
        ("1 more", loads::singles(agent, shape, MILLION, ones)?, 1000.0, 100.0),
        ("1,000 more", loads::thousands(agent, folder, shape, later, thousands)?, 10_000.0, 2000.0),
    ] {
        let bars = Bars::AtMost(Some(floor), target);
        report.add(group, &format!("{name}, in the agent, p50"), Unit::Microseconds, deltas.agent.median(), Bars::None);
        report.add(
            group,
            &format!("{name}, in the agent, p99 of {}", deltas.agent.len()),
            Unit::Microseconds,
            deltas.agent.at(99),
            bars,
        );
        report.add(group, &format!("{name}, by command, p50"), Unit::Microseconds, deltas.command.median(), Bars::None);
        report.add(group, &format!("{name}, by command, p99"), Unit::Microseconds, deltas.command.at(99), Bars::None);
    }
    Ok(())
}

fn clean_packets(
    ground: &Ground,
    effort: Effort,
    report: &mut Report,
    name: &str,
    stream: Stream,
    bars: Bars,
) -> anyhow::Result<()> {
    let outcome = clean::measure(&mut Object::load()?, &ground.program()?, stream, Expect::Pass, effort)?;
    report.add_samples("A clean packet pays, over read and count", name, Unit::Nanoseconds, &outcome.added, bars);
    Ok(())
}

fn refused_packets(
    ground: &Ground,
    effort: Effort,
    report: &mut Report,
    name: &str,
    stream: Stream,
) -> anyhow::Result<()> {
    let outcome = clean::measure(&mut Object::load()?, &ground.program()?, stream, Expect::Drop, effort)?;
    report.add_samples(
        "A refused packet costs, over read and count",
        name,
        Unit::Nanoseconds,
        &outcome.added,
        Bars::None,
    );
    Ok(())
}

fn bare(stream: Stream) -> impl Fn(&mut Arena<'_>) -> anyhow::Result<crate::flood::Cost> {
    move |arena| arena.baseline(Baseline::Drop, stream)
}

/// A rival's rounds, if it can be set up.
fn against(
    ground: &Ground,
    arena: &mut Arena<'_>,
    effort: Effort,
    report: &mut Report,
    (shape, reader, name): (Shape, Reader, &'static str),
) -> anyhow::Result<Vec<Outcome>> {
    let list = Stream::over(shape, MILLION);
    let Some(rival) = rival(ground, shape, reader, report)? else { return Ok(Vec::new()) };
    let measure = |arena: &mut Arena<'_>| arena.rival(list);
    let outcomes = contest(effort, arena, &bare(list), &[Contender { name, measure: &measure }]);
    rival.remove()?;
    outcomes
}

fn rival<'a>(
    ground: &'a Ground,
    shape: Shape,
    reader: Reader,
    report: &mut Report,
) -> anyhow::Result<Option<Rival<'a>>> {
    let list = lists::write(ground.net.folder(), shape, 0..MILLION, reader)?;
    eprintln!("   loading the list into {reader:?}");
    match Rival::place(&ground.net.host, reader, &list) {
        Ok(rival) => {
            let name = format!("{reader:?}, {shape:?}").to_lowercase();
            report.add("Load from a file", &name, Unit::Seconds, rival.loaded.as_secs_f64(), Bars::None);
            if shape == Shape::Hosts4 {
                let more: Vec<String> = (MILLION..MILLION + 20).map(|index| lists::entry(shape, index)).collect();
                let times = rival.add(&more)?;
                let group = "Orders beside 1,000,000 addresses";
                report.add(
                    group,
                    &format!("1 more, {name}, by command, p50"),
                    Unit::Microseconds,
                    times.median(),
                    Bars::None,
                );
            }
            Ok(Some(rival))
        }
        Err(error) => {
            report.note(format!("{reader:?} with {shape:?} left out: {error:#}"));
            Ok(None)
        }
    }
}

fn drops(report: &mut Report, group: &'static str, outcomes: &[Outcome], bars: &[Bars]) {
    let none = Bars::None;
    for (outcome, bars) in outcomes.iter().zip(bars.iter().chain(std::iter::repeat(&none))) {
        report.add_samples(group, &format!("{}: of bare drop", outcome.name), Unit::Ratio, &outcome.ratio, *bars);
        report.add_samples(group, &format!("{}: a packet", outcome.name), Unit::Nanoseconds, &outcome.cost, Bars::None);
        if outcome.leak > 0.0 {
            report.note(format!("{}: {:.5} of the packets got past it", outcome.name, outcome.leak));
        }
        if outcome.rejected > 0 {
            report.note(format!(
                "{}: {} rounds thrown away, {} count",
                outcome.name,
                outcome.rejected,
                outcome.cost.len()
            ));
        }
    }
    if let Some(first) = outcomes.first() {
        report.add_samples(group, "bare XDP_DROP: a packet", Unit::Nanoseconds, &first.baseline, Bars::None);
    }
}

/// How many times as fast as another the first outcome is.
fn times(report: &mut Report, group: &'static str, outcomes: &[Outcome], other: &str, bars: Bars) {
    let found = outcomes.iter().find(|outcome| outcome.name.starts_with(other));
    if let (Some(first), Some(other)) = (outcomes.first(), found) {
        let value = first.ratio.median() / other.ratio.median();
        report.add(group, &format!("{} against {}", first.name, other.name), Unit::Ratio, value, bars);
    }
}

const MILLION: u32 = 1_000_000;
const ALL4: Stream = Stream::over(Shape::Hosts4, MILLION);
/// Public addresses that are on no list.
const CLEAN4: Stream = Stream::over(Shape::Hosts4, 3_000_000_000).from(MILLION);
const CLEAN6: Stream = Stream::over(Shape::Mixed6, 3_000_000_000).from(MILLION);
