//! Forms that send segments in another order, or let some get lost.
//!
//! A segment ahead of a gap in a head is held back from the server; the client misses its acknowledgement and sends it
//! again, as it would on any lossy path.

use enforcer_tests::Play;

use super::{
    form::{Form, Twin},
    stage::guarded,
};

/// Given a blocked device. When the segments of its request come in any order, or some only when they are missed. Then it
/// is refused; anyone else's is served.
#[test]
fn a_head_is_followed_in_any_order() {
    guarded(&forms());
}

pub(super) fn forms() -> Vec<Form> {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]].map(|order| {
        Form::refused(&format!("three segments in the order {order:?}"), 1, move |twin| thirds(twin, &order))
    });
    let late = [1, 30, 45, 60].map(|at| {
        Form::refused(&format!("the first {at} bytes come last"), 1, move |twin| {
            let head = twin.head();
            Play::new().send_at(at, &head[at..]).send_at(0, &head[..at])
        })
    });
    let others = [
        Form::refused("twenty segments backwards", 1, |twin| backwards(twin, 5)),
        Form::refused("single bytes backwards", 1, |twin| backwards(twin, 1)),
        Form::refused("the second, the first, the second again", 1, |twin| {
            let head = twin.head();
            Play::new().send_at(45, &head[45..]).send_at(0, &head[..45]).send_at(45, &head[45..])
        }),
        Form::refused("the first is lost", 1, |twin| {
            let head = twin.head();
            Play::new().omit(&head[..45]).send(&head[45..])
        }),
        Form::refused("the second is lost", 1, |twin| {
            let head = twin.head();
            Play::new().send(&head[..45]).acknowledged().omit(&head[45..])
        }),
        Form::refused("the middle is lost", 1, |twin| {
            let head = twin.head();
            Play::new().send(&head[..40]).omit(&head[40..50]).send(&head[50..])
        }),
        Form::refused("all is lost", 1, |twin| Play::new().omit(&twin.head())),
        Form::refused_after(1, "on a kept connection, the second segment first", 2, |twin| {
            let (clean, head) = (twin.clean(0), twin.head());
            let at = clean.len();
            let play = Play::new().send(&clean).answered(1).send_at(at + 45, &head[45..]);
            play.send_at(at, &head[..45]).answers(2)
        }),
        Form::refused("the second of two requests comes first", 2, |twin| {
            let (clean, head) = (twin.clean(0), twin.head());
            Play::new().send_at(clean.len(), &head).send_at(0, &clean).answers(2)
        }),
        Form::refused("the second ends the handshake", 1, |twin| {
            let head = twin.head();
            Play::new().hasty().send_at(45, &head[45..]).send_at(0, &head[..45])
        }),
        Form::refused("the end of two requests ends the handshake", 2, |twin| {
            let both = [twin.clean(0), twin.head()].concat();
            Play::new().hasty().send_at(60, &both[60..]).send_at(0, &both[..60]).answers(2)
        }),
        Form::refused("twice, each segment", 1, |twin| {
            let (head, at) = (twin.head(), 45);
            let once = Play::new().send(&head[..at]).send_at(0, &head[..at]);
            once.send_at(at, &head[at..]).send_at(at, &head[at..])
        }),
    ];
    orders.into_iter().chain(late).chain(others).collect()
}

fn thirds(twin: &Twin, order: &[usize]) -> Play {
    let head = twin.head();
    let pieces = [(0, 15), (15, 45), (45, head.len())];
    order.iter().fold(Play::new(), |play, piece| {
        let (from, to) = pieces[*piece];
        play.send_at(from, &head[from..to])
    })
}

fn backwards(twin: &Twin, size: usize) -> Play {
    let head = twin.head();
    let places = (0..head.len()).step_by(size).rev();
    places.fold(Play::new(), |play, at| play.send_at(at, &head[at..head.len().min(at + size)]))
}
