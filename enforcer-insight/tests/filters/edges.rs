//! Clean traffic that looks like an attack, and attackers among clean users: nobody clean is refused without a person.
use enforcer_insight::findings::{Finding, Suggestion};

use super::attacks::AGENT;
use super::simulation::{Outcome, play};
use super::traffic::{Ask, Who, World, clean, get, login};

const MINUTE: u64 = 60_000;

fn kinds(outcome: &Outcome) -> Vec<String> {
    outcome.findings.iter().map(|finding| format!("{} {}", finding.kind, finding.confidence)).collect()
}

fn decided(outcome: &Outcome) -> Vec<String> {
    outcome.decided.iter().map(|finding: &Finding| finding.kind.to_string()).collect()
}

/// Given an application that lets nobody in for ten minutes, when everybody tries, then nothing is decided.
#[test]
fn an_outage_of_logins_refuses_nobody() {
    let mut world = World::new(1);
    for user in 1..=400 {
        let who = Who { session: 0, user: 0, ..clean(user, 0) };
        for try_number in 0..3 {
            world.call(user * 1_000 + try_number * 20_000, &who, &login(false, user, "right", false));
        }
    }
    let outcome = play(&world.finish());
    assert_eq!(decided(&outcome), Vec::<String>::new(), "{:?}", kinds(&outcome));
}

/// Given an attacker behind the address of a campus, when it stuffs, then the address is not refused, but its device may be.
#[test]
fn an_attacker_among_others_does_not_cost_them_their_address() {
    for device in [0, 0xbad] {
        let mut world = World::new(2);
        for user in 1..=60 {
            let who = Who { session: 0, user: 0, device: 0, address: 77, ..clean(user, 0) };
            world.call(user * 1_000, &who, &login(false, user, "right", true));
        }
        let attacker = Who { device, address: 77, agent: AGENT, ..Who::default() };
        for victim in 0..200 {
            world.call(
                10_000 + victim * 300,
                &attacker,
                &login(false, victim + 2_000, &format!("leak{victim}"), false),
            );
        }
        let outcome = play(&world.finish());
        let subjects: Vec<_> = outcome.findings.iter().filter_map(|finding| finding.suggestion.clone()).collect();
        assert!(subjects.iter().all(|suggestion| suggestion.subject.token().is_some()), "{subjects:?}");
        assert_eq!(decided(&outcome).is_empty(), device == 0, "{:?}", kinds(&outcome));
    }
}

/// Given a campus behind one address, when somebody there guesses, scans and smuggles without a device, then nobody loses the address.
#[test]
fn a_crowd_does_not_lose_its_address() {
    let mut world = World::new(8);
    for user in 1..=20 {
        let who = Who { device: 0, address: 88, ..clean(user, 0) };
        (0..9).for_each(|call| world.call(user * 7_000 + call * 900, &who, &get("/accounts")));
    }
    let attacker = Who { address: 88, agent: AGENT, ..Who::default() };
    for step in 0..60 {
        let letter = char::from(b'a' + u8::try_from(step % 26).unwrap());
        let path = format!("/{letter}{letter}/{}", if step < 26 { "old" } else { "new" });
        world.call(200_000 + step * 900, &attacker, &Ask { status: 404, ..get(path) });
        world.call(200_300 + step * 900, &attacker, &login(false, 5, &format!("guess{step}"), false));
    }
    let headers = "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n".to_owned();
    world.call(290_000, &attacker, &Ask { headers, ..get("/accounts") });
    let outcome = play(&world.finish());
    let found = kinds(&outcome);
    for kind in ["path_scanning", "password_guessing", "request_smuggling"] {
        assert!(found.iter().any(|found| found.starts_with(kind)), "{kind} of {found:?}");
    }
    assert!(outcome.findings.iter().all(|finding| finding.suggestion.is_none()), "{found:?}");
    assert_eq!(decided(&outcome), Vec::<String>::new());
}

/// Given a household whose devices alone are known, when one of them guesses passwords, then it goes and the address stays; where devices
/// appeared a moment ago, nobody else is harmed, and the address goes.
#[test]
fn devices_that_come_again_make_a_crowd() {
    for (apart, loses_the_address) in [(9_000, false), (100, true)] {
        let mut world = World::new(9);
        for step in 0..36_u64 {
            let who = Who { device: 0x500 + step % 4, address: 91, agent: "shop/1", ..Who::default() };
            world.call(step * apart, &who, &get("/accounts"));
        }
        let attacker = Who { device: 0x900, address: 91, agent: AGENT, ..Who::default() };
        for step in 0..60 {
            world.call(400_000 + step * 300, &attacker, &login(false, 1_000 + step, &format!("leak{step}"), false));
        }
        let outcome = play(&world.finish());
        let of_address = |one: &Suggestion| one.subject.token().is_none();
        let suggested: Vec<Suggestion> = outcome.findings.iter().filter_map(|one| one.suggestion.clone()).collect();
        assert_eq!(suggested.iter().any(of_address), loses_the_address, "{suggested:?}");
        assert!(suggested.iter().any(|one| !of_address(one)), "{suggested:?}");
    }
}

