//! What is found in requests and bodies, and that nothing breaks the readers.
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use enforcer_common::{KINDS, Reason, Verdict};
use enforcer_policy::Moment;
use proptest::prelude::*;

use super::{Coding, Contents, MOST_READINGS, MOST_VALUES, Place, Value, label, readings, request};
use crate::call::Call;
use crate::http::Head;

fn call(text: &str) -> Call {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    let head = Head::read(&bytes).unwrap().unwrap();
    let body = bytes.slice(head.end..);
    let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Call {
        id: 1,
        time: Moment::default(),
        service: "shop".into(),
        source,
        source_port: 1,
        client: source,
        digests: [0; KINDS],
        reason: Reason::RequestClean,
        verdict: Verdict::Pass,
        decision: None,
        placed: None,
        sensitive: crate::classes::Sensitive::default(),
        head,
        body,
        answer: None,
    }
}

fn lines(contents: &Contents) -> Vec<String> {
    let line = |value: &Value| {
        let texts: Vec<_> = value.readings.iter().map(|reading| String::from_utf8_lossy(reading)).collect();
        format!("{} {} = {}", value.place.name(), value.name, texts.join(" | "))
    };
    contents.values.iter().map(line).collect()
}

fn found(text: &str) -> Vec<String> {
    lines(&request(&call(text)))
}

fn posted(kind: &str, body: &str) -> Vec<String> {
    let head = format!("POST /a HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
    found(&format!("{head}{body}")).split_off(2)
}

#[test]
fn a_target_is_read_as_servers_decode_it() {
    let text = "GET /v1/a%2520b?q=1+2&q=%27or&flag&%6e=%u0041#x HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(
        found(text),
        [
            "path / = /v1/a%20b | /v1/a b",
            "path 0 = v1",
            "path 1 = a%20b | a b",
            "query q = 1 2",
            "query q = 'or",
            "query  = flag",
            "query n = A",
            "query # = x",
        ]
    );
}

#[test]
fn headers_with_a_syntax_of_their_own_count_when_they_break_it() {
    let text = "GET / HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nAccept-Language: en\r\nUser-Agent: u\r\nRange: ${x}\r\n\
                Cookie: a=1; b=%3C\r\nX-Id: 7\r\nReferer: /x?q=%27\r\n\r\n";
    let expected = [
        "path / = /",
        "header accept-language = en",
        "header user-agent = u",
        "header range = ${x}",
        "cookie a = 1",
        "cookie b = <",
        "header x-id = 7",
        "header referer = /x?q=%27 | /x?q='",
        "header q = '",
    ];
    assert_eq!(found(text), expected);
}

#[test]
fn json_is_read_under_its_paths() {
    let body = r#"{"a":1,"b":{"c":"x\u0027\ud83d\ude00\/","d":[true,{"e":"f"},[2]],"n":null},"z":{},"a":"2"}"#;
    let expected = [
        "json a = 1",
        "json b.c = x'😀/",
        "json b.d[] = true",
        "json b.d[].e = f",
        "json b.d[][] = 2",
        "json b.n = null",
        "json z = ",
        "json a = 2",
    ];
    assert_eq!(posted("application/json", body), expected);
    assert_eq!(posted("text/plain", "[1,\"<\"]"), ["json [] = 1", "json [] = <"], "its beginning tells");
}

