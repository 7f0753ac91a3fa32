//! Measuring clean traffic: how much of it there can be (with wrk, a load generator that is not ours), and how long one
//! request takes at a moderate rate.
//!
//! In: a namespace and an address. Out: [`Speed`]. Never here: judging it. One round says little on a busy machine:
//! measure several, with and without in turns, and take the [`median`].

use std::{net::SocketAddr, time::Duration};

use enforcer_tests::{Namespace, Requests, Summary};

/// One round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Speed {
    /// Requests answered each second, with 20 connections that never wait.
    pub(crate) per_second: f64,
    /// Half of the requests took at most this, at 2,000 a second.
    pub(crate) median: Duration,
    /// 99 of 100 requests took at most this, at 2,000 a second.
    pub(crate) p99: Duration,
}

impl Speed {
    /// Measures one round, about four seconds.
    pub(crate) fn measure(space: &Namespace, to: SocketAddr) -> Self {
        let printed = space.exec(&format!("wrk -t 2 -c 20 -d 2s -H X-Device-Id:alice http://{to}/api/accounts/7"));
        let per_second =
            per_second(&printed).unwrap_or_else(|| panic!("wrk printed something else than expected:\n{printed}"));
        let load = Requests::to(to).connections(4).per_second(2000).total(4000).device(|_| Some("alice".into()));
        let Summary { median, p99, .. } = Summary::of(&load.run(space));
        Self { per_second, median, p99 }
    }
}

/// The middle one of several.
pub(crate) fn median<T: PartialOrd + Copy>(rounds: &[Speed], field: impl Fn(&Speed) -> T) -> T {
    let mut values: Vec<T> = rounds.iter().map(field).collect();
    values.sort_by(|one, other| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
    values[values.len() / 2]
}

fn per_second(printed: &str) -> Option<f64> {
    printed.lines().find_map(|line| line.strip_prefix("Requests/sec:"))?.trim().parse().ok()
}
