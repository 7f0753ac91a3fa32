//! What calls cost in the agent: nanoseconds through the classes of their data, the inventory and all filters, for each of them, and
//! the bytes that they hold after millions of distinct paths, devices and sessions. In: nothing, or the number of millions. Out: a
//! table. Never here: judging it.
//!
//! `cargo xtask bench filters`
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a measurement, not the product")]
#![expect(dead_code, reason = "traffic is shared with tests, which use more of it")]

#[path = "../tests/filters/traffic.rs"]
mod traffic;

use std::time::{Duration, Instant};

use enforcer_common::SipKey;
use enforcer_insight::Call;
use enforcer_insight::classes::Sensitive;
use enforcer_insight::filters::{Budget, Catalogue, Runner, Seed, Tools, Wanted, WantedCell};
use enforcer_insight::inventory::Inventory;
use enforcer_policy::Moment;
use enforcer_policy::document::Mode;
use traffic::{Ask, Random, START, Who, World, call, get, login};

fn main() {
    let millions: u64 = std::env::args().nth(1).map_or(1, |text| text.parse().expect("a number of millions"));
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
    let tools = Tools { seed: Seed::new([7, 11]) };
    let mut runner = Runner::new(catalogue, tools, Budget::default());
    runner.apply(&wanted);
    runner
}

/// What the agent does with a call, and what each part of it took.
struct Way {
    inventory: Inventory,
    runner: Runner,
    /// Nanoseconds of classes, of the inventory, of the filters.
    spent: [Duration; 3],
    count: u32,
}

impl Way {
    fn new() -> Self {
        Self { inventory: Inventory::default(), runner: runner(), spent: [Duration::ZERO; 3], count: 0 }
    }

    fn take(&mut self, call: &mut Call, meter: &mut dyn FnMut() -> u64) {
        let begin = Instant::now();
        call.sensitive = Sensitive::of(call);
        let classed = Instant::now();
        call.placed = self.inventory.take(call, SipKey([7, 11]));
        let placed = Instant::now();
        std::hint::black_box(self.runner.on_call(call, &mut || meter()));
        let ended = Instant::now();
        for (spent, (from, to)) in self.spent.iter_mut().zip([(begin, classed), (classed, placed), (placed, ended)]) {
            *spent += to - from;
        }
        self.count += 1;
    }

    /// The table, and what ten thousand calls a second would take of one core.
    fn tell(&self, what: &str) {
        let each = self.spent.map(|spent| u64::try_from(spent.as_nanos()).unwrap() / u64::from(self.count));
        let all: u64 = each.iter().sum();
        let ([classes, inventory, filters], percent) = (each, all / 1_000);
        println!("{what}: {} calls", self.count);
        println!(
            "  {all} ns each (classes {classes}, inventory {inventory}, filters {filters}): {} calls/s on one core;",
            1_000_000_000 / all
        );
        println!(
            "  10,000 calls/s take {percent} % of it; the process holds {} KiB, {} endpoints are known",
            resident(),
            self.inventory.endpoints()
        );
        table(&self.runner);
    }
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
    let (mut way, mut meter) = (Way::new(), meter());
    for _ in 0..8 {
        for call in &mut calls {
            call.time = call.time.plus(Duration::from_hours(4));
            way.take(call, &mut meter);
        }
    }
    way.tell("ordinary traffic");
}

/// Nobody comes twice.
fn flood(count: u64) {
    let (mut way, mut random, mut meter) = (Way::new(), Random::new(3), meter());
    (0..count).for_each(|id| way.take(&mut stranger(id, &mut random), &mut meter));
    way.tell("flood of distinct devices, sessions, users, keys, addresses and paths");
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
