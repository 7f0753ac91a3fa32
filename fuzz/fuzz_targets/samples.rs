//! The records of the kernel's ring: any bytes are a sample or none, and each request that is told becomes one exchange, bounded, with
//! nothing held for those that are gone. The data are records, each behind its length.
#![no_main]

use std::collections::BTreeSet;

use enforcer::exchanges::{Exchange, Joiner};
use enforcer::kernel::Sample;
use enforcer_common::{ANSWER_PREFIX, BODY_PREFIX, Verdict};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (mut joiner, mut waits, mut rest) = (Joiner::default(), BTreeSet::new(), data);
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(behind.len());
        let (record, behind) = behind.split_at(length);
        rest = behind;
        let Some(sample) = Sample::read(record).map(near) else { continue };
        let asked = if let Sample::Asking(asking, ..) = &sample { Some(*asking) } else { None };
        let done = joiner.take(sample);
        done.iter().for_each(bounded);
        match asked {
            Some(asking) if asking.verdict > Verdict::Observe as u8 => assert!(done.is_some_and(|one| one.answer.is_none())),
            // One that is told again takes the other's place.
            Some(asking) => drop(waits.insert(asking.id)),
            None => assert!(done.is_none_or(|one| waits.remove(&one.asking.id))),
        }
    }
    while let Some(exchange) = joiner.give_up(u64::MAX) {
        bounded(&exchange);
        assert!(waits.remove(&exchange.asking.id));
    }
    assert_eq!((waits.len(), joiner.held()), (0, 0));
});

/// Of few requests, so that parts meet, and of a time that is over.
fn near(sample: Sample<'_>) -> Sample<'_> {
    let id = |id: u64| id % IDS as u64;
    match sample {
        Sample::Asking(mut asking, head, body) => {
            (asking.id, asking.time) = (id(asking.id), 0);
            Sample::Asking(asking, head, body)
        }
        Sample::Bodying(mut part, bytes) => {
            part.id = id(part.id);
            Sample::Bodying(part, bytes)
        }
        Sample::Answering(mut part, bytes) => {
            part.id = id(part.id);
            Sample::Answering(part, bytes)
        }
    }
}

fn bounded(exchange: &Exchange) {
    assert!(exchange.head.len() <= exchange.asking.head as usize);
    // What comes with the head comes whole; what follows is cut.
    assert!(exchange.body.len() <= LONGEST.max(BODY_PREFIX));
    assert!(exchange.answer.as_ref().is_none_or(|answer| answer.prefix.len() <= ANSWER_PREFIX));
}

const IDS: usize = 4;
/// No record of the data is longer.
const LONGEST: usize = u16::MAX as usize;
