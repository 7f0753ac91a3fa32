//! Stages at the desk, on a store of either kind: each is a revision that hosts accept, its state outlives the center, and it goes back.
//!
//! In: a policy, and what hosts say. Out: revisions. Never here: HTTP.
use std::path::Path;
use std::time::Duration;

use enforcer_center::clock;
use enforcer_center::desk::{Course, Desk, DeskError, HostNow, Signature};
use enforcer_center::rules::Rules;
use enforcer_center::store::{Role, Traffic};
use enforcer_common::SipKey;
use enforcer_policy::Moment;
use enforcer_policy::document::Document;
use enforcer_policy::plan::Guard;
use enforcer_policy::revision::{Content, Replica, Signer, Verifier};

const POLICY: &str = "[[decision]]\ndevice = \"stolen\"\naction = \"deny\"\n[[allow]]\nnetwork = \"10.0.0.0/8\"\n";

fn open(folder: &Path) -> Desk {
    Desk::open(crate::store_in(folder), Signer::from_seed(&[7; 32]), SipKey([1, 2])).unwrap()
}

fn by(name: &str, token: &str) -> Signature {
    Signature { author: name.to_owned(), token: token.to_owned(), approval: None, comment: "why".to_owned() }
}

fn meant(desk: &Desk, text: &str) -> Content {
    let document = Document::parse(&[("a.toml".to_owned(), text.to_owned())]).unwrap();
    desk.meant(document, "ada").unwrap()
}

fn course() -> Course {
    let stages = ["canary", "edge", "all"].map(str::to_owned).to_vec();
    Course::new(stages, Duration::from_secs(1), 2.0).unwrap()
}

/// One host of each group, at the present revision, after so many requests.
fn hosts(desk: &Desk, all: u64, refused: u64) -> Vec<HostNow> {
    let host = |group: &str| HostNow {
        name: format!("of-{group}"),
        groups: vec![group.to_owned()],
        seen: Some(clock::now()),
        revision: desk.known().number,
        tries: Some(Traffic { all, refused }),
        ..HostNow::default()
    };
    vec![host("canary"), host("edge"), host("inner")]
}

/// Hosts are well until the rollout has so many stages out, or is over.
fn tend_until(desk: &mut Desk, stage: usize) {
    let mut all = 1000;
    while desk.rollout_stage() != stage {
        all += 100;
        let hosts = hosts(desk, all, 0);
        desk.tend_rollout(&hosts, Moment(0)).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn begin(desk: &mut Desk) -> u64 {
    let (wanted, hosts) = (meant(desk, POLICY), hosts(desk, 1000, 0));
    desk.roll_out(&wanted, course(), (&Guard::default(), &hosts), false, &by("ada", "1")).unwrap();
    desk.known().number
}

#[test]
fn each_stage_is_a_revision_and_the_state_outlives_the_center() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = open(folder.path());
    let mut host = Replica::new(Verifier::parse(&desk.public()).unwrap());
    let mut groups = Vec::new();
    assert_eq!(begin(&mut desk), 1);
    for stage in [1, 2, 3] {
        tend_until(&mut desk, stage);
        desk = open(folder.path());
        assert_eq!((desk.rollout_stage(), desk.known().number), (stage, stage as u64));
        let bytes = desk.delivery(host.known().number, false).unwrap().unwrap();
        host.accept(&bytes, &[], Some(clock::now())).unwrap();
        groups.push(host.content().entries().next().unwrap().groups.clone());
        let busy = desk.replace(&meant(&desk, ""), &Guard::default(), false, &by("ada", "1"));
        assert!(matches!(busy, Err(DeskError::Rollout(_))), "{busy:?}");
    }
    assert_eq!(groups, [vec!["canary".to_owned()], vec!["canary".to_owned(), "edge".to_owned()], vec![]]);
    tend_until(&mut desk, 0);
    let whats: Vec<String> = desk.take_told().into_iter().map(|event| event.what).collect();
    assert_eq!(whats, ["rollout_finished"], "the others were told before the center started again");
    assert!(!open(folder.path()).is_rolling());
    assert!(desk.store().verify_audit().unwrap().is_ok());
    desk.replace(&meant(&desk, ""), &Guard::default(), false, &by("ada", "1")).unwrap();
}

#[test]
fn harm_takes_it_back_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = open(folder.path());
    desk.replace(
        &meant(&desk, "[[decision]]\ndevice = \"before\"\naction = \"deny\"\n"),
        &Guard::default(),
        false,
        &by("ada", "1"),
    )
    .unwrap();
    let before = desk.decisions_digest();
    begin(&mut desk);
    let well = hosts(&desk, 1000, 0);
    desk.tend_rollout(&well, Moment(0)).unwrap();
    let harmed = hosts(&desk, 1100, 50);
    desk.tend_rollout(&harmed, Moment(0)).unwrap();
    assert!(!desk.is_rolling());
    assert_eq!((desk.decisions_digest(), desk.content().base().allow.len()), (before, 0));
    let shown = serde_json::to_value(desk.rollout().unwrap()).unwrap();
    assert_eq!(shown["phase"], "stopped");
    assert!(shown["why"].as_str().unwrap().contains("50.00 % of 100"), "{shown}");
    assert_eq!(desk.heads(desk.known().number - 1, 1).unwrap()[0].author, "center");
    let told = desk.take_told();
    assert_eq!(told.last().map(|event| event.what.as_str()), Some("rollout_stopped"));
}

