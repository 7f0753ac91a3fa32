//! Forms that say two different things about the same place of the stream.
//!
//! The first, the decoy, is what a naive reader keeps; the second is what the server gets, because it threw the first away
//! or never had it. The honest twin says the same thing twice, as any client does after a loss, and must be served.

use enforcer_tests::{Play, Twist};

use super::{
    form::{Expect, Form, Twin},
    stage::guarded,
};

/// Given a blocked device. When its request overlaps with something harmless that the server doesn't take. Then it is
/// refused; where the server took the harmless copy first, that is served and the evil one never.
#[test]
fn the_servers_view_counts() {
    guarded(&forms());
}

pub(super) fn forms() -> Vec<Form> {
    [lost_decoys(), partial(), accepted()].into_iter().flatten().collect()
}

/// The server throws the decoy away.
fn lost_decoys() -> Vec<Form> {
    let lost = [
        ("a wrong checksum", Twist::WrongChecksum),
        ("no ACK flag", Twist::NoAcknowledge),
        ("an acknowledgement of the future", Twist::FutureAcknowledge),
        ("an old timestamp", Twist::OldTimestamp),
        ("a header too short", Twist::ShortHeader),
        ("a wrong length", Twist::WrongLength),
    ];
    let whole = lost.map(|(what, twist)| {
        Form::refused(&format!("a decoy with {what}, then the request"), 1, move |twin| {
            Play::new().timestamps().twisted(&twin.decoy(), twist).send(&twin.head())
        })
    });
    let first_part = lost.map(|(what, twist)| {
        Form::refused(&format!("a decoy with {what}, then the request in two"), 1, move |twin| {
            Play::new().timestamps().twisted(&twin.decoy(), twist).split(&twin.head(), &[45])
        })
    });
    let second_part = lost.map(|(what, twist)| {
        Form::refused(&format!("the first half, a decoy of the second with {what}, the second"), 1, move |twin| {
            let (decoy, head) = (twin.decoy(), twin.head());
            let play = Play::new().timestamps().send(&head[..45]).acknowledged();
            play.twisted_at(45, &decoy[45..], twist).send(&head[45..])
        })
    });
    let behind = lost.map(|(what, twist)| {
        Form::refused_after(1, &format!("a decoy with {what} on a kept connection"), 2, move |twin| {
            let play = Play::new().timestamps().send(&twin.clean(0)).answered(1);
            play.twisted(&twin.decoy(), twist).send(&twin.head()).answers(2)
        })
    });
    whole.into_iter().chain(first_part).chain(second_part).chain(behind).collect()
}

/// The decoy covers a part only.
fn partial() -> Vec<Form> {
    vec![
        Form::refused("a decoy in pieces with wrong checksums, the request in others", 1, |twin| {
            let decoy = twin.decoy();
            let play = [(0, 30), (30, 60), (60, decoy.len())]
                .into_iter()
                .fold(Play::new(), |play, (from, to)| play.twisted_at(from, &decoy[from..to], Twist::WrongChecksum));
            play.pieces(&twin.head(), 17)
        }),
        Form::refused("a decoy with a wrong checksum, then single bytes", 1, |twin| {
            Play::new().twisted(&twin.decoy(), Twist::WrongChecksum).pieces(&twin.head(), 1)
        }),
        Form::refused("the tail early, a decoy with a wrong checksum, the first part", 1, |twin| {
            let head = twin.head();
            let play = Play::new().send_at(50, &head[50..]).twisted_at(0, &twin.decoy(), Twist::WrongChecksum);
            play.send_at(0, &head[..50])
        }),
        Form::refused("a decoy's tail early, then the whole request", 1, |twin| {
            Play::new().once_at(40, &twin.decoy()[40..]).send_at(0, &twin.head())
        }),
        Form::refused("a decoy's tail early, then the first part, then the tail", 1, |twin| {
            let head = twin.head();
            Play::new().once_at(40, &twin.decoy()[40..]).send_at(0, &head[..40]).omit(&head[40..])
        }),
        Form::refused("a decoy with a wrong checksum over the end of the first part", 1, |twin| {
            let (decoy, head) = (twin.decoy(), twin.head());
            let play = Play::new().send(&head[..30]).acknowledged();
            play.twisted_at(20, &decoy[20..], Twist::WrongChecksum).send(&head[30..])
        }),
        Form::refused("the second part overlaps with the first", 1, |twin| {
            let head = twin.head();
            Play::new().send(&head[..50]).send_at(20, &head[20..])
        }),
        Form::refused("the second part overlaps with the acknowledged first", 1, |twin| {
            let head = twin.head();
            Play::new().send(&head[..50]).acknowledged().send_at(20, &head[20..])
        }),
        Form::refused("the whole again after half of it", 1, |twin| {
            let head = twin.head();
            Play::new().send(&head[..50]).send_at(0, &head)
        }),
        Form::refused("each segment begins a byte early", 1, |twin| {
            let head = twin.head();
            let places = (10..head.len()).step_by(10);
            let first = Play::new().send(&head[..10]);
            places.fold(first, |play, at| play.send_at(at - 1, &head[at - 1..head.len().min(at + 10)]))
        }),
    ]
}

/// The server takes the decoy, or may.
fn accepted() -> Vec<Form> {
    let served = |name: &str, answers: usize, make: fn(&Twin) -> Play| Form {
        evil: Expect::Served(answers),
        ..Form::refused(name, answers, make)
    };
    vec![
        served("a decoy that is answered, then the request in its place", 2, |twin| {
            let (decoy, clean) = (twin.decoy(), twin.clean(0));
            let play = Play::new().send(&decoy).answered(1).once_at(0, &twin.head());
            play.send(&clean).answers(2)
        }),
        served("a decoy that is answered, then its end differs and a request follows", 2, |twin| {
            let (decoy, head, clean) = (twin.decoy(), twin.head(), twin.clean(0));
            let play = Play::new().send(&decoy).answered(1);
            let both = [&head[40..], &clean].concat();
            // Below what the server has, it says something else; above, it is a request of its own.
            let unsent = play.once_at(40, &both);
            unsent.omit(&clean).answers(2)
        }),
        Form::either("a decoy, and at once the request in its place", 1, |twin| {
            Play::new().send(&twin.decoy()).once_at(0, &twin.head())
        }),
        Form::either("most of a decoy, acknowledged, then the whole request", 1, |twin| {
            let (decoy, head) = (twin.decoy(), twin.head());
            // All that tells the two apart is in the part that the server has.
            let at = head.len() - 2;
            let play = Play::new().send(&decoy[..at]).acknowledged().once_at(0, &head);
            play.omit(&decoy[at..])
        }),
        Form::either("the request with a wrong checksum, then a decoy", 1, |twin| {
            Play::new().twisted(&twin.head(), Twist::WrongChecksum).send(&twin.decoy())
        }),
        Form::either("the first half of the request with a wrong checksum, then a decoy", 1, |twin| {
            Play::new().twisted(&twin.head()[..50], Twist::WrongChecksum).send(&twin.decoy())
        })
        .contradicting(),
        Form::refused("a conflicting piece inside an unacknowledged first part", 1, |twin| {
            let (decoy, head) = (twin.decoy(), twin.head());
            let play =
                Play::new().twisted(&decoy[..50], Twist::WrongChecksum).twisted_at(40, &head[40..50], Twist::None);
            play.send_at(0, &head[..40]).send_at(50, &head[50..])
        })
        .contradicting(),
    ]
}
