//! Forms that say something while the handshake goes on: the server has no socket yet whose numbers could be asked, and throws away all but
//! the segment that ends the handshake.

use enforcer_tests::{Play, Twist};

use super::{
    form::{Form, Twin},
    stage::guarded,
};

/// Given a blocked device. When what the server throws away comes before the segment that ends the handshake with its request. Then it is
/// refused all the same; anyone else's is served.
#[test]
fn what_comes_before_the_handshakes_end_moves_nothing() {
    guarded(&forms());
}

pub(super) fn forms() -> Vec<Form> {
    let below = [1, 2].map(|count| {
        Form::refused(&format!("{count} times the head of a large body before the first byte"), 1, move |twin| {
            let post = post(twin);
            let distance = i64::try_from(post.len()).expect("heads are short");
            let play = (0..count).fold(Play::new().hasty(), |play, _| play.before(distance, &post, ACK));
            play.send(&twin.head())
        })
    });
    let across = Form::refused("the head of a large body across the first byte", 1, |twin| {
        let (post, head) = (post(twin), twin.head());
        let distance = i64::try_from(post.len() / 2).expect("heads are short");
        Play::new().hasty().before(distance, &post[..post.len() / 2], ACK).split(&head, &[45])
    });
    // Its author says two things of one place, which nobody honest does.
    let decoyed = Form { honest: None, ..Form::refused("a request with a body, all with wrong checksums", 1, decoyed) };
    below.into_iter().chain([across, decoyed]).collect()
}

fn decoyed(twin: &Twin) -> Play {
    let (post, lost) = (post(twin), Twist::WrongChecksum);
    let play = Play::new().hasty().twisted_at(0, &post, lost).twisted_at(post.len(), &[b'x'; 200], lost);
    play.send_at(0, &twin.head())
}

fn post(twin: &Twin) -> Vec<u8> {
    twin.text("POST /health HTTP/1.1\r\nHost: a\r\nX-Request-Number: {c0}\r\nContent-Length: 100000\r\n\r\n")
}

const ACK: u8 = 0x10;
