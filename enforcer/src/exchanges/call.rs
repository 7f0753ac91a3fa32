//! An exchange as the rooms of insight want it: parsed. In: an exchange, its service and its time. Out: a [`Call`]; nothing where
//! its head is none, or was not recorded whole. Never here: what it means.
use std::net::IpAddr;
use std::sync::Arc;

use enforcer_common::{Address, Reason, Verdict};
use enforcer_insight::http::Head;
use enforcer_insight::{Answer, AnswerHead, Call, body};
use enforcer_policy::{DecisionId, Moment};

use super::Exchange;

/// The call that an exchange was; `time` is when its head was complete.
pub fn call_of(exchange: &Exchange, service: Arc<str>, time: Moment) -> Option<Call> {
    let head = Head::read(&exchange.head).ok().flatten()?;
    let asking = &exchange.asking;
    let source: IpAddr = asking.source.into();
    let forwarded = (asking.client != Address::default()).then(|| asking.client.into());
    Some(Call {
        id: asking.id,
        time,
        service,
        source,
        source_port: asking.source_port,
        client: forwarded.unwrap_or(source),
        digests: asking.digests,
        reason: Reason::ALL.get(usize::from(asking.reason)).copied().unwrap_or(Reason::RequestClean),
        verdict: Verdict::ALL.get(usize::from(asking.verdict)).copied().unwrap_or(Verdict::Pass),
        decision: (asking.decision != 0).then_some(DecisionId(asking.decision)),
        placed: None,
        sensitive: enforcer_insight::classes::Sensitive::default(),
        body: body(&head, &exchange.body),
        head,
        answer: exchange.answer.as_ref().filter(|answer| answer.status != 0).map(answered),
    })
}

fn answered(answer: &super::Answer) -> Answer {
    let AnswerHead { headers, body } = AnswerHead::read(&answer.prefix);
    Answer {
        status: answer.status,
        first_byte: answer.first_byte,
        whole: answer.whole,
        bytes: answer.bytes,
        complete: answer.complete,
        headers,
        body,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use enforcer_common::{Asking, KINDS, SampleKind, SubjectKind};

    use super::*;

    fn exchange(text: &'static str, prefix: &'static str) -> Exchange {
        let mut digests = [0; KINDS];
        digests[SubjectKind::User as usize] = 9;
        let asking = Asking {
            kind: SampleKind::Asking as u32,
            head: 1,
            id: 5,
            time: 1,
            decision: 7,
            source: Address::v4([192, 0, 2, 1]),
            destination: Address::default(),
            client: Address::default(),
            digests,
            service: 1,
            ifindex: 1,
            source_port: 40_000,
            destination_port: 2,
            reason: Reason::RequestAnonymous as u8,
            verdict: Verdict::Observe as u8,
            pad: 0,
        };
        let answer = super::super::Answer {
            status: 201,
            first_byte: Duration::from_millis(1),
            whole: Duration::from_millis(2),
            bytes: 99,
            complete: true,
            prefix: Bytes::from_static(prefix.as_bytes()),
        };
        let (head, body) =
            text.split_once("\r\n\r\n").map_or((text, ""), |(head, body)| (&text[..head.len() + 4], body));
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        Exchange { asking, head: bytes(head), body: bytes(body), answer: Some(answer) }
    }

    #[test]
    fn a_call_has_both_heads_and_the_beginnings_of_both_bodies() {
        let (sent, answered) = (
            "POST /pay HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET ",
            "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        );
        let call = call_of(&exchange(sent, answered), "pay".into(), Moment(4)).unwrap();
        let answer = call.answer.as_ref().unwrap();
        assert_eq!((&call.head.target[..], &call.body[..], &answer.body[..]), (&b"/pay"[..], &b"abc"[..], &b"ok"[..]));
        assert_eq!((call.client, call.digest(SubjectKind::User)), ("192.0.2.1".parse().unwrap(), Some(9)));
        assert_eq!((call.reason, call.verdict, call.is_refused()), (Reason::RequestAnonymous, Verdict::Observe, false));
    }

    #[test]
    fn what_has_no_head_is_no_call() {
        for head in ["POST /pay HTTP/1.1\r\nContent-Le", "\u{16}\u{3}\u{1}", ""] {
            assert_eq!(call_of(&exchange(head, ""), "pay".into(), Moment(4)), None, "{head:?}");
        }
    }
}
