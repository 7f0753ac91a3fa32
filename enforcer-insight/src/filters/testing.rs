//! Calls for tests. In: heads and bodies as text. Out: calls. Never here: product code.
use std::time::Duration;

use bytes::Bytes;
use enforcer_common::{Reason, Verdict};
use enforcer_policy::Moment;

use crate::http::Head;
use crate::{Answer, AnswerHead, Call};

/// A call of a service `pay` at the time 1 000 000, with an answer unless its text is empty.
pub(super) fn call(request: &str, answered: &str) -> Call {
    let bytes = Bytes::copy_from_slice(request.as_bytes());
    let head = Head::read(&bytes).unwrap().expect("a whole head");
    let body = bytes.slice(head.end..);
    Call {
        id: 1,
        time: Moment(1_000_000),
        service: "pay".into(),
        source: [10, 0, 0, 1].into(),
        source_port: 40_000,
        client: [192, 0, 2, 1].into(),
        digests: [0; enforcer_common::KINDS],
        reason: Reason::RequestClean,
        verdict: Verdict::Pass,
        decision: None,
        placed: None,
        sensitive: crate::classes::Sensitive::default(),
        head,
        body,
        answer: (!answered.is_empty()).then(|| answer(answered)),
    }
}

/// An answer that took 5 ms.
pub(super) fn answer(text: &str) -> Answer {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let AnswerHead { headers, body } = AnswerHead::read(&bytes);
    let (first_byte, whole) = (Duration::from_millis(5), Duration::from_millis(5));
    Answer { status, first_byte, whole, bytes: bytes.len() as u64, complete: true, headers, body }
}
