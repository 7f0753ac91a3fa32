//! A flood of requests that never get whole: memory is bounded, others don't notice, what gives way is counted.

use std::{env, thread, time::Duration};

use enforcer_tests::{
    Agent, CLIENT, Ending, Net, Nginx, PAY, Play, Player, RawTcp, Request, Requests, Response, Summary,
};

/// Given room for 2,048 heads. When 20,000 (`ENFORCER_HALF_OPEN`) connections send half a head each. Then others are served as
/// without enforcer under the same flood, and each head that gave way is counted.
#[test]
fn others_do_not_notice_half_open_heads() {
    // The flood takes its share of the machine, so what it costs others is measured without a guard too; and a machine that is
    // busy otherwise now and then is measured again.
    let mut told = Vec::new();
    for _ in 0..TRIES {
        let without = Net::new();
        let nginx = Nginx::start_with_room(&without, ROOMY);
        let unguarded = under_flood(&without);
        drop((nginx, without));
        let (net, _nginx, agent) = ground("", ROOM);
        let guarded = under_flood(&net);
        assert!(guarded.counts.keys().all(|status| status == "200"), "{guarded}");
        assert_eq!(agent.requests("pay", "pass"), guarded.counts.values().sum::<usize>() as u64);
        assert_eq!(agent.counted("gave_way"), (count() - ROOM) as u64);
        if guarded.p99 <= unguarded.p99 * 2 + Duration::from_millis(10) {
            return;
        }
        told.push(format!("guarded: {guarded}; unguarded: {unguarded}"));
    }
    panic!("{told:?}");
}

/// What becomes of clean requests while the flood comes.
fn under_flood(net: &Net) -> Summary {
    let clean = Requests::to(CLIENT.web4()).connections(8).per_second(400).device(|_| Some("alice".to_owned()));
    let load = clean.start(&net.client);
    let flooded = thread::scope(|scope| scope.spawn(|| flood(net, count())).join()).expect("the flood does not panic");
    assert_eq!(flooded, count(), "not all halves were taken");
    Summary::of(&load.stop())
}

/// Given half a head of a blocked device, and room for so many. When as many others come, or one fewer, and then its rest. Then
/// it has given way, passes and is counted, unless the service is strict; or it is still held, and refused.
#[test]
fn what_gave_way_passes_unless_strict() {
    for (strict, others, reason) in
        [("", FEW, "evicted"), ("strict = true\n", FEW, "strict_refused"), ("", FEW - 1, "blocked_device")]
    {
        let served = usize::from(reason == "evicted");
        let (net, nginx, agent) = ground(strict, FEW);
        agent.block_device("mallory", "deny");
        let head = Request::get("/health").header("X-Request-Number", "1").device("mallory").bytes();
        let mut evil = RawTcp::connect(&net.client, CLIENT.web4());
        evil.send(&[&head[..40]]).expect("sent");
        flood(&net, others);
        // Written into a connection that has been reset, it fails here or when reading.
        let _reset = evil.send(&[&head[40..]]);
        let whole = |received: &[u8]| Response::parse(received).is_ok_and(|answer| answer.is_some());
        let (answer, ending) = evil.read_until(Duration::from_secs(5), whole);
        let is_served = answer.starts_with(b"HTTP/1.1 200");
        let is_refused = answer.starts_with(b"HTTP/1.1 403") || ending == Ending::Reset;
        assert!(if served == 1 { is_served } else { is_refused }, "{reason}: {ending:?}, {answer:?}");
        let log = nginx.served_when(served);
        assert_eq!(log.iter().filter(|line| line.number == Some(1) && line.status == 200).count(), served, "{reason}");
        assert!(agent.counted(reason) > 0, "nothing was counted as {reason}: {}", agent.top()["reasons"]);
    }
}

fn ground(service: &str, heads: usize) -> (Net, Nginx, Agent) {
    let net = Net::new();
    let nginx = Nginx::start_with_room(&net, ROOMY);
    let agent = Agent::start(&net, &format!("{PAY}{service}interfaces = [\"client0\"]\n\n[limits]\nheads = {heads}\n"));
    (net, nginx, agent)
}

/// Opens so many connections with half a head each, and leaves the first of them open; others hang up, which does not show
/// in what is held. Says how many halves the server has acknowledged.
fn flood(net: &Net, count: usize) -> usize {
    let half = b"GET /health HTTP/1.1\r\nHost: a\r\nX-Device-Id: mal";
    let play = |number| {
        let play = Play::new().send(half).acknowledged().answers(0);
        if number < LEFT_OPEN { play.leaves() } else { play }
    };
    let played = Player::open(net, &CLIENT).perform(count, 64, play);
    played.iter().filter(|one| one.acknowledged == half.len()).count()
}

fn count() -> usize {
    env::var("ENFORCER_HALF_OPEN").map_or(20_000, |text| text.parse().expect("ENFORCER_HALF_OPEN is a number"))
}

const ROOM: usize = 2048;
const TRIES: usize = 3;
/// More than servers have room for by default, and few enough for a machine with little memory.
const LEFT_OPEN: usize = 20_000;
const FEW: usize = 256;
/// Connections for each of nginx's workers.
const ROOMY: usize = 32_768;
