//! Whatever comes, no filter panics, and the same gives the same.
use enforcer_policy::Moment;
use proptest::prelude::*;

use super::simulation::{play, runner};
use super::traffic::{Ask, START, Who, call, get};

fn target() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-z]{1,6}",
        "[0-9]{1,20}",
        "%[0-9a-f]{2}[a-z]{0,3}",
        "[.;\\\\%]{0,4}",
        "[a-f0-9-]{8,36}",
        Just("login".to_owned()),
    ];
    let query = "(\\?[a-z_]{0,8}=[a-zA-Z0-9%{}.=&]{0,30})?";
    (prop::collection::vec(part, 0..6), query).prop_map(|(parts, query)| format!("/{}{query}", parts.join("/")))
}

fn ask() -> impl Strategy<Value = Ask> {
    let methods = prop_oneof![Just("GET"), Just("POST"), Just("PUT"), Just("TRACE"), Just("X")];
    let headers = prop_oneof![
        Just(String::new()),
        "Authorization: (Basic|Bearer) [A-Za-z0-9+/=._-]{0,40}\r\n",
        "X-[A-Za-z-]{1,20}: [ -~]{0,20}\r\n",
        Just("Host: b\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n".to_owned()),
    ];
    let body = prop_oneof![
        Just(String::new()),
        "[{}\\[\\]\":,a-z0-9\\\\ ]{0,80}",
        "(user|password|id|x)=[a-z0-9%]{0,9}&pwd=[a-z]{0,3}",
        Just("{\"user\":\"a\",\"password\":\"b\"}".to_owned()),
    ];
    let answer = "[{}\\[\\]\":,a-z0-9\\\\ ]{0,40}";
    let numbers =
        (prop_oneof![Just(200_u16), Just(302), Just(404), Just(500), 100..600_u16], 0..100_000_u64, any::<u64>());
    (methods, target(), headers, body, answer, numbers).prop_map(|(method, target, headers, body, answer, numbers)| {
        let (status, millis, bytes) = numbers;
        Ask { method, headers, body, status, answer, millis, bytes, ..get(target) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_call_makes_a_filter_panic(
        asks in prop::collection::vec((ask(), 0..4_u64, 0..10_000_000_u64), 1..60),
    ) {
        let mut calls = Vec::new();
        for (id, (ask, who, at)) in asks.into_iter().enumerate() {
            let number = u32::try_from(who).unwrap();
            let bears = Who { device: who, session: who * 2, user: who * 3, key: who / 2, address: number, ..Who::default() };
            calls.push(call(id as u64, Moment(START + at), &bears, &ask));
        }
        // `play` sees to it that no filter was stopped; times run backwards here, too.
        let one = serde_json::to_string(&play(&calls).findings.iter().collect::<Vec<_>>()).unwrap();
        let two = serde_json::to_string(&play(&calls).findings.iter().collect::<Vec<_>>()).unwrap();
        prop_assert_eq!(one, two);
    }
}

#[test]
fn the_ends_of_time_are_times() {
    let mut runner = runner();
    for time in [0, u64::MAX, 1, u64::MAX - 1, START] {
        let who = Who { device: 1, session: 2, user: 3, key: 4, ..Who::default() };
        runner.on_call(&call(1, Moment(time), &who, &get("/accounts/7?id=9")), &mut || 0);
        runner.on_tick(Moment(time), &mut || 0);
    }
    assert_eq!(runner.take_notices(), []);
}
