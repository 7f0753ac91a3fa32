//! Forms whose body's length can be read in two ways, with an evil request inside or behind.

use enforcer_tests::Play;

use super::{
    form::{Expect, Form, HEAD},
    stage::{guarded, guarded_by, service},
};

/// Given a blocked device. When its request hides behind or inside a body whose length is said twice or unclearly. Then it is
/// never served.
#[test]
fn unclear_framing_hides_nothing() {
    guarded(&forms());
}

/// Given a service that denies what is unclear. When such a request comes from anybody. Then it is refused; one that is clear
/// is served.
#[test]
fn unclear_framing_is_denied_on_demand() {
    // Of a head in pieces the server may have seen enough to reject it before it is whole.
    let denied = forms().into_iter().map(|form| {
        let expect = if form.name.contains(PIECES) { Expect::Rejected } else { Expect::Refused(0) };
        Form { evil: expect.clone(), honest: Some(expect), ..form }
    });
    let clear = Form::served("clear framing", 2, |twin| {
        let body = "POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-Request-Number: {c0}\r\n\r\nhello";
        Play::new().send(&twin.text(body)).send(&twin.clean(1)).answers(2)
    });
    guarded_by(&service("ambiguous = \"deny\"\n"), &denied.chain([clear]).collect::<Vec<_>>());
}

pub(super) fn forms() -> Vec<Form> {
    let forms = FRAMINGS.iter().flat_map(|(name, lines, body)| {
        // The evil request stands where each of the two readings would find it.
        let text =
            format!("POST /health HTTP/1.1\r\nHost: a\r\n{lines}\r\nX-Request-Number: {{c0}}\r\n\r\n{body}{HEAD}");
        let cut = text.clone();
        [
            Form::rejected(name, move |twin| Play::new().send(&twin.text(&text)).answers(3).gives_up()),
            Form::rejected(&format!("{name}{PIECES}"), move |twin| {
                Play::new().pieces(&twin.text(&cut), 11).answers(3).gives_up()
            }),
        ]
    });
    forms.collect()
}

const PIECES: &str = ", in segments of 11";
const FRAMINGS: [(&str, &str, &str); 22] = [
    ("length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
    ("chunks and length", "Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"),
    ("chunks and a length that covers the request", "Transfer-Encoding: chunked\r\nContent-Length: 95", "0\r\n\r\n"),
    ("two lengths", "Content-Length: 5\r\nContent-Length: 6", "hello"),
    ("two lengths, the second is zero", "Content-Length: 95\r\nContent-Length: 0", ""),
    ("a list of lengths", "Content-Length: 5, 6", "hello"),
    ("an unknown coding", "Transfer-Encoding: xchunked", "0\r\n\r\n"),
    ("chunks, then another coding", "Transfer-Encoding: chunked, identity", "0\r\n\r\n"),
    ("another coding, then chunks", "Transfer-Encoding: gzip, chunked", "0\r\n\r\n"),
    ("chunks twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
    (
        "chunks, then another line with a coding",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "0\r\n\r\n",
    ),
    ("a blank before the coding's colon", "Transfer-Encoding : chunked", "0\r\n\r\n"),
    ("a folded coding", "Transfer-Encoding:\r\n chunked", "0\r\n\r\n"),
    ("a control byte before the coding", "Transfer-Encoding: \x0bchunked", "0\r\n\r\n"),
    ("a signed length", "Content-Length: +5", "hello"),
    ("a negative length", "Content-Length: -5", "hello"),
    ("a hexadecimal length", "Content-Length: 0x5", "hello"),
    ("two numbers as a length", "Content-Length: 5 6", "hello"),
    ("a length beyond all bounds", "Content-Length: 18446744073709551621", "hello"),
    ("a chunk beyond all bounds", "Transfer-Encoding: chunked", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("a chunk's size that is none", "Transfer-Encoding: chunked", "5g\r\nhello\r\n0\r\n\r\n"),
    ("a chunk that goes on too long", "Transfer-Encoding: chunked", "5\r\nhello!\r\n0\r\n\r\n"),
];
