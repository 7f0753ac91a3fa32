//! Both ends of the contract: what the agent writes is what the crate for modules reads, what modules say becomes signs, and what is
//! written about both is true.
use std::sync::{Arc, Mutex};

use enforcer_insight::filters::{
    Budget, Catalogue, Entry, Filter, Make, Out, Parameters, Runner, Seed, Seen, Tools, Wanted, WantedCell,
};
use enforcer_insight::findings::{FactValue, Risk, Sign};
use enforcer_insight::{Answer, Call};
use enforcer_policy::document::Mode;
use enforcer_policy::{Action, Scope, SubjectKind};

use crate::manifest::Manifest;
use crate::raise::Raise;
use crate::record::Record;
use crate::{Limits, samples};

const PAGE: &str = include_str!("../../docs/MODULES.md");

/// Does something with each call as filters see it.
struct Probe(Act);

type Act = Arc<Mutex<dyn FnMut(&Seen<'_>, Option<&Answer>) + Send>>;

impl Filter for Probe {
    fn on_request(&mut self, seen: &Seen<'_>, _: &mut Out) {
        if seen.call.answer.is_none() {
            self.0.lock().unwrap()(seen, None);
        }
    }

    fn on_response(&mut self, seen: &Seen<'_>, answer: &Answer, _: &mut Out) {
        self.0.lock().unwrap()(seen, Some(answer));
    }

    fn retune(&mut self, _: &Parameters) {}

    fn held_bytes(&self) -> usize {
        0
    }
}

fn each(calls: &[Call], act: impl FnMut(&Seen<'_>, Option<&Answer>) + Send + 'static) {
    let act: Act = Arc::new(Mutex::new(act));
    let make: Arc<Make> = Arc::new(move |_, _| Box::new(Probe(Arc::clone(&act))) as Box<dyn Filter>);
    let (name, version, title) = ("probe".into(), None, "probe".into());
    let entry = Entry { name, version, title, risk: Risk::Inventory, schema: Arc::new([]), make };
    let tools = Tools { seed: Seed::new([1, 2]) };
    let mut runner = Runner::new(Catalogue::default().with(entry), tools, Budget::default());
    let mut wanted = Wanted::default();
    wanted.set("sample", "probe", WantedCell { mode: Mode::Observe, ..WantedCell::default() });
    runner.apply(&wanted);
    for call in calls {
        runner.on_call(call, &mut || 0);
    }
    assert!(runner.status().iter().all(|status| status.stopped.is_none()), "a test in a probe failed");
}

#[test]
fn what_the_agent_writes_is_what_modules_read() {
    each(&samples(), |seen, answer| {
        let mut record = Record::default();
        record.call(seen, answer);
        let read = enforcer_filter::Call::read(record.bytes());
        let (call, head) = (seen.call, &seen.call.head);
        assert_eq!((read.time, read.service, read.method), (call.time.0, call.service.as_bytes(), &head.method[..]));
        assert_eq!(
            (read.target, read.endpoint, read.body),
            (&head.target[..], seen.spot.text.as_bytes(), &call.body[..])
        );
        assert_eq!((read.is_forwarded, read.is_crowded), (seen.is_forwarded(), seen.is_crowded));
        let consumer = (seen.consumer.subject.kind() as u8, seen.consumer.key);
        assert_eq!((read.consumer.kind, read.consumer.key), consumer);
        let device = read.identities.iter().find(|key| key.kind == SubjectKind::Device as u8);
        assert_eq!(device.map(|key| key.key), seen.key(SubjectKind::Device));
        let objects: Vec<_> = seen.objects.iter().map(|one| (one.digest, one.number)).collect();
        assert_eq!(read.objects.iter().map(|one| (one.digest, one.number)).collect::<Vec<_>>(), objects);
        let found = call.sensitive.request.len() + call.sensitive.answer.len();
        assert_eq!(read.sensitive.len(), found);
        assert_eq!(read.headers.len(), head.headers.len());
        assert_eq!(read.header("host"), Some(&b"api.example"[..]));
        let told = read
            .answer
            .map(|one| (one.status, one.first_byte, one.bytes, one.is_complete, one.headers.len(), one.body.len()));
        let micros = |one: &Answer| u64::try_from(one.first_byte.as_micros()).unwrap();
        let wanted =
            |one: &Answer| (one.status, micros(one), one.bytes, one.complete, one.headers.len(), one.body.len());
        assert_eq!(told, answer.map(wanted));
    });
}

#[test]
fn a_record_is_bounded_and_keeps_what_matters() {
    let mut call = samples().swap_remove(2);
    call.body = vec![b'x'; 1 << 20].into();
    each(&[call], |seen, answer| {
        let mut record = Record::default();
        record.call(seen, answer);
        assert_eq!(record.bytes().len(), crate::limits::RECORD);
        let read = enforcer_filter::Call::read(record.bytes());
        assert!(read.body.len() > 60_000 && read.answer.unwrap().status == 200);
    });
}

/// The manifest that the documentation shows.
fn manifest() -> Manifest {
    Manifest::read(block(PAGE, "\"abi\": 1").as_bytes()).unwrap()
}

/// The block of JSON that holds this.
fn block<'p>(page: &'p str, word: &str) -> &'p str {
    let mut blocks = page.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.find(|block| block.contains(word)).unwrap()
}

