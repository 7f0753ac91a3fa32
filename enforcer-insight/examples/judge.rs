//! Judges texts. In: lines on the standard input, each a value of a query; with `--json`, each a value as a string of JSON. Out: for each line the classes it hits with their
//! confidence and rules, a tab, and the line. Never here: requests.
#![expect(clippy::print_stdout, reason = "a program that prints")]
use std::io::{BufRead as _, stdin};

use bytes::Bytes;
use enforcer_insight::content::{Coding, Place, Value, readings};
use enforcer_insight::injection::{Hit, judge_value};

fn main() {
    let coding = if std::env::args().any(|argument| argument == "--encoded") { Coding::Form } else { Coding::Plain };
    let json = std::env::args().any(|argument| argument == "--json");
    for line in stdin().lock().split(b'\n').map_while(Result::ok) {
        let text = if json { serde_json::from_slice::<String>(&line).ok().map(String::into_bytes) } else { None };
        let readings = readings(&Bytes::copy_from_slice(text.as_ref().unwrap_or(&line)), coding);
        let hits = judge_value(&Value { place: Place::Query, name: "q".into(), readings });
        let shown: Vec<String> = hits.iter().map(show).collect();
        println!("{}\t{}", shown.join(" "), String::from_utf8_lossy(&line));
    }
}

fn show(hit: &Hit) -> String {
    format!("{}:{}:{}", hit.class.name(), hit.confidence, hit.rules.join(","))
}
