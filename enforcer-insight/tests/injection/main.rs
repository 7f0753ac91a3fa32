//! How well injections are told from clean texts: recall of every class at every place, false positives on clean texts, time. All texts are
//! made from grammars with fixed seeds. To see the tables: `cargo test -p enforcer-insight --release injection_measure -- --nocapture`.
#![expect(clippy::print_stdout, reason = "the tables are for people")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what they cannot make fails them")]

mod attacks;
mod attacks_bare;
mod attacks_held;
mod attacks_last;
mod attacks_sql;
mod attacks_xss;
mod clean;
mod clean_awkward;
mod clean_built;
mod clean_desk;
mod clean_held;
mod clean_notes;
mod grammar;
mod outside;
mod place;
mod set;

use std::collections::BTreeMap;

use enforcer_insight::content::{Place, request};
use enforcer_insight::injection::{Class, Hit, judge};

use grammar::Random;
use place::{PLACES, call};

/// Attacks of each class, over all places. Without optimisation a tenth of all.
const ATTACKS: usize = if cfg!(debug_assertions) { 210 } else { 2100 };
const ORDINARY: usize = if cfg!(debug_assertions) { 1050 } else { 10_500 };
const AWKWARD: usize = if cfg!(debug_assertions) { 1050 } else { 4_200 };

type Maker = fn(Class, &mut Random) -> String;
type Writer = fn(&mut Random) -> String;

/// Of a class at a place: attacks, found as this class, found as any.
type Counts = BTreeMap<(Class, Place), [usize; 3]>;

fn hits(text: &str, place: Place) -> Option<Vec<Hit>> {
    Some(judge(&request(&call(text, place)?)))
}

fn recall(seed: u64, make: Maker) -> Counts {
    let mut counts = Counts::new();
    for class in Class::ALL {
        let mut random = Random(seed + class as u64);
        for number in 0..ATTACKS {
            let (attack, place) = (make(class, &mut random), PLACES[number % PLACES.len()]);
            let Some(hits) = hits(&attack, place) else { continue };
            let count = counts.entry((class, place)).or_default();
            count[0] += 1;
            count[1] += usize::from(hits.iter().any(|hit| hit.class == class));
            count[2] += usize::from(!hits.is_empty());
            if hits.is_empty() && std::env::var_os("SHOW_MISSES").is_some() {
                println!("missed {} {}: {attack:?}", class.name(), place.name());
            }
        }
    }
    counts
}

fn rate(part: usize, of: usize) -> f64 {
    100.0 * f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(of.max(1)).unwrap())
}

/// Prints the table; the lowest share of a class and place that was found as its class, or as any.
fn show(title: &str, counts: &Counts) -> f64 {
    println!("\n{title}: % found as the class (as any class)");
    let places: String = PLACES.iter().fold(String::new(), |all, place| all + &format!("{:>14}", place.name()));
    println!("{:10}{places}", "");
    let mut least = 100.0_f64;
    for class in Class::ALL {
        let mut line = format!("{:10}", class.name());
        for place in PLACES {
            let cell = counts.get(&(class, place)).map(|[all, same, any]| (rate(*same, *all), rate(*any, *all)));
            line += &cell.map_or_else(
                || format!("{:>14}", "-"),
                |(same, any)| format!("{:>14}", format!("{same:.1} ({any:.1})")),
            );
            least = cell.map_or(least, |(_, any)| least.min(any));
        }
        println!("{line}");
    }
    least
}

/// False positives among `count` texts, in % of the texts.
fn false_positives(title: &str, seed: u64, count: usize, write: Writer) -> f64 {
    let (mut random, mut wrong, mut all) = (Random(seed), BTreeMap::<Class, usize>::new(), 0);
    let mut texts = 0;
    for number in 0..count {
        let (text, place) = (write(&mut random), PLACES[number % PLACES.len()]);
        let Some(hits) = hits(&text, place) else { continue };
        texts += 1;
        all += usize::from(!hits.is_empty());
        for hit in &hits {
            *wrong.entry(hit.class).or_default() += 1;
        }
        if !hits.is_empty() && std::env::var_os("SHOW_MISSES").is_some() {
            println!("false {}: {text:?} {hits:?}", place.name());
        }
    }
    let classes: Vec<String> = wrong.iter().map(|(class, count)| format!("{} {count}", class.name())).collect();
    println!("{title}: {all} of {texts} texts hit ({:.3} %) {}", rate(all, texts), classes.join(", "));
    rate(all, texts)
}

