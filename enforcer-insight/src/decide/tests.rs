//! The room on one finding, in all ways that it can wait.
use std::borrow::Cow;

use enforcer_policy::{Token, parse_prefix};

use super::*;
use crate::findings::{Risk, Severity, Sign, Suggestion};

fn finding(subject: Subject, confidence: u8) -> Finding {
    let sign = Sign::new("object_walking", Risk::ObjectAuthorization, Severity::High, confidence, "check the owner");
    let scope = Scope::parse("pay:GET /accounts/{id}").unwrap();
    let suggestion = Suggestion::refuse(subject.clone(), scope, Duration::from_secs(1_000_000));
    let sign = sign.by(subject).suggest(Some(suggestion));
    Finding::new(&Cow::Borrowed("walking"), &"pay".into(), sign, Moment(1))
}

fn device() -> Subject {
    Subject::Device(Token { digest: 7, masked: "…".into() })
}

fn ip(text: &str) -> Subject {
    Subject::Ip(parse_prefix(text).unwrap())
}

fn nobody(_: &Subject) -> bool {
    false
}

#[test]
fn a_sure_finding_becomes_an_order_that_the_ledger_takes() {
    let mut decider = Decider::default();
    let now = Moment(1_000_000);
    let Course::Decide(draft) = decider.course(&finding(device(), 90), Mode::Enforce, &nobody, now) else {
        panic!("it waits");
    };
    assert_eq!((draft.action, draft.scope.to_string().as_str()), (Action::Deny, "pay:GET /accounts/{}"));
    assert_eq!(draft.lasts, Bounds::default().longest, "cut to what may last");
    let order = draft.order(Origin::Center, "policy", now);
    assert_eq!(order.check(now), Ok(()));
    assert!(order.note.reason.contains("walking: object_walking on pay, confidence 90 (finding "));
    let Course::Decide(draft) = decider.course(&finding(ip("192.0.2.1"), 95), Mode::Enforce, &nobody, now) else {
        panic!("it waits");
    };
    assert_eq!((draft.action, draft.scope.clone()), (Action::Drop, Scope::All), "packets belong to no service");
    assert_eq!(draft.order(Origin::Center, "policy", now).check(now), Ok(()));
}

#[test]
fn all_else_waits() {
    let (mut decider, now) = (Decider::default(), Moment(1_000_000));
    let mut why = |finding: &Finding, mode| decider.course(finding, mode, &nobody, now);
    let sure = finding(device(), 100);
    assert_eq!(why(&sure, Mode::Observe), Course::Wait(Why::Observing));
    assert_eq!(why(&sure, Mode::Off), Course::Wait(Why::Observing));
    let unsure = finding(device(), 89);
    assert_eq!(why(&unsure, Mode::Enforce), Course::Wait(Why::Unsure { confidence: 89, needed: 90 }));
    for wide in ["192.0.2.0/24", "2001:db8::/48"] {
        assert_eq!(why(&finding(ip(wide), 100), Mode::Enforce), Course::Wait(Why::Wide));
    }
    let mut nothing = finding(device(), 100);
    nothing.suggestion = None;
    assert_eq!(why(&nothing, Mode::Enforce), Course::Wait(Why::NothingToDecide));
}

#[test]
fn nobody_protected_is_refused() {
    let proxy = |subject: &Subject| subject.network() == Some(parse_prefix("192.0.2.1").unwrap());
    let (mut decider, now) = (Decider::default(), Moment(1_000_000));
    let course = decider.course(&finding(ip("192.0.2.1"), 100), Mode::Enforce, &proxy, now);
    assert_eq!(course, Course::Wait(Why::Protected));
    let course = decider.course(&finding(ip("192.0.2.2"), 100), Mode::Enforce, &proxy, now);
    assert!(matches!(course, Course::Decide(_)));
}

#[test]
fn a_filter_gone_wild_is_stopped_by_the_count() {
    let mut decider = Decider::new(Bounds { per_hour: 3, ..Bounds::default() });
    let mut made = |now| {
        let course = decider.course(&finding(device(), 100), Mode::Enforce, &nobody, Moment(now));
        matches!(course, Course::Decide(_))
    };
    assert_eq!([1, 2, 3, 4, 3_600_000].map(&mut made), [true, true, true, false, false]);
    assert_eq!([3_600_001, 3_600_001].map(&mut made), [true, false], "one of them is an hour old");
}
