//! Given clean users and one attack of each kind, when all filters run, then every kind is found, and nobody clean is refused.
use std::collections::BTreeSet;

use enforcer_insight::Call;
use enforcer_insight::decide::{Course, Decider};
use enforcer_insight::filters::{Budget, Catalogue, Change, Runner, Seed, Tools, Wanted, WantedCell};
use enforcer_insight::findings::{Finding, Findings, Noted};
use enforcer_policy::document::Mode;
use enforcer_policy::{Address, Moment, Subject};

use super::attacks::{self, Attack};
use super::traffic::{PARTNER, START, World};

/// A runner with all filters on the bank.
pub(crate) fn runner() -> Runner {
    runner_with(&[])
}

/// The same with some parameters set: filter, name, text.
pub(crate) fn runner_with(set_too: &[(&str, &str, &str)]) -> Runner {
    let catalogue = Catalogue::built_in();
    let mut wanted = Wanted::default();
    for entry in catalogue.iter() {
        let mut cell = WantedCell { mode: Mode::Enforce, ..WantedCell::default() };
        let mut set = |name: &str, text: String| drop(cell.parameters.insert(name.to_owned(), text));
        match &*entry.name {
            "sessions" => set("double_login", "end-older".to_owned()),
            "contract" => {
                set("contracts", format!("{PARTNER:016x}: GET /rates/{{}}; 20/m | any: GET /rates/{{}}; 10/m"));
            }
            _ => {}
        }
        for (_, name, text) in set_too.iter().filter(|(filter, _, _)| *filter == entry.name) {
            cell.parameters.insert((*name).to_owned(), (*text).to_owned());
        }
        wanted.set("bank", &entry.name, cell);
    }
    let tools = Tools { seed: Seed::new([7, 11]) };
    // Without optimisation and beside other tests, time says nothing: the meter stands still.
    let mut runner = Runner::new(catalogue, tools, Budget::default());
    runner.apply(&wanted);
    assert!(runner.take_notices().iter().all(|notice| notice.change == Change::Started));
    runner
}

/// What came of calls.
pub(crate) struct Outcome {
    pub(crate) findings: Findings,
    pub(crate) decided: Vec<Finding>,
}

pub(crate) fn play(calls: &[Call]) -> Outcome {
    play_with(runner(), calls)
}

pub(crate) fn play_with(mut runner: Runner, calls: &[Call]) -> Outcome {
    let (mut findings, mut decider) = (Findings::new(10_000), Decider::default());
    let (mut made, mut ticked) = (Vec::new(), 0);
    for call in calls {
        let mut raised = runner.on_call(call, &mut || 0);
        if call.time.0 >= ticked + 1_000 {
            ticked = call.time.0;
            raised.extend(runner.on_tick(call.time, &mut || 0));
        }
        for raised in raised {
            let noted = findings.note(&raised.filter, &raised.service, raised.sign, call.time);
            let (Noted::New(id) | Noted::Worse(id)) = noted else { continue };
            let finding = findings.find(id).unwrap();
            let guard = |_: &Subject| false;
            if let Course::Decide(_) = decider.course(finding, raised.mode, &guard, call.time) {
                made.push(finding.clone());
            }
        }
    }
    assert_eq!(runner.take_notices(), [], "no filter was stopped");
    Outcome { findings, decided: made }
}

fn world(seed: u64) -> (Vec<Call>, Vec<Attack>, usize) {
    let mut world = World::new(seed);
    world.clean_users(600, 4);
    world.partner(4);
    world.office(4);
    world.campus(4);
    world.monitor(4);
    let clean = world.calls.len();
    let attacks = attacks::all(&mut world);
    (world.finish(), attacks, clean)
}

/// A subject as the world numbers it.
fn number(subject: &Subject) -> u64 {
    let address = |prefix: enforcer_policy::Prefix| Address::low(&prefix.address()) & 0xffff_ffff;
    subject.token().map(|token| token.digest).or_else(|| subject.network().map(address)).unwrap_or_default()
}

/// Digests of clean ones begin with 0x1; their addresses lie in networks of their own.
fn is_clean(subject: &Subject) -> bool {
    let number = number(subject);
    match subject.network() {
        Some(_) => number >> 24 == 0x0a || number >> 24 == 0x64,
        None => number >> 28 == 1,
    }
}

