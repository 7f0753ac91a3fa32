//! How many requests a limited subject may send: `60/m`.
//!
//! In: what an operator typed. Out: [`Rate`], in requests per minute, as the kernel counts. Never here: buckets.
use enforcer_common::Rate;

/// Why a text is not a rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RateError {
    /// Nothing at once would refuse everything.
    #[error("a burst is from 1 to {BURST} requests")]
    Burst,
    /// Not a number and a unit.
    #[error("write requests per second, minute or hour, such as 10/s, 60/m or 600/h")]
    Form,
    /// None at all.
    #[error("no request would pass: use --action deny instead")]
    Nothing,
    /// More than can be counted.
    #[error("at most {PER_MINUTE} requests per minute can be counted")]
    TooMany,
}

/// The rate of a text, and of the burst beside it. Without one, a second's worth may come at once.
///
/// What is written per hour is rounded down to whole requests per minute, one at least.
pub fn parse_rate(text: &str, burst: Option<u32>) -> Result<Rate, RateError> {
    let (count, unit) = text.split_once('/').ok_or(RateError::Form)?;
    let digits = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    let count: u64 = if digits { count.parse().unwrap_or(u64::MAX) } else { return Err(RateError::Form) };
    let per_minute = match unit {
        "s" => count.saturating_mul(60),
        "m" => count,
        "h" if count == 0 => 0,
        "h" => (count / 60).max(1),
        _ => return Err(RateError::Form),
    };
    let per_minute = u32::try_from(per_minute).ok().filter(|rate| *rate <= PER_MINUTE).ok_or(RateError::TooMany)?;
    if per_minute == 0 {
        return Err(RateError::Nothing);
    }
    let burst = burst.unwrap_or_else(|| per_minute.div_ceil(60));
    if (1..=BURST).contains(&burst) { Ok(Rate { per_minute, burst }) } else { Err(RateError::Burst) }
}

/// A million in a second.
const PER_MINUTE: u32 = 60_000_000;
/// As many at once.
const BURST: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_counted_in_minutes() {
        for (text, per_minute, burst) in
            [("60/m", 60, 1), ("61/m", 61, 2), ("1/m", 1, 1), ("10/s", 600, 10), ("1/h", 1, 1), ("600/h", 10, 1)]
        {
            assert_eq!(parse_rate(text, None), Ok(Rate { per_minute, burst }), "{text}");
        }
        assert_eq!(parse_rate("60/m", Some(5)), Ok(Rate { per_minute: 60, burst: 5 }));
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in ["", "60", "/m", "60/", "60/d", "-1/m", "+1/m", "1.5/s", " 60/m"] {
            assert_eq!(parse_rate(text, None), Err(RateError::Form), "{text}");
        }
        assert_eq!(parse_rate("0/m", None), Err(RateError::Nothing));
        assert_eq!(parse_rate("0/h", None), Err(RateError::Nothing));
        assert_eq!(parse_rate("99999999999999999999999/s", None), Err(RateError::TooMany));
        assert_eq!(parse_rate("60/m", Some(0)), Err(RateError::Burst));
    }
}
