//! Durations as people write them: `30s`, `5m`, `2h`, `1d`, and several units one after another: `1h30m`.
//!
//! In: text or a [`Duration`]. Out: the other. Never here: the clock.
use std::fmt::Write as _;
use std::time::Duration;

/// Why a text is not a duration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DurationError {
    /// Nothing was written.
    #[error("the duration is empty: write a number and a unit, such as 30s, 5m, 2h or 1d")]
    Empty,
    /// A unit without a number before it.
    #[error("a number is missing: write a whole number before each unit, such as 30s, 5m, 2h or 1d")]
    NumberMissing,
    /// The units do not go from large to small.
    #[error("the units are out of order: write the largest first and each once, such as 1h30m")]
    Order,
    /// More than a thousand years.
    #[error("the duration is too long: at most 365000d, or leave it out for one that never ends")]
    TooLong,
    /// A number without a unit.
    #[error("a unit is missing: write ms, s, m, h or d after the number, such as 30s, 5m, 2h or 1d")]
    UnitMissing,
    /// A unit that is not known.
    #[error("the unit is not known: write ms, s, m, h or d, such as 30s, 5m, 2h or 1d")]
    UnitUnknown,
    /// The duration is zero.
    #[error("the duration is zero: write a longer one, such as 30s")]
    Zero,
}

/// Reads `30s`, `5m`, `2h`, `1d`, `250ms` or `1h30m`; never zero.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(DurationError::Empty);
    }
    let mut total = 0_u64;
    let mut larger = u64::MAX;
    while !rest.is_empty() {
        let (number, unit, after) = part(rest)?;
        if unit >= larger {
            return Err(DurationError::Order);
        }
        total = number
            .checked_mul(unit)
            .and_then(|part| total.checked_add(part))
            .filter(|total| *total <= LONGEST)
            .ok_or(DurationError::TooLong)?;
        larger = unit;
        rest = after;
    }
    if total == 0 { Err(DurationError::Zero) } else { Ok(Duration::from_millis(total)) }
}

/// Writes what [`parse_duration`] reads, in the fewest units; less than a millisecond is `0s`.
pub fn format_duration(duration: Duration) -> String {
    let mut left = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (name, unit) in UNITS {
        if left >= unit {
            // Writing to a string cannot fail.
            let _ = write!(text, "{}{name}", left / unit);
            left %= unit;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// One number with its unit in milliseconds, and what follows.
fn part(text: &str) -> Result<(u64, u64, &str), DurationError> {
    let (digits, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let (name, rest) = rest.split_at(rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len()));
    if digits.is_empty() {
        return Err(DurationError::NumberMissing);
    }
    let name = name.trim();
    if name.is_empty() {
        return Err(DurationError::UnitMissing);
    }
    let (_, unit) = UNITS.into_iter().find(|(known, _)| *known == name).ok_or(DurationError::UnitUnknown)?;
    // Only digits: the one way to fail is being too large.
    let number = digits.parse().unwrap_or(u64::MAX);
    Ok((number, unit, rest))
}

/// Largest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
const LONGEST: u64 = 365_000 * 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        for (text, seconds) in [("30s", 30), ("5m", 300), ("2h", 7200), ("1d", 86_400), ("1h30m", 5400), (" 10 s ", 10)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, error) in [
            ("", DurationError::Empty),
            ("s", DurationError::NumberMissing),
            ("-5s", DurationError::NumberMissing),
            ("30", DurationError::UnitMissing),
            ("30 weeks", DurationError::UnitUnknown),
            ("1.5h", DurationError::UnitUnknown),
            ("30S", DurationError::UnitUnknown),
            ("5m1h", DurationError::Order),
            ("5m5m", DurationError::Order),
            ("0s", DurationError::Zero),
            ("365001d", DurationError::TooLong),
            ("99999999999999999999999d", DurationError::TooLong),
        ] {
            assert_eq!(parse_duration(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn reads_back_what_it_writes(millis in 1..LONGEST) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn never_panics(text in "\\PC{0,20}") {
            let _ = parse_duration(&text);
        }
    }
}