/// Nanoseconds for each KB of bodies: of reading the request, of reading and judging it.
fn speed(title: &str, write: Writer) {
    let mut random = Random(77);
    let texts: Vec<String> = (0..2000).map(|_| write(&mut random)).collect();
    let calls: Vec<_> = texts.iter().filter_map(|text| call(text, Place::Json)).collect();
    let bytes: usize = calls.iter().map(|call| call.body.len() + call.head.end).sum();
    let timed = |run: &dyn Fn()| {
        let begin = processor_time();
        run();
        (processor_time() - begin) * 1024 / u64::try_from(bytes).unwrap()
    };
    let read = timed(&|| calls.iter().for_each(|call| drop(std::hint::black_box(request(call)))));
    let judged = timed(&|| calls.iter().for_each(|call| drop(std::hint::black_box(judge(&request(call))))));
    let each = judged * u64::try_from(bytes).unwrap() / 1024 / u64::try_from(calls.len()).unwrap();
    println!("{title}: {read} ns/KB to read, {judged} ns/KB to read and judge, {each} ns a request");
}

/// Nanoseconds that this thread ran: what else the machine does is no part of them.
fn processor_time() -> u64 {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    times.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn documents_that_reach_outside_are_found() {
    let hits = |body: &str| {
        judge(&request(&place::post("text/xml", body))).into_iter().map(|hit| hit.class).collect::<Vec<_>>()
    };
    let entity = "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///c'>]><a>&b;</a>";
    assert!(hits(entity).contains(&Class::Xxe));
    assert_eq!(hits("<a xmlns:xi='x'><xi:include href='b.xml'/></a>"), [Class::Xxe]);
    assert_eq!(hits("<a><b c='1'>x&#39; or 1=1--</b></a>"), [Class::Sql]);
    assert_eq!(hits("<a><b c='1'>Tom &amp; Ann</b><![CDATA[it's 5 < 6]]></a>"), []);
}

#[test]
fn injection_measure() {
    let tuned = show("attacks that rules were tuned with", &recall(1, attacks::tuned));
    let held = show("attacks that rules were not tuned with", &recall(2, attacks::held));
    println!();
    let ordinary = false_positives("ordinary texts", 3, ORDINARY, clean::ordinary);
    let awkward = false_positives("awkward texts", 4, AWKWARD, clean::awkward);
    let unseen = false_positives("awkward texts that rules were not tuned with", 5, AWKWARD, clean::held);
    println!();
    speed("ordinary texts", clean::ordinary);
    speed("awkward texts", clean::awkward);
    speed("attacks with SQL", |random| attacks::tuned(Class::Sql, random));
    assert!(tuned >= 95.0 && held >= 90.0, "attacks are missed: {tuned} {held}");
    assert!(ordinary <= 0.1 && awkward <= 1.0 && unseen <= 1.0, "clean texts hit: {ordinary} {awkward} {unseen}");
}

/// Sets that were written before anybody looked at the rules; general faults that they showed were mended. What they gave before is in `docs/CONTENT.md`.
#[test]
fn injection_measure_unseen() {
    let bare = show("attacks as they are typed", &recall(11, attacks_bare::bare));
    let desk = false_positives("texts of a help desk", 12, AWKWARD, clean_desk::desk);
    let built = false_positives("texts built like programs", 13, AWKWARD, clean_built::built);
    assert!(bare >= 85.0, "attacks are missed: {bare}");
    assert!(desk <= 4.5 && built <= 4.5, "clean texts hit: {desk} {built}");
}

/// Of these, the last: measured when the rules for the others were done, and then looked at once.
#[test]
fn injection_measure_last() {
    let last = show("the last attacks", &recall(14, attacks_last::last));
    let notes = false_positives("the last texts", 15, AWKWARD, clean_notes::note);
    assert!(last >= 70.0 && notes <= 8.0, "attacks are missed, or clean texts hit: {last} {notes}");
}
