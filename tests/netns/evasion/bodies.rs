//! Forms with bodies of known length: the evil request behind them, or before its own.

use enforcer_tests::Play;

use super::{
    form::{Expect, Form, HEAD, Twin},
    stage::guarded,
};

/// Given a blocked device. When its request comes behind a body, however segments are cut, or has one. Then it is refused,
/// and the body arrives with its own request.
#[test]
fn a_request_behind_a_body_is_judged() {
    guarded(&forms());
}

pub(super) fn forms() -> Vec<Form> {
    [behind(), own(), large()].into_iter().flatten().collect()
}

fn behind() -> Vec<Form> {
    vec![
        Form::refused("behind a body, all in one segment", 2, |twin| {
            Play::new().send(&[post(twin), BODY.to_vec(), twin.head()].concat()).answers(2)
        }),
        Form::refused("behind a body, in a segment of its own", 2, |twin| {
            Play::new().send(&[post(twin), BODY.to_vec()].concat()).send(&twin.head()).answers(2)
        }),
        Form::refused_after(1, "behind a body that was answered", 2, |twin| {
            Play::new().send(&[post(twin), BODY.to_vec()].concat()).answered(1).send(&twin.head()).answers(2)
        }),
        Form::refused("behind a body in its own segments", 2, |twin| {
            Play::new().send(&post(twin)).pieces(BODY, 7).send(&twin.head()).answers(2)
        }),
        Form::refused("in one segment with the end of a body", 2, |twin| {
            let (start, end) = BODY.split_at(30);
            Play::new().send(&post(twin)).send(start).send(&[end, &twin.head()].concat()).answers(2)
        }),
        Form::refused("in one segment with the end of an acknowledged body, and cut", 2, |twin| {
            let (start, end) = BODY.split_at(30);
            let play = Play::new().send(&post(twin)).send(start).acknowledged();
            play.split(&[end, &twin.head()].concat(), &[end.len() + 47]).answers(2)
        }),
        Form::refused("behind a body whose segments come in another order", 2, |twin| {
            let (head, at) = (post(twin), post(twin).len());
            let play = Play::new().send(&head).send_at(at + 20, &BODY[20..]).send_at(at, &BODY[..20]);
            play.send(&twin.head()).answers(2)
        }),
        Form::refused("in a segment that overlaps with a body", 2, |twin| {
            let (head, at) = (post(twin), post(twin).len());
            let play = Play::new().send(&head).send(BODY);
            play.send_at(at + 30, &[&BODY[30..], &twin.head()].concat()).answers(2)
        }),
        Form::refused("behind a lost part of a body", 2, |twin| {
            let play = Play::new().send(&post(twin)).send(&BODY[..10]).omit(&BODY[10..30]);
            play.send(&[&BODY[30..], &twin.head()].concat()).answers(2)
        }),
        Form::refused("behind a body of nothing", 2, |twin| {
            Play::new().send(&[twin.text(&POST.replace("49", "0")), twin.head()].concat()).answers(2)
        }),
        Form::refused("behind a body whose length has zeros in front", 2, |twin| {
            Play::new()
                .send(&[twin.text(&POST.replace("49", "000049")), BODY.to_vec(), twin.head()].concat())
                .answers(2)
        }),
        Form::refused("behind two bodies", 3, |twin| {
            let other = twin.text(&POST.replace("{c0}", "{c1}"));
            Play::new().send(&[&post(twin), BODY, &other, BODY, &twin.head()].concat()).answers(3)
        }),
        Form::refused("behind the body of a GET", 2, |twin| {
            let get = twin.text(&POST.replace("POST", "GET"));
            Play::new().send(&[get, BODY.to_vec(), twin.head()].concat()).answers(2)
        }),
        Form::refused("behind a body that looks like a request", 2, |twin| {
            let inner = twin.text(&HEAD.replace("{n}", "{odd}").replace("{id}", "{evil}"));
            let length = inner.len().to_string();
            Play::new().send(&[twin.text(&POST.replace("49", &length)), inner, twin.head()].concat()).answers(2)
        }),
        Form::refused("behind a body cut at any byte, another one each time", 2, |twin| {
            let all = [post(twin), BODY.to_vec(), twin.head()].concat();
            Play::new().split(&all, &[post(twin).len() + 1 + twin.turn % (BODY.len() - 1)]).answers(2)
        }),
    ]
}

/// The evil request has a body itself.
fn own() -> Vec<Form> {
    let own = POST.replace("{c0}", "{n}").replace("\r\n\r\n", "\r\nX-Device-Id: {id}\r\n\r\n");
    let waits = own.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n").replace("/health", "/api/accounts/7");
    let texts = [own.clone(), own.replace("POST", "PUT"), own.replace("POST", "PATCH"), own.replace("POST", "REPORT")];
    let methods = texts.map(|text| {
        Form::refused(&format!("{} with a body", text.split(' ').next().unwrap_or_default()), 1, move |twin| {
            Play::new().send(&[&twin.text(&text), BODY].concat())
        })
    });
    let separate = own.clone();
    let others = [
        Form::refused("with a body in its own segment", 1, move |twin| {
            Play::new().send(&twin.text(&separate)).send(BODY)
        }),
        Form::refused("waiting for permission to send its body", 1, move |twin| {
            Play::new().send(&twin.text(&waits)).acknowledged().send(BODY)
        }),
        Form::refused("behind one that waited for permission", 2, |twin| {
            let expect =
                POST.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n").replace("/health", "/api/accounts/7");
            let play = Play::new().send(&twin.text(&expect)).acknowledged().send(BODY);
            play.send(&twin.head()).answers(2)
        }),
    ];
    methods.into_iter().chain(others).collect()
}

fn large() -> Vec<Form> {
    let upload = |size: usize, path: &str| POST.replace("49", &size.to_string()).replace("/health", path);
    let [small, big] = [upload(100_000, "/health"), upload(MEGABYTE, "/api/accounts/7")];
    vec![
        Form::refused("behind 100 kB", 2, move |twin| {
            Play::new().flow(&[twin.text(&small), vec![b'.'; 100_000], twin.head()].concat()).answers(2)
        }),
        Form {
            evil: Expect::Refused(0),
            ..Form::refused("behind a megabyte", 2, move |twin| {
                // It takes a while; a few times in each run must do.
                let size = if twin.turn < LARGE { MEGABYTE } else { 0 };
                let head = twin.text(&big.replace(&MEGABYTE.to_string(), &size.to_string()));
                Play::new().flow(&[head, vec![b'.'; size]].concat()).answered(1).send(&twin.head()).answers(2)
            })
        },
    ]
}

fn post(twin: &Twin) -> Vec<u8> {
    twin.text(POST)
}

pub(super) const POST: &str =
    "POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 49\r\nX-Request-Number: {c0}\r\n\r\n";
pub(super) const BODY: &[u8] = b"account=7&amount=12.50&to=DE89370400440532013000&";
const MEGABYTE: usize = 1_000_000;
const LARGE: usize = 25;
