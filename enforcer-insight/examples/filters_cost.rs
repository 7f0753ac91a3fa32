//! What filters cost: nanoseconds of a call through all of them, for each of them, and the bytes that they hold after millions of
//! distinct paths, devices and sessions. In: nothing, or the number of millions. Out: a table. Never here: judging it.
//!
//! `cargo run --release -p enforcer-insight --example filters_cost -- 10`
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a measurement, not the product")]
#![expect(dead_code, reason = "traffic is shared with tests, which use more of it")]

#[path = "../tests/filters/traffic.rs"]
mod traffic;

use std::sync::Arc;
use std::time::{Duration, Instant};

use enforcer_insight::Call;
use enforcer_insight::filters::{Budget, Catalogue, NoClasses, Runner, Seed, Tools, Wanted, WantedCell};
use enforcer_policy::Moment;
use enforcer_policy::document::Mode;
use traffic::{Ask, Random, START, Who, World, call, get, login};

fn main() {
    let millions: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1);
    ordinary();
    flood(millions * 1_000_000);
}

fn runner() -> Runner {
    let catalogue = Catalogue::built_in();
    let mut wanted = Wanted::default();
    for entry in catalogue.iter() {
        let mut cell = WantedCell { mode: Mode::Enforce, ..WantedCell::default() };
        if entry.name == "sessions" {
            cell.parameters.insert("double_login".to_owned(), "report".to_owned());
        }
        wanted.set("bank", &entry.name, cell);
    }
    let tools = Tools { seed: Seed::new([7, 11]), classes: Arc::new(NoClasses) };
    let mut runner = Runner::new(catalogue, tools, Budget::default());
    runner.apply(&wanted);
    runner
}

/// Nanoseconds since the program began.
fn meter() -> impl FnMut() -> u64 {
    let begin = Instant::now();
    move || u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Clean users, again and again.
fn ordinary() {
    let mut world = World::new(1);
    world.clean_users(2_000, 4);
    world.partner(4);
    world.office(4);
    let mut calls = world.finish();
    let (mut runner, mut meter, mut spent, mut count) = (runner(), meter(), Duration::ZERO, 0_u32);
    for _ in 0..8 {
        for call in &mut calls {
            call.time = call.time.plus(Duration::from_hours(4));
        }
        let begin = Instant::now();
        for call in &calls {
            std::hint::black_box(runner.on_call(call, &mut meter));
        }
        spent += begin.elapsed();
        count += u32::try_from(calls.len()).unwrap();
    }
    let each = spent / count;
    println!(
        "ordinary traffic: {count} calls, {} ns each, {} calls/s on one core",
        each.as_nanos(),
        1_000_000_000 / each.as_nanos()
    );
    table(&runner);
}

/// Nobody comes twice.
fn flood(count: u64) {
    let (mut runner, mut random, mut meter) = (runner(), Random::new(3), meter());
    let mut spent = Duration::ZERO;
    for id in 0..count {
        let call = stranger(id, &mut random);
        let begin = Instant::now();
        std::hint::black_box(runner.on_call(&call, &mut meter));
        spent += begin.elapsed();
    }
    println!("flood: {count} calls of distinct devices, sessions, users, keys, addresses and paths");
    println!("{} ns each, {} KiB of the process", spent.as_nanos() / u128::from(count), resident());
    table(&runner);
}

fn stranger(id: u64, random: &mut Random) -> Call {
    let who = Who {
        device: random.next(),
        session: random.next(),
        user: random.next(),
        key: random.next(),
        address: u32::try_from(random.below(1 << 32)).unwrap(),
        agent: "x",
        bearer: String::new(),
    };
    let ask = match id % 4 {
        0 => login(false, random.next(), &random.next().to_string(), false),
        1 => Ask { headers: "Transfer-Encoding: x\r\n".to_owned(), ..get("/a") },
        _ => get(format!("/p{}/{}?id={id}", random.below(1 << 40), random.next())),
    };
    call(id, Moment(START + id / 10), &who, &ask)
}

fn table(runner: &Runner) {
    println!("  {:<12} {:>8} {:>12} {:>12} {:>12}  stopped", "filter", "ns/call", "worst us", "KiB", "forgotten");
    for status in runner.status() {
        let (spent, stopped) = (status.spent, status.stopped.map(|why| why.to_string()).unwrap_or_default());
        let each = spent.nanos / spent.calls.max(1);
        let (worst, held) = (spent.worst / 1_000, status.held_bytes / 1024);
        println!("  {:<12} {each:>8} {worst:>12} {held:>12} {:>12}  {stopped}", status.filter, status.forgotten);
    }
    println!("  together {} KiB", runner.held_bytes() / 1024);
}

/// Kibibytes of memory that the process really has.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
