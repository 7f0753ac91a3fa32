//! A month, in UTC. In: `2026-11`, or a moment. Out: which moments it holds. Never here: the clock.
use std::fmt;
use std::str::FromStr;

use enforcer_policy::Moment;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::{Serialize, Serializer};

/// From its first millisecond to the first of the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Month {
    first: Date,
    begin: Moment,
    end: Moment,
}

/// A text that is no month.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is no month; write it as 2026-11")]
pub struct MonthError(String);

impl Month {
    /// The one that a moment is in.
    pub fn of(moment: Moment) -> Option<Self> {
        let time = Timestamp::from_millisecond(i64::try_from(moment.0).ok()?).ok()?;
        Self::from_first(time.to_zoned(TimeZone::UTC).date().first_of_month())
    }

    fn from_first(first: Date) -> Option<Self> {
        let next = first.checked_add(1.month()).ok()?;
        let [begin, end] = [first, next].map(|day| {
            let time = day.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond();
            u64::try_from(time).ok().map(Moment)
        });
        Some(Self { first, begin: begin?, end: end? })
    }

    /// Its first millisecond.
    pub const fn begin(self) -> Moment {
        self.begin
    }

    /// Whether a moment is in it.
    pub fn holds(self, moment: Moment) -> bool {
        self.begin <= moment && moment < self.end
    }
}

impl FromStr for Month {
    type Err = MonthError;

    fn from_str(text: &str) -> Result<Self, MonthError> {
        let wrong = || MonthError(text.to_owned());
        let (year, month) =
            text.split_once('-').filter(|(year, month)| (year.len(), month.len()) == (4, 2)).ok_or_else(wrong)?;
        let (year, month) = (year.parse().map_err(|_digits| wrong())?, month.parse().map_err(|_digits| wrong())?);
        Date::new(year, month, 1).ok().and_then(Self::from_first).ok_or_else(wrong)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.first.year(), self.first.month())
    }
}

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_and_ends_in_utc() {
        let december: Month = "2026-12".parse().unwrap();
        assert_eq!(december.begin(), Moment(1_796_083_200_000));
        let last = Moment(1_798_761_599_999);
        assert!(december.holds(december.begin()) && december.holds(last) && !december.holds(Moment(last.0 + 1)));
        assert_eq!((Month::of(last), december.to_string().as_str()), (Some(december), "2026-12"));
    }

    #[test]
    fn other_texts_are_no_months() {
        for text in ["", "2026", "2026-13", "2026-00", "26-11", "2026-1", "2026-11-01", "1969-01", "-026-11", "20x6-11"]
        {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
    }
}
