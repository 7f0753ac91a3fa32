//! What filters do with their parameters and with what they learn over days.
use enforcer_insight::Call;
use enforcer_insight::classes::Sensitive;
use enforcer_insight::findings::{FactValue, Finding};
use enforcer_policy::{Action, DecisionId};

use super::simulation::{Outcome, play, play_with, runner_with};
use super::traffic::{Ask, Who, World, get, login};

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;

fn of_kind(outcome: &Outcome, kind: &str) -> Vec<Finding> {
    outcome.findings.iter().filter(|finding| finding.kind == kind).cloned().collect()
}

/// Given an endpoint with a busy hour each morning, when days go by, then the hour is told of at first and is usual later, while the
/// same rate at night is a surge.
#[test]
fn a_busy_hour_is_learned() {
    let mut world = World::new(1);
    let who = |call: u64| Who { device: 0x1000_0000 + call % 400, ..Who::default() };
    let mut busy = |at: u64| {
        (0..3_000).for_each(|call| world.call(at + call * 90, &who(call), &get("/rates")));
    };
    (0..6).for_each(|day| busy(day * DAY + 90 * MINUTE));
    busy(5 * DAY + 18 * 60 * MINUTE);
    for bucket in 0..6 * 24 * 12 {
        (0..12).for_each(|call| world.call(bucket * 5 * MINUTE + call * 20_000, &who(call), &get("/rates")));
    }
    let outcome = play(&world.finish());
    let [surge] = &of_kind(&outcome, "surge")[..] else { panic!("not one surge") };
    assert_eq!(surge.count, 4, "three days to learn, and the night");
    let told = (surge.last.0 - super::traffic::START) / (60 * MINUTE);
    assert_eq!(told, 5 * 24 + 18, "the night was the last");
}

/// Given devices of a user that were there before, when one of them is refused, then the others come close to nothing.
#[test]
fn devices_that_were_there_before_are_no_near_miss() {
    let mut world = World::new(2);
    let phone = Who { device: 1, user: 9, session: 5, agent: "x", ..Who::default() };
    let tablet = Who { device: 2, ..phone.clone() };
    for call in 0..9 {
        world.call(call * 1_000, &tablet, &get("/accounts"));
        let ask = Ask { refused_by: Some(DecisionId(7)), ..get("/accounts") };
        world.call(20_000 + call * 1_000, &phone, &ask);
        world.call(40_000 + call * 1_000, &tablet, &get("/accounts"));
    }
    assert_eq!(of_kind(&play(&world.finish()), "near_miss").len(), 0);
}

fn twice() -> Vec<Call> {
    let mut world = World::new(3);
    for call in 0..6 {
        let older = Who { device: 1, session: 11, user: 9, ..Who::default() };
        let newer = Who { device: 2, session: 12, user: 9, ..Who::default() };
        world.call(call * 9_000, &older, &get("/accounts"));
        world.call(20_000 + call * 9_000, &newer, &get("/accounts"));
    }
    world.finish()
}

#[test]
fn a_double_login_ends_the_older_the_newer_or_none() {
    for (word, ended) in [("end-older", Some(11)), ("end-newer", Some(12)), ("report", None)] {
        let outcome = play_with(runner_with(&[("sessions", "double_login", word)]), &twice());
        let [double] = &of_kind(&outcome, "double_login")[..] else { panic!("{word}: not one") };
        let subject = double.suggestion.as_ref().map(|one| one.subject.token().unwrap().digest);
        assert_eq!(subject, ended, "{word}");
    }
    let outcome = play_with(runner_with(&[("sessions", "double_login", "ignore")]), &twice());
    assert_eq!(of_kind(&outcome, "double_login").len(), 0);
}

#[test]
fn a_stolen_session_ends_the_device_or_the_session() {
    for (word, subject) in [("end-newer", 2), ("end-session", 11)] {
        let mut world = World::new(4);
        for call in 0..4 {
            for device in [1, 2] {
                let who = Who { device, session: 11, ..Who::default() };
                world.call(call * 9_000 + device * 2_000, &who, &get("/accounts"));
            }
        }
        let outcome = play_with(runner_with(&[("sessions", "theft", word)]), &world.finish());
        let [stolen] = &of_kind(&outcome, "stolen_session")[..] else { panic!("{word}: not one") };
        let suggestion = stolen.suggestion.as_ref().unwrap();
        assert_eq!((suggestion.subject.token().unwrap().digest, suggestion.action), (subject, Action::Deny), "{word}");
    }
}

#[test]
fn classes_of_data_are_told_where_grave_and_counted_elsewhere() {
    let mut world = World::new(5);
    let who = Who { user: 9, ..Who::default() };
    let debug = Ask { answer: r#"{"user":"ada","password":"correct horse"}"#.to_owned(), ..get("/debug") };
    let mails: Vec<String> = (0..50).map(|number| format!("\"mail{number}@bank.example\"")).collect();
    let mails = Ask { answer: format!("[{}]", mails.join(",")), ..get("/mails") };
    for call in 0..30 {
        world.call(call * 5_000, &who, &debug);
        world.call(call * 5_000, &who, &mails);
    }
    let mut calls = world.finish();
    for call in &mut calls {
        call.sensitive = Sensitive::of(call);
    }
    let outcome = play_with(runner_with(&[]), &calls);
    let [grave] = &of_kind(&outcome, "sensitive_data_in_answer")[..] else { panic!("not one") };
    assert_eq!(grave.endpoint.as_deref(), Some("GET /debug"));
    assert!(grave.subjects.is_empty() && grave.suggestion.is_none());
    let [harvest] = &of_kind(&outcome, "data_harvest")[..] else { panic!("not one") };
    let FactValue::Count(values) = harvest.facts[0].value else { panic!("no count") };
    assert!((500..1_600).contains(&values), "{values}");
}

#[test]
fn a_partner_keeps_its_hours() {
    let mut world = World::new(6);
    let who = Who { key: 0xabc, ..Who::default() };
    // Begins at eight, on a Monday.
    for at in [0, 60 * MINUTE, 13 * 60 * MINUTE, 5 * DAY] {
        world.call(at, &who, &get("/rates/100"));
    }
    let contract = "0000000000000abc: GET /rates/{}; hours 08-20; days 1-5";
    let outcome = play_with(runner_with(&[("contract", "contracts", contract)]), &world.finish());
    let [outside] = &of_kind(&outcome, "outside_hours")[..] else { panic!("not one") };
    assert_eq!((outside.count, outside.first.0 - super::traffic::START), (1, 13 * 60 * MINUTE));
    let scope = outside.suggestion.as_ref().unwrap().scope.to_string();
    assert_eq!(scope, "bank:GET /rates/{}", "the partner is not cut off from the rest");
}

/// Given parameters that are wider, when the same is done, then it is not told.
#[test]
fn parameters_move_the_bounds() {
    let mut world = World::new(7);
    let who = Who { device: 0x77, ..Who::default() };
    (0..30).for_each(|victim| world.call(victim * 2_000, &who, &login(false, victim, &format!("p{victim}"), false)));
    (0..50).for_each(|id| world.call(id * 2_000, &who, &get(format!("/accounts/{id}"))));
    let calls = world.finish();
    let count = |set: &[(&str, &str, &str)]| {
        let outcome = play_with(runner_with(set), &calls);
        (of_kind(&outcome, "credential_stuffing").len(), of_kind(&outcome, "object_walking").len())
    };
    assert_eq!(count(&[]), (2, 1), "by device and by address, not by their network, too");
    assert_eq!(count(&[("logins", "users", "60"), ("walking", "objects", "100")]), (0, 0));
}
