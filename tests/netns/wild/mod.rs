//! What nginx itself serves of random requests, which no table of forms has thought of.
//!
//! In: a seed. Out: nothing; a panic that shows what was served to a refused device. Never here: an expectation of one request: nginx and the
//! kernel may both take it or leave it, but what nginx takes for the refused device's must never come there.

mod texts;

use std::{
    env,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use enforcer_tests::{Agent, CLIENT, Net, Nginx, PAY};
use texts::{EVIL, Wild};

/// Given a refused device. When its requests, and what surrounds them on a connection, are changed at random. Then nginx serves none that it
/// takes for that device's.
#[test]
fn nginx_serves_nothing_to_a_refused_device_however_it_is_written() {
    let net = Net::new();
    let nginx = Nginx::start(&net);
    let service = format!("{PAY}interfaces = [\"client0\"]\n");
    let agent = Agent::start(&net, &service);
    agent.block_device(EVIL, "deny");
    let (seed, count) = (number("ENFORCER_SEED", 1), number("ENFORCER_WILD", 4000));
    net.client.inside(|| play_all(seed, count));
    let (served, evil) = served(&nginx);
    let lines = evil.iter().take(SHOWN).map(|line| format!("{line}\n    {}\n", play_of(line, seed)));
    assert!(
        evil.is_empty(),
        "seed {seed}: nginx served a refused device {} times:\n{}",
        evil.len(),
        lines.collect::<String>()
    );
    assert!(served > count / 5, "{served} requests of {count} connections were served: the test has lost its meaning");
}

/// What was sent on the connection that a line of the log tells of.
fn play_of(line: &str, seed: usize) -> String {
    let digits = line.split("play=").nth(1).and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    digits.and_then(|digits| digits.parse().ok()).map_or_else(String::new, |play| Wild::make(seed, play).to_string())
}

fn number(name: &str, usual: usize) -> usize {
    env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// So many connections at a time.
const HANDS: usize = 32;
const SHOWN: usize = 12;
const PATIENCE: Duration = Duration::from_millis(1500);

fn play_all(seed: usize, count: usize) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..HANDS {
            scope.spawn(|| {
                loop {
                    let play = next.fetch_add(1, Ordering::Relaxed);
                    if play >= count {
                        break;
                    }
                    Wild::make(seed, play).send();
                }
            });
        }
    });
}

fn served(nginx: &Nginx) -> (usize, Vec<String>) {
    let log = nginx.log();
    let good: Vec<&str> = log.lines().filter(|line| !line.contains(" 400 ")).collect();
    let evil = good.iter().filter(|line| line.splitn(4, ' ').last() == Some(EVIL)).map(|line| (*line).to_owned());
    (good.len(), evil.collect())
}

impl Wild {
    fn send(&self) {
        let Ok(mut stream) = TcpStream::connect(CLIENT.web4()) else { return };
        stream.set_nodelay(true).expect("an option");
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        for piece in self.pieces() {
            if stream.write_all(piece).is_err() {
                break;
            }
        }
        let _maybe_reset = stream.shutdown(Shutdown::Write);
        let _maybe_reset = stream.read_to_end(&mut Vec::new());
    }
}
