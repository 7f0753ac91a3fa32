//! The benchmark's own kernel programs, loaded.
//!
//! In: the object that `cargo xtask bench` built. Out: verbs: attach a baseline, send a burst, run a program many times.

use std::{env, fs, path::Path, time::Duration};

use anyhow::{Context as _, bail};
use aya::{
    Ebpf, TestRun as _, TestRunAttrs, TestRunOptions,
    maps::{Array, MapData, MapInfo, ProgramArray},
    programs::{ProgramFd, ProgramInfo, Xdp, XdpMode, loaded_programs, xdp::XdpLink},
};
use bench_ebpf::Plan;

/// A program that does what any filter has to do, or less.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Baseline {
    /// Read the source, count, drop.
    Count,
    /// `XDP_DROP` without a look.
    Drop,
    /// Read the source, count, pass.
    Parse,
    /// `XDP_PASS` without a look.
    Pass,
}

impl Baseline {
    const ALL: [Self; 4] = [Self::Count, Self::Drop, Self::Parse, Self::Pass];

    const fn program(self) -> &'static str {
        match self {
            Self::Count => "bench_count",
            Self::Drop => "bench_drop",
            Self::Parse => "bench_parse",
            Self::Pass => "bench_pass",
        }
    }
}

/// The loaded programs.
pub(crate) struct Object {
    ebpf: Ebpf,
    plan: Array<MapData, [u64; 6]>,
    target: ProgramArray<MapData>,
}

impl Object {
    /// Loads them.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let path =
            env::var_os("ENFORCER_BENCH_OBJECT").context("run `cargo xtask bench fastpath`: it builds the object")?;
        let bytes = fs::read(&path).with_context(|| format!("failed to read {}", Path::new(&path).display()))?;
        let mut ebpf = Ebpf::load(&bytes).context("failed to load the benchmark's programs")?;
        for name in Baseline::ALL.map(Baseline::program).into_iter().chain([FLOOD, VARY]) {
            let program: &mut Xdp = ebpf.program_mut(name).context(name)?.try_into()?;
            program.load().with_context(|| format!("failed to load {name}"))?;
        }
        let plan = ebpf.take_map("PLAN").context("PLAN")?.try_into()?;
        let target = ebpf.take_map("TARGET").context("TARGET")?.try_into()?;
        Ok(Self { ebpf, plan, target })
    }

    /// Hangs a baseline on an interface of the calling thread's namespace, until the link is dropped.
    pub(crate) fn attach(&mut self, baseline: Baseline, interface: &str) -> anyhow::Result<XdpLink> {
        let program: &mut Xdp = self.ebpf.program_mut(baseline.program()).context("a baseline")?.try_into()?;
        let link = program.attach(interface, XdpMode::Driver).context("failed to attach a baseline")?;
        Ok(program.take_link(link)?)
    }

    /// What the next packets look like.
    pub(crate) fn follow(&mut self, plan: &Plan) -> anyhow::Result<()> {
        self.plan.set(0, plan.words(), 0).context("failed to write the plan")
    }

    /// Sends live frames from the calling thread's namespace, where the plan says.
    pub(crate) fn send(&self, frame: &[u8], count: u32) -> anyhow::Result<()> {
        let attrs = TestRunAttrs::new().xdp_live_frames(BATCH);
        let options = TestRunOptions { data_in: Some(frame), repeat: count, attrs, ..TestRunOptions::new() };
        self.xdp(FLOOD)?.test_run(options).context("failed to send live frames")?;
        Ok(())
    }

    /// The mean time of one run of a baseline behind `bench_vary`.
    pub(crate) fn time_baseline(&mut self, baseline: Baseline, frame: &[u8], runs: u32) -> anyhow::Result<Duration> {
        let program = self.xdp(baseline.program())?.fd()?.try_clone()?;
        self.time(&program, frame, runs).map(|(time, _)| time)
    }

    /// The mean time of one run of `program` behind `bench_vary`, and what its last run returned.
    pub(crate) fn time(&mut self, program: &ProgramFd, frame: &[u8], runs: u32) -> anyhow::Result<(Duration, u32)> {
        self.target.set(0, program, 0).context("failed to aim at a program")?;
        let mut out = vec![0; frame.len()];
        let options =
            TestRunOptions { data_in: Some(frame), data_out: Some(&mut out), repeat: runs, ..TestRunOptions::new() };
        let result = self.xdp(VARY)?.test_run(options).context("failed to run a program")?;
        if result.return_value == ABORTED {
            bail!("the generator could not jump to the program it measures");
        }
        Ok((result.duration, result.return_value))
    }

    fn xdp(&self, name: &str) -> anyhow::Result<&Xdp> {
        Ok(self.ebpf.program(name).context("a program of the benchmark")?.try_into()?)
    }
}

/// A program of the agent by its possible names: the one that uses its pinned tables.
pub(crate) fn product(pins: &Path, names: &[&str]) -> anyhow::Result<ProgramInfo> {
    let settings = MapInfo::from_pin(pins.join("maps/SETTINGS")).context("the agent has pinned no settings")?.id();
    let is_wanted = |program: &ProgramInfo| program.name_as_str().is_some_and(|name| names.contains(&name));
    for program in loaded_programs().flatten().filter(is_wanted) {
        if program.map_ids()?.is_some_and(|ids| ids.contains(&settings)) {
            return Ok(program);
        }
    }
    bail!("{} of the agent is not loaded", names.join(" or "))
}

const FLOOD: &str = "bench_flood";
const VARY: &str = "bench_vary";
/// Frames that the kernel takes through the generator at a time.
const BATCH: u32 = 64;
/// `XDP_ABORTED`.
const ABORTED: u32 = 0;
