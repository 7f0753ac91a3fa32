//! Forms by how the line with the device is written, and how lines end.

use super::{form::Form, stage::guarded};

/// Given a blocked device. When the line that names it is written in any way the server understands. Then the request is
/// refused.
#[test]
fn the_line_is_found_however_it_is_written() {
    guarded(&forms());
}

pub(super) fn forms() -> Vec<Form> {
    let written = LINES.map(|(name, lines)| {
        let text = format!("GET /health HTTP/1.1\r\nHost: a\r\n{lines}\r\nX-Request-Number: {{n}}\r\n\r\n");
        Form::text(name, text.leak())
    });
    let ends = ENDS.map(|(name, text)| Form::text(name, text));
    // The server itself takes these for malformed, so they may be answered with 400 or refused.
    let rejected = REJECTED.map(|(name, lines)| {
        let text = format!("GET /health HTTP/1.1\r\nHost: a\r\nX-Request-Number: {{n}}\r\n{lines}\r\n\r\n");
        Form::rejected(name, move |twin| enforcer_tests::Play::new().send(&twin.text(&text)))
    });
    written.into_iter().chain(ends).chain(rejected).collect()
}

const LINES: [(&str, &str); 20] = [
    ("mixed case", "x-DEVICE-id: {id}"),
    ("lower case", "x-device-id: {id}"),
    ("upper case", "X-DEVICE-ID: {id}"),
    ("no blank after the colon", "X-Device-Id:{id}"),
    ("many blanks after the colon", "X-Device-Id:                                {id}"),
    ("a tab after the colon", "X-Device-Id:\t{id}"),
    ("tabs and blanks around", "X-Device-Id: \t \t{id}\t \t"),
    ("blanks behind", "X-Device-Id: {id}      "),
    ("repeated, the honest one first", "X-Device-Id: wallory\r\nX-Device-Id: {id}"),
    ("repeated, the honest one last", "X-Device-Id: {id}\r\nX-Device-Id: wallory"),
    ("repeated, between two others", "X-Device-Id: other\r\nX-Device-Id: {id}\r\nX-Device-Id: third"),
    ("repeated, behind an empty one", "X-Device-Id:\r\nX-Device-Id: {id}"),
    ("repeated, behind a very long one", LONG_FIRST),
    ("in the user agent", "User-Agent: Bank/7 (Linux) DeviceId/{id} okhttp"),
    ("in the user agent, the second token", "User-Agent: DeviceId/other DeviceId/{id}"),
    ("in the second user agent", "User-Agent: Bank/7\r\nUser-Agent: DeviceId/{id}"),
    ("behind a name that begins alike", "X-Device-Id-2: x\r\nX-Device-I: x\r\nX-Device-Id: {id}"),
    ("behind a line without a value", "X-Empty:\r\nX-Device-Id: {id}"),
    ("behind odd bytes", "X-Odd: \u{fc}\u{20ac}\u{7f}\u{1f600}\r\nX-Device-Id: {id}"),
    ("behind a value with colons", "X-Odd: : : X-Device-Id: wallory\r\nX-Device-Id: {id}"),
];

const LONG_FIRST: &str = "X-Device-Id: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
    aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
    aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\
    X-Device-Id: {id}";

const ENDS: [(&str, &str); 13] = [
    ("bare line feeds", "GET /health HTTP/1.1\nHost: a\nX-Device-Id: {id}\nX-Request-Number: {n}\n\n"),
    (
        "a bare line feed before the device",
        "GET /health HTTP/1.1\r\nHost: a\nX-Device-Id: {id}\r\nX-Request-Number: {n}\r\n\r\n",
    ),
    (
        "a bare line feed behind the device",
        "GET /health HTTP/1.1\r\nHost: a\r\nX-Device-Id: {id}\nX-Request-Number: {n}\r\n\r\n",
    ),
    (
        "a bare line feed as the last line",
        "GET /health HTTP/1.1\r\nHost: a\r\nX-Device-Id: {id}\r\nX-Request-Number: {n}\r\n\n",
    ),
    (
        "a bare line feed, then a proper last line",
        "GET /health HTTP/1.1\r\nHost: a\r\nX-Device-Id: {id}\r\nX-Request-Number: {n}\n\r\n",
    ),
    (
        "an empty line in front",
        "\r\nGET /health HTTP/1.1\r\nHost: a\r\nX-Device-Id: {id}\r\nX-Request-Number: {n}\r\n\r\n",
    ),
    (
        "three empty lines in front",
        "\r\n\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\nX-Device-Id: {id}\r\nX-Request-Number: {n}\r\n\r\n",
    ),
    (
        "bare line feeds in front",
        "\n\nGET /health HTTP/1.1\r\nHost: a\r\nX-Device-Id: {id}\r\nX-Request-Number: {n}\r\n\r\n",
    ),
    (
        "carriage returns in front",
        "\r\r\nGET /health HTTP/1.1\r\nHost: a\r\nX-Device-Id: {id}\r\nX-Request-Number: {n}\r\n\r\n",
    ),
    (
        "sixty carriage returns right before the method",
        "\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\rGET /health HTTP/1.1\r\nHost: a\r\nX-Device-Id: {id}\r\nX-Request-Number: {n}\r\n\r\n",
    ),
    (
        "a minor version of two digits",
        "GET /health HTTP/1.10\r\nHost: a\r\nX-Device-Id: {id}\r\nX-Request-Number: {n}\r\nConnection: close\r\n\r\n",
    ),
    (
        "a minor version with zeros in front",
        "GET /health HTTP/1.000000000000001\r\nHost: a\r\nX-Device-Id: {id}\r\nX-Request-Number: {n}\r\n\r\n",
    ),
    (
        "the device in the first line after the target's",
        "GET /health HTTP/1.1\r\nX-Device-Id: {id}\r\nHost: a\r\nX-Request-Number: {n}\r\n\r\n",
    ),
];

const REJECTED: [(&str, &str); 10] = [
    ("folded before the value", "X-Device-Id:\r\n {id}"),
    ("folded with a tab", "X-Device-Id:\r\n\t{id}"),
    ("folded inside the value", "X-Device-Id: mall\r\n ory"),
    ("folded, another header's value", "X-Other: 1\r\n X-Device-Id: {id}"),
    ("a blank before the colon", "X-Device-Id : {id}"),
    ("a tab before the colon", "X-Device-Id\t: {id}"),
    ("a carriage return inside the value", "X-Device-Id: mal\rlory"),
    ("a carriage return before the line", "X-Other: 1\rX-Device-Id: {id}"),
    ("a zero byte inside the value", "X-Device-Id: {id}\0"),
    ("a blank before the first line", "\u{20}X-Device-Id: {id}"),
];
