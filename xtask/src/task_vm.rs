//! `cargo xtask vm`: the agent on other kernels, each in a virtual machine of its own; with `--suite`, the namespace suite; with `--package`, the
//! Debian package.
//!
//! In: QEMU, kernels from Debian's archive (fetched once, then in the user's cache), the built programs. Out: a table, and
//! failure when a kernel failed; one that can't be had is named as skipped. Never here: what is done on each kernel; that is
//! `enforcer-vm` of the tests crate.

use std::path::PathBuf;

use anyhow::bail;

use crate::{
    steps, task_build, task_setup,
    vm::{self, Image, KERNELS, Kernel, Programs, Report, Suite},
};

/// Which kernels.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only these, such as 6.1 [default: all of them]
    kernels: Vec<String>,
    /// The life of the Debian package instead: installed, enforcing, upgraded under traffic, booted, kept, purged
    #[arg(long)]
    package: bool,
    /// The namespace suite instead, without its loads: the better part of an hour for each kernel
    #[arg(long, conflicts_with = "package")]
    suite: bool,
    /// Only tests of the suite with one of these in their names
    #[arg(long, value_name = "NAME", requires = "suite")]
    only: Vec<String>,
}

/// Runs the task.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(unknown) = arguments.kernels.iter().find(|name| KERNELS.iter().all(|known| known.series != **name)) {
        bail!("{unknown} is not one of {}", KERNELS.map(|kernel| kernel.series).join(", "));
    }
    task_setup::ensure()?;
    let wanted = KERNELS
        .iter()
        .filter(|kernel| arguments.kernels.is_empty() || arguments.kernels.iter().any(|name| name == kernel.series));
    let (images, skipped) = fetch(wanted);
    if images.is_empty() {
        bail!("no kernel to try:\n{}", skipped.join("\n"));
    }
    let failed = if arguments.suite {
        suite(&images, &Suite::of(&arguments.only)?)?
    } else {
        task_build::beside_us(&["enforcer", "enforcer-vm"])?;
        if arguments.package { lives(&images)? } else { all(&images)? }
    };
    // Last, where it is seen: an archive moves on, and a host may be offline.
    for line in &skipped {
        println!("{line}");
    }
    if failed > 0 {
        bail!("{failed} of {} kernels failed", images.len());
    }
    Ok(())
}

