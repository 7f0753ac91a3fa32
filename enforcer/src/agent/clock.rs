//! The two clocks, read together; the only file that reads the wall clock.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use enforcer_policy::{Clock, Moment};

use crate::kernel::monotonic;

/// The wall clock.
pub(super) fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Moment(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Both clocks, at one instant.
pub(super) fn both() -> Clock {
    Clock { wall: now(), kernel: monotonic() }
}

/// A time of the kernel's clock on the wall clock.
pub(super) fn on_the_wall(kernel: u64) -> Moment {
    let ago = monotonic().saturating_sub(kernel) / 1_000_000;
    Moment(now().0.saturating_sub(ago))
}

/// How long ago a time of the kernel's clock was.
pub(super) fn since(kernel: u64) -> Duration {
    Duration::from_nanos(monotonic().saturating_sub(kernel))
}
