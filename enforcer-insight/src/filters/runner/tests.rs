//! The room with filters that misbehave, and with a matrix that changes while calls run.
use std::sync::Barrier;

use enforcer_policy::document::Base;

use super::*;
use crate::filters::testing::call;
use crate::filters::{Entry, Filter, Out, Parameter, Seed, Seen};
use crate::findings::{Risk, Severity};

const SCHEMA: &[Parameter] = &[Parameter::count("at", "3", 1, 1000, "misbehaves from this call on")];

/// Raises a sign with the number of calls it saw.
struct Counter {
    calls: u32,
    at: u32,
    held: usize,
    then: fn(&mut Self),
}

impl Filter for Counter {
    fn on_request(&mut self, _: &Seen<'_>, out: &mut Out) {
        self.calls += 1;
        let sign = Sign::new("counted", Risk::Misconfiguration, Severity::Low, 50, "none").count("calls", self.calls);
        out.raise(sign.count("at", self.at));
        if self.calls >= self.at {
            (self.then)(self);
        }
    }

    fn retune(&mut self, parameters: &Parameters) {
        self.at = parameters.count("at");
    }

    fn held_bytes(&self) -> usize {
        self.held
    }
}

fn double(name: &'static str, then: fn(&mut Counter)) -> Entry {
    let mut entry = Entry::built_in(name, name, Risk::Misconfiguration, SCHEMA, |parameters, _| Counter {
        calls: 0,
        at: parameters.count("at"),
        held: 0,
        then: |_| {},
    });
    entry.make =
        Arc::new(move |parameters, _| Box::new(Counter { calls: 0, at: parameters.count("at"), held: 0, then }));
    entry
}

fn catalogue() -> Catalogue {
    let entries = [
        double("good", |_| {}),
        double("panics", |_| panic!("on purpose")),
        double("eats", |counter| counter.held += 1 << 20),
        double("slow", |_| SLOW.with(|slow| slow.set(slow.get() + 1_000_000_000))),
        double("sluggish", |_| SLOW.with(|slow| slow.set(slow.get() + 1_000_000))),
    ];
    entries.into_iter().fold(Catalogue::default(), Catalogue::with)
}

