//! Forms that depend on what came before on the connection: kept-alive, pipelined, opened and ended in odd ways.

use enforcer_tests::{Play, Twist};

use super::{
    form::{Expect, Form, Twin},
    stage::guarded,
};

/// Given a blocked device. When its request is not the first of its connection, shares a segment with others, or comes as
/// the connection opens or ends. Then it is refused, and what was asked before it was answered.
#[test]
fn every_request_of_a_connection_is_judged() {
    guarded(&forms());
}

pub(super) fn forms() -> Vec<Form> {
    [kept_alive(), pipelined(), openings(), again()].into_iter().flatten().collect()
}

fn kept_alive() -> Vec<Form> {
    let after = [1, 5].map(|count| {
        Form::refused_after(count, &format!("after {count} answered"), count + 1, move |twin| {
            let before = (0..count).fold(Play::new(), |play, k| play.send(&twin.clean(k)).answered(k + 1));
            before.send(&twin.head()).answers(count + 1)
        })
    });
    let split = Form::refused_after(1, "after one answered, in single bytes", 2, |twin| {
        Play::new().send(&twin.clean(0)).answered(1).pieces(&twin.head(), 1).answers(2)
    });
    let missing = Form {
        // An answer of another kind, with a body of its own length.
        evil: Expect::Statuses(vec![404, 403]),
        honest: Some(Expect::Statuses(vec![404, 200])),
        unguarded: Expect::Statuses(vec![404, 200]),
        ..Form::refused("after one that was not found", 2, |twin| {
            let missing = twin.text("GET /none HTTP/1.1\r\nHost: a\r\nX-Request-Number: {c0}\r\n\r\n");
            Play::new().send(&missing).answered(1).send(&twin.head()).answers(2)
        })
    };
    after.into_iter().chain([split, missing]).collect()
}

/// How many of those before it are answered is open: refusing ends the connection, and what shares a segment with a
/// refused request goes with it.
fn pipelined() -> Vec<Form> {
    let behind = (1..=5).map(|count| {
        Form::refused(&format!("behind {count} in one segment"), count + 1, move |twin| {
            Play::new().send(&[twin.cleans(count), twin.head()].concat()).answers(count + 1)
        })
    });
    let cuts = [1, 20, 44, 47, 60, 70].map(|at| {
        Form::refused(&format!("behind another, cut after byte {at}"), 2, move |twin| {
            let both = [twin.clean(0), twin.head()].concat();
            Play::new().split(&both, &[twin.clean(0).len() + at]).answers(2)
        })
    });
    let others = vec![
        Form::refused("behind another in a segment of its own, at once", 2, |twin| {
            Play::new().send(&twin.clean(0)).send(&twin.head()).answers(2)
        }),
        Form::refused("behind two, cut in the first", 3, |twin| {
            Play::new().split(&[twin.cleans(2), twin.head()].concat(), &[40]).answers(3)
        }),
        Form::refused("behind three, in segments of 33", 4, |twin| {
            Play::new().pieces(&[twin.cleans(3), twin.head()].concat(), 33).answers(4)
        }),
        Form::refused("before another in one segment", 2, |twin| {
            Play::new().send(&[twin.head(), twin.clean(0)].concat()).answers(2)
        }),
        Form::refused("between two in one segment", 3, |twin| {
            Play::new().send(&[twin.clean(0), twin.head(), twin.clean(1)].concat()).answers(3)
        }),
        Form::refused("behind forty, as TCP sends them", 41, |twin| {
            let many: Vec<u8> = (0..40).flat_map(|k| twin.clean(k % 10)).collect();
            Play::new().flow(&[many, twin.head()].concat()).answers(41)
        }),
    ];
    behind.chain(cuts).chain(others).collect()
}

