//! Given more paths, devices and sessions than anybody holds, when all filters run, then what they hold stays bounded.
use std::collections::BTreeMap;

use super::simulation::runner;
use super::traffic::{Ask, Random, Who, call, get, login};

/// Distinct paths, devices, sessions, users and addresses; more in `examples/filters_cost`.
const COUNT: u64 = if cfg!(debug_assertions) { 60_000 } else { 1_000_000 };

#[test]
fn what_filters_hold_is_bounded() {
    let (mut runner, mut random) = (runner(), Random::new(3));
    let mut most = BTreeMap::new();
    for id in 0..COUNT {
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
        runner.on_call(&call(id, enforcer_policy::Moment(1_000_000_000 + id), &who, &ask), &mut || 0);
        if id == COUNT / 2 || id == COUNT - 1 {
            for status in runner.status() {
                assert_eq!(status.stopped, None);
                most.entry(status.filter.to_string()).or_insert_with(Vec::new).push(status.held_bytes);
            }
        }
    }
    println!("{most:#?} together {}", runner.held_bytes());
    assert!(runner.held_bytes() < 128 << 20, "{}", runner.held_bytes());
}
