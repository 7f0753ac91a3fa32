//! Texts of an author who did not know the rules (`set/`, each line a string of JSON): how many attacks of each class are found, how many clean
//! texts are hit. The attacks were never looked at; of the awkward texts, general faults that they showed were mended. Never here: tuning.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use enforcer_insight::content::{Coding, Place, Value, readings};
use enforcer_insight::injection::{Class, judge_value};

use super::rate;

fn texts(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/injection/set").join(name).with_extension("jsonl");
    let text = fs::read_to_string(&path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The classes that a text hits, as a value of a query.
fn classes(text: &str) -> Vec<Class> {
    let readings = readings(&Bytes::copy_from_slice(text.as_bytes()), Coding::Plain);
    judge_value(&Value { place: Place::Query, name: "q".into(), readings }).iter().map(|hit| hit.class).collect()
}

/// Percent of a file that holds.
fn share(name: &str, holds: impl Fn(&[Class]) -> bool) -> f64 {
    let texts = texts(name);
    let found = texts.iter().filter(|text| holds(&classes(text))).count();
    println!("{name:15} {found:4} of {:4} ({:.1} %)", texts.len(), rate(found, texts.len()));
    rate(found, texts.len())
}

#[test]
fn a_set_of_another_author_is_told_apart() {
    let found = Class::ALL.map(|class| share(&format!("attack-{}", class.name()), |hits| hits.contains(&class)));
    assert!(found.iter().all(|found| *found >= 90.0), "attacks are missed: {found:?}");
    let hit = ["ordinary", "awkward"].map(|name| share(name, |hits| !hits.is_empty()));
    assert!(hit[0] <= 0.1 && hit[1] <= 3.0, "clean texts hit: {hit:?}");
}
