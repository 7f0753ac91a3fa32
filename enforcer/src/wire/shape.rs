//! How single values look in JSON and in frames: words, times, spans, networks.
//!
//! In: values that know nothing of serde, or only one form of it. Out: `#[serde(with = "shape")]`, for the value or an
//! `Option` of it. Words are text in both forms; the rest is text for people and numbers in frames. To add a type, say its
//! two forms in an `impl Shape`. Never here: parsing of what people type.
use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use enforcer_common::{Action, Address, AllowKind, Prefix, Reason, SubjectKind, Verdict};
use enforcer_policy::{Moment, parse_prefix};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Deserializer, Serialize, Serializer, de};

/// A value with one form for people and one for frames.
pub(super) trait Shape: Sized {
    type Human: Serialize + DeserializeOwned;
    type Frame: Serialize + DeserializeOwned;

    fn human(&self) -> Self::Human;
    fn from_human(human: Self::Human) -> Result<Self, String>;
    fn frame(&self) -> Self::Frame;
    fn from_frame(frame: Self::Frame) -> Result<Self, String>;
}

pub(super) fn serialize<T: Shape, S: Serializer>(value: &T, out: S) -> Result<S::Ok, S::Error> {
    if out.is_human_readable() { value.human().serialize(out) } else { value.frame().serialize(out) }
}

pub(super) fn deserialize<'de, T: Shape, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let value = if from.is_human_readable() {
        T::from_human(T::Human::deserialize(from)?)
    } else {
        T::from_frame(T::Frame::deserialize(from)?)
    };
    value.map_err(de::Error::custom)
}

impl<T: Shape> Shape for Option<T> {
    type Human = Option<T::Human>;
    type Frame = Option<T::Frame>;

    fn human(&self) -> Self::Human {
        self.as_ref().map(T::human)
    }

    fn from_human(human: Self::Human) -> Result<Self, String> {
        human.map(T::from_human).transpose()
    }

    fn frame(&self) -> Self::Frame {
        self.as_ref().map(T::frame)
    }

    fn from_frame(frame: Self::Frame) -> Result<Self, String> {
        frame.map(T::from_frame).transpose()
    }
}

/// A closed list of values, each with one word that is used everywhere.
pub trait Word: Copy + 'static {
    /// What one of them is called in an error.
    const WHAT: &'static str;

    /// All of them.
    fn all() -> &'static [Self];

    /// The word.
    fn word(self) -> &'static str;

    /// The value of a word.
    fn from_word(word: &str) -> Option<Self> {
        Self::all().iter().copied().find(|value| value.word() == word)
    }
}

macro_rules! words {
    ($($name:ty, $what:literal, $all:expr;)*) => {$(
        impl Word for $name {
            const WHAT: &'static str = $what;

            fn all() -> &'static [Self] {
                $all
            }

            fn word(self) -> &'static str {
                self.name()
            }
        }

        impl Shape for $name {
            type Human = Cow<'static, str>;
            type Frame = Cow<'static, str>;

            fn human(&self) -> Self::Human {
                Cow::Borrowed(self.word())
            }

            fn from_human(human: Self::Human) -> Result<Self, String> {
                Self::from_word(&human).ok_or_else(|| format!("unknown {}: {human:?}", Self::WHAT))
            }

            fn frame(&self) -> Self::Frame {
                self.human()
            }

            fn from_frame(frame: Self::Frame) -> Result<Self, String> {
                Self::from_human(frame)
            }
        }
    )*};
}

words! {
    Action, "action", Self::ALL;
    AllowKind, "kind of allowlist entry", &[Self::Full, Self::Proxy];
    Reason, "reason", Self::ALL;
    SubjectKind, "kind of subject", Self::ALL;
    Verdict, "verdict", Self::ALL;
}

/// RFC 3339 for people, milliseconds in frames.
impl Shape for Moment {
    type Human = String;
    type Frame = u64;

    fn human(&self) -> String {
        rfc3339(*self)
    }

    fn from_human(human: String) -> Result<Self, String> {
        let stamp: Timestamp = human.parse().map_err(|error| format!("not a time: {human:?}: {error}"))?;
        u64::try_from(stamp.as_millisecond()).map(Self).map_err(|_early| format!("before 1970: {human:?}"))
    }

    fn frame(&self) -> u64 {
        self.0
    }

    fn from_frame(frame: u64) -> Result<Self, String> {
        Ok(Self(frame))
    }
}

/// Seconds for people (name the field `..._seconds`), whole nanoseconds in frames.
impl Shape for Duration {
    type Human = f64;
    type Frame = Self;

    fn human(&self) -> f64 {
        self.as_secs_f64()
    }

    fn from_human(human: f64) -> Result<Self, String> {
        Self::try_from_secs_f64(human).map_err(|error| error.to_string())
    }

    fn frame(&self) -> Self {
        *self
    }

    fn from_frame(frame: Self) -> Result<Self, String> {
        Ok(frame)
    }
}

/// Text for people, its three numbers in frames.
impl Shape for Prefix {
    type Human = String;
    type Frame = (u64, u64, u8);

    fn human(&self) -> String {
        self.to_string()
    }

    fn from_human(human: String) -> Result<Self, String> {
        parse_prefix(&human).map_err(|error| error.to_string())
    }

    fn frame(&self) -> Self::Frame {
        let address = self.address();
        (address.high(), address.low(), self.length())
    }

    fn from_frame((high, low, length): Self::Frame) -> Result<Self, String> {
        Ok(Self::new(Address::from_halves(high, low), length))
    }
}

/// As `std` writes it, in both forms.
impl Shape for Address {
    type Human = IpAddr;
    type Frame = IpAddr;

    fn human(&self) -> IpAddr {
        (*self).into()
    }

    fn from_human(human: IpAddr) -> Result<Self, String> {
        Ok(human.into())
    }

    fn frame(&self) -> IpAddr {
        (*self).into()
    }

    fn from_frame(frame: IpAddr) -> Result<Self, String> {
        Ok(frame.into())
    }
}

/// `moment` as RFC 3339 in UTC, to the millisecond; times past the year 9999 stop there.
pub fn rfc3339(moment: Moment) -> String {
    let millis = i64::try_from(moment.0).unwrap_or(i64::MAX);
    let stamp = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX);
    format!("{stamp:.3}")
}
