//! Forms by what the packets are like: fragments, options, urgent data, padding.

use enforcer_tests::{Play, Twist};

use super::{
    form::{EVIL, Expect, Form, Twin},
    stage::guarded,
};

/// Given a blocked device. When its request comes in packets that are unusual, but that the server takes. Then it is
/// refused.
#[test]
fn unusual_packets_are_read_as_the_server_reads_them() {
    guarded(&forms());
}

pub(super) fn forms() -> Vec<Form> {
    let whole = [
        ("options between the headers", Twist::HeaderOptions),
        ("padding behind the packet", Twist::Padding(20)),
        ("padding like a request behind the packet", Twist::Padding(7)),
        ("fragments of 64", Twist::Fragments(64)),
        ("fragments of 24", Twist::Fragments(24)),
        ("fragments of 8", Twist::Fragments(8)),
        ("fragments of 64, the last first", Twist::FragmentsBackwards(64)),
        ("one fragment that is the whole", Twist::Fragments(1024)),
    ];
    let whole = whole.map(|(name, twist)| Form::refused(name, 1, move |twin| Play::new().twisted(&twin.head(), twist)));
    let second =
        [("options", Twist::HeaderOptions), ("padding", Twist::Padding(9)), ("fragments", Twist::Fragments(32))];
    let second = second.map(|(name, twist)| {
        Form::refused(&format!("the second segment has {name}"), 1, move |twin| {
            Play::new().send(&twin.head()[..46]).twisted(&twin.head()[46..], twist)
        })
    });
    let first =
        [("options", Twist::HeaderOptions), ("padding", Twist::Padding(9)), ("fragments", Twist::Fragments(32))];
    let first = first.map(|(name, twist)| {
        Form::refused(&format!("the first segment has {name}"), 1, move |twin| {
            Play::new().twisted(&twin.head()[..46], twist).send(&twin.head()[46..])
        })
    });
    let unpushed =
        Form::refused("without PSH", 1, |twin| Play::new().omit(&twin.head()).flagged_at(0, &twin.head(), 0x10));
    let marked = Form::refused("with congestion marks", 1, |twin| {
        Play::new().omit(&twin.head()).flagged_at(0, &twin.head(), 0xd8)
    });
    whole.into_iter().chain(second).chain(first).chain(urgent()).chain([unpushed, marked]).collect()
}

/// A server takes an urgent byte out of what the application reads, and would serve what is not on the wire. The mark is taken
/// off on the way, so that both read the byte, and the value is not the blocked one. The
/// application stops reading there until more comes, and goes on for certain when the end comes: hence the last segment.
fn urgent() -> [Form; 3] {
    [
        Form::either("an urgent byte inside the value", 1, |twin| with_urgent(twin, 0, value(twin) + 3)),
        Form::either("an urgent byte inside the name, in the second segment", 1, |twin| {
            with_urgent(twin, 20, value(twin) - 5)
        }),
        Form {
            evil: Expect::Rejected,
            honest: Some(Expect::Rejected),
            ..Form::refused("an urgent byte in front", 1, |twin| with_urgent(twin, 0, 0))
        },
    ]
}

/// The head with one more byte at this place, which is urgent; a segment begins at `start`, if that is not 0.
fn with_urgent(twin: &Twin, start: usize, at: usize) -> Play {
    let head = twin.head();
    let (head, last) = head.split_at(head.len() - 2);
    let odd = [&head[start..at], b"!", &head[at..]].concat();
    let place = u16::try_from(at - start).expect("a short head");
    let play = if start > 0 { Play::new().send(&head[..start]) } else { Play::new() };
    play.twisted(&odd, Twist::Urgent(place)).send_and_end(last)
}

/// Where the device's value begins.
fn value(twin: &Twin) -> usize {
    let (head, colon) = (twin.head(), b"Id: ");
    let found = head.windows(colon.len()).position(|window| window == colon);
    assert!(!EVIL.is_empty(), "a token has bytes");
    found.expect("the head has a device") + colon.len()
}
