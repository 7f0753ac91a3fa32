//! Forms that cut a head into segments.

use enforcer_tests::Play;

use super::{
    form::{Form, HEAD, Twin},
    stage::guarded,
};

/// Given a blocked device. When its request comes in pieces, cut at any byte, with and without waiting for the server to
/// acknowledge each. Then it is refused; anyone else's is served.
#[test]
fn a_head_is_followed_over_any_cut() {
    guarded(&forms());
}

pub(super) fn forms() -> Vec<Form> {
    let whole = Form::refused("whole", 1, |twin| Play::new().send(&twin.head()));
    let sizes = [1, 2, 3, 7, 20].map(|size| {
        Form::refused(&format!("in segments of {size}"), 1, move |twin| Play::new().pieces(&twin.head(), size))
    });
    let slow = [1, 20].map(|size| {
        Form::refused(&format!("in segments of {size}, each acknowledged"), 1, move |twin| {
            twin.head().chunks(size).fold(Play::new(), |play, piece| play.send(piece).acknowledged())
        })
    });
    let cuts = (1..length()).map(|at| {
        // Every other time the server has acknowledged the first piece before the second comes.
        Form::refused(&format!("cut after byte {at}, {}", place(at)), 1, move |twin| cut(twin, &[at]))
    });
    let twice = [(1, 2), (4, 5), (12, 30), (43, 50), (50, 51)].map(|(first, second)| {
        Form::refused(&format!("cut after bytes {first} and {second}"), 1, move |twin| cut(twin, &[first, second]))
    });
    [whole].into_iter().chain(sizes).chain(slow).chain(twice).chain(cuts).collect()
}

fn cut(twin: &Twin, at: &[usize]) -> Play {
    let head = twin.head();
    if twin.turn.is_multiple_of(2) {
        return Play::new().split(&head, at);
    }
    let (first, rest) = head.split_at(at[0]);
    let rest_at: Vec<usize> = at[1..].iter().map(|place| place - at[0]).collect();
    Play::new().send(first).acknowledged().split(rest, &rest_at)
}

fn length() -> usize {
    sample().len()
}

fn sample() -> String {
    let twin = Twin { is_evil: true, base: 0, turn: 0 };
    String::from_utf8(twin.text(HEAD)).expect("text")
}

/// Where a cut falls, for messages.
fn place(at: usize) -> &'static str {
    let head = sample();
    let (before, after) = head.split_at(at);
    let line = before.rsplit('\n').next().unwrap_or_default();
    let is_first = !before.contains('\n');
    match (before.as_bytes()[at - 1], after.as_bytes()[0]) {
        (b'\r', b'\n') => "between CR and LF",
        (_, b'\r') => "before CR",
        (b'\n', _) => "between lines",
        (_, b':') => "before the colon",
        (b':', _) => "after the colon",
        _ if is_first && !line.contains(' ') => "in the method",
        _ if is_first && line.matches(' ').count() == 1 => "in the target",
        _ if is_first => "in the version",
        _ if line.contains(':') => "in a value",
        _ => "in a name",
    }
}
