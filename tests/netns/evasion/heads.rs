//! Forms by what stands around the device: methods, targets, versions, long heads, many lines.

use enforcer_tests::Play;

use super::{
    form::{Expect, Form, Twin},
    stage::guarded,
};

/// Given a blocked device. When its request has any method, target, version or length that the server takes. Then it is
/// refused.
#[test]
fn whatever_the_server_takes_is_judged() {
    guarded(&forms());
}

pub(super) fn forms() -> Vec<Form> {
    let methods =
        ["OPTIONS", "DELETE", "PATCH", "PUT", "PROPFIND", "M-SEARCH", "A", "X_Y-Z", "VERYLONGMETHODNAMETHATNOBODYUSES"];
    let methods =
        methods.map(|method| plain(&format!("the method {method}"), &line(&format!("{method} /health HTTP/1.1"))));
    let lines = LINES.map(|(name, text)| plain(name, &line(text)));
    let head = Form::refused("the method HEAD", 1, |twin| {
        Play::new().heads_only().send(&twin.text(&line("HEAD /health HTTP/1.1")))
    });
    let closing = Form::refused("asking to close", 1, |twin| {
        Play::new().send(&twin.text(&line("GET /health HTTP/1.1\r\nConnection: close")))
    });
    let kept = Form::refused_after(1, "HTTP/1.0 kept alive", 2, |twin| {
        let text =
            "GET /health HTTP/1.0\r\nConnection: keep-alive\r\nX-Device-Id: {id}\r\nX-Request-Number: {n}\r\n\r\n";
        let first = twin.text(&text.replace("{n}", "{c0}").replace("X-Device-Id: {id}\r\n", ""));
        Play::new().send(&first).answered(1).send(&twin.text(text)).answers(2)
    });
    let long = [500, 1000, 1400, 1500, 2048, 3000, 4096, 6000, 8000].map(|offset| long(offset, false));
    let last = [1000, 2048, 4096, 8000].map(|length| self::long(length, true));
    let mixed = [first_of_many(), many(20), many(100), many(200), long_target(), long_cut(), rejected()];
    methods.into_iter().chain(lines).chain([head, closing, kept]).chain(long).chain(last).chain(mixed).collect()
}

fn plain(name: &str, text: &str) -> Form {
    let text = text.to_owned();
    Form::refused(name, 1, move |twin| Play::new().send(&twin.text(&text)))
}

/// A head that begins with this.
fn line(first: &str) -> String {
    format!("{first}\r\nHost: a\r\nX-Device-Id: {{id}}\r\nX-Request-Number: {{n}}\r\n\r\n")
}

const LINES: [(&str, &str); 11] = [
    ("an absolute target", "GET http://a/health HTTP/1.1"),
    ("an absolute target with user and port", "GET http://a:80/health?x=y HTTP/1.1"),
    ("a query", "GET /health?device=wallory&x HTTP/1.1"),
    ("an encoded target", "GET /%68ealth HTTP/1.1"),
    ("a target with dots", "GET /x/../health HTTP/1.1"),
    ("HTTP/1.0", "GET /health HTTP/1.0"),
    ("HTTP/1.9", "GET /health HTTP/1.9"),
    ("two blanks before the target", "GET  /health HTTP/1.1"),
    ("two blanks before the version", "GET /health  HTTP/1.1"),
    ("a blank after the version", "GET /health HTTP/1.1 "),
    ("a fragment in the target", "GET /health#x HTTP/1.1"),
];

/// The device stands at this offset; `is_last`: so that it ends the head, or before a line of its own length.
fn long(offset: usize, is_last: bool) -> Form {
    let what = if is_last { "at the end of" } else { "inside" };
    Form::refused(&format!("{what} a long head, at {offset}"), 1, move |twin| {
        let start = "GET /health HTTP/1.1\r\nHost: a\r\nX-Request-Number: {n}\r\nX-Filler: ";
        let filler = "f".repeat(offset.saturating_sub(start.len() + 30));
        let rest = if is_last { "" } else { "X-Rest: r\r\n" };
        Play::new().flow(&twin.text(&format!("{start}{filler}\r\nX-Device-Id: {{id}}\r\n{rest}\r\n")))
    })
}

fn first_of_many() -> Form {
    Form::refused("at the beginning of a long head", 1, |twin| {
        let filler = "X-Filler: ".to_owned() + &"f".repeat(1000) + "\r\n";
        let head = "GET /health HTTP/1.1\r\nX-Device-Id: {id}\r\nHost: a\r\nX-Request-Number: {n}\r\n";
        Play::new().flow(&twin.text(&format!("{head}{}\r\n", filler.repeat(7))))
    })
}

fn many(count: usize) -> Form {
    Form::refused(&format!("behind {count} lines"), 1, move |twin| {
        let lines: Vec<String> = (0..count).map(|number| format!("X-Line-{number}: {number}\r\n")).collect();
        let lines = lines.concat();
        let head =
            format!("GET /health HTTP/1.1\r\nHost: a\r\n{lines}X-Device-Id: {{id}}\r\nX-Request-Number: {{n}}\r\n\r\n");
        Play::new().flow(&twin.text(&head))
    })
}

fn long_target() -> Form {
    Form::refused("behind a long target", 1, |twin| {
        Play::new().flow(&twin.text(&line(&format!("GET /health?{} HTTP/1.1", "q".repeat(5000)))))
    })
}

fn long_cut() -> Form {
    Form::refused("at the end of a long head in segments of 100", 1, |twin| {
        let filler = "f".repeat(4000);
        let first = format!("GET /health HTTP/1.1\r\nX-Filler: {filler}");
        Play::new().pieces(&twin.text(&line(&first)), 100)
    })
}

/// What nginx answers with 400 may be answered so, or refused.
fn rejected() -> Form {
    let make = |twin: &Twin| {
        let texts = ["get /health HTTP/1.1", "GET /health http/1.1", "GET\t/health HTTP/1.1", "GET /health HTTP/2.0"];
        Play::new().send(&twin.text(&line(texts[twin.turn % texts.len()])))
    };
    Form { honest: Some(Expect::Rejected), ..Form::rejected("a first line that is none", make) }
}