#[test]
fn a_rollout_that_makes_no_sense_is_not_begun() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = open(folder.path());
    let begun = |desk: &mut Desk, text: &str, hosts: &[HostNow]| {
        let wanted = meant(desk, text);
        desk.roll_out(&wanted, course(), (&Guard::default(), hosts), false, &by("ada", "1"))
    };
    let nobody = begun(&mut desk, POLICY, &[]);
    assert!(matches!(nobody, Err(DeskError::Rollout(why)) if why.contains("no host of canary")));
    let hosts = hosts(&desk, 0, 0);
    let late = begun(&mut desk, "[filter.walking]\n", &hosts);
    assert!(matches!(late, Err(DeskError::Rollout(why)) if why.contains("nothing of this comes before")));
    assert_eq!(desk.known().number, 0);
    let stages = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    for (names, seconds, bound) in [
        (&["canary"][..], 60, 2.0),
        (&["canary", "canary", "all"], 60, 2.0),
        (&[], 60, 2.0),
        (&["all"], 0, 2.0),
        (&["all"], 60, 0.0),
        (&["all"], 60, f64::NAN),
        (&["all"], 60, 101.0),
    ] {
        assert!(
            Course::new(stages(names), Duration::from_secs(seconds), bound).is_err(),
            "{names:?} {seconds} {bound}"
        );
    }
}

#[test]
fn with_rules_a_rollout_begins_when_somebody_else_approves_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = open(folder.path()).with_rules(Rules::parse("second_person = [\"allowlist\"]\n").unwrap());
    let mut person = |name: &str, role| {
        let text = desk.store().add_token(name, role, None, "test").unwrap();
        by(name, &desk.store().token(&text).unwrap().unwrap().id)
    };
    let (ada, bea) = (person("ada", Role::Operator), person("bea", Role::Approver));
    let (wanted, well) = (meant(&desk, POLICY), hosts(&desk, 1000, 0));
    let waits = desk.roll_out(&wanted, course(), (&Guard::default(), &well), false, &ada);
    assert!(matches!(waits, Err(DeskError::Proposed(_))) && !desk.is_rolling(), "{waits:?}");
    desk.approve(1, (&Guard::default(), &well), &bea).unwrap();
    assert!(desk.is_rolling() && desk.proposals().unwrap().is_empty());
    tend_until(&mut desk, 2);
    let heads = desk.heads(0, 10).unwrap();
    assert_eq!(heads.len(), 2);
    assert!(heads.iter().all(|head| head.author == "ada" && head.approver.as_deref() == Some("bea")));
}
