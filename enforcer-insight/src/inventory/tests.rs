//! Tests of the inventory as a whole: templates, bounds, what teaches, what joins. In: calls as the agent makes them.
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use enforcer_common::{KINDS, Reason, SipKey, SubjectKind, Verdict, siphash};
use enforcer_policy::Moment;
use proptest::prelude::*;

use super::*;
use crate::http::Head;
use crate::{Answer, AnswerHead, Call, body};

pub(super) const KEY: SipKey = SipKey([7, 8]);

/// A call of `line` (`GET /users/1`) with these header lines and body, answered with this status and body.
pub(super) fn call_with(line: &str, headers: &str, sent: &str, status: u16, answer: &str) -> Call {
    let length = if sent.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", sent.len()) };
    let text = Bytes::from(format!("{line} HTTP/1.1\r\nHost: api\r\n{headers}{length}\r\n{sent}"));
    let head = Head::read(&text).unwrap().unwrap();
    let prefix = Bytes::from(format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n\r\n{answer}"));
    let AnswerHead { headers, body: answered } = AnswerHead::read(&prefix);
    Call {
        id: 1,
        time: Moment(1_000),
        service: Arc::from("pay"),
        source: Ipv4Addr::LOCALHOST.into(),
        source_port: 1,
        client: Ipv4Addr::LOCALHOST.into(),
        digests: [0; KINDS],
        reason: Reason::RequestClean,
        verdict: Verdict::Pass,
        decision: None,
        placed: None,
        sensitive: crate::classes::Sensitive::default(),
        body: body(&head, &text.slice(head.end..)),
        head,
        answer: Some(Answer {
            status,
            first_byte: Duration::from_millis(2),
            whole: Duration::from_millis(3),
            bytes: prefix.len() as u64,
            complete: true,
            headers,
            body: answered,
        }),
    }
}

pub(super) fn call(line: &str, status: u16) -> Call {
    call_with(line, "", "", status, r#"{"id":1,"name":"x"}"#)
}

pub(super) fn take(calls: impl IntoIterator<Item = Call>) -> Inventory {
    let mut inventory = Inventory::default();
    for call in calls {
        inventory.take(&call, KEY);
    }
    inventory
}

fn templates(inventory: &Inventory) -> Vec<String> {
    inventory.list(None).iter().map(|one| format!("{} {}", one.method, one.template())).collect()
}

fn usage<'i>(inventory: &'i Inventory, name: &str) -> &'i Usage {
    let named = |one: &Listed<'_>| format!("{} {}", one.method, one.template()) == name;
    inventory
        .list(None)
        .into_iter()
        .find(named)
        .unwrap_or_else(|| panic!("no {name} in {:?}", templates(inventory)))
        .usage
}

/// Names of people, none of which is a shape.
fn person(number: usize) -> String {
    let part = |number: usize| ["an", "be", "ca", "do", "el", "fi", "gu"][number % 7];
    format!("{}{}{}", part(number), part(number / 7), part(number / 49))
}

#[test]
fn shapes_are_parameters_at_once_and_words_stay_apart() {
    let lines = [
        "GET /users/1",
        "GET /users/550e8400-e29b-41d4-a716-446655440000",
        "GET /users/me",
        "PUT /users/7?force=true",
        "GET /users/8/orders/2026-11-22",
        "GET /users/8/orders/9",
        "GET /mail/a@b.example",
        "GET /days/2026-11-22/",
        "GET /a/1/b/2",
        "GET /",
    ];
    let inventory = take(lines.map(|line| call(line, 200)));
    let wanted = [
        "GET /",
        "GET /a/{id}/b/{id2}",
        "GET /days/{date}",
        "GET /mail/{email}",
        "GET /users/me",
        "GET /users/{id}",
        "PUT /users/{id}",
        "GET /users/{id}/orders/{id2}",
    ];
    assert_eq!(templates(&inventory), wanted);
    assert_eq!(inventory.endpoints(), wanted.len());
}

