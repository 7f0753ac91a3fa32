//! A center, an operator with a kept-alive connection to its API, and what its process takes.
//!
//! In: a running center. Out: answers with the time they took; processor time and memory. Never here: the center's insides.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use axum::http::Method;
use enforcer::sync::{Https, Server};
use enforcer_tests::Center;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::SECONDS;

/// Where a center listens, as its own namespace sees it.
pub(super) const URL: &str = "https://127.0.0.1:9443";

/// Somebody with an operator's token.
pub(super) struct Operator {
    runtime: Runtime,
    https: Https,
}

impl Operator {
    /// With a new token of this center.
    pub(super) fn of(center: &Center) -> anyhow::Result<Self> {
        let token = center.token("bench", "operator");
        let authority = fs::read_to_string(center.authority())?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let server = Server::pinned(URL, &authority, None)?;
        let https = center.space().inside(|| runtime.block_on(server.connect()))?.with_token(&token);
        Ok(Self { runtime, https })
    }

    /// One request, and how long it took.
    pub(super) fn ask(&mut self, method: Method, path: &str, body: &Value) -> anyhow::Result<(Duration, Value)> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let begun = Instant::now();
        let asked = self.https.ask(method, path, body, PATIENCE);
        let (_, answer) = self.runtime.block_on(asked).with_context(|| format!("asking for {path}"))?;
        let took = begun.elapsed();
        Ok((took, serde_json::from_slice(&answer).unwrap_or_default()))
    }

    /// Blocks a device: when the request began, how long it took, and the revision.
    pub(super) fn block(&mut self, device: &str) -> anyhow::Result<(Instant, Duration, u64)> {
        let asked = json!({"kind": "device", "value": device, "action": "deny", "seconds": SECONDS, "reason": "bench"});
        let begun = Instant::now();
        let (took, answer) = self.ask(Method::POST, "/v1/decisions", &asked)?;
        Ok((begun, took, answer["revision"].as_u64().context("the center names no revision")?))
    }

    /// Drops many addresses in one revision.
    pub(super) fn drop_all(&mut self, addresses: &[String]) -> anyhow::Result<(Duration, u64)> {
        let one = |address: &String| json!({"kind": "ip", "value": address, "action": "drop", "seconds": SECONDS});
        let decisions: Vec<Value> = addresses.iter().map(one).collect();
        let asked = json!({"decisions": decisions, "comment": "bench"});
        let (took, answer) = self.ask(Method::POST, "/v1/decisions/many", &asked)?;
        ensure!(answer["decisions"].as_u64() == Some(addresses.len() as u64), "not all were decided: {answer}");
        Ok((took, answer["revision"].as_u64().context("the center names no revision")?))
    }
}

/// Nanoseconds of processor time that a process has used.
pub(super) fn busy(process: u32) -> anyhow::Result<u64> {
    // In hundredths of a second; threads that have ended count, which `schedstat` of those that live would not say.
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields = stat.rsplit_once(')').context("stat has changed its form")?.1;
    let ticks = |place: usize| fields.split_whitespace().nth(place).and_then(|ticks| ticks.parse::<u64>().ok());
    Ok((ticks(11).context("no user time")? + ticks(12).context("no system time")?) * 10_000_000)
}

/// Resident bytes of a process: now, and at most.
pub(super) fn resident(process: u32) -> anyhow::Result<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
    };
    Ok((field("VmRSS:").context("no VmRSS")?, field("VmHWM:").context("no VmHWM")?))
}

const PATIENCE: Duration = Duration::from_mins(5);
