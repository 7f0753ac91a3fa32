//! One end of a cable as a measuring device: how much processor time its packets cost, and how many got past the filter.
//!
//! In: a cable of the test network. Out: a [`Reading`]. Threaded NAPI gives the receiving interface a kernel thread of its
//! own; its processor time is what packets cost. That and the pinning concern the bench's own interface only.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use enforcer_tests::{Link, Namespace, Net};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::{Pid, gettid},
};

/// A cable from a generator to the host.
#[derive(Debug)]
pub(crate) struct Cable<'a> {
    /// Names and addresses.
    pub(crate) link: &'static Link,
    /// Where packets come from.
    pub(crate) peer: &'a Namespace,
    /// Where they go.
    pub(crate) host: &'a Namespace,
}

/// Counters at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    /// Processor time of the receiving thread, nanoseconds.
    pub(crate) busy: u64,
    /// Packets it took from the cable.
    pub(crate) packets: u64,
    /// Packets that the IP layer delivered: past every filter.
    pub(crate) delivered: u64,
    /// Packets that the IP layer refused by their header: they would hide what a filter does.
    pub(crate) broken: u64,
}

/// Runs `work` on a thread of its own that stays on the sender's processor. The calling thread keeps its freedom: what it
/// starts inherits it.
pub(crate) fn on_sender<T: Send>(work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
    let pinned = || {
        pin(gettid().as_raw(), SENDER)?;
        work()
    };
    thread::scope(|scope| scope.spawn(pinned).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Generator and receiver have a processor each, where there are two, and go before what else runs on it.
fn pin(id: i32, processor: usize) -> anyhow::Result<()> {
    stay(id, processor)?;
    let niced = Command::new("renice").args(["-n", NICE, "-p", &id.to_string()]).stdout(Stdio::null()).status();
    ensure!(niced.is_ok_and(|status| status.success()), "failed to change the priority of thread {id}");
    Ok(())
}

/// The same for threads that sleep between their work: they go first whenever they have some. Niceness would not do, where
/// the kernel shares its processors between sessions first.
pub(crate) fn pin_first(id: i32, processor: usize) -> anyhow::Result<()> {
    stay(id, processor)?;
    let first = Command::new("chrt").args(["--fifo", "--pid", "10", &id.to_string()]).stdout(Stdio::null()).status();
    ensure!(first.is_ok_and(|status| status.success()), "failed to put thread {id} first");
    Ok(())
}

fn stay(id: i32, processor: usize) -> anyhow::Result<()> {
    let last = thread::available_parallelism().map_or(1, std::num::NonZero::get) - 1;
    let mut set = CpuSet::new();
    set.set(processor.min(last))?;
    sched_setaffinity(Pid::from_raw(id), &set).context("failed to pin a thread to a processor")
}

const NICE: &str = "-15";
/// The sender's processor.
pub(crate) const SENDER: usize = 0;
/// The receiver's processor, or the last one.
pub(crate) const RECEIVER: usize = 1;

impl<'a> Cable<'a> {
    /// Prepares the host's end: its own thread, and GRO, without which a veth takes no redirected frames.
    pub(crate) fn prepare(net: &'a Net, link: &'static Link) -> anyhow::Result<Self> {
        let cable = Self { link, peer: net.peer(link), host: &net.host };
        cable.host.exec(&format!("ethtool -K {} gro on", link.interface));
        // `ip netns exec` mounts the namespace's own /sys.
        let switch = format!("echo 1 > /sys/class/net/{}/threaded", link.interface);
        let switched = Command::new("ip").args(["netns", "exec", cable.host.name(), "sh", "-c", &switch]).status();
        ensure!(switched.is_ok_and(|status| status.success()), "threaded NAPI could not be switched on");
        Ok(cable)
    }

    /// Pins the receiving thread; it may be a new one after a program was attached.
    pub(crate) fn pin_receiver(&self) -> anyhow::Result<()> {
        self.threads()?.into_iter().try_for_each(|id| pin(id, RECEIVER))
    }

    /// Runs `work` at the neighbour's end, on the sender's processor.
    pub(crate) fn at_peer<T: Send>(&self, work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
        on_sender(|| {
            self.peer.enter();
            work()
        })
    }

    /// Waits until nothing is under way, and reads.
    pub(crate) fn read(&self) -> anyhow::Result<Reading> {
        let mut busy = self.busy()?;
        loop {
            thread::sleep(Duration::from_millis(3));
            let now = self.busy()?;
            if now == busy {
                break;
            }
            busy = now;
        }
        let statistics = self.host.exec(&format!("ethtool -S {}", self.link.interface));
        let packets = statistics.lines().filter_map(|line| line.trim().split_once("_xdp_packets: "));
        let packets = packets.filter(|(queue, _)| queue.starts_with("rx_queue_")).map(|(_, count)| count);
        let packets = packets.map(str::parse::<u64>).sum::<Result<_, _>>().context("ethtool's counters")?;
        let (delivered, broken) = self.host.inside(stack)?;
        Ok(Reading { busy, packets, delivered, broken })
    }

    fn busy(&self) -> anyhow::Result<u64> {
        let mut sum = 0;
        for id in self.threads()? {
            let text = fs::read_to_string(format!("/proc/{id}/schedstat")).context("the receiving thread is gone")?;
            sum += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(sum)
    }

    /// The kernel threads of this interface's name: nobody else uses threaded NAPI, and no second bench runs.
    fn threads(&self) -> anyhow::Result<Vec<i32>> {
        let prefix = format!("napi/{}-", self.link.interface);
        let processes = fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let is_ours =
            |id: &i32| fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name.starts_with(&prefix));
        let found: Vec<i32> = processes.filter(is_ours).collect();
        if found.is_empty() {
            bail!("no kernel thread receives on {}", self.link.interface);
        }
        Ok(found)
    }
}

impl Reading {
    /// What happened between two readings.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            busy: self.busy - earlier.busy,
            packets: self.packets - earlier.packets,
            delivered: self.delivered - earlier.delivered,
            broken: self.broken - earlier.broken,
        }
    }
}

/// Packets that the IP layers of this thread's namespace delivered, and refused by their header.
fn stack() -> anyhow::Result<(u64, u64)> {
    let (four, six) = (read("snmp")?, read("snmp6")?);
    let mut lines = four.lines().filter(|line| line.starts_with("Ip:"));
    let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let pairs: Vec<(&str, &str)> = names.split(' ').zip(values.split(' ')).collect();
    let of4 = |name: &str| pairs.iter().find(|(known, _)| *known == name).map_or("0", |(_, value)| value);
    let of6 = |name: &str| six.lines().find_map(|line| line.strip_prefix(name)).map_or("0", str::trim);
    let sum = |a: &str, b: &str| anyhow::Ok(a.parse::<u64>()? + b.parse::<u64>()?);
    Ok((sum(of4("InDelivers"), of6("Ip6InDelivers"))?, sum(of4("InHdrErrors"), of6("Ip6InHdrErrors"))?))
}

fn read(name: &str) -> anyhow::Result<String> {
    fs::read_to_string(format!("/proc/thread-self/net/{name}")).with_context(|| format!("failed to read {name}"))
}
