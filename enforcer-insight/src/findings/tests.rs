//! The room: each finding once, bounded, with exceptions.
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use enforcer_policy::{Moment, Scope, Subject, Token};
use proptest::prelude::*;

use super::*;

fn device(digest: u64, masked: &str) -> Subject {
    Subject::Device(Token { digest, masked: masked.into() })
}

fn sign(device_digest: u64, confidence: u8) -> Sign {
    let sign = Sign::new("object_walking", Risk::ObjectAuthorization, Severity::High, confidence, "check the owner");
    let subject = device(device_digest, "…");
    let scope = Scope::parse("pay:GET /accounts/{id}").unwrap();
    let suggestion = Suggestion::refuse(subject.clone(), scope, Duration::from_mins(1));
    sign.at(&"GET /accounts/{}".into()).by(subject).count("objects", 30_u32).suggest(Some(suggestion))
}

fn note(findings: &mut Findings, sign: Sign, now: u64) -> Noted {
    findings.note(&Cow::Borrowed("walking"), &"pay".into(), sign, Moment(now))
}

#[test]
fn a_finding_is_told_once_and_counted() {
    let mut findings = Findings::new(10);
    let Noted::New(id) = note(&mut findings, sign(7, 70), 1_000) else { panic!("not new") };
    assert_eq!(note(&mut findings, sign(7, 60), 2_000), Noted::Again(id));
    assert_eq!(note(&mut findings, sign(7, 93), 3_000), Noted::Worse(id), "surer than before");
    assert_eq!(note(&mut findings, sign(7, 93), 4_000), Noted::Again(id));
    assert_eq!(note(&mut findings, sign(7, 93), 4_000_000), Noted::Worse(id), "after a pause");
    assert_ne!(note(&mut findings, sign(8, 93), 5_000), Noted::Again(id));
    let finding = findings.find(id).unwrap();
    assert_eq!((finding.count, finding.first, finding.last), (5, Moment(1_000), Moment(4_000_000)));
    assert_eq!((finding.confidence, findings.counts().again), (93, 4));
}

#[test]
fn an_id_is_for_life_and_knows_no_masks() {
    let id = |masked| FindingId::of("walking", "object_walking", "pay", None, Some(&device(7, masked)));
    assert_eq!(id("…"), id("ab…yz"));
    assert_eq!(id("…").to_string(), "e78a334f6005af5d", "hosts and center of other versions know it by this");
    assert_ne!(FindingId::of("a", "b", "c", Some(""), None), FindingId::of("a", "b", "c", Some("x"), None));
}

#[test]
fn the_oldest_gives_way() {
    let mut findings = Findings::new(3);
    (0..5).for_each(|at| drop(format!("{:?}", note(&mut findings, sign(at + 1, 70), at))));
    note(&mut findings, sign(3, 70), 10);
    let held: Vec<u64> =
        findings.iter().map(|finding| finding.subject().and_then(Subject::token).unwrap().digest).collect();
    assert_eq!((held, findings.counts().forgotten), (vec![3, 5, 4], 2));
}

#[test]
fn an_exception_is_not_raised_again() {
    let mut findings = Findings::new(10);
    let Noted::New(id) = note(&mut findings, sign(7, 93), 1_000) else { panic!("not new") };
    let exception = findings.except(id, "our own test").unwrap();
    assert_eq!((findings.find(id), exception.covers()), (None, id));
    assert_eq!(note(&mut findings, sign(7, 99), 2_000), Noted::Excepted);
    assert!(matches!(note(&mut findings, sign(8, 93), 2_000), Noted::New(_)), "others are not covered");
    let any = Exception { subject: None, until: Some(Moment(5_000)), ..exception };
    assert!(findings.add_exception(any.clone()));
    assert_eq!(findings.iter().count(), 0, "what an exception covers goes");
    assert_eq!(note(&mut findings, sign(9, 93), 4_999), Noted::Excepted);
    assert!(matches!(note(&mut findings, sign(9, 93), 5_000), Noted::New(_)), "it has ended");
    assert!(findings.remove_exception(id).is_some() && findings.remove_exception(id).is_none());
    assert!(matches!(note(&mut findings, sign(7, 93), 6_000), Noted::New(_)));
    assert_eq!(findings.counts().excepted, 2);
}

#[test]
fn a_finding_looks_like_this() {
    let finding = Finding::new(&Cow::Borrowed("walking"), &Arc::from("pay"), sign(7, 93), Moment(1_000));
    let golden = r#"{"id":"f59bafc6ce6c015d","filter":"walking","kind":"object_walking","service":"pay","endpoint":"GET /accounts/{}","subjects":[{"device":{"digest":"0000000000000007","masked":"…"}}],"facts":[{"name":"objects","value":30}],"confidence":93,"severity":"high","risk":"API1:2023","fix":"check the owner","suggestion":{"subject":{"device":{"digest":"0000000000000007","masked":"…"}},"scope":"pay:GET /accounts/{}","action":"deny","rate":null,"lasts":{"secs":60,"nanos":0}},"first":1000,"last":1000,"count":1}"#;
    let text = serde_json::to_string(&finding).unwrap();
    assert_eq!(text, golden);
    assert_eq!(serde_json::from_str::<Finding>(&text).unwrap(), finding);
}

proptest! {
    /// The order and the table hold the same findings, whatever comes.
    #[test]
    fn the_book_stays_whole(steps in prop::collection::vec((1_u64..8, 0_u64..50, any::<bool>()), 0..100)) {
        let mut findings = Findings::new(4);
        for (digest, now, except) in steps {
            let noted = note(&mut findings, sign(digest, 50), now);
            if let (true, Noted::New(id)) = (except, noted) {
                findings.except(id, "");
            }
            let count = findings.iter().count();
            prop_assert!(count <= 4 && findings.held() == count);
            prop_assert!(findings.iter().is_sorted_by(|one, two| one.last >= two.last));
        }
    }
}
