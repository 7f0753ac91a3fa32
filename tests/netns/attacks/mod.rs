//! A bank's API that is wrong on purpose, used by customers and attacked in every way at once: each attack is found and ended, nobody
//! else is refused.
//!
//! ```text
//! customers, attackers -> (one trusted proxy) -> kernel -> enforcer-bank (axum, SQLite)
//!                                       findings <- agent
//! ```
#![expect(clippy::print_stdout, reason = "the times are what one looks at, with --nocapture")]

mod customers;
mod judge;
mod kinds;
mod person;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use enforcer_tests::{Agent, Net, Process, eventually};

use self::customers::Customers;
use self::judge::Judge;
use self::person::{Person, Told};

/// Given a bank with 40 customers at work, and filters that enforce. When it is attacked in 18 ways, all together. Then each way is
/// found and ended, by a decision that filters make by themselves or that a person makes of a finding; no customer is refused; and
/// at most one finding in a thousand of the customers' requests is about nobody who did anything.
#[test]
fn every_attack_is_found_and_ended_and_customers_are_served() {
    let ground = Ground::new();
    let attacks = kinds::all(&ground.net);
    let mut judge = Judge::new(&ground.agent, &attacks);
    let over = AtomicBool::new(false);
    let customers = Customers::default();
    thread::scope(|scope| {
        for number in 0..CUSTOMERS {
            let (net, customers, over) = (&ground.net, &customers, &over);
            scope.spawn(move || customers.live(Person::customer(net, number), number, over));
        }
        eventually(DEADLINE, "customers are at work", || customers.served() > WARM);
        let began = Instant::now();
        for attack in &attacks {
            scope.spawn(|| attack.go_on(&over));
        }
        while began.elapsed() < DEADLINE && !(judge.look() && customers.served() > ENOUGH) {
            thread::sleep(LOOK);
        }
        over.store(true, Ordering::Relaxed);
    });
    println!("{}\n{}", judge.table(&attacks), customers.in_words());
    judge.about_nobody().iter().for_each(|finding| println!("about nobody: {finding:?}"));
    judge.check(&attacks);
    let refused = customers.refused();
    assert!(refused.is_empty(), "customers were refused: {refused:?}");
    let wrong = judge.about_nobody();
    assert!(wrong.len() as u64 * 1000 <= customers.served(), "findings about nobody who did anything: {wrong:#?}");
}

/// The bank on its host, and the agent before it.
struct Ground {
    // The agent goes before the network it lives in.
    agent: Agent,
    _bank: Process,
    net: Net,
}

impl Ground {
    fn new() -> Self {
        let net = Net::new();
        let folder = net.folder().join("bank");
        std::fs::create_dir(&folder).expect("a folder can be made");
        std::os::unix::fs::chown(&folder, Some(NOBODY), Some(NOBODY)).expect("it can be given away");
        // It runs what it is sent: as nobody, and where there is nobody else to reach.
        let mut command = net.host.command("setpriv");
        command.args([&format!("--reuid={NOBODY}"), &format!("--regid={NOBODY}"), "--clear-groups", "--no-new-privs"]);
        let bank = Process::start(command.arg(env!("CARGO_BIN_EXE_enforcer-bank")).arg("--folder").arg(&folder));
        eventually(DEADLINE, "the bank is open", || Person::visitor(&net, 1).get("/health") == Told::Answered(200));
        Self { agent: Agent::start(&net, BANK), _bank: bank, net }
    }
}

const CUSTOMERS: u32 = 40;
/// Requests of customers before the attacks, and before the end.
const WARM: u64 = 800;
const ENOUGH: u64 = 5_000;
const NOBODY: u32 = 65_534;
const LOOK: Duration = Duration::from_millis(50);
const DEADLINE: Duration = Duration::from_secs(90);

/// Filters enforce; what takes hours by its nature is set to be seen in a minute.
const BANK: &str = r#"
[[service]]
name = "bank"
ports = [8080]
device = [{ header = "X-Device-Id" }]
session = [{ bearer = true }]
apikey = [{ header = "X-Api-Key" }]
forwarded = [{ header = "X-Forwarded-For" }]

[service.filters]
all = "enforce"
contract = { mode = "enforce", contracts = "any: GET /api/rates/{}; 6000/m" }
exposure = { mode = "enforce", megabytes = 4 }
resources = { mode = "enforce", busy = "3s" }

[[allow]]
network = "10.77.1.2/32"
as = "proxy"
"#;
