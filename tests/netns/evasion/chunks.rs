//! Forms with chunked bodies, and the evil request behind them.

use enforcer_tests::Play;

use super::{
    form::{Form, HEAD, Twin},
    stage::guarded,
};

/// Given a blocked device. When its request comes behind a chunked body, however that is written and cut. Then it is
/// refused.
#[test]
fn a_request_behind_chunks_is_judged() {
    guarded(&forms());
}

pub(super) fn forms() -> Vec<Form> {
    let written = WRITTEN.map(|(name, body)| {
        Form::refused(&format!("behind {name}"), 2, move |twin| {
            Play::new().send(&[post(twin), twin.text(body), twin.head()].concat()).answers(2)
        })
    });
    let apart = WRITTEN.map(|(name, body)| {
        Form::refused(&format!("behind {name}, in a segment of its own"), 2, move |twin| {
            Play::new().send(&[post(twin), twin.text(body)].concat()).send(&twin.head()).answers(2)
        })
    });
    written.into_iter().chain(apart).chain(others()).collect()
}

fn others() -> [Form; 8] {
    [
        // Through sizes, extensions, ends of lines, data, trailers.
        Form::refused("behind chunks cut at any byte, another one each time", 2, |twin| {
            let (post, at) = (post(twin), 1 + twin.turn % (CUT.len() - 1));
            Play::new().split(&[&post, CUT.as_bytes(), &twin.head()].concat(), &[post.len() + at]).answers(2)
        }),
        Form::refused("behind chunks in single bytes", 2, |twin| {
            Play::new().pieces(&[post(twin), CUT.as_bytes().to_vec(), twin.head()].concat(), 1).answers(2)
        }),
        Form::refused_after(1, "behind chunks that were answered", 2, |twin| {
            let play = Play::new().send(&[&post(twin), CUT.as_bytes()].concat()).answered(1);
            play.send(&twin.head()).answers(2)
        }),
        Form::refused("in one segment with the last chunk", 2, |twin| {
            let play = Play::new().send(&post(twin)).send(b"5\r\nhello\r\n");
            play.send(&[b"0\r\n\r\n", &*twin.head()].concat()).answers(2)
        }),
        Form::refused("behind a large chunk", 2, |twin| {
            let chunk = [b"4e20\r\n", &*vec![b'.'; 20_000], b"\r\n0\r\n\r\n"].concat();
            Play::new().flow(&[post(twin), chunk, twin.head()].concat()).answers(2)
        }),
        Form::refused("behind three hundred chunks", 2, |twin| {
            let chunks = b"a\r\n0123456789\r\n".repeat(300);
            Play::new().flow(&[&post(twin), &chunks[..], b"0\r\n\r\n", &twin.head()].concat()).answers(2)
        }),
        Form::refused("behind a chunk that looks like a request", 2, |twin| {
            let inner = twin.text(&HEAD.replace("{n}", "{odd}").replace("{id}", "{evil}"));
            let chunk = [format!("{:x}\r\n", inner.len()).as_bytes(), &inner, b"\r\n0\r\n\r\n"].concat();
            Play::new().send(&[post(twin), chunk, twin.head()].concat()).answers(2)
        }),
        Form::refused("with chunks of its own", 1, |twin| {
            let own = POST.replace("{c0}", "{n}").replace("\r\n\r\n", "\r\nX-Device-Id: {id}\r\n\r\n");
            Play::new().send(&twin.text(&own)).send(CUT.as_bytes())
        }),
    ]
}

fn post(twin: &Twin) -> Vec<u8> {
    twin.text(POST)
}

pub(super) const POST: &str =
    "POST /health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-Request-Number: {c0}\r\n\r\n";
const CUT: &str = "5;x=y\r\nhello\r\n00C\r\n\r\n\r\n0\r\n\r\n123\r\n0\r\nX-Sum: 7\r\n\r\n";
const WRITTEN: [(&str, &str); 13] = [
    ("one chunk", "5\r\nhello\r\n0\r\n\r\n"),
    ("no chunk", "0\r\n\r\n"),
    ("chunks of one byte", "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n"),
    ("a size in lower case", "1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n"),
    ("a size in upper case", "1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n"),
    ("a size with zeros in front", "00000005\r\nhello\r\n000\r\n\r\n"),
    ("an extension", "5;name=value\r\nhello\r\n0;last\r\n\r\n"),
    ("a quoted extension", "5;name=\"a b;c\"\r\nhello\r\n0\r\n\r\n"),
    ("a blank after the size", "5 \r\nhello\r\n0\r\n\r\n"),
    ("a trailer", "5\r\nhello\r\n0\r\nX-Sum: 12\r\n\r\n"),
    ("three trailers", "5\r\nhello\r\n0\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n"),
    ("data that looks like the end", "7\r\n0\r\n\r\n..\r\n0\r\n\r\n"),
    ("a trailer that looks like a device", "5\r\nhello\r\n0\r\nX-Device-Id: {evil}\r\n\r\n"),
];