fn sign(text: &str) -> Option<Sign> {
    let (manifest, found) = (manifest(), Arc::new(Mutex::new(None)));
    let raise = Raise::read(text.as_bytes(), &manifest)?;
    let told = Arc::clone(&found);
    each(&samples()[..1], move |seen, _| *told.lock().unwrap() = raise.clone().sign(&manifest, Some(seen)));
    found.lock().unwrap().take()
}

#[test]
fn what_is_raised_becomes_a_sign() {
    let shown = sign(block(PAGE, "\"counts\": [[")).unwrap();
    assert_eq!((&*shown.kind, shown.confidence, shown.risk), ("huge_page", 80, Risk::ResourceConsumption));
    let facts: Vec<_> = shown.facts.iter().map(|fact| (&*fact.name, &fact.value)).collect();
    assert_eq!(facts, [("entries", &FactValue::Count(9000)), ("bound", &FactValue::Count(5000))]);
    let suggestion = shown.suggestion.unwrap();
    assert_eq!(
        (suggestion.action, suggestion.rate.unwrap().per_minute, suggestion.lasts.as_secs()),
        (Action::Limit, 10, 3600)
    );
    assert_eq!(shown.subjects.iter().map(enforcer_policy::Subject::kind).collect::<Vec<_>>(), [SubjectKind::User]);
    let of = |who: &str| {
        let suggest = r#""suggest":{"action":"deny","scope":"service","seconds":5}"#;
        sign(&format!(r#"{{"kind":"huge_page","confidence":1,"who":"{who}",{suggest}}}"#)).unwrap()
    };
    let device = of("device").suggestion.unwrap();
    assert_eq!((device.subject.kind(), device.action, device.lasts.as_secs()), (SubjectKind::Device, Action::Deny, 60));
    assert!(matches!(device.scope, Scope::Service(_)) && of("device").endpoint.is_none());
    assert_eq!(of("address").suggestion.unwrap().action, Action::Drop);
    for nobody in ["session", "nobody"] {
        assert!(of(nobody).subjects.is_empty() && of(nobody).suggestion.is_none(), "{nobody}");
    }
}

#[test]
fn words_that_the_manifest_does_not_name_are_no_sign() {
    for text in [
        "",
        "{}",
        r#"{"kind":"other","confidence":1}"#,
        r#"{"kind":"huge_page","confidence":101}"#,
        r#"{"kind":"huge_page","confidence":1,"counts":[["4111111111111111",1]]}"#,
        r#"{"kind":"huge_page","confidence":1,"counts":[["entries",-1]]}"#,
        r#"{"kind":"huge_page","confidence":1,"counts":[["entries",1],["entries",1],["entries",1]]}"#,
        r#"{"kind":"huge_page","confidence":1,"who":"4111111111111111"}"#,
        r#"{"kind":"huge_page","confidence":1,"note":"4111111111111111"}"#,
        r#"{"kind":"huge_page","confidence":1,"suggest":{"action":"allow","scope":"service","seconds":60}}"#,
    ] {
        assert_eq!(Raise::read(text.as_bytes(), &manifest()), None, "{text}");
    }
    let of_call = Raise::read(br#"{"kind":"huge_page","confidence":1,"endpoint":true}"#, &manifest()).unwrap();
    assert_eq!(of_call.sign(&manifest(), None), None, "where there is no call");
}

#[test]
fn the_bounds_stand_in_the_documentation() {
    let Limits { call, together, tick, start, memory } = Limits::default();
    let grouped = |number: u64| format!("{},{:03},{:03}", number / 1_000_000, number / 1_000 % 1_000, number % 1_000);
    for line in [
        format!("| steps of a call | {} ", grouped(call)),
        format!("| steps of 1,000 calls together | {} ", grouped(together)),
        format!("| steps of a tick, once a second | {} ", grouped(tick)),
        format!("| steps of a start | {} ", grouped(start)),
        format!("| memory, on each service | {} MiB ", memory >> 20),
        format!("| the file | {} MiB ", crate::LARGEST >> 20),
        format!("| a raise | {} KiB ", crate::limits::RAISE >> 10),
        format!("| a record | {} KiB ", crate::limits::RECORD >> 10),
        format!("| raises of a call | 8 are heard; {} ", crate::limits::RAISES),
    ] {
        assert!(PAGE.contains(&line), "{line}");
    }
}
