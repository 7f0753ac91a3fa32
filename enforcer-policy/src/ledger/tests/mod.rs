//! What the ledger promises, one promise at a time. `against_a_list` keeps all of them at once.
mod against_a_list;

use std::time::Duration;

use enforcer_common::{Action, AllowKind, Rate, SourceRule, SubjectKind};

use super::*;
use crate::{Origin, Token, parse_flow, parse_prefix};

const NOW: Moment = Moment(1_700_000_000_000);

fn note(reason: &str) -> Arc<Note> {
    let (reason, approved_by) = (reason.to_owned(), "ops".to_owned());
    Arc::new(Note { reason, origin: Origin::Cli, approved_by, created: NOW })
}

fn ip(text: &str) -> Subject {
    Subject::Ip(parse_prefix(text).unwrap())
}

fn device(digest: u64) -> Subject {
    Subject::Device(Token { digest, masked: "ab…yz".into() })
}

fn session(digest: u64) -> Subject {
    Subject::Session(Token { digest, masked: "ab…yz".into() })
}

fn flow(client: u16) -> Subject {
    Subject::Flow(parse_flow(&format!("tcp 203.0.113.7:{client} > 10.0.0.1:80")).unwrap())
}

fn order(subject: Subject, seconds: Option<u64>) -> Order {
    let until = seconds.map(|seconds| NOW.plus(Duration::from_secs(seconds)));
    let (scope, action, note) = (Scope::All, Action::Drop, note("x"));
    Order { subject, scope, action, rate: None, until, shorten: false, wide: false, note }
}

fn after(seconds: u64) -> Moment {
    NOW.plus(Duration::from_secs(seconds))
}

#[test]
fn blocking_again_extends_and_never_shortens_unless_told() {
    let mut ledger = Ledger::default();
    let first = ledger.block(order(ip("203.0.113.7"), Some(60)), NOW, 1).unwrap();
    assert_eq!(first.change, Change::Added);
    let cases = [
        (Some(30), false, Change::Unchanged, Some(60)),
        (Some(90), false, Change::Extended, Some(90)),
        (Some(30), true, Change::Shortened, Some(30)),
        (Some(40), true, Change::Extended, Some(40)),
        (None, false, Change::Extended, None),
        (Some(90), false, Change::Unchanged, None),
        (Some(90), true, Change::Shortened, Some(90)),
    ];
    for (seconds, shorten, change, until) in cases {
        let again = Order { shorten, ..order(ip("203.0.113.7"), seconds) };
        let blocked = ledger.block(again, after(1), 2).unwrap();
        assert_eq!((blocked.change, blocked.decision.until), (change, until.map(after)));
        assert_eq!(blocked.decision.id, first.decision.id);
        assert_eq!(ledger.by_id(first.decision.id), Some(blocked.decision));
    }
    assert_eq!(ledger.len(), 1);
}

#[test]
fn another_action_replaces_the_old_one_and_keeps_the_later_end() {
    let mut ledger = Ledger::default();
    ledger.block(order(device(1), Some(60)), NOW, 1).unwrap();
    let milder = Order { action: Action::Observe, note: note("y"), ..order(device(1), Some(30)) };
    let blocked = ledger.block(milder, NOW, 1).unwrap();
    assert_eq!((blocked.change, blocked.decision.action), (Change::Changed, Action::Observe));
    assert_eq!((blocked.decision.until, &*blocked.decision.note.reason), (Some(after(60)), "y"));
}

#[test]
fn one_device_has_a_decision_per_scope() {
    let mut ledger = Ledger::default();
    ledger.block(order(device(1), None), NOW, 1).unwrap();
    ledger.block(Order { scope: Scope::named("pay"), ..order(device(1), None) }, NOW, 2).unwrap();
    assert_eq!(ledger.len(), 2);
    assert!(ledger.unblock(&device(1), &Scope::All).is_some());
    assert!(ledger.get(&device(1), &Scope::All).is_none());
    assert!(ledger.get(&device(1), &Scope::named("pay")).is_some());
}

