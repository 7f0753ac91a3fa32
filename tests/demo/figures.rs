//! Measuring with wrk, a load generator that is not ours.
//!
//! In: a namespace and an address. Out: [`Speed`]. Never here: judging it.

use std::{net::SocketAddr, time::Duration};

use enforcer_tests::Namespace;

/// What wrk measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Speed {
    /// Requests answered each second.
    pub(crate) per_second: f64,
    /// Half of the requests took at most this.
    pub(crate) median: Duration,
    /// 99 of 100 requests took at most this.
    pub(crate) p99: Duration,
}

impl Speed {
    /// Sends clean requests for a few seconds, as fast as they are answered.
    pub(crate) fn measure(space: &Namespace, to: SocketAddr) -> Self {
        let line = format!("wrk --latency -t 2 -c 20 -d 3s -H X-Device-Id:alice http://{to}/api/accounts/7");
        let printed = space.exec(&line);
        Self::parse(&printed).unwrap_or_else(|| panic!("wrk printed something else than expected:\n{printed}"))
    }

    fn parse(printed: &str) -> Option<Self> {
        let field = |name: &str| printed.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
        Some(Self {
            per_second: field("Requests/sec:")?.parse().ok()?,
            median: duration(field("50%")?)?,
            p99: duration(field("99%")?)?,
        })
    }
}

/// `312.00us`, `1.25ms`, `2.00s`.
fn duration(text: &str) -> Option<Duration> {
    let (number, seconds) = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))?;
    Some(Duration::from_secs_f64(number.parse::<f64>().ok()? * seconds))
}
