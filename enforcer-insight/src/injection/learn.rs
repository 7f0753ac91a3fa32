//! Learns the weights. In: folders of texts that `INJECTION_LEARN` names, parted by colons: `attack-<class>` and `padded-<class>`, every other
//! file clean. Out: [`super::weights`], written anew. Never here: measuring; what is measured must not be learned from.
//!
//! `INJECTION_LEARN=<folder> cargo test -p enforcer-insight --lib learns_the_weights -- --ignored`, then `cargo fmt`.
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use bytes::Bytes;

use super::tests::{FOUND, LOOKING, PASTED, PLACES, TEXTBOOK, TRICKS, hidden};
use super::traits::GROUPS;
use super::weigh::rows;
use super::{Class, each};
use crate::content::{Coding, Place, Value, readings};

/// A text of one class that bears evidence.
struct Sample {
    class: usize,
    rows: Vec<usize>,
    rules: Vec<&'static str>,
    confidence: u8,
    attack: bool,
    weight: f64,
}

/// What is learned: of each row for all classes and for each, of each rule, of each class.
#[derive(Default)]
struct Learned {
    shared: Vec<f64>,
    own: Vec<[f64; 11]>,
    rules: BTreeMap<&'static str, f64>,
    bias: [f64; 11],
}

#[test]
#[ignore = "writes the table of weights from sets that are not here"]
fn learns_the_weights() {
    let folders = env::var("INJECTION_LEARN").unwrap();
    let mut samples = Vec::new();
    let mut files: Vec<_> =
        folders.split(':').flat_map(|folder| fs::read_dir(folder).unwrap().map(|file| file.unwrap().path())).collect();
    files.sort();
    for file in files {
        read(&file, &mut samples);
    }
    tested(&mut samples);
    let learned = learn(&samples);
    for class in Class::ALL {
        report(class, &samples, &learned);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/injection/weights.rs");
    fs::write(path, table(&learned)).unwrap();
}

/// The samples of a file: of an attack the surest evidence of its class, of a clean text all.
fn read(file: &Path, samples: &mut Vec<Sample>) {
    let name = file.file_stem().unwrap().to_str().unwrap();
    let class = name.strip_prefix("attack-").or_else(|| name.strip_prefix("padded-"));
    let class = class.map(|class| Class::ALL.iter().position(|one| one.name() == class).unwrap());
    let text = fs::read_to_string(file).unwrap();
    let weight = match class {
        None => CLEAN,
        Some(_) => (MOST_OF_CLASS / f64::from(u32::try_from(text.lines().count()).unwrap())).min(4.0),
    };
    let weight = if name.starts_with("padded") { weight * PADDED } else { weight };
    for (number, line) in text.lines().enumerate() {
        let text: String = serde_json::from_str(line).unwrap();
        // What is long only bodies hold.
        let places = if text.len() > LONG { &PLACES[IN_HEADS..] } else { &PLACES[..] };
        let found = evidence(&text, places[number % places.len()], class.is_some(), weight);
        match class {
            None => samples.extend(found),
            Some(class) => {
                let own = found.into_iter().filter(|sample| sample.class == class);
                samples.extend(own.max_by_key(|sample| sample.confidence));
            }
        }
    }
}

/// What the tests hold: whatever else is learned, this must not be forgotten.
fn tested(samples: &mut Vec<Sample>) {
    let mut take = |text: &str, place: Place, class: Option<Class>, weight: f64| {
        let found = evidence(text, place, class.is_some(), weight);
        let own = |sample: &Sample| class.is_none_or(|class| sample.class == class as usize);
        samples.extend(found.into_iter().filter(own));
    };
    for (class, texts) in FOUND.iter().chain(&TRICKS) {
        texts.iter().for_each(|text| take(text, Place::Query, Some(*class), FIRM));
    }
    for (class, attack) in TEXTBOOK {
        for place in PLACES {
            take(attack, place, Some(class), FIRM);
        }
        for text in hidden(attack) {
            take(&text, Place::Query, Some(class), FIRM / 2.0);
        }
    }
    for text in LOOKING.iter().chain(PASTED) {
        take(text, Place::Query, None, FIRM);
    }
}

fn evidence(text: &str, place: Place, attack: bool, weight: f64) -> Vec<Sample> {
    let readings = readings(&Bytes::copy_from_slice(text.as_bytes()), Coding::Plain);
    let mut samples = Vec::new();
    each(&Value { place, name: "q".into(), readings }, &mut |class, text, evidence| {
        let traits = super::traits::traits(text, &evidence);
        let (rows, rules) = (rows(&traits).collect(), evidence.rules().collect());
        samples.push(Sample { class: class as usize, rows, rules, confidence: evidence.confidence(), attack, weight });
    });
    samples
}

/// Steps along the gradient, smaller ones the more a weight was moved; small weights are preferred.
fn learn(samples: &[Sample]) -> Learned {
    let count = GROUPS.iter().map(|(_, length)| length).sum();
    let mut learned = Learned { shared: vec![0.0; count], own: vec![[0.0; 11]; count], ..Learned::default() };
    let mut order: Vec<usize> = (0..samples.len()).collect();
    let mut random = 7_u64;
    for round in 0..ROUNDS {
        for at in (1..order.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            order.swap(at, usize::try_from(random >> 33).unwrap() % (at + 1));
        }
        let rate = 0.04 / (1.0 + f64::from(round) * 0.3);
        for at in &order {
            step(&mut learned, &samples[*at], rate);
        }
    }
    learned
}

fn step(learned: &mut Learned, sample: &Sample, rate: f64) {
    let wrong = f64::from(u8::from(sample.attack)) - 1.0 / (1.0 + (-score(learned, sample)).exp());
    let by = rate * wrong * sample.weight;
    for row in &sample.rows {
        learned.shared[*row] += by - rate * SMALL * learned.shared[*row];
        let own = &mut learned.own[*row][sample.class];
        *own += by - rate * SMALL * 4.0 * *own;
    }
    for rule in &sample.rules {
        let rule = learned.rules.entry(rule).or_default();
        *rule += by - rate * SMALL * *rule;
    }
    learned.bias[sample.class] += by;
}

fn score(learned: &Learned, sample: &Sample) -> f64 {
    let rows: f64 = sample.rows.iter().map(|row| learned.shared[*row] + learned.own[*row][sample.class]).sum();
    let rules: f64 = sample.rules.iter().map(|rule| learned.rules.get(rule).copied().unwrap_or_default()).sum();
    learned.bias[sample.class] + rows + rules
}

#[expect(clippy::print_stdout, reason = "what was learned is for people")]
fn report(class: Class, samples: &[Sample], learned: &Learned) {
    let count = |attack: bool, holds: &dyn Fn(&Sample) -> bool| {
        samples.iter().filter(|one| one.class == class as usize && one.attack == attack && holds(one)).count()
    };
    let all = |_: &Sample| true;
    let before = |one: &Sample| one.confidence >= 50;
    let after = |one: &Sample| score(learned, one) >= 0.0;
    println!(
        "{:10} attacks {:6} found {:6} -> {:6}; clean {:5} hit {:4} -> {:4}",
        class.name(),
        count(true, &all),
        count(true, &before),
        count(true, &after),
        count(false, &all),
        count(false, &before),
        count(false, &after)
    );
}

/// The table as the program has it, in sixteenths.
fn table(learned: &Learned) -> String {
    let mut out = String::from(HEAD);
    let part = |weight: f64| format!("{:.0}", weight * 16.0).parse::<i16>().unwrap();
    let bias: Vec<i16> = learned.bias.iter().map(|one| part(*one)).collect();
    writeln!(out, "\n/// Of each class.\npub(super) const BIAS: [i16; 11] = {bias:?};").unwrap();
    let count = learned.shared.len();
    writeln!(
        out,
        "\n/// Of each trait, for each class.\n#[rustfmt::skip]\npub(super) const TRAITS: [[i16; 11]; {count}] = ["
    )
    .unwrap();
    let mut rows = learned.shared.iter().zip(&learned.own);
    for (name, length) in GROUPS {
        writeln!(out, "    // {name}").unwrap();
        for (shared, own) in rows.by_ref().take(length) {
            let row: Vec<i16> = own.iter().map(|one| part(shared + one)).collect();
            writeln!(out, "    {row:?},").unwrap();
        }
    }
    writeln!(
        out,
        "];\n\n/// Of each rule, in order.\n#[rustfmt::skip]\npub(super) const RULES: [(&str, i16); {}] = [",
        learned.rules.len()
    )
    .unwrap();
    for (rule, weight) in &learned.rules {
        writeln!(out, "    ({rule:?}, {}),", part(*weight)).unwrap();
    }
    out + "];\n"
}

const HEAD: &str = "//! Weights of evidence, in sixteenths of the logarithm of the odds. Learned: `learn.rs` writes this file. In: a rule, a trait. Out: what it\n//! adds for a class. Never here: anything else; nothing of it is written by hand.\n";

const IN_HEADS: usize = 4;
const LONG: usize = 400;
const ROUNDS: u32 = 60;
const SMALL: f64 = 0.002;
/// A clean text counts so much, all attacks of a class in a file together so much, padded ones this part of it.
const CLEAN: f64 = 3.0;
const MOST_OF_CLASS: f64 = 1000.0;
const PADDED: f64 = 0.3;
/// So does what the tests hold.
const FIRM: f64 = 24.0;
