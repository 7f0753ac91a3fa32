//! Forms whose segments are judged on two processors at the same time.
//!
//! A segment that is read while the one before it is being read sees a position that is about to move. What it would write back, or read on
//! from, must not be the old one.

use enforcer_tests::Play;

use super::{
    bodies,
    form::{Form, Twin},
    order, splits,
    stage::guarded_from_both_hands,
};

/// Given a blocked device. When the segments of one connection are judged on two processors at once. Then its request is refused wherever
/// it begins; anyone else's is served.
#[test]
fn two_processors_read_one_connection_as_one_would() {
    guarded_from_both_hands(&forms());
}

/// Those of other files are known to fail without a guard.
fn forms() -> Vec<Form> {
    let others = [bodies::forms(), order::forms(), splits::forms()].into_iter().flatten();
    own().into_iter().chain(others.step_by(7)).collect()
}

pub(super) fn own() -> Vec<Form> {
    let posts = [1, 2, 8].map(|count| {
        Form::refused(
            &format!("in one segment with the end of a body, behind {count} requests"),
            count + 2,
            move |twin| {
                let play = (0..count).fold(Play::new(), |play, number| play.send(&head(twin, number)).send(BODY));
                // Ends with the body, so whoever has lost the place cannot tell where it begins.
                let (most, end) = BODY.split_at(20);
                play.send(&head(twin, count)).send(most).send(&[end, &twin.head()].concat()).answers(count + 2)
            },
        )
    });
    posts.into_iter().collect()
}

fn head(twin: &Twin, number: usize) -> Vec<u8> {
    let template =
        "POST /health HTTP/1.1\r\nHost: a\r\nX-Device-Id: none\r\nX-Request-Number: {c?}\r\nContent-Length: 60\r\n\r\n";
    twin.text(&template.replace('?', &number.to_string()))
}

const BODY: &[u8] = &[b'x'; 60];
