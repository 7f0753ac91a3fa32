//! The life of the Debian package on a real system: installed, enforcing, upgraded under traffic, booted, kept, purged.
//!
//! In: Debian with systemd as its first program, two builds of the package in `/debs`. Out: what was found, told as it is found; the
//! first thing that is wrong. Never here: what the agent can do; the namespace suite has that.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};

use crate::{
    acts::{eventually, expect, programs, settle},
    http, stage, tell,
};

/// Everything up to the purge. On the way it hands out what a disk would keep, for [`after_a_boot`].
pub(crate) fn lifecycle() -> anyhow::Result<()> {
    tell("kernel", fs::read_to_string("/proc/sys/kernel/osrelease")?.trim());
    http::serve()?;
    newcomer().context("the commands of the README")?;
    refuses().context("enforcing")?;
    upgrade().context("an upgrade under traffic")?;
    outlives_its_service().context("stopping the service")?;
    tell("state", &run("sh", &["-c", KEPT_BY_A_DISK])?);
    keep().context("a removal that keeps")?;
    purge().context("a purge")?;
    newcomer().context("the same once more")?;
    refuses()?;
    run("dpkg", &["--remove", "enforcer"])?;
    settle(0).context("a removal")?;
    expect("after a removal", "mallory", 200)
}

/// A boot of the same system: what was decided before holds before a server can listen.
pub(crate) fn after_a_boot() -> anyhow::Result<()> {
    ensure!(run("systemctl", &["is-active", "enforcer"])? == "active", "the agent does not run");
    let pinned = pins("links")?;
    ensure!(pinned.len() == 3, "when servers may start, there hang {pinned:?}");
    http::serve()?;
    expect("after a boot", "mallory", 403)?;
    expect("after a boot", "alice", 200)?;
    let entered = |unit| run("systemctl", &["show", "--value", "--property", "ActiveEnterTimestampMonotonic", unit]);
    let [agent, network]: [u64; 2] = [entered("enforcer.service")?.parse()?, entered("network-pre.target")?.parse()?];
    ensure!(agent <= network, "the agent was ready at {agent} us, the network was configured from {network} us on");
    tell("boot", &format!("enforcing {} ms before the network was configured", (network - agent) / 1000));
    Ok(())
}

/// What the README says, word for word but for the package's place and the interface: after three commands would-be refusals are told,
/// and nothing is refused; after `enforce` it is.
fn newcomer() -> anyhow::Result<()> {
    let commands = newcomers(README)?;
    for (at, command) in commands.iter().enumerate() {
        let command = command.replace("eth0", "inside");
        let words: Vec<&str> = command.split(' ').collect();
        let package = words.iter().find(|word| word.starts_with("./")).copied();
        run("sh", &["-c", &package.map_or_else(|| command.clone(), |path| command.replace(path, "/debs/old.deb"))])?;
        if at == 0 {
            installed()?;
        }
    }
    started()?;
    run("enforcer", &["block", "device", "--value", "mallory", "--for", "2h", "--reason", "shadow"])?;
    expect("in shadow mode", "mallory", 200)?;
    eventually("nothing is told that would have been refused", || Ok(observed()? > 0))?;
    tell(
        "newcomer",
        &format!("{} commands to shadow mode, {} requests told and none refused", commands.len(), observed()?),
    );
    run("sed", &["-i", "s/\"observe\"/\"enforce\"/", CONFIGURATION])?;
    run("enforcer", &["reload"])?;
    expect("from now on", "mallory", 403)?;
    run("enforcer", &["unblock", "device", "mallory"])?;
    expect("after it was taken back", "mallory", 200)
}

/// The commands of the first block below "As a package" that are for the host itself.
fn newcomers(readme: &str) -> anyhow::Result<Vec<String>> {
    let behind = readme.split_once("\n## As a package\n").and_then(|(_, rest)| rest.split_once("\n```\n"));
    let (block, _) = behind.and_then(|(_, rest)| rest.split_once("\n```\n")).context("the README has no such block")?;
    let commands: Vec<String> = block.lines().map(str::to_owned).collect();
    ensure!(commands.len() == 3, "the README has {} commands where there should be three", commands.len());
    Ok(commands)
}