/// The kernels there are, and a line for each that can't be had.
fn fetch<'a>(wanted: impl Iterator<Item = &'a Kernel>) -> (Vec<(&'a Kernel, Image)>, Vec<String>) {
    let (mut images, mut skipped) = (Vec::new(), Vec::new());
    for kernel in wanted {
        match vm::get(kernel) {
            Ok(image) => images.push((kernel, image)),
            Err(error) => skipped.push(format!("skipped: {error:#}")),
        }
    }
    (images, skipped)
}

/// Runs every kernel, shows the table, and says how many failed.
fn all(images: &[(&Kernel, Image)]) -> anyhow::Result<usize> {
    let programs = Programs::collect(&folder()?)?;
    let mut reports = Vec::new();
    for (kernel, image) in images {
        println!("== Linux {}", kernel.series);
        let report = one(kernel, image, &programs)?;
        println!("== Linux {}: {} in {:.0} s", kernel.series, verdict(&report), report.seconds());
        reports.push(report);
    }
    show(&reports);
    Ok(reports.iter().filter(|report| report.failure().is_some()).count())
}

/// The same for the package.
fn lives(images: &[(&Kernel, Image)]) -> anyhow::Result<usize> {
    task_setup::require_root("to make a Debian for the guests")?;
    let mut failed = 0;
    for (kernel, image) in images {
        println!("== the package on Linux {}", kernel.series);
        let folder = folder()?.join("package").join(kernel.series);
        for (stage, report) in vm::live(image, &folder)? {
            for said in ["kernel", "exposure", "newcomer", "upgrade", "purge", "boot"] {
                report.all(said).for_each(|value| println!("{said}: {value}"));
            }
            if let Some(why) = report.failure() {
                println!("{why}\nits console: {}", folder.join(stage).with_extension("log").display());
                failed += 1;
            }
            println!("== {stage}: {} in {:.0} s", verdict(&report), report.seconds());
        }
    }
    Ok(failed)
}

/// The namespace suite, kernel after kernel.
fn suite(images: &[(&Kernel, Image)], suite: &Suite) -> anyhow::Result<usize> {
    task_setup::require_root("to make a Debian for the guests")?;
    let mut reports = Vec::new();
    for (kernel, image) in images {
        println!("== {} tests on Linux {}", suite.len(), kernel.series);
        let log = folder()?.join(format!("suite-{}.log", kernel.series));
        let report = suite.play(image, &folder()?, &log)?;
        for failed in report.all("test").filter_map(|test| test.strip_prefix("failed ")) {
            println!("failed: {failed}");
        }
        if let Some(why) = report.failure() {
            println!("{why}\nits console: {}", log.display());
        }
        reports.push(report);
    }
    println!("\n{:<30}{:>8}{:>8}{:>8}{:>9}  verdict", "kernel", "passed", "failed", "skipped", "seconds");
    for report in &reports {
        sums(report);
        degraded(report);
    }
    for (why, tests) in &suite.left_out {
        println!("left out on every kernel: {tests} tests: {why}");
    }
    Ok(reports.iter().filter(|report| report.failure().is_some()).count())
}

/// One line for a kernel, and one for each test that was skipped there.
fn sums(report: &Report) {
    let (kernel, seconds) = (first(report, "kernel"), report.seconds());
    let of = |verdict: &'static str| report.all("test").filter_map(move |test| test.strip_prefix(verdict));
    let [passed, failed, skipped] = ["passed ", "failed ", "skipped "].map(|verdict| of(verdict).count());
    println!("{kernel:<30}{passed:>8}{failed:>8}{skipped:>8}{seconds:>9.0}  {}", verdict(report));
    for test in of("skipped ") {
        println!("{kernel}: skipped: {test}");
    }
}

fn one(kernel: &Kernel, image: &Image, programs: &Programs) -> anyhow::Result<Report> {
    let (archive, log) = (folder()?.join("initramfs"), folder()?.join(format!("{}.log", kernel.series)));
    programs.pack(&image.modules(), &archive)?;
    let report = vm::run(&vm::BARE, image, &archive, &log)?;
    if let Some(why) = report.failure() {
        println!("{why}\nits console: {}", log.display());
    }
    Ok(report)
}

/// Beside the programs.
fn folder() -> anyhow::Result<PathBuf> {
    steps::sibling("vm")
}

fn verdict(report: &Report) -> &'static str {
    if report.failure().is_some() { "FAILED" } else { "passed" }
}

/// One line for each kernel, and below them what doctor found degraded there.
fn show(reports: &[Report]) {
    let heads = ["kernel", "xdp", "tc", "egress", "verified: xdp", "tc", "egress", "seconds", "verdict"];
    println!("\n{}", line(heads.map(str::to_owned)));
    for report in reports {
        println!("{}", line(row(report)));
    }
    reports.iter().for_each(degraded);
}

/// What doctor found degraded there.
fn degraded(report: &Report) {
    for check in report.all("doctor").filter(|check| !check.contains(": ok: ")) {
        println!("{}: doctor: {check}", first(report, "kernel"));
    }
}

fn row(report: &Report) -> [String; 9] {
    let verified = |program: &str| {
        let counts = report.all("verified").filter_map(|line| line.split_once(' '));
        counts.filter(|(name, _)| *name == program).map(|(_, count)| count.to_owned()).next().unwrap_or_default()
    };
    [
        first(report, "kernel"),
        first(report, "xdp"),
        first(report, "tc"),
        first(report, "egress"),
        verified("enforcer_xdp"),
        verified("enforcer_tc"),
        verified("enforcer_egress"),
        format!("{:.0}", report.seconds()),
        verdict(report).to_owned(),
    ]
}

fn first(report: &Report, what: &str) -> String {
    report.all(what).next().unwrap_or("-").to_owned()
}

fn line([kernel, xdp, tc, egress, packets, requests, answers, seconds, verdict]: [String; 9]) -> String {
    format!("{kernel:<30}{xdp:<9}{tc:<9}{egress:<9}{packets:>14}{requests:>9}{answers:>9}{seconds:>9}  {verdict}")
}
