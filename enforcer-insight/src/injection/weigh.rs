//! How sure evidence makes. In: a class, a reading, the rules that fired on it. Out: a confidence. Never here: rules, traits.
//!
//! A rule says what could act as code; whether it would is told by the rules together and by what they stand in. Each has a weight, learned
//! from attacks and clean texts (`learn.rs`) and kept in [`super::weights`]; their sum is the logarithm of the odds.
use super::Class;
use super::evidence::Evidence;
use super::text::Text;
use super::traits::{GROUPS, Traits, traits};
use super::weights::{BIAS, RULES, TRAITS};

/// Evidence that weighs less is none.
pub(super) const LEAST: u8 = 25;

/// How sure the evidence makes that this text is an attack of the class.
pub(super) fn confidence(class: Class, text: &Text<'_>, evidence: &Evidence) -> u8 {
    sure(score(class, &traits(text, evidence), evidence.rules()))
}

/// Sixteenths of the logarithm of the odds.
fn score(class: Class, traits: &Traits, rules: impl Iterator<Item = &'static str>) -> i32 {
    let column = class as usize;
    let said = rows(traits).map(|row| TRAITS.get(row).and_then(|row| row.get(column)).copied().unwrap_or_default());
    let fired = rules.map(weight_of);
    let bias = BIAS.get(column).copied().unwrap_or_default();
    said.chain(fired).fold(i32::from(bias), |sum, weight| sum + i32::from(weight))
}

/// What a rule adds; one that was never learned adds nothing.
fn weight_of(rule: &str) -> i16 {
    let at = RULES.binary_search_by(|(name, _)| (*name).cmp(rule));
    at.ok().and_then(|at| RULES.get(at)).map_or(0, |(_, weight)| *weight)
}

/// The rows of the table that these traits stand in.
pub(super) fn rows(traits: &Traits) -> impl Iterator<Item = usize> {
    let begins = GROUPS.iter().scan(0, |next, (_, length)| {
        let begin = *next;
        *next += length;
        Some(begin)
    });
    begins.zip(traits).map(|(begin, one)| begin + one)
}

/// Percent from sixteenths of the logarithm of the odds, between 1 and 99.
fn sure(score: i32) -> u8 {
    let step = usize::try_from(score.unsigned_abs() / 4).unwrap_or(usize::MAX);
    let above = LOGISTIC.get(step).copied().unwrap_or(99);
    if score < 0 { 100 - above } else { above }
}

/// Percent at each quarter of the logarithm of the odds, from even odds on.
const LOGISTIC: [u8; 19] = [50, 56, 62, 68, 73, 78, 82, 85, 88, 90, 92, 94, 95, 96, 97, 98, 98, 98, 99];
