//! The wall clock; the only file that reads it.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use enforcer_policy::Moment;

/// Now.
pub fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Moment(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