#[test]
fn json_that_was_cut_off_is_read_to_its_end() {
    assert_eq!(posted("application/json", r#"{"a":{"b":"x' or 1"#), ["json a.b = x' or 1"]);
    assert_eq!(posted("application/json", r#"{"a":[1,{"b":12"#), ["json a[] = 1", "json a[].b = 12"]);
    assert_eq!(posted("application/json", r#"{"a":"x\u00"#), ["json a = x\\u00"]);
}

#[test]
fn forms_and_parts_are_read() {
    assert_eq!(posted("application/x-www-form-urlencoded", "a=x%26y&b=%2527"), ["form a = x&y", "form b = %27 | '"]);
    let body = "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"../a;b.php\"\r\n\r\n<?php\r\n--B\r\n\
                Content-Disposition: form-data; name=t\r\n\r\none\r\ntwo\r\n--B--\r\n";
    let expected = ["multipart f.filename = ../a;b.php", "multipart f = <?php", "multipart t = one\r\ntwo"];
    assert_eq!(posted("multipart/form-data; boundary=\"B\"", body), expected);
    let cut = body.get(..60).unwrap();
    assert_eq!(posted("multipart/form-data; boundary=B", cut).len(), 2, "the head of a part that was cut off");
}

#[test]
fn xml_is_read_roughly() {
    let body = "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY x SYSTEM \"file:///b\">]>\n<a k='1 &lt; 2'><b>t&#x41;</b>\
                <!-- no --><![CDATA[<c>]]></a>";
    let expected = [
        "xml ? = <?xml version=\"1.0\"?>",
        "xml !doctype = <!DOCTYPE a [<!ENTITY x SYSTEM \"file:///b\">]",
        "xml a.@k = 1 < 2",
        "xml a.b = tA",
        "xml a = <c>",
    ];
    assert_eq!(posted("text/xml", body), expected);
}

#[test]
fn every_reading_that_differs_is_there_once() {
    let read = |text: &'static str, coding| {
        let all = readings(&Bytes::from_static(text.as_bytes()), coding);
        all.iter().map(|reading| String::from_utf8_lossy(reading).into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(read("abc", Coding::Form), ["abc"]);
    assert_eq!(read("%25252e", Coding::Percent), ["%252e", "%2e", "."]);
    assert_eq!(read("%c0%ae%e0%80%af%c1%9c", Coding::Percent).last().unwrap(), "./\\");
    assert_eq!(read("＜script＞", Coding::Plain), ["＜script＞", "<script>"]);
    assert_eq!(read("\\x3cb\\u{3e}", Coding::Plain), ["\\x3cb\\u{3e}", "<b>"]);
    assert_eq!(read("PHNjcmlwdD4xPC9zY3JpcHQ+", Coding::Plain).last().unwrap(), "<script>1</script>");
    assert_eq!(read("Grüße", Coding::Plain), ["Grüße"], "letters stay letters");
}

#[test]
fn names_that_look_like_data_are_not_shown() {
    assert_eq!(&*label("user.address[].zip"), "user.address[].zip");
    assert_eq!(&*label("users.ann@example.org.age"), "users.{}.org.age");
    assert_eq!(&*label("by_id.20394857.name"), "by_id.{}.name");
}

#[test]
fn what_is_beyond_the_limits_is_counted() {
    let body: String = (0..MOST_VALUES + 10).map(|number| number.to_string() + "=1&").collect();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}",
        { body.len() }
    );
    let contents = request(&call(&format!("{head}\r\n\r\n{body}")));
    assert_eq!((contents.values.len(), contents.forgotten), (MOST_VALUES, 1));
    let deep = "[".repeat(100);
    let head =
        format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}", deep.len());
    assert_eq!(request(&call(&format!("{head}\r\n\r\n{deep}"))).forgotten, 1);
}

proptest! {
    #[test]
    fn a_prefix_of_json_gives_a_prefix_of_its_values(cut in 0_usize..400, seed in "[a-z\"\\\\{}\\[\\]:, 0-9]{0,200}") {
        let whole = format!(r#"{{"k":"{}","l":[1,{{"m":"v\n"}},"w"],"o":{{"p":{{"q":12}}}}}}"#, seed.replace(['"', '\\'], ""));
        let prefix = whole.get(..cut.min(whole.len())).unwrap();
        let (all, some) = (posted("application/json", &whole), posted("application/json", prefix));
        let same = some.len().saturating_sub(1);
        prop_assert_eq!(some.get(..same), all.get(..same));
    }

    #[test]
    fn no_bytes_break_the_readers(body in proptest::collection::vec(any::<u8>(), 0..300), kind in 0_usize..5) {
        let kinds = ["application/json", "text/xml", "multipart/form-data; boundary=x", "text/plain", "application/x-www-form-urlencoded"];
        let mut one = call("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n");
        let mut headers = one.head.headers.clone();
        headers.push(crate::http::Header { name: Bytes::from_static(b"content-type"), value: Bytes::from(kinds[kind]) });
        one.head.headers = headers;
        one.body = body.into();
        let contents = request(&one);
        prop_assert!(contents.values.iter().all(|value| (1..=MOST_READINGS).contains(&value.readings.len())));
        prop_assert_eq!(contents, request(&one));
    }

    #[test]
    fn what_is_encoded_is_among_the_readings(text in "[ -~]{1,40}", times in 1_usize..4) {
        let encode = |text: &str| text.bytes().fold(String::new(), |all, byte| all + &format!("%{byte:02X}"));
        let coded = (0..times).fold(text.clone(), |text, _| encode(&text));
        let all = readings(&Bytes::from(coded), Coding::Percent);
        prop_assert!(all.iter().any(|reading| reading == text.as_bytes()));
        prop_assert!(all.len() <= MOST_READINGS && all[0].len() <= 1000);
    }
}

#[test]
fn places_have_their_names_in_order() {
    let names: Vec<_> = Place::ALL.iter().map(|place| place.name()).collect();
    assert!(names.is_sorted());
}