fn openings() -> Vec<Form> {
    let near_the_end = [5_u32, 30, 60].map(|distance| {
        Form::refused(&format!("numbers overflow after {distance} bytes"), 1, move |twin| {
            Play::new().numbers_from(u32::MAX - distance).send(&twin.head())
        })
    });
    let overflow_cut = Form::refused("numbers overflow between two segments", 1, |twin| {
        Play::new().numbers_from(u32::MAX - 45).split(&twin.head(), &[45])
    });
    let others = vec![
        Form::refused("on the handshake's third segment", 1, |twin| Play::new().hasty().send(&twin.head())),
        Form::refused("on the handshake's third segment, cut", 1, |twin| {
            Play::new().hasty().split(&twin.head(), &[47])
        }),
        // Servers throw away what comes with the first segment; it is repeated without.
        Form::refused("after a decoy on the first segment", 1, |twin| {
            Play::new().syn_payload(&twin.decoy()).send(&twin.head())
        }),
        Form::refused("the first half on the first segment too", 1, |twin| {
            Play::new().syn_payload(&twin.head()[..47]).send(&twin.head())
        }),
        Form::refused("the last segment says so", 1, |twin| Play::new().send_and_end(&twin.head())),
        Form::refused("in two, of which the last says so", 1, |twin| {
            Play::new().send(&twin.head()[..47]).send_and_end(&twin.head()[47..])
        }),
        Form::refused("with timestamps", 1, |twin| Play::new().timestamps().split(&twin.head(), &[47])),
    ];
    near_the_end.into_iter().chain([overflow_cut]).chain(others).collect()
}

/// The client repeats itself, or comes back with the same ports.
fn again() -> Vec<Form> {
    let twice = |evil: &[u16], name: &str, make: fn(&Twin) -> Play| Form {
        evil: Expect::Statuses(evil.to_vec()),
        ..Form::refused(name, 2, make)
    };
    vec![
        Form::refused("the answer is lost, and it is sent again", 1, |twin| Play::new().deaf(1).send(&twin.head())),
        Form::refused("the answer is lost twice, and it is sent again", 1, |twin| {
            Play::new().deaf(2).split(&twin.head(), &[47])
        }),
        twice(&[403, 403], "twice from the same port", |twin| {
            Play::new().send(&twin.head()).then(Play::new().send(&twin.head()))
        }),
        twice(&[403, 200], "another from the same port", |twin| {
            Play::new().send(&twin.head()).then(Play::new().send(&twin.clean(0)))
        }),
        twice(&[200, 403], "from the port of another", |twin| {
            Play::new().send(&twin.clean(0)).then(Play::new().split(&twin.head(), &[47]))
        }),
        Form::refused_after(1, "a reset that the server does not believe, in the middle", 2, |twin| {
            let (clean, head) = (twin.clean(0), twin.head());
            let half = Play::new().send(&clean).answered(1).send(&head[..47]).acknowledged();
            half.flagged_at(clean.len() + 1000, b"", RST).send(&head[47..]).answers(2)
        }),
        Form::refused("a new beginning that the server does not believe, in the middle", 1, |twin| {
            let half = Play::new().send(&twin.head()[..47]).acknowledged();
            half.flagged_at(5000, b"", SYN).send(&twin.head()[47..])
        }),
        Form::refused("a new beginning in the right place, in the middle", 1, |twin| {
            let half = Play::new().send(&twin.head()[..47]).acknowledged();
            half.flagged_at(46, b"", SYN).send(&twin.head()[47..])
        }),
        Form::refused("an end that the server does not believe, in the middle", 1, |twin| {
            let half = Play::new().send(&twin.head()[..47]).acknowledged();
            half.flagged_at(1_000_000, b"", FIN | ACK).send(&twin.head()[47..])
        }),
        Form::refused("something far ahead, in the middle", 1, |twin| {
            let half = Play::new().send(&twin.head()[..47]).acknowledged();
            half.once_at(2_000_000, b"far ahead").send(&twin.head()[47..])
        }),
        Form::refused("a probe with a byte of the past, in the middle", 1, |twin| {
            let half = Play::new().send(&twin.head()[..47]).acknowledged();
            half.once_at(46, b"?").send(&twin.head()[47..])
        }),
        Form::refused("a probe with a byte of the past, at the beginning", 1, |twin| {
            Play::new().before(1, b"?", ACK).send(&twin.head())
        }),
        Form::refused("something of the past at the beginning, with a wrong checksum", 1, |twin| {
            Play::new().twisted(b"GET / HTTP/1.1\r\n\r\n", Twist::WrongChecksum).send(&twin.head())
        })
        .contradicting(),
    ]
}

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