/// Requests that would have been refused.
fn observed() -> anyhow::Result<u64> {
    let page = http::metrics()?;
    let lines = page.lines().filter(|line| line.starts_with("enforcer_requests_total{"));
    let counts =
        lines.filter(|line| line.contains("reason=\"observed_request\"")).filter_map(|line| line.rsplit(' ').next());
    counts.map(|count| count.parse::<u64>().context("a count")).sum()
}

/// Installing it enforces nothing.
fn installed() -> anyhow::Result<()> {
    ensure!(state("is-enabled") == "disabled" && state("is-active") == "inactive", "installing it has started it");
    run("systemd-analyze", &["verify", "--man=no", "enforcer.service"])?;
    ensure!(programs()?.is_empty(), "installing it has loaded programs");
    expect("installed only", "mallory", 200)
}

/// It runs with what it needs and no more.
fn started() -> anyhow::Result<()> {
    let status = fs::read_to_string(format!("/proc/{}/status", main_process()?))?;
    let line =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    ensure!(!line("Uid:").starts_with('0'), "the agent runs as root");
    ensure!(line("CapEff:") == NEEDED && line("CapBnd:") == NEEDED, "it may do more or less than it should: {status}");
    let exposure = run("systemd-analyze", &["security", "--no-pager", "--threshold=28", "enforcer.service"])?;
    tell("exposure", exposure.lines().last().unwrap_or_default());
    Ok(())
}

fn refuses() -> anyhow::Result<()> {
    run("enforcer", &["block", "device", "--value", "mallory", "--for", "2h", "--reason", "vm"])?;
    expect("a blocked device", "mallory", 403)?;
    expect("another device", "alice", 200)?;
    run("enforcer", &["block", "ip", stage::OUTSIDE, "--for", "1h", "--reason", "vm"])?;
    let asked = http::ask("alice", 1);
    ensure!(asked.is_err(), "a blocked address is answered: {asked:?}");
    run("enforcer", &["unblock", "ip", stage::OUTSIDE])?;
    expect("an address that was blocked", "alice", 200)
}

/// Two callers ask all the time: one must be refused each time, the other served each time.
fn upgrade() -> anyhow::Result<()> {
    let before = main_process()?;
    let done = AtomicBool::new(false);
    let (refused, served) = thread::scope(|scope| {
        let done = &done;
        let asking = |device: &'static str| scope.spawn(move || ask_until(device, done));
        let (mallory, alice) = (asking("mallory"), asking("alice"));
        let upgraded = run("dpkg", &["--install", "/debs/new.deb"]).and_then(|_| after_upgrade(before));
        done.store(true, Ordering::Relaxed);
        let asked = |thread: thread::ScopedJoinHandle<'_, BTreeMap<String, usize>>| thread.join().unwrap_or_default();
        upgraded.map(|()| (asked(mallory), asked(alice)))
    })?;
    tell("upgrade", &format!("mallory {refused:?}, alice {served:?}"));
    ensure!(refused.keys().eq(["403"]) && refused["403"] > 10, "the blocked device was answered: {refused:?}");
    ensure!(served.keys().eq(["200"]) && served["200"] > 10, "requests of another device were lost: {served:?}");
    Ok(())
}

fn after_upgrade(before: u32) -> anyhow::Result<()> {
    ensure!(main_process()? != before, "the old program still runs");
    let version = run("dpkg-query", &["--show", "--showformat", "${Version}", "enforcer"])?;
    ensure!(version.ends_with("+new"), "still {version}");
    // Some more under the new program.
    run("enforcer", &["status"]).map(drop)
}

fn ask_until(device: &str, done: &AtomicBool) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    while !done.load(Ordering::Relaxed) {
        let answer = http::ask(device, 1).map_or_else(|error| format!("{error:#}"), |status| status.to_string());
        *answers.entry(answer).or_default() += 1;
        // The emulated processor is for the agent, too.
        thread::sleep(PACE);
    }
    answers
}

fn outlives_its_service() -> anyhow::Result<()> {
    run("systemctl", &["stop", "enforcer"])?;
    expect("without an agent", "mallory", 403)?;
    run("systemctl", &["start", "enforcer"])?;
    expect("with an agent again", "mallory", 403)
}