fn show(finding: &Finding) -> String {
    let subject = finding.subject().map(number).unwrap_or_default();
    format!("{} {:?} {subject:x} {} {:?}", finding.kind, finding.endpoint, finding.confidence, finding.facts)
}

#[test]
fn every_attack_is_found_and_nobody_clean_is_refused() {
    for seed in [1, 2, 3] {
        let (calls, attacks, clean) = world(seed);
        let Outcome { findings, decided } = play(&calls);
        for Attack { name, kinds, subjects } in &attacks {
            let found = findings.iter().any(|finding| {
                let of = finding.subject().is_none_or(|subject| subjects.contains(&number(subject)));
                kinds.contains(&&*finding.kind) && of && finding.subject().is_none() == subjects.is_empty()
            });
            assert!(found, "seed {seed}: {name} was not found");
        }
        let expected: BTreeSet<&str> = attacks.iter().flat_map(|attack| attack.kinds).copied().collect();
        let is_false =
            |finding: &&Finding| finding.subject().map_or_else(|| !expected.contains(&*finding.kind), is_clean);
        let wrong: Vec<String> = findings.iter().filter(is_false).map(show).collect();
        println!(
            "seed {seed}: {clean} clean calls of {}, {} findings, {} false",
            calls.len(),
            findings.held(),
            wrong.len()
        );
        println!("  decided by themselves: {}", decided.len());
        assert!(wrong.len() * 1_000 <= clean, "{wrong:#?}");
        let refused =
            findings.iter().filter_map(|finding| finding.suggestion.as_ref().map(|one| (finding, &one.subject)));
        let harmed: Vec<String> =
            refused.filter(|(_, subject)| is_clean(subject)).map(|(finding, _)| show(finding)).collect();
        assert_eq!(harmed, Vec::<String>::new(), "seed {seed}");
        assert!(decided.len() >= 12, "seed {seed}: {:#?}", decided.iter().map(show).collect::<Vec<_>>());
    }
}

#[test]
fn the_same_calls_give_the_same_findings() {
    let (calls, _, _) = world(5);
    let text = |outcome: &Outcome| {
        let all: Vec<&Finding> = outcome.findings.iter().collect();
        serde_json::to_string(&(all, &outcome.decided)).unwrap()
    };
    let (one, two) = (text(&play(&calls)), text(&play(&calls)));
    assert!(one.len() > 10_000);
    assert_eq!(one, two);
}

#[test]
fn what_is_refused_raises_nothing() {
    let mut world = World::new(9);
    attacks::all(&mut world);
    let mut calls = world.finish();
    for call in &mut calls {
        call.verdict = enforcer_common::Verdict::Deny;
        call.answer = None;
        call.decision = Some(enforcer_policy::DecisionId(5));
    }
    let outcome = play(&calls);
    assert_eq!(outcome.findings.iter().map(show).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn raw_values_come_out_nowhere() {
    let (calls, _, _) = world(5);
    let outcome = play(&calls);
    let all: Vec<&Finding> = outcome.findings.iter().collect();
    let text = serde_json::to_string(&all).unwrap();
    for raw in ["leak3", "Winter2026", "guess1", "abcdef", "eyJ", "u2031", "10034", "curl", "Mozilla", "O%27Brien"] {
        assert!(!text.contains(raw), "{raw}");
    }
}

#[test]
fn the_record_tells_who_did_what_with_which_device() {
    let (calls, _, _) = world(5);
    let mut runner = runner();
    let until = Moment(START + 131 * 60_000);
    calls.iter().filter(|call| call.time < until).for_each(|call| drop(runner.on_call(call, &mut || 0)));
    let asked = enforcer_insight::filters::Asked {
        kind: enforcer_policy::SubjectKind::Device,
        digest: 0xbad0_0000_0000 + 17,
        since: Moment(0),
        limit: 4,
    };
    let records = runner.records("bank", &asked);
    assert_eq!(records.len(), 4);
    assert!(records.iter().all(|record| record.refused_by == Some(enforcer_policy::DecisionId(77))));
    assert!(records.is_sorted_by(|one, two| one.time >= two.time), "the newest first");
    assert_eq!(records[0].network.to_string(), "203.0.17.0/24");
}
