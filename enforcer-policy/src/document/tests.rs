//! Files become documents, or problems with file, line and mend; and come back.
use super::*;
use crate::revision::{Content, Delta};
use enforcer_common::SipKey;
use proptest::prelude::*;

const NOW: Moment = Moment(1_800_000_000_000);

fn parse(text: &str) -> Result<Document, FileProblems> {
    Document::parse(&[("a.toml".to_owned(), text.to_owned())])
}

fn sealed(text: &str, current: &Content) -> Content {
    let mut next = 0;
    let count = || {
        next += 1;
        next
    };
    parse(text).unwrap().sealed(SipKey([1, 2]), current, "ada", NOW, count).unwrap()
}

const WHOLE: &str = r#"
[service.pay]
ports = [443, 8443]
hosts = ["Pay.Bank.example"]
paths = ["/pay/{id}"]
owners = ["payments"]
device = [{header = "X-Device-Id"}, {header = "User-Agent", pattern = "DeviceId/"}]
session = [{cookie = "sid"}, {bearer = true}]
facts = {personal_data = true, "end to end" = "TLS 1.3", reviewers = 2}
mode = "observe"
ambiguous = "deny"
strict = true
proxy_protocol = true
sample = "1/10"
forwarded = [{header = "X-Forwarded-For"}, {header = "X-Real-IP", single = true}]
groups = ["edge"]

[service.bare]

[filter.bola]
title = "Walking through other people's ids"
risk = "API1:2023"
parameters = {threshold = 20}

[matrix.bola]
pay = {mode = "enforce", threshold = 5}

[group.edge]
hosts = ["edge-1", "edge-2"]

[[allow]]
network = "10.0.0.0/8"
as = "proxy"
reason = "load \"balancers\""

[[decision]]
device = "device-000001"
scope = "pay"
action = "deny"
until = 2027-06-01T12:30:15+02:00
reason = "stolen"
groups = ["edge"]

[[decision]]
apikey = "partner-7"
scope = "pay:GET /pay/{id}"
action = "limit"
rate = "60/m"
"#;

#[test]
fn what_is_written_comes_back_as_toml() {
    let content = sealed(WHOLE, &Content::default());
    let text = to_toml(&content, true);
    let mut again = sealed(&text, &content);
    assert_eq!(again.base(), content.base(), "{text}");
    assert_eq!(again.digest(), content.clone().digest(), "{text}");
    assert!(!text.contains("device-000001"), "a raw token was written:\n{text}");
    assert!(text.contains("until = 2027-06-01T10:30:15Z"), "{text}");
}

#[test]
fn terms_travel_behind_a_form_that_is_as_it_was_without_them() {
    let content = sealed(WHOLE, &Content::default());
    let (packed, plain) = Delta::snapshot(&content).pack().unwrap();
    let back = Delta::unpack(&packed, plain).unwrap();
    assert_eq!(back.base.as_ref(), Some(content.base()));
    let silent = sealed("[service.pay]\nports = [443]\n", &Content::default());
    assert_eq!(silent.base().bytes(), postcard::to_stdvec(silent.base()).unwrap());
    let mut other = content.base().clone();
    other.services.get_mut("pay").unwrap().terms.strict = false;
    let mut other = Content::new(other, []);
    assert_ne!(other.digest(), Content::new(content.base().clone(), []).digest(), "terms are signed");
}

#[test]
fn bytes_behind_a_base_that_nobody_would_write_are_refused() {
    let base = sealed(WHOLE, &Content::default()).base().clone();
    let mut stranger = base.clone();
    let service = stranger.services.remove("pay").unwrap();
    stranger.services.insert("unknown".to_owned(), service);
    let usual = BTreeMap::from([("bare", Terms::default())]);
    let cases = [stranger.terms(), postcard::to_stdvec(&usual).unwrap(), [base.terms(), vec![0]].concat(), vec![0]];
    for bytes in cases {
        assert_eq!(base.clone().with_terms(&bytes), None, "{bytes:?}");
    }
    assert_eq!(base.clone().with_terms(&base.terms()), Some(base));
}

#[test]
fn a_policy_in_two_files_is_one() {
    let files =
        [("a.toml".to_owned(), "[service.pay]\n".to_owned()), ("b.toml".to_owned(), "[service.pay]\n".to_owned())];
    let problems = Document::parse(&files).unwrap_err();
    assert_eq!(problems.0.len(), 1);
    assert_eq!((problems.0[0].file.as_str(), problems.0[0].problem.line), ("b.toml", 1));
    assert!(problems.to_string().contains("a.toml names this service, too"), "{problems}");
}

#[test]
fn every_problem_has_its_file_line_place_and_mend() {
    let text = "[service.pay]\nports = [0]\n[filter.bola]\n[matrix.bola]\npayy = \"enforce\"\n[[decision]]\n\
                ip = \"10.0.0.300\"\naction = \"denyy\"\n[[decision]]\naction = \"drop\"\nscope = \"shop\"\n[mtarix]\n";
    let problems = parse(text).unwrap_err();
    let found: Vec<String> = problems.0.iter().map(|one| format!("{}:{}", one.file, one.problem.line)).collect();
    assert_eq!(
        found,
        ["a.toml:2", "a.toml:5", "a.toml:7", "a.toml:8", "a.toml:9", "a.toml:11", "a.toml:12"],
        "{problems}"
    );
    assert!(problems.0.iter().all(|one| !one.problem.mend.is_empty()));
    for words in ["did you mean pay?", "did you mean \"deny\"?", "did you mean matrix?"] {
        assert!(problems.to_string().contains(words), "{words} is not in:\n{problems}");
    }
}

#[test]
fn ids_stay_and_decisions_of_others_stay() {
    let first = sealed(WHOLE, &Content::default());
    let by_hand = crate::revision::Entry { written: false, ..(**first.entries().next().unwrap()).clone() };
    let mut by_hand = by_hand;
    by_hand.decision.id = crate::DecisionId(77);
    by_hand.decision.subject = Subject::Ip(crate::parse_prefix("203.0.113.9").unwrap());
    by_hand.decision.until = None;
    let mut current = first.clone();
    current.apply(Delta { put: vec![std::sync::Arc::new(by_hand)], ..Default::default() });
    let again = sealed(WHOLE, &current);
    assert_eq!(current.delta_to(&again), Delta::default());
    let fewer = sealed("[service.pay]\n", &current);
    assert_eq!(fewer.entries().map(|entry| entry.decision.id.0).collect::<Vec<_>>(), [77]);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]a-z=\"{}., 0-9\n-]{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn times_come_back(millis in 0_u64..253_402_300_799_999) {
        let text = format!("[[decision]]\nip=\"192.0.2.1\"\naction=\"drop\"\nuntil={}\n", rfc3339(Moment(millis)));
        prop_assert_eq!(parse(&text).unwrap().decisions[0].until, Some(Moment(millis)));
    }
}