/// Removed, but asked to go on.
fn keep() -> anyhow::Result<()> {
    fs::write("/etc/enforcer/keep-enforcing", "")?;
    run("dpkg", &["--remove", "enforcer"])?;
    ensure!(!Path::new("/usr/bin/enforcer").exists(), "the program is still installed");
    expect("removed, and asked to keep", "mallory", 403)?;
    expect("removed, and asked to keep", "alice", 200)
}

/// Nothing is left: no program, table, pin, file, or user.
fn purge() -> anyhow::Result<()> {
    let tables = pins("maps")?;
    ensure!(tables.len() > 10, "too few tables to look for: {tables:?}");
    run("dpkg", &["--purge", "enforcer"])?;
    expect("after a purge", "mallory", 200)?;
    settle(0)?;
    eventually("tables are left", || Ok(tables_held(&tables)?.is_empty()))?;
    for place in [
        "/etc/enforcer",
        "/var/lib/enforcer",
        "/run/enforcer",
        "/run/bpf",
        "/usr/bin/enforcer",
        "/usr/lib/enforcer",
        "/usr/share/enforcer",
    ] {
        ensure!(!Path::new(place).exists(), "{place} is left");
    }
    ensure!(!fs::read_to_string("/etc/passwd")?.contains("enforcer"), "its user is left");
    ensure!(!fs::read_to_string("/proc/mounts")?.contains("/run/bpf"), "its file system is left");
    let units = run("systemctl", &["list-unit-files", "--no-legend", "enforcer*", "run-bpf*"]).unwrap_or_default();
    ensure!(!units.contains("enforcer.service") && !units.contains("run-bpf"), "units are left: {units}");
    tell("purge", &format!("{} tables, and everything else, are gone", tables.len()));
    Ok(())
}

/// Those of these names that the kernel still holds; it keeps the first 15 letters of a name.
fn tables_held(names: &[String]) -> anyhow::Result<Vec<String>> {
    let held = aya::maps::loaded_maps().collect::<Result<Vec<_>, _>>()?;
    let held = held.iter().filter_map(|map| map.name_as_str().map(str::to_owned));
    Ok(held.filter(|held| names.iter().any(|name| name.chars().take(15).eq(held.chars()))).collect())
}

fn pins(folder: &str) -> anyhow::Result<Vec<String>> {
    let entries =
        fs::read_dir(format!("/run/bpf/enforcer/{folder}")).with_context(|| format!("no {folder} are pinned"))?;
    Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

fn main_process() -> anyhow::Result<u32> {
    let text = run("systemctl", &["show", "--value", "--property", "MainPID", "enforcer"])?;
    let id = text.parse()?;
    ensure!(id != 0, "the service has no process: {}", log());
    Ok(id)
}

/// What systemctl says of the service; it says so by its exit code, too.
fn state(question: &str) -> String {
    let output = Command::new("systemctl").args([question, "enforcer"]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// The last that the agent and its service have said.
fn log() -> String {
    let said =
        Command::new("journalctl").args(["-u", "enforcer", "-n", "20", "-o", "short-monotonic", "--no-pager"]).output();
    said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned()).unwrap_or_default()
}

fn run(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output =
        Command::new(program).args(arguments).output().with_context(|| format!("failed to start {program}"))?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`{program} {}`: {} {said} {}", arguments.join(" "), complaint.trim(), log());
    }
    Ok(said)
}

/// What the newcomer reads.
const README: &str = include_str!("../../README.md");
const CONFIGURATION: &str = "/etc/enforcer/enforcer.toml";
/// Between two requests of a caller.
const PACE: Duration = Duration::from_millis(50);
/// The three capabilities: bits 12, 38 and 39.
const NEEDED: &str = "000000c000001000";
/// What an installation and its decisions are on disk, besides the package's own files.
const KEPT_BY_A_DISK: &str = "tar -cz -C / etc/enforcer var/lib/enforcer etc/systemd/system/multi-user.target.wants etc/passwd etc/group \
                              etc/shadow | base64 -w0";
