//! The inventory: any requests and answers leave it bounded, and it is read again as it was written. What is exported is a
//! specification that it does not differ from. The data are requests and answers, parted by zero bytes.
#![no_main]

use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use enforcer_common::{KINDS, Reason, SipKey, Verdict};
use enforcer_insight::http::Head;
use enforcer_insight::inventory::{FORM, Inventory, Spec, drift, openapi};
use enforcer_insight::{Answer, AnswerHead, Call, body};
use enforcer_policy::Moment;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let data = Bytes::copy_from_slice(data);
    let parts: Vec<&[u8]> = data.split(|byte| *byte == 0).collect();
    let mut inventory = Inventory::default();
    for (at, pair) in parts.chunks(2).enumerate() {
        if let Some(call) = pair.first().and_then(|sent| call(data.slice_ref(sent), data.slice_ref(pair.last()?), at as u64)) {
            inventory.take(&call, SipKey([1, 2]));
        }
    }
    assert!(inventory.endpoints() <= parts.len());
    let bytes = postcard::to_allocvec(&inventory).expect("it can be written");
    assert_eq!(postcard::from_bytes::<Inventory>(&bytes).expect("it can be read"), inventory);
    let _ = postcard::from_bytes::<Inventory>(&data).map(Inventory::settled);
    let _ = Inventory::unpack(&[FORM.as_slice(), &data].concat());
    assert_eq!(inventory.pack().and_then(|packed| Inventory::unpack(&packed)), Ok(inventory.clone()));
    let exported = openapi("fuzz", &inventory.list(None)).to_string();
    let spec = Spec::read(&exported).expect("what is exported can be read");
    let _ = drift(&inventory.list(None), &spec);
});

fn call(sent: Bytes, answer: Bytes, id: u64) -> Option<Call> {
    let head = Head::read(&sent).ok().flatten()?;
    let AnswerHead { headers, body: answered } = AnswerHead::read(&answer);
    let times = Duration::from_micros(id);
    Some(Call {
        id,
        time: Moment(id),
        service: "fuzz".into(),
        source: Ipv4Addr::LOCALHOST.into(),
        source_port: 1,
        client: Ipv4Addr::LOCALHOST.into(),
        digests: [0; KINDS],
        reason: Reason::RequestClean,
        verdict: Verdict::Pass,
        decision: None,
        placed: None,
        sensitive: enforcer_insight::classes::Sensitive::default(),
        body: body(&head, &sent.slice(head.end..)),
        head,
        answer: Some(Answer { status: 200, first_byte: times, whole: times, bytes: 1, complete: true, headers, body: answered }),
    })
}
