//! Waiting for something to become true, instead of sleeping and hoping.
//!
//! In: a condition. Out: nothing, once it holds; a panic that names it, when it doesn't in time. Never here: a fixed
//! pause.

use std::{
    env,
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

/// Returns as soon as `holds` is true; panics with `what` after `deadline`.
#[track_caller]
pub fn eventually(deadline: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let (started, deadline) = (Instant::now(), patient(deadline));
    while !holds() {
        assert!(started.elapsed() < deadline, "not within {deadline:?}: {what}");
        thread::sleep(PAUSE);
    }
}

/// How long is waited where so long is usual: `ENFORCER_PATIENCE` times that, for processors that are emulated.
pub(crate) fn patient(usual: Duration) -> Duration {
    static TIMES: LazyLock<u32> =
        LazyLock::new(|| env::var("ENFORCER_PATIENCE").map_or(1, |text| text.parse().unwrap_or(1)));
    usual * *TIMES
}

/// Short enough to measure a few milliseconds with, long enough to leave the processor to those who are waited for.
const PAUSE: Duration = Duration::from_millis(2);
