//! What the agent takes: memory of its process, memory of its maps, processor time.

use std::{fs, os::fd::AsRawFd as _, path::Path};

use anyhow::Context as _;
use aya::maps::MapData;
use enforcer_tests::Agent;

/// Bytes of kernel memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kernel {
    /// Of all pinned maps.
    pub(crate) all: u64,
    /// Of the tables of addresses and networks: gate, filter, buckets of this family, spill.
    pub(crate) tables: u64,
}

/// Asks the kernel about the pinned maps; `family` is `SOURCES4` or `SOURCES6`.
pub(crate) fn kernel(agent: &Agent, family: &str) -> anyhow::Result<Kernel> {
    let mut kernel = Kernel::default();
    for entry in fs::read_dir(agent.pins().join("maps"))? {
        let entry = entry?;
        let bytes = locked(&entry.path())?;
        kernel.all += bytes;
        if ["FILTER", "GATE", "SPILL", family].iter().any(|name| entry.file_name() == *name) {
            kernel.tables += bytes;
        }
    }
    Ok(kernel)
}

fn locked(pin: &Path) -> anyhow::Result<u64> {
    let map = MapData::from_pin(pin).with_context(|| format!("failed to open {}", pin.display()))?;
    let facts = fs::read_to_string(format!("/proc/self/fdinfo/{}", std::os::fd::AsFd::as_fd(map.fd()).as_raw_fd()))?;
    let line = facts.lines().find_map(|line| line.strip_prefix("memlock:"));
    line.context("the kernel does not tell a map's size")?.trim().parse().context("the size of a map")
}

/// Resident bytes of the agent: all, and those that are not the maps themselves seen through `mmap`.
pub(crate) fn resident(agent: &Agent) -> anyhow::Result<(u64, u64)> {
    let (mut all, mut own, mut is_map) = (0, 0, false);
    for line in fs::read_to_string(format!("/proc/{}/smaps", agent.id()))?.lines() {
        if let Some(kilobytes) = line.strip_prefix("Rss:") {
            let bytes = kilobytes.trim().trim_end_matches(" kB").parse::<u64>()? * 1024;
            all += bytes;
            own += if is_map { 0 } else { bytes };
        } else if line.split(' ').next().is_some_and(|word| word.contains('-')) {
            is_map = line.contains("bpf-map");
        }
    }
    Ok((all, own))
}

/// Nanoseconds of processor time that the agent has used.
pub(crate) fn busy(agent: &Agent) -> anyhow::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{}/task", agent.id()))?.flatten() {
        let text = fs::read_to_string(task.path().join("schedstat"))?;
        sum += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(sum)
}
