//! Policy on its way to hosts: nothing unsigned is accepted, and of what the key has signed, any bytes are a change or a flaw; a change is
//! written again as it was read, moves a host to exactly its content, and is taken back without a trace.
#![no_main]

use std::sync::LazyLock;

use enforcer_policy::Moment;
use enforcer_policy::revision::{Content, Delta, Digest, EVERYONE, Head, Kind, Replica, Signed, Signer, deliver_packed};
use libfuzzer_sys::fuzz_target;

static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::from_seed(&[7; 32]));

fuzz_target!(|data: &[u8]| {
    let mut replica = Replica::new(SIGNER.public());
    assert!(replica.accept(data, &[], None).is_err(), "accepted without a signature");
    assert!(Signed::from_bytes(data.to_vec()).open(&SIGNER.public()).is_err(), "opened without a signature");
    let _ = Delta::unpack(data, 4 * data.len());
    let body = (stored(data), data.len());
    let Ok(delta) = Delta::unpack(&body.0, body.1) else { return };
    let (packed, plain) = delta.pack().expect("what was read can be written");
    assert_eq!(Delta::unpack(&packed, plain).expect("what was written can be read"), delta);
    accepted(&mut replica, &delta, &body);
});

fn accepted(replica: &mut Replica, delta: &Delta, body: &(Vec<u8>, usize)) {
    let whole = delta.base.is_some() && delta.remove.is_empty();
    let kind = if whole { Kind::Snapshot } else { Kind::Delta };
    let mut content = Content::default();
    content.apply(delta.clone());
    let head = head(&mut content).sign(&SIGNER).expect("a head can be signed");
    let frame = deliver_packed(&SIGNER, kind, 0, &[head], body).expect("it is short enough");
    let before = replica.decisions_digest();
    let accepted = replica.accept(&frame, &[], Some(Moment(1))).expect("what the center has signed");
    assert_eq!((replica.known().number, replica.content().len()), (1, content.len()));
    assert_eq!(replica.decisions_digest(), content.decisions_digest());
    replica.undo(accepted);
    assert_eq!((replica.known().number, replica.decisions_digest()), (0, before));
    assert!(replica.content().is_empty());
}

fn head(content: &mut Content) -> Head {
    Head {
        number: 1,
        previous: Digest::default(),
        ancestor: Digest::default(),
        author: "ada".to_owned(),
        approver: None,
        comment: String::new(),
        made: Moment(1),
        not_after: Moment(2),
        group: EVERYONE.to_owned(),
        content: content.digest(),
        decisions: content.len() as u64,
    }
}

/// The packed form of bytes that are not packed: one last block that is stored as it is. Inputs are shorter than a block may be.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len() as u16;
    [&[1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), bytes].concat()
}
