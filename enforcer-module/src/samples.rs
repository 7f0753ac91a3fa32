//! Calls to try a module with. Out: a few clean ones, and some as attackers and broken clients make them. Never here: product code that
//! depends on them.
use std::time::Duration;

use bytes::Bytes;
use enforcer_common::{KINDS, Reason, Verdict};
use enforcer_insight::classes::Sensitive;
use enforcer_insight::http::Head;
use enforcer_insight::{Answer, AnswerHead, Call, body};
use enforcer_policy::{Moment, SubjectKind};

/// The calls, a second apart, of a service named `sample`.
pub fn samples() -> Vec<Call> {
    let deep = format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
    let batch = format!("[{}]", vec!["{\"query\":\"{me}\"}"; 150].join(","));
    let of = |body: &str| format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let plain = "\r\n";
    let requests = [
        ("GET /accounts/1001", plain, 200, 12),
        ("GET /accounts/1002?fields=name", plain, 200, 15),
        ("POST /login", &of("{\"user\":\"ada\",\"password\":\"correct horse\"}"), 200, 80),
        ("POST /login", &of("{\"user\":\"ada\",\"password\":\"wrong\"}"), 401, 75),
        ("GET /items?page=2&limit=100", plain, 200, 30),
        ("GET /items?limit=1000000", plain, 200, 900),
        ("GET /items?id=1'%20OR%20'1'='1", plain, 500, 20),
        ("POST /graphql", &of(&deep), 200, 400),
        ("POST /graphql", &of(&batch), 200, 2_000),
        ("GET /../../etc/passwd", plain, 404, 5),
        ("GET /card?number=4111111111111111", plain, 200, 9),
        ("DELETE /accounts/1003", plain, 403, 8),
        ("OPTIONS /accounts", plain, 204, 2),
        ("GET /slow", plain, 504, 30_000),
        ("GET /gone", plain, 0, 0),
    ];
    let sample = |(at, (line, rest, status, millis))| sample(at, line, rest, status, millis);
    (0..).zip(requests).filter_map(sample).collect()
}

fn sample(at: u64, line: &str, rest: &str, status: u16, millis: u64) -> Option<Call> {
    let bytes = Bytes::from(format!("{line} HTTP/1.1\r\nHost: api.example\r\nUser-Agent: sample/{}\r\n{rest}", at % 3));
    let head = Head::read(&bytes).ok()??;
    let mut digests = [0; KINDS];
    // Three devices; for one of them, a user is known.
    *digests.get_mut(SubjectKind::Device as usize)? = 0xd0 + at % 3;
    if at.is_multiple_of(3) {
        *digests.get_mut(SubjectKind::User as usize)? = 0xa0;
    }
    let body = body(&head, &bytes.slice(head.end..));
    let mut call = Call {
        id: at + 1,
        time: Moment(BEGIN + at * 1_000),
        service: "sample".into(),
        source: [192, 0, 2, 1].into(),
        source_port: 40_000,
        client: [192, 0, 2, 1].into(),
        digests,
        reason: Reason::RequestClean,
        verdict: Verdict::Pass,
        decision: None,
        head,
        body,
        placed: None,
        sensitive: Sensitive::default(),
        answer: (status != 0).then(|| answer(status, millis)),
    };
    call.sensitive = Sensitive::of(&call);
    Some(call)
}

fn answer(status: u16, millis: u64) -> Answer {
    let text =
        format!("HTTP/1.1 {status} -\r\nContent-Type: application/json\r\n\r\n{{\"name\":\"Ada\",\"balance\":12}}");
    let AnswerHead { headers, body } = AnswerHead::read(&Bytes::from(text));
    let (first_byte, whole) = (Duration::from_millis(millis), Duration::from_millis(millis + 1));
    Answer { status, first_byte, whole, bytes: 512, complete: true, headers, body }
}

/// When the first is made: a Monday, eight in the morning.
const BEGIN: u64 = 1_795_420_800_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_samples_are_calls() {
        let calls = samples();
        assert_eq!((calls.len(), calls.iter().filter(|call| call.answer.is_none()).count()), (15, 1));
        assert!(calls.iter().any(|call| !call.sensitive.request.is_empty()), "a card in an address");
    }
}