#[test]
fn what_is_refused_and_why() {
    let mut ledger = Ledger::default();
    let longest = SourceRule::MAX_SECONDS;
    let wide = |text| Order { wide: true, ..order(ip(text), None) };
    let too_wide = |text, minimum| Refusal::TooWide { prefix: parse_prefix(text).unwrap(), minimum };
    let denied = |action| Order { action, ..order(ip("1.2.3.4"), None) };
    let scoped = |subject| Order { scope: Scope::named("pay"), ..order(subject, None) };
    let cases = [
        (order(ip("1.2.3.4"), Some(0)), Refusal::AlreadyOver),
        (Order { shorten: true, ..order(device(1), Some(0)) }, Refusal::AlreadyOver),
        (wide("0.0.0.0/0"), Refusal::Everything),
        (wide("::/0"), Refusal::Everything),
        (wide("::/80"), Refusal::Everything),
        (order(ip("2.0.0.0/7"), None), too_wide("2.0.0.0/7", 8)),
        (order(ip("2000::/15"), None), too_wide("2000::/15", 16)),
        (order(ip("1.2.3.4"), Some(longest + 1)), Refusal::TooLong { limit: Duration::from_secs(longest) }),
        (denied(Action::Deny), Refusal::IpActionUnsupported { action: Action::Deny }),
        (denied(Action::Reset), Refusal::IpActionUnsupported { action: Action::Reset }),
        (Order { action: Action::Deny, ..order(flow(1), None) }, Refusal::IpActionUnsupported { action: Action::Deny }),
        (scoped(ip("1.2.3.4")), Refusal::IpScopeUnsupported),
        (scoped(flow(1)), Refusal::IpScopeUnsupported),
    ];
    for (order, refusal) in cases {
        assert_eq!(ledger.block(order, NOW, 1), Err(refusal));
    }
    assert!(ledger.is_empty());
    let accepted = [
        wide("2.0.0.0/7"),
        wide("2000::/3"),
        order(ip("2.0.0.0/8"), None),
        order(ip("2000::/16"), None),
        order(ip("1.2.3.4"), Some(longest)),
        order(device(1), Some(longest * 10)),
        Order { action: Action::Reset, ..scoped(device(1)) },
        order(flow(1), Some(1)),
    ];
    for order in accepted {
        assert_eq!(ledger.block(order, NOW, 1).map(|blocked| blocked.change), Ok(Change::Added));
    }
}

#[test]
fn refusals_say_what_to_do_instead() {
    let wide = Refusal::TooWide { prefix: parse_prefix("2.0.0.0/7").unwrap(), minimum: 8 };
    assert_eq!(
        wide.to_string(),
        "2.0.0.0/7 is wider than /8: block narrower networks, or add --wide if all of it is meant"
    );
    let long = Refusal::TooLong { limit: Duration::from_secs(SourceRule::MAX_SECONDS) };
    assert_eq!(long.to_string(), "too long for an address: give at most 730 days, or no end at all");
}

#[test]
fn a_limit_has_a_rate_and_nothing_else_has_one() {
    let rate = |per_minute| Some(Rate { per_minute, burst: 1 });
    let mut ledger = Ledger::default();
    let limit = |rate| Order { action: Action::Limit, rate, ..order(session(1), None) };
    assert_eq!(ledger.block(limit(None), NOW, 1).unwrap_err(), Refusal::RateMissing);
    let denied = Order { rate: rate(1), action: Action::Deny, ..order(session(1), None) };
    assert_eq!(ledger.block(denied, NOW, 1).unwrap_err(), Refusal::RateUseless);
    for subject in [ip("1.2.3.4"), flow(5)] {
        let refusal = ledger.block(Order { subject, ..limit(rate(1)) }, NOW, 1).unwrap_err();
        assert_eq!(refusal, Refusal::IpActionUnsupported { action: Action::Limit });
    }
    let change = |ledger: &mut Ledger, rate| ledger.block(limit(rate), NOW, 1).unwrap().change;
    let changes = [1, 1, 2].map(|per_minute| change(&mut ledger, rate(per_minute)));
    assert_eq!(changes, [Change::Added, Change::Unchanged, Change::Changed]);
    assert_eq!(ledger.get(&session(1), &Scope::All).unwrap().rate, rate(2));
}

#[test]
fn kinds_of_tokens_are_apart_and_so_are_endpoints() {
    let mut ledger = Ledger::default();
    let scope = |text| Scope::parse(text).unwrap();
    let (one, two) = (scope("pay:GET /a/{id}"), scope("pay:/a/{id}"));
    for subject in [session(1), device(1)] {
        for scope in [&one, &two, &Scope::All] {
            ledger.block(Order { scope: scope.clone(), ..order(subject.clone(), None) }, NOW, 1).unwrap();
        }
    }
    assert_eq!((ledger.len(), ledger.counts().sessions, ledger.endpoints().count()), (6, 3, 2));
    let within = |ledger: &Ledger, scope: &Scope| {
        let filter = Filter { kind: Some(SubjectKind::Session), scope: Some(scope.clone()) };
        ledger.page(None, 9, &filter).decisions.len()
    };
    assert_eq!([&one, &Scope::named("pay"), &Scope::All].map(|scope| within(&ledger, scope)), [1, 2, 1]);
    ledger.unblock(&session(1), &scope("pay:GET /a/{other}"));
    assert_eq!(ledger.endpoints().count(), 2);
    ledger.unblock(&device(1), &one);
    assert!(ledger.endpoints().eq(two.endpoint()));
}

#[test]
fn what_is_over_comes_out_once() {
    let mut ledger = Ledger::default();
    ledger.block(order(ip("1.2.3.4"), Some(1)), NOW, 1).unwrap();
    ledger.block(order(ip("1.2.3.5"), Some(2)), NOW, 2).unwrap();
    ledger.block(order(ip("1.2.3.6"), None), NOW, 3).unwrap();
    ledger.block(order(ip("1.2.3.4"), Some(3)), NOW, 4).unwrap();
    assert!(ledger.next_expiry() <= Some(after(2)));
    assert_eq!(ledger.expire(after(1)), []);
    assert_eq!(ledger.next_expiry(), Some(after(2)));
    let gone = |ledger: &mut Ledger, at| ledger.expire(at).into_iter().map(|d| d.subject).collect::<Vec<_>>();
    assert_eq!(gone(&mut ledger, after(2)), [ip("1.2.3.5")]);
    assert_eq!(gone(&mut ledger, after(100)), [ip("1.2.3.4")]);
    assert_eq!(gone(&mut ledger, after(100)), []);
    assert_eq!(ledger.next_expiry(), None);
    assert_eq!(ledger.len(), 1);
}

