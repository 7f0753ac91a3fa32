//! Any set from outside, in a folder that `INJECTION_SET` names: files of lines, each a string of JSON. `attack-<class>` and `padded-<class>` hold
//! attacks, every other file clean texts. Out: tables, with the half of the interval that holds 95 of 100 such sets. Never here: limits.
//!
//! `INJECTION_SET=<folder> cargo test -p enforcer-insight --release --test injection outside -- --ignored --nocapture`; with `SHOW_MISSES`, each miss too.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use enforcer_insight::content::Place;
use enforcer_insight::injection::Class;

use super::grammar::Random;
use super::place::PLACES;
use super::{attacks, attacks_bare, clean, clean_built, clean_desk, hits, rate};

/// Sets smaller than this are tried at every place, others at one after the other.
const FEW: usize = 300;

#[test]
#[ignore = "counts what somebody has in a folder"]
fn a_set_from_outside_is_counted() {
    let folder = std::env::var_os("INJECTION_SET").unwrap();
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "jsonl")) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        match name.strip_prefix("attack-").or_else(|| name.strip_prefix("padded-")) {
            Some(class) => {
                let class = Class::ALL.into_iter().find(|one| one.name() == class).unwrap();
                attack_texts(name, class, &texts(file));
            }
            None => clean_texts(name, &texts(file)),
        }
    }
}

fn texts(file: &Path) -> Vec<String> {
    fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The texts, each at one place, or at all. What is long only bodies hold.
fn placed(texts: &[String]) -> impl Iterator<Item = (&String, Place)> {
    let every = texts.len() < FEW;
    texts.iter().enumerate().flat_map(move |(number, text)| {
        let places = if text.len() > LONG { &PLACES[IN_HEADS..] } else { &PLACES[..] };
        let places = if every { places } else { std::slice::from_ref(&places[number % places.len()]) };
        places.iter().map(move |place| (text, *place))
    })
}

/// Bytes that a head still holds when each is escaped.
const LONG: usize = 400;
/// Of the places, those that are parts of a head.
const IN_HEADS: usize = 4;

fn attack_texts(name: &str, class: Class, texts: &[String]) {
    let mut counts = BTreeMap::<Place, [usize; 3]>::new();
    for (text, place) in placed(texts) {
        let Some(hits) = hits(text, place) else { continue };
        let count = counts.entry(place).or_default();
        count[0] += 1;
        count[1] += usize::from(hits.iter().any(|hit| hit.class == class));
        count[2] += usize::from(!hits.is_empty());
        if hits.is_empty() && std::env::var_os("SHOW_MISSES").is_some() {
            println!("missed {name} {}: {text:?}", place.name());
        }
    }
    let [all, same, any] = counts.values().fold([0; 3], |sum, one| [0, 1, 2].map(|at| sum[at] + one[at]));
    let each = counts.iter().map(|(place, count)| format!("{} {:.1}", place.name(), rate(count[2], count[0])));
    let each = each.collect::<Vec<_>>().join(" ");
    println!("{name:18}{all:6} {} as any {} | {each}", shown(same, all), shown(any, all));
}

fn clean_texts(name: &str, texts: &[String]) {
    let (mut classes, mut wrong, mut all) = (BTreeMap::<Class, usize>::new(), 0, 0);
    for (text, place) in placed(texts) {
        let Some(hits) = hits(text, place) else { continue };
        all += 1;
        wrong += usize::from(!hits.is_empty());
        for hit in &hits {
            *classes.entry(hit.class).or_default() += 1;
        }
        if !hits.is_empty() && std::env::var_os("SHOW_MISSES").is_some() {
            println!("false {name} {}: {text:?} {hits:?}", place.name());
        }
    }
    let each: Vec<String> = classes.iter().map(|(class, count)| format!("{} {count}", class.name())).collect();
    println!("{name:18}{all:6} {wrong:5} hit {} | {}", shown(wrong, all), each.join(", "));
}

/// Percent, with half of its interval.
fn shown(part: usize, of: usize) -> String {
    let share = rate(part, of) / 100.0;
    let half = 1.96 * (share * (1.0 - share) / f64::from(u32::try_from(of.max(1)).unwrap())).sqrt();
    format!("{:.2}±{:.2}", share * 100.0, half * 100.0)
}

/// Writes the generated sets that weights may be learned from into a folder that `INJECTION_WRITE` names.
#[test]
#[ignore = "writes files"]
fn generated_sets_are_written() {
    let folder = std::env::var_os("INJECTION_WRITE").unwrap();
    let write = |name: String, texts: Vec<String>| {
        let lines: Vec<String> = texts.iter().map(|text| serde_json::to_string(text).unwrap()).collect();
        fs::write(Path::new(&folder).join(name).with_extension("jsonl"), lines.join("\n")).unwrap();
    };
    for class in Class::ALL {
        let makers = [attacks::tuned, attacks::held, attacks_bare::bare];
        let texts = makers.iter().flat_map(|make| made(MADE, |random| make(class, random))).collect();
        write(format!("attack-{}", class.name()), texts);
    }
    let writers = [clean::ordinary, clean::awkward, clean::held, clean_desk::desk, clean_built::built];
    for (number, writer) in writers.iter().enumerate() {
        write(format!("clean-{number}"), made(MADE * 2, writer));
    }
}

fn made(count: usize, make: impl Fn(&mut Random) -> String) -> Vec<String> {
    let mut random = Random(101);
    (0..count).map(|_| make(&mut random)).collect()
}

/// Attacks of each maker and class; clean texts are twice as many.
const MADE: usize = 1000;