#[test]
fn three_hundred_names_are_one_template() {
    let page = |line: String| call_with(&line, "", "", 200, r#"{"name":"x","mail":"y","since":"2026-01-01"}"#);
    let calls = (0..300).flat_map(|number| {
        let name = person(number);
        let orders = call_with(&format!("GET /users/{name}/orders"), "", "", 200, r#"[{"order":1,"total":2}]"#);
        let me = call_with("GET /users/me", "", "", 200, r#"{"name":"x","mail":"y","since":"2026-01-01"}"#);
        [orders, page(format!("GET /users/{name}")), me]
    });
    let inventory = take(calls);
    assert_eq!(templates(&inventory), ["GET /users/me", "GET /users/{name}", "GET /users/{name}/orders"]);
    assert_eq!(usage(&inventory, "GET /users/{name}").calls, 300, "what was learned before is kept");
    assert_eq!(usage(&inventory, "GET /users/{name}/orders").calls, 300);
    assert_eq!(usage(&inventory, "GET /users/me").calls, 300);
}

#[test]
fn resources_are_no_names() {
    let calls = (0..60).flat_map(|number| {
        let resource = person(number);
        let fields = format!(r#"{{"id":1,"{resource}_a":1,"{resource}_b":"x","{resource}_c":[]}}"#);
        [format!("GET /api/{resource}"), format!("GET /api/{resource}/7")]
            .map(|line| call_with(&line, "", "", 200, &fields))
    });
    assert_eq!(take(calls).endpoints(), 120);
}

#[test]
fn a_fixed_child_that_answers_otherwise_stays_apart_from_names() {
    let page = |number| call_with(&format!("GET /users/{}", person(number)), "", "", 200, r#"{"name":"x","mail":"y"}"#);
    let export = || call_with("GET /users/newsletter", "", "", 200, r#"{"title":"x","issue":3,"text":"z"}"#);
    let before = take((0..10).map(page).chain([export()]).chain((10..100).map(page)));
    let after = take((0..100).map(page).chain([export(), export()]).chain((100..120).map(page)));
    for inventory in [before, after] {
        assert_eq!(templates(&inventory), ["GET /users/newsletter", "GET /users/{name}"]);
    }
}

#[test]
fn numbered_words_fold_sooner_and_versions_never() {
    let calls =
        (0..6).flat_map(|n| [format!("GET /invoices/inv-{n}"), format!("GET /v{n}/info")]).map(|line| call(&line, 200));
    let found = templates(&take(calls));
    assert_eq!(found.iter().filter(|one| one.contains("invoices")).count(), 1, "{found:?}");
    assert_eq!(found.iter().filter(|one| one.ends_with("/info")).count(), 6, "{found:?}");
}

#[test]
fn what_is_not_there_makes_no_endpoint() {
    let known = take([call("GET /users/1", 200)]);
    for status in [400, 401, 403, 404, 405, 414, 501, 502] {
        let mut inventory = known.clone();
        (0..50).for_each(|n| drop(inventory.take(&call(&format!("GET /{}/{n}", person(n)), status), KEY)));
        inventory.take(&call("GET /users/2", status), KEY);
        assert_eq!(templates(&inventory), ["GET /users/{id}"], "{status}");
        assert_eq!(usage(&inventory, "GET /users/{id}").statuses[&status], 1, "of an endpoint that is known");
        assert_eq!(inventory.services().next().unwrap().1.unmatched[&status], 50);
    }
}

#[test]
fn refused_calls_teach_nothing() {
    let mut inventory = take([call("GET /users/1", 200)]);
    let before = usage(&inventory, "GET /users/{id}").clone();
    for line in ["GET /users/2?secret=1", "GET /other"] {
        let mut refused = Call { answer: None, ..call(line, 200) };
        refused.verdict = Verdict::Deny;
        inventory.take(&refused, KEY);
    }
    let after = usage(&inventory, "GET /users/{id}");
    assert_eq!(*after, Usage { refused: 1, ..before });
    let (_, service) = inventory.services().next().unwrap();
    assert_eq!((inventory.endpoints(), service.calls, service.refused), (1, 1, 2));
}

#[test]
fn parameters_types_and_credentials_are_known() {
    let json = "Content-Type: application/json\r\nAuthorization: Bearer abc\r\n";
    let sent = r#"{"amount":12.5,"to":{"iban":"DE1"},"tags":["a"]}"#;
    let mut paid = call_with("POST /pay?dry=true", json, sent, 201, r#"{"id":7}"#);
    paid.digests[SubjectKind::User as usize] = siphash(KEY, b"anna");
    let inventory = take([paid, call_with("POST /pay", "X-Api-Key: k\r\n", "", 401, ""), call("POST /pay", 200)]);
    let pay = usage(&inventory, "POST /pay");
    let request: Vec<_> = pay.request.iter().map(|(name, field)| (name, field.types.words().join("|"))).collect();
    let wanted = [
        ("", "object"),
        ("amount", "number"),
        ("tags", "array"),
        ("tags[]", "string"),
        ("to", "object"),
        ("to.iban", "string"),
    ];
    assert_eq!(request, wanted.map(|(name, types)| (name, types.to_owned())));
    assert_eq!(pay.query.of("dry").map(|field| field.types), Some(Types::BOOLEAN));
    assert_eq!(
        pay.auth.iter().map(|(auth, count)| (*auth, *count)).collect::<Vec<_>>(),
        [(Auth::Bearer, 1), (Auth::Key, 1), (Auth::None, 1)]
    );
    assert_eq!(
        (pay.open, pay.calls, pay.consumers_of(SubjectKind::User), pay.consumers_of(SubjectKind::Ip)),
        (1, 3, 1, 1)
    );
    assert_eq!(pay.first_byte.quantile(50).map(|micros| micros / 1000), Some(2));
}

#[test]
fn of_many_answers_some_are_read_and_all_are_counted() {
    let inventory = take((0..1000).map(|number| call(&format!("GET /users/{number}?page=1"), 200)));
    let users = usage(&inventory, "GET /users/{id}");
    assert_eq!((users.calls, users.query.looks, users.statuses[&200]), (1000, 1000, 1000));
    assert_eq!(users.answer.looks, 256 + (1000 - 256) / 8);
}

#[test]
fn a_flood_of_paths_is_bounded() {
    let mut inventory = Inventory::default();
    for number in 0..60_000_u64 {
        let random = siphash(KEY, &number.to_le_bytes());
        let word = |shift: u32| person(usize::try_from(random >> shift & 0xffff).unwrap());
        let line = match number % 3 {
            0 => format!("GET /{}", word(0)),
            1 => format!("GET /{}/{}x/{}", word(0), word(16), word(32)),
            _ => format!("GET /p{}/{}", word(0), word(48)),
        };
        let answer = format!(r#"{{"f{}":1,"g{}":2}}"#, word(8), word(24));
        inventory.take(&call_with(&line, "", "", 200, &answer), KEY);
    }
    let forgotten: u64 = inventory.forgotten().each().iter().map(|(_, count)| count).sum();
    assert!(inventory.endpoints() <= ENDPOINTS_OF_A_SERVICE && forgotten > 0, "{} {forgotten}", inventory.endpoints());
    let bytes = postcard::to_allocvec(&inventory).unwrap().len();
    assert!(bytes < 8 << 20, "{bytes}");
}

#[test]
fn services_and_depth_are_bounded() {
    let of = |number: usize| Call { service: Arc::from(format!("s{number}")), ..call("GET /a", 200) };
    let inventory = take((0..SERVICES + 3).map(of).chain([call(&format!("GET {}", "/a".repeat(DEPTH + 1)), 200)]));
    assert_eq!((inventory.endpoints(), inventory.forgotten().services), (SERVICES, 4));
    assert_eq!(take([call(&format!("GET {}", "/a".repeat(DEPTH + 1)), 200)]).forgotten().deep, 1);
}

#[test]
fn it_is_kept_and_read_again() {
    let inventory = take((0..40).map(|n| call(&format!("GET /u/{}/x/{n}", person(n)), 200)));
    let bytes = postcard::to_allocvec(&inventory).unwrap();
    assert_eq!(postcard::from_bytes::<Inventory>(&bytes).unwrap(), inventory);
    assert_eq!(bytes, postcard::to_allocvec(&inventory.clone()).unwrap());
}

#[test]
fn names_of_two_hosts_become_many_together() {
    let host = |range: std::ops::Range<usize>| take(range.map(|n| call(&format!("GET /users/{}", person(n)), 200)));
    let merged = host(0..15).merged(host(10..25));
    assert_eq!(merged.endpoints(), 25);
    assert_eq!(templates(&merged.settled()), ["GET /users/{name}"]);
    let learned = host(0..30).merged(host(40..42));
    assert_eq!(templates(&learned.settled()), ["GET /users/{name}"]);
}

/// Calls of a small world, so that hosts meet.
fn calls() -> impl Strategy<Value = Vec<Call>> {
    let one = (0_usize..40, 0_usize..4, prop::sample::select(vec![200_u16, 201, 302, 401, 404, 500]), 0_u8..8);
    prop::collection::vec(one, 0..60).prop_map(|all| all.into_iter().map(made).collect())
}

fn made((number, kind, status, refused): (usize, usize, u16, u8)) -> Call {
    let line = match kind {
        0 => format!("GET /users/{}", person(number)),
        1 => format!("GET /users/{number}?page={number}"),
        2 => format!("POST /users/{}/orders", person(number)),
        _ => format!("DELETE /things/thing-{number}"),
    };
    let mut call = call_with(&line, "Content-Type: application/json\r\n", r#"{"a":1}"#, status, r#"{"id":1}"#);
    call.time = Moment(number as u64);
    if refused == 0 {
        call.verdict = Verdict::Deny;
        call.answer = None;
    }
    call
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn merging_is_associative_and_commutative(one in calls(), two in calls(), three in calls()) {
        let [one, two, three] = [one, two, three].map(take);
        let left = one.clone().merged(two.clone()).merged(three.clone());
        prop_assert_eq!(&left, &one.clone().merged(two.clone().merged(three.clone())));
        prop_assert_eq!(&left, &three.merged(one).merged(two));
        let settled = left.settled();
        prop_assert_eq!(&settled.clone().settled(), &settled);
    }

    #[test]
    fn what_was_read_is_what_was_written(one in calls()) {
        let inventory = take(one);
        let bytes = postcard::to_allocvec(&inventory).unwrap();
        prop_assert_eq!(postcard::from_bytes::<Inventory>(&bytes).unwrap(), inventory);
    }

    #[test]
    fn no_bytes_read_as_an_inventory_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(inventory) = postcard::from_bytes::<Inventory>(&bytes) {
            prop_assert!(inventory.list(None).len() <= bytes.len());
        }
    }

    #[test]
    fn every_call_is_counted_once(all in calls()) {
        let (count, inventory) = (all.len() as u64, take(all));
        let counted: u64 = inventory.services().map(|(_, service)| service.calls + service.refused).sum();
        let in_endpoints: u64 = inventory.list(None).iter().map(|one| one.usage.calls).sum();
        let unmatched: u64 = inventory.services().flat_map(|(_, service)| service.unmatched.values()).sum();
        let seen: u64 = inventory.services().map(|(_, service)| service.calls).sum();
        prop_assert_eq!((counted, in_endpoints + unmatched), (count, seen));
    }
}

#[test]
fn a_call_is_placed_as_it_is_listed() {
    let mut inventory = Inventory::default();
    let mut place = |line: &str, status: u16| {
        inventory.take(&call(line, status), KEY).map(|placed| (placed.template, placed.parameters))
    };
    assert_eq!(place("GET /orders/17/lines", 200), Some(("/orders/{}/lines".to_owned(), vec!["17".into()])));
    assert_eq!(place("GET /orders/18/lines", 404), Some(("/orders/{}/lines".to_owned(), vec!["18".into()])));
    assert_eq!((place("GET /nothing", 404), place("PUT /orders/17/lines", 401)), (None, None));
    assert_eq!(place("GET /", 200), Some(("/".to_owned(), Vec::new())));
    let last = (0..40).filter_map(|n| place(&format!("GET /users/{}", person(n)), 200)).last();
    assert_eq!(last, Some(("/users/{}".to_owned(), vec![person(39).into()])), "names were learned on the way");
    assert_eq!(place("GET /users/me", 200), Some(("/users/me".to_owned(), Vec::new())));
}

#[test]
fn what_is_packed_is_unpacked_and_what_is_damaged_is_not() {
    let inventory = take((0..50).map(|number| call(&format!("GET /users/{number}/orders"), 200)));
    let packed = inventory.pack().unwrap();
    assert_eq!(Inventory::unpack(&packed).unwrap(), inventory);
    for cut in 0..packed.len() {
        assert!(Inventory::unpack(&packed[..cut]).is_err(), "{cut}");
    }
    assert_eq!(Inventory::unpack(b"ENFAPI00"), Err(PackError::Form));
    assert_eq!(Inventory::unpack(&vec![0; LONGEST_PACKED + 1]), Err(PackError::TooLarge));
    // A bomb: few bytes that become many.
    let bomb = [FORM.as_slice(), &miniz_oxide::deflate::compress_to_vec(&vec![0; 65 << 20], 9)].concat();
    assert_eq!(Inventory::unpack(&bomb), Err(PackError::Damaged));
}

#[test]
fn endpoints_look_the_same_until_their_credentials_or_fields_are_others() {
    let likeness = |calls: Vec<Call>| take(calls).list(None)[0].likeness();
    let one = likeness(vec![call("GET /a", 200)]);
    assert_eq!(likeness(vec![call("GET /a", 200), call("GET /a", 500)]), one, "counts are no looks");
    assert_ne!(
        likeness(vec![call_with("GET /a", "Authorization: Basic YTpi\r\n", "", 200, r#"{"id":1,"name":"x"}"#)]),
        one
    );
    assert_ne!(likeness(vec![call_with("GET /a", "", "", 200, r#"{"id":1,"iban":"x"}"#)]), one);
}