#[test]
fn a_great_expiry_can_be_taken_in_parts() {
    let mut ledger = Ledger::default();
    for digest in 0..10 {
        ledger.block(order(device(digest), Some(1)), NOW, 1).unwrap();
    }
    assert_eq!(ledger.expire_up_to(after(1), 4).len(), 4);
    assert_eq!(ledger.expire_up_to(after(1), 4).len(), 4);
    assert_eq!(ledger.expire_up_to(after(1), 4).len(), 2);
    assert!(ledger.is_empty());
}

#[test]
fn stale_notes_do_not_pile_up() {
    let mut ledger = Ledger::default();
    for round in 0..100_000 {
        ledger.block(order(device(round % 7), Some(60 + round)), NOW, 1).unwrap();
        if round % 3 == 0 {
            ledger.unblock(&device(round % 7), &Scope::All);
        }
        assert!(!ledger.agenda.is_mostly_stale());
    }
}

#[test]
fn ids_stay_unique_when_the_entropy_does_not() {
    let mut ledger = Ledger::default();
    for digest in 0..1_000 {
        ledger.block(order(device(digest), None), NOW, 7).unwrap();
    }
    let ids: Vec<DecisionId> = ledger.iter().map(|decision| decision.id).collect();
    assert_eq!(ids.len(), 1_000);
    assert!(ids.is_sorted_by(|one, next| one < next));
}

#[test]
fn restored_decisions_keep_their_ids_and_share_their_note() {
    let mut ledger = Ledger::default();
    let decision = |id, digest| {
        let (subject, scope, action) = (device(digest), Scope::All, Action::Deny);
        Decision { id: DecisionId(id), subject, scope, action, rate: None, until: None, note: note("same") }
    };
    assert_eq!(ledger.insert_raw(decision(5, 1)), None);
    assert_eq!(ledger.insert_raw(decision(6, 2)), None);
    assert_eq!(ledger.insert_raw(decision(7, 1)), Some(decision(5, 1)));
    assert_eq!(ledger.insert_raw(decision(6, 3)), None);
    let ids: Vec<(u64, Subject)> = ledger.iter().map(|one| (one.id.0, one.subject)).collect();
    assert_eq!(ids, [(6, device(2)), (7, device(1)), (8, device(3))]);
    let notes: Vec<Arc<Note>> = ledger.iter().map(|one| one.note).collect();
    assert!(notes.iter().all(|note| Arc::ptr_eq(note, &notes[0])));
}

#[test]
fn pages_have_everything_once() {
    let mut ledger = Ledger::default();
    for digest in 0..25 {
        ledger.block(order(device(digest), None), NOW, u32::try_from(digest).unwrap()).unwrap();
        ledger.block(order(flow(u16::try_from(digest).unwrap()), None), NOW, 100).unwrap();
    }
    let filter = Filter { kind: Some(SubjectKind::Device), scope: Some(Scope::All) };
    let (mut seen, mut after) = (Vec::new(), None);
    for size in [10, 10, 5] {
        let page = ledger.page(after, 10, &filter);
        assert_eq!(page.decisions.len(), size);
        seen.extend(page.decisions);
        after = page.next;
    }
    assert_eq!(after, None);
    assert!(ledger.iter().filter(|one| one.subject.kind() == SubjectKind::Device).eq(seen));
    let none = Filter { scope: Some(Scope::named("pay")), ..filter };
    assert_eq!(ledger.page(None, 10, &none), Page::default());
}

#[test]
fn the_allowlist_answers_narrowest_first_and_ends() {
    let mut ledger = Ledger::default();
    let entry = |text, kind, until| Allowed { prefix: parse_prefix(text).unwrap(), kind, until, note: note("lb") };
    let (wide, narrow) =
        (entry("10.0.0.0/8", AllowKind::Full, None), entry("10.1.0.0/16", AllowKind::Proxy, Some(after(5))));
    assert_eq!(ledger.allow(wide.clone()), None);
    assert_eq!(ledger.allow(narrow.clone()), None);
    assert_eq!(ledger.allow(narrow.clone()), Some(narrow.clone()));
    assert_eq!(ledger.allowed(Address::v4([10, 1, 2, 3])), [&narrow, &wide]);
    assert_eq!(ledger.allowed(Address::v4([11, 1, 2, 3])), [] as [&Allowed; 0]);
    assert_eq!(ledger.next_expiry(), Some(after(5)));
    assert_eq!(ledger.expire_allowed(after(4)), []);
    assert_eq!(ledger.expire_allowed(after(5)), [narrow]);
    assert_eq!(ledger.disallow(wide.prefix), Some(wide));
    assert_eq!(ledger.allowlist().len(), 0);
}