/// Given a phone with two programs that moves between networks, when both use one session, then nothing is stolen.
#[test]
fn a_phone_on_the_move_steals_nothing() {
    let mut world = World::new(3);
    let (native, view) = ("bank-app/7.1 CFNetwork", "Mozilla/5.0 (iPhone) Mobile");
    for step in 0..40_u64 {
        let address = 0x0a01_0000 + u32::try_from(step / 10).unwrap() * 0x0001_0000;
        let agent = if step % 2 == 0 { native } else { view };
        let who = Who { session: 5, address, agent, ..Who::default() };
        world.call(step * 3_000, &who, &get("/accounts"));
    }
    assert_eq!(kinds(&play(&world.finish())), Vec::<String>::new());
}

/// Given a program with a key that reads all customers in order from its first minute, then a person is asked at most.
#[test]
fn a_batch_with_a_key_is_not_cut_off() {
    let mut world = World::new(4);
    let who = Who { key: 0x99, address: 5, agent: "batch/1", ..Who::default() };
    for id in 0..1_500 {
        world.call(id * 200, &who, &get(format!("/customers/{}", 70_000 + id)));
    }
    let outcome = play(&world.finish());
    let other: Vec<_> =
        decided(&outcome).into_iter().filter(|kind| !kind.starts_with("outside_") && kind != "over_volume").collect();
    assert_eq!(other, Vec::<String>::new(), "{:?}", kinds(&outcome));
}

/// Given an application that reads each message of a list, in order, when its users scroll, then they do not walk.
#[test]
fn who_scrolls_through_own_objects_does_not_walk() {
    let mut world = World::new(5);
    for user in 1..=60 {
        let who = clean(user, 0);
        for message in 0..70 {
            world.call(user * 25_000 + message * 300, &who, &get(format!("/messages/{}", user * 1_000 + message)));
        }
    }
    let outcome = play(&world.finish());
    assert_eq!(decided(&outcome), Vec::<String>::new(), "{:?}", kinds(&outcome));
    assert!(outcome.findings.held() <= 25, "once it is known that all do so, it is nothing: {:?}", kinds(&outcome));
}

/// Given couples who share accounts, when both read them, then the accounts are foreign to neither.
#[test]
fn couples_share_accounts() {
    let mut world = World::new(6);
    for round in 0..6 {
        for user in 1..=100 {
            let owner = if user % 10 == 0 { user - 1 } else { user };
            for account in 0..3 {
                let target = format!("/accounts/{}", 40_000 + owner * 10 + account);
                let who = Who { bearer: String::new(), ..clean(user, 0) };
                world.call(round * 40 * MINUTE + user * 9_000 + account * 700, &who, &get(target));
            }
        }
    }
    assert_eq!(kinds(&play(&world.finish())), Vec::<String>::new());
}

/// Given a host that is slow for everybody for a while, when everybody's calls take hundred times longer, then nobody is to blame; and
/// who takes far more than the others still is.
#[test]
fn nobody_is_blamed_for_a_slow_host() {
    let mut world = World::new(8);
    let crook = Who { device: 0xbad, address: 0xcb00_7107, ..Who::default() };
    for second in 0..90 {
        for user in 1..=40 {
            let millis = if second < 60 { 10 } else { 3_000 };
            world.call(second * 1_000 + user * 20, &clean(user, 0), &Ask { millis, ..get("/accounts") });
        }
        if second >= 60 {
            world.call(second * 1_000 + 5, &crook, &Ask { millis: 20_000, ..get("/accounts") });
        }
    }
    let outcome = play(&world.finish());
    let slow: Vec<_> = outcome.findings.iter().filter(|finding| finding.kind == "slow_calls").collect();
    let [only] = &slow[..] else { panic!("{slow:#?}") };
    assert_eq!(only.subject().and_then(|subject| subject.token()).map(|token| token.digest), Some(0xbad));
}

/// Given an endpoint on which thousands of objects are named out of order, when many callers then walk over others together, then it is
/// told of.
#[test]
fn a_walk_together_is_seen_on_a_busy_endpoint() {
    let mut world = World::new(9);
    for call in 0..6_000 {
        let who = Who { user: 0x5000 + call % 50, ..clean(1 + call % 50, 0) };
        world.call(call * 40, &who, &get(format!("/invoices/{}", 100_000 + call * 7_919 % 900_000)));
    }
    for step in 0..120 {
        let who = Who { user: 0x9000 + step % 9, ..clean(100 + step % 9, 0) };
        world.call(241_000 + step * 20, &who, &get(format!("/invoices/{}", 5_000_000 + step)));
    }
    let outcome = play(&world.finish());
    assert!(outcome.findings.iter().any(|finding| finding.kind == "distributed_walking"), "{:?}", kinds(&outcome));
}

/// Given a flaw of a service, when thousands of calls show it, then it is one finding.
#[test]
fn a_flaw_of_a_service_is_one_finding() {
    let mut world = World::new(7);
    for user in 1..=200 {
        world.call(user * 500, &clean(user, 0), &get(format!("/products/{}?api_key=abc", user % 9 + 1)));
        world.call(user * 500 + 9, &clean(user, 0), &Ask { status: 404, ..get(format!("/products/{}", user % 9 + 1)) });
    }
    assert_eq!(kinds(&play(&world.finish())), ["secret_in_url 90"]);
}
