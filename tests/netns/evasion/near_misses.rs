//! What only looks evil: the blocked value where it means nothing. All of it is served.

use enforcer_tests::Play;

use super::{
    bodies, chunks,
    form::{Form, HEAD},
    stage::guarded,
};

/// Given a blocked device. When its value stands in a body, in another header, in the target, or is a part of another value.
/// Then the request is served.
#[test]
fn what_only_looks_evil_is_served() {
    guarded(&forms());
}

pub(super) fn forms() -> Vec<Form> {
    let written = LINES.map(|(name, lines)| {
        let text = format!("GET /health HTTP/1.1\r\nHost: a\r\n{lines}\r\nX-Request-Number: {{c0}}\r\n\r\n");
        Form::served(name, 1, move |twin| Play::new().send(&twin.text(&text)))
    });
    let cut = LINES.map(|(name, lines)| {
        let text = format!("GET /health HTTP/1.1\r\nHost: a\r\n{lines}\r\nX-Request-Number: {{c0}}\r\n\r\n");
        Form::served(&format!("{name}, in segments of 9"), 1, move |twin| Play::new().pieces(&twin.text(&text), 9))
    });
    let targets = TARGETS.map(|(name, target)| {
        let text = format!("GET {target} HTTP/1.1\r\nHost: a\r\nX-Request-Number: {{c0}}\r\n\r\n");
        Form::served(name, 1, move |twin| Play::new().send(&twin.text(&text)))
    });
    written.into_iter().chain(cut).chain(targets).chain(in_bodies()).collect()
}

const LINES: [(&str, &str); 20] = [
    ("a longer value", "X-Device-Id: {evil}0"),
    ("a longer value in front", "X-Device-Id: 0{evil}"),
    ("a shorter value", "X-Device-Id: mallor"),
    ("the value in another case", "X-Device-Id: Mallory"),
    ("the value in quotes", "X-Device-Id: \"{evil}\""),
    ("the value in a list", "X-Device-Id: {evil}, other"),
    ("the value twice", "X-Device-Id: {evil} {evil}"),
    ("the pattern in the wrong header", "X-Device-Id: DeviceId/{evil}"),
    ("another header", "X-Other: {evil}"),
    ("a longer name", "X-Device-Id-2: {evil}"),
    ("a shorter name", "X-Device-I: {evil}"),
    ("a name with more in front", "Y-X-Device-Id: {evil}"),
    ("a name with underscores", "X_Device_Id: {evil}"),
    ("a cookie", "Cookie: X-Device-Id={evil}; DeviceId/{evil}"),
    ("a whole line in a value", "X-Other: X-Device-Id: {evil}"),
    ("the user agent without the pattern", "User-Agent: {evil}"),
    ("the pattern in another case", "User-Agent: deviceid/{evil}"),
    ("a longer token in the user agent", "User-Agent: DeviceId/{evil}0"),
    ("the referrer", "Referer: http://a/?DeviceId/{evil}"),
    ("no value", "X-Device-Id:"),
];

const TARGETS: [(&str, &str); 4] = [
    ("the value in the path", "/api/{evil}"),
    ("the value in the query", "/health?X-Device-Id={evil}"),
    ("a whole line in the target", "/health?X-Device-Id:%20{evil}%0d%0aX-Device-Id:{evil}"),
    ("the value in an absolute target", "http://{evil}/health?DeviceId/{evil}"),
];

fn in_bodies() -> Vec<Form> {
    let evil = HEAD.replace("{n}", "{odd}").replace("{id}", "{evil}");
    let texts = [
        ("a whole request", evil.clone()),
        ("a line of its own", "\r\nX-Device-Id: {evil}\r\n\r\n".to_owned()),
        ("a line of its own at once", "X-Device-Id: {evil}\r\n\r\n".to_owned()),
        ("the end of a head and a request", format!("\r\n\r\n{evil}")),
        ("chunks with a request", format!("0\r\n\r\n{evil}")),
        ("three requests", evil.repeat(3)),
    ];
    texts.into_iter().flat_map(|(name, text)| in_body(name, &text)).collect()
}

/// In a body of known length and in a chunk, in one segment and in many, with a clean request behind it.
fn in_body(name: &str, text: &str) -> [Form; 5] {
    let form = |how: &str, chunked: bool, size: usize| {
        let text = text.to_owned();
        let how = format!("{name} in {how}");
        Form::served(&how, 2, move |twin| {
            let inner = twin.text(&text);
            let length = inner.len();
            let head = if chunked { chunks::POST.to_owned() } else { bodies::POST.replace("49", &length.to_string()) };
            let size_line = if chunked { format!("{length:x}\r\n") } else { String::new() };
            let end: &[u8] = if chunked { b"\r\n0\r\n\r\n" } else { b"" };
            let body = [size_line.as_bytes(), &inner, end].concat();
            let play = if size == SEPARATE {
                Play::new().send(&twin.text(&head)).send(&body)
            } else {
                Play::new().pieces(&[&*twin.text(&head), &body].concat(), size)
            };
            play.send(&twin.clean(1)).answers(2)
        })
    };
    [
        form("a body", false, 1400),
        form("a body of its own segment", false, SEPARATE),
        form("a body in segments of 13", false, 13),
        form("a chunk", true, 1400),
        form("a chunk in segments of 13", true, 13),
    ]
}

const SEPARATE: usize = 0;