thread_local! {
    /// Nanoseconds that filters took.
    static SLOW: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

fn meter() -> impl FnMut() -> u64 {
    || SLOW.with(std::cell::Cell::get)
}

fn runner(catalogue: Catalogue) -> Runner {
    let tools = Tools { seed: Seed::new([1, 2]) };
    let budget = Budget { bytes: 4 << 20, ..Budget::default() };
    Runner::new(catalogue, tools, budget)
}

/// Filter, mode, parameters.
type Cell<'c> = (&'c str, Mode, &'c [(&'c str, &'c str)]);

fn wanted(cells: &[Cell<'_>]) -> Wanted {
    let mut wanted = Wanted::default();
    for (filter, mode, parameters) in cells {
        let parameters = parameters.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        wanted.set("pay", filter, WantedCell { mode: *mode, parameters });
    }
    wanted
}

fn show(runner: &mut Runner) -> Vec<Raised> {
    runner.on_call(&call("GET /a HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"), &mut meter())
}

/// What was counted, by filter.
fn counts(raised: &[Raised]) -> Vec<(String, String)> {
    let count = |raised: &Raised| serde_json::to_string(&raised.sign.facts[0].value).unwrap();
    raised.iter().map(|raised| (raised.filter.to_string(), count(raised))).collect()
}

fn changes(runner: &mut Runner) -> Vec<(String, Change)> {
    runner.take_notices().into_iter().map(|notice| (notice.filter.to_string(), notice.change)).collect()
}

fn on(names: &[&'static str]) -> Wanted {
    wanted(&names.iter().map(|name| (*name, Mode::Observe, &[][..])).collect::<Vec<_>>())
}

#[test]
fn one_that_panics_is_stopped_and_the_others_go_on() {
    let mut runner = runner(catalogue());
    runner.apply(&on(&["good", "panics"]));
    changes(&mut runner);
    let seen: Vec<_> = (0..4).map(|_| counts(&show(&mut runner)).len()).collect();
    assert_eq!(seen, [2, 2, 1, 1], "what it said when it panicked is not believed");
    assert_eq!(changes(&mut runner), [("panics".to_owned(), Change::Stopped(Stopped::Panicked))]);
    let status = runner.status();
    assert_eq!((status[0].stopped, status[1].stopped), (None, Some(Stopped::Panicked)));
    runner.apply(&on(&["good", "panics"]));
    assert_eq!(counts(&show(&mut runner)), [("good".to_owned(), "5".to_owned())], "it stays stopped");
    assert!(runner.restart("panics", "pay") && !runner.restart("good", "pay") && !runner.restart("panics", "shop"));
    assert_eq!(counts(&show(&mut runner)).len(), 2);
}

#[test]
fn one_that_eats_memory_is_stopped() {
    let mut runner = runner(catalogue());
    runner.apply(&on(&["eats", "good"]));
    changes(&mut runner);
    (0..20).for_each(|_| drop(show(&mut runner)));
    runner.on_tick(Moment(2_000_000), &mut meter());
    let bytes = 18 << 20;
    assert_eq!(changes(&mut runner), [("eats".to_owned(), Change::Stopped(Stopped::TooLarge { bytes }))]);
    assert_eq!(counts(&show(&mut runner)), [("good".to_owned(), "21".to_owned())]);
    (0..600).for_each(|_| drop(show(&mut runner)));
    assert_eq!(runner.held_bytes(), runner.eyes.held_bytes(), "what it held is gone");
}

#[test]
fn all_together_are_bounded() {
    let mut runner = runner(catalogue());
    runner.budget = Budget { bytes: 64 << 20, together: 9 << 20, ..Budget::default() };
    let mut wanted = on(&["eats", "good"]);
    wanted.set("shop", "eats", WantedCell { mode: Mode::Observe, ..WantedCell::default() });
    runner.apply(&wanted);
    changes(&mut runner);
    let mut shop = call("GET /a HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n");
    shop.service = "shop".into();
    (0..7).for_each(|_| drop(show(&mut runner)));
    (0..6).for_each(|_| drop(runner.on_call(&shop, &mut meter())));
    runner.on_tick(Moment(1), &mut meter());
    assert_eq!(changes(&mut runner), [], "5 and 4 MiB");
    runner.on_call(&shop, &mut meter());
    runner.on_call(&shop, &mut meter());
    runner.on_tick(Moment(2), &mut meter());
    let [notice] = &runner.take_notices()[..] else { panic!("not one") };
    assert_eq!((&*notice.service, &notice.change), ("shop", &Change::Stopped(Stopped::TooLarge { bytes: 6 << 20 })));
    runner.on_tick(Moment(3), &mut meter());
    assert_eq!(changes(&mut runner), []);
}

#[test]
fn one_that_is_too_slow_is_stopped() {
    let mut runner = runner(catalogue());
    runner.apply(&on(&["slow", "good"]));
    changes(&mut runner);
    (0..4).for_each(|_| drop(show(&mut runner)));
    assert_eq!(changes(&mut runner), [], "twice may be the host's fault");
    show(&mut runner);
    let nanos = 1_000_000_000;
    assert_eq!(changes(&mut runner), [("slow".to_owned(), Change::Stopped(Stopped::TooSlow { nanos }))]);
    runner.apply(&on(&["sluggish", "good"]));
    changes(&mut runner);
    (0..999).for_each(|_| drop(show(&mut runner)));
    assert_eq!(changes(&mut runner), [], "a thousand calls are looked at together");
    show(&mut runner);
    let [(name, Change::Stopped(Stopped::TooSlow { nanos }))] = &changes(&mut runner)[..] else {
        panic!("not stopped")
    };
    assert_eq!((name.as_str(), *nanos), ("sluggish", 998_000));
}

/// Says by itself that it cannot go on, from its third call on.
struct Tired(u32);

impl Filter for Tired {
    fn on_request(&mut self, _: &Seen<'_>, out: &mut Out) {
        self.0 += 1;
        out.raise(Sign::new("counted", Risk::Inventory, Severity::Low, 50, "none").count("calls", self.0));
    }

    fn retune(&mut self, parameters: &Parameters) {
        self.0 = parameters.count("at");
    }

    fn held_bytes(&self) -> usize {
        0
    }

    fn halted(&self) -> Option<Stopped> {
        (self.0 >= 3).then_some(Stopped::Trapped)
    }
}

#[test]
fn one_that_cannot_go_on_is_stopped_and_the_others_go_on() {
    let tired = Entry::built_in("tired", "tired", Risk::Inventory, SCHEMA, |_, _| Tired(0));
    let born = Entry::built_in("born", "born tired", Risk::Inventory, SCHEMA, |_, _| Tired(3));
    let mut runner = runner(catalogue().with(tired).with(born));
    let stopped = |name: &str| (name.to_owned(), Change::Stopped(Stopped::Trapped));
    runner.apply(&on(&["born", "good", "tired"]));
    assert_eq!(changes(&mut runner)[0], stopped("born"), "it never began");
    let seen: Vec<_> = (0..4).map(|_| counts(&show(&mut runner)).len()).collect();
    assert_eq!(seen, [2, 2, 1, 1], "what it said in its last call is not believed");
    assert_eq!(changes(&mut runner), [stopped("tired")]);
    assert!(runner.restart("tired", "pay"));
    changes(&mut runner);
    runner.apply(&wanted(&[("good", Mode::Observe, &[]), ("tired", Mode::Observe, &[("at", "9")])]));
    assert_eq!(changes(&mut runner)[0], stopped("tired"), "it gave up over its parameters");
}

#[test]
fn another_version_takes_the_place_of_one_and_the_others_keep_what_they_know() {
    let others = catalogue();
    let mut runner = runner(others.clone().with(double("mended", |_| panic!("not yet"))));
    runner.apply(&on(&["good", "mended"]));
    (0..4).for_each(|_| drop(show(&mut runner)));
    runner.learn(others.with(double("mended", |_| {})));
    assert_eq!(counts(&show(&mut runner)).len(), 1, "until the matrix is applied, all is as it was");
    changes(&mut runner);
    runner.apply(&on(&["good", "mended"]));
    assert_eq!(changes(&mut runner), [("mended".to_owned(), Change::Replaced)]);
    let told = [("good", "6"), ("mended", "1")].map(|(name, count)| (name.to_owned(), count.to_owned()));
    assert_eq!(counts(&show(&mut runner)), told);
    runner.apply(&on(&["good", "mended"]));
    assert_eq!(changes(&mut runner), [], "the same version stays");
    let rescued = runner.rescue().runner();
    assert!(rescued.catalogue.find("mended").is_some(), "who comes to the rescue knows it, too");
}

#[test]
fn the_matrix_changes_while_calls_run() {
    let mut runner = runner(catalogue());
    runner.apply(&wanted(&[("good", Mode::Observe, &[]), ("nowhere", Mode::Enforce, &[])]));
    assert_eq!(changes(&mut runner), [("good".to_owned(), Change::Started), ("nowhere".to_owned(), Change::Unknown)]);
    show(&mut runner);
    runner.apply(&wanted(&[("good", Mode::Enforce, &[("at", "7")]), ("eats", Mode::Observe, &[])]));
    let told = changes(&mut runner);
    assert!(
        told.contains(&("good".to_owned(), Change::Retuned)) && told.contains(&("eats".to_owned(), Change::Started))
    );
    assert!(told.contains(&("good".to_owned(), Change::Mode(Mode::Enforce))));
    let raised = show(&mut runner);
    let good = raised.iter().find(|raised| raised.filter == "good").unwrap();
    let facts = serde_json::to_string(&good.sign.facts).unwrap();
    assert_eq!(facts, r#"[{"name":"calls","value":2},{"name":"at","value":7}]"#, "it kept what it knew");
    assert_eq!(good.mode, Mode::Enforce);
    runner.apply(&wanted(&[("good", Mode::Enforce, &[("at", "0"), ("on", "1")])]));
    let told = changes(&mut runner);
    let [(_, Change::Refused(problems)), (_, Change::Ended)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(problems[0].place, "matrix.good.pay.at");
    assert_eq!(counts(&show(&mut runner)), [("good".to_owned(), "3".to_owned())], "it goes on as it was");
    runner.apply(&wanted(&[("good", Mode::Off, &[])]));
    assert_eq!(changes(&mut runner), [("good".to_owned(), Change::Ended)]);
    assert_eq!(show(&mut runner), []);
}

#[test]
fn a_policy_says_what_is_wanted() {
    let text = r#"{"services":{},"groups":{},"allow":[],
        "filters":{"good":{"title":"","risk":"","parameters":{"at":"5","x":"1"}}},
        "matrix":{"good":{"pay":{"mode":"enforce","parameters":{"at":"6"}},"shop":{"mode":"off","parameters":{}}}}}"#;
    let base: Base = serde_json::from_str(text).unwrap();
    let wanted = Wanted::of(&base);
    let cells: Vec<_> = wanted.iter().map(|(service, filter, cell)| (&**service, filter, cell.clone())).collect();
    let [("pay", "good", cell)] = &cells[..] else { panic!("{cells:?}") };
    assert_eq!((cell.mode, &*cell.parameters["at"], &*cell.parameters["x"]), (Mode::Enforce, "6", "1"));
}

/// Two threads meet here: the test, and the filter that does not come back until it may.
static GATE: Barrier = Barrier::new(2);

#[test]
fn one_that_loops_is_given_up_and_the_others_keep_what_they_know() {
    let hangs = |_: &mut Counter| {
        GATE.wait();
        GATE.wait();
    };
    let mut old = runner(catalogue().with(double("loops", hangs)));
    old.apply(&on(&["eats", "good", "loops"]));
    let (rescue, pulse) = (old.rescue(), old.pulse());
    assert_eq!(pulse.at_work(), None);
    let worker = std::thread::spawn(move || (0..5).map(|_| show(&mut old).len()).collect::<Vec<_>>());
    GATE.wait();
    assert!(pulse.at_work().is_some() && pulse.at_work() == pulse.at_work());
    pulse.abandon();
    let mut new = rescue.runner();
    assert_eq!(changes(&mut new), [("loops".to_owned(), Change::Stopped(Stopped::Looped))]);
    let told = counts(&show(&mut new));
    assert_eq!(told, [("eats", "4"), ("good", "4")].map(|(name, count)| (name.to_owned(), count.to_owned())));
    assert!(!new.restart("loops", "pay"), "its thread may still run");
    GATE.wait();
    assert_eq!(worker.join().unwrap(), [3, 3, 0, 0, 0], "who was given up says nothing more");
    assert_eq!(counts(&show(&mut new))[1].1, "5", "and touches nothing");
}
