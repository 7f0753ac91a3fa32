//! Figures that say how sure they are.
//!
//! In: what was counted among chosen ones, and how rarely one is chosen. Out: [`Estimate`]s. Never here: how they were chosen.
use std::net::IpAddr;

use enforcer_common::SubjectKind;
use serde::{Deserialize, Serialize};

/// A figure, and how far off it may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure.
    pub about: u64,
    /// In 19 of 20 cases it is off by no more; 0: it is exact.
    pub give_or_take: u64,
}

/// An address with many behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Crowd {
    /// The address.
    pub address: IpAddr,
    /// What was counted behind it: devices, or sessions where no device is known.
    #[serde(with = "crate::serial")]
    pub kind: SubjectKind,
    /// How many.
    pub count: Estimate,
}

/// What a decision would have hit. An identity that no request carried is unknown, and not 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Reached {
    /// Requests.
    pub requests: Estimate,
    /// Devices.
    pub devices: Option<Estimate>,
    /// Sessions.
    pub sessions: Option<Estimate>,
    /// Users.
    pub users: Option<Estimate>,
    /// Keys of partners.
    pub keys: Option<Estimate>,
    /// Client addresses.
    pub addresses: Estimate,
    /// The address with the most behind it.
    pub crowd: Option<Crowd>,
}

impl Crowd {
    /// What to beware of, when there are more behind the address than in a household or a test.
    pub fn warning(&self) -> Option<String> {
        let Self { address, kind, count } = self;
        let about = if count.give_or_take > 0 { "about " } else { "" };
        let (count, kind) = (count.about, kind.name());
        let text =
            format!("{address} hides {about}{count} {kind}s, and all of them would be hit: decide on a {kind} instead");
        (count >= MANY).then_some(text)
    }
}

/// Identities behind one address that are many.
const MANY: u64 = 10;

impl Estimate {
    /// The sum of two figures that were chosen by the same key, so that their errors may add up.
    pub(super) const fn plus(self, other: Self) -> Self {
        let about = self.about.saturating_add(other.about);
        Self { about, give_or_take: self.give_or_take.saturating_add(other.give_or_take) }
    }

    /// Of different things, of which one in `2^level` is chosen. At least `seen` there were.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(super) fn distinct(chosen: u64, seen: u64, level: u32) -> Self {
        Self::scaled(chosen, seen, level, chosen as f64)
    }

    /// Of a sum over callers, of which one in `2^level` is chosen. It was at least `seen`.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn sum(chosen: impl Iterator<Item = u64>, seen: u64, level: u32) -> Self {
        let (sum, squares) =
            chosen.fold((0, 0.0), |(sum, squares): (u64, f64), one| (sum + one, squares + (one as f64).powi(2)));
        Self::scaled(sum, seen, level, squares)
    }

    /// Horvitz and Thompson: each chosen one stands for `2^level`, and the variance is what those left out make of it.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "an estimate: a root of a sum of squares, rounded up"
    )]
    fn scaled(sum: u64, seen: u64, level: u32, squares: f64) -> Self {
        if level == 0 {
            return Self { about: seen, give_or_take: 0 };
        }
        let scale = 1_u64 << level.min(48);
        let one = scale as f64;
        // Of none chosen, up to three times the scale may have been there (19 in 20).
        let error = if sum == 0 { 3.0 * one } else { 2.0 * (squares * (one - 1.0) * one).sqrt() };
        Self { about: sum.saturating_mul(scale).max(seen), give_or_take: error.ceil() as u64 }
    }
}
