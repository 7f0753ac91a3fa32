//! One guest, from start to verdict. In: an image and an archive. Out: a [`Report`], and the console's log beside the archive.
//! Never here: a guest without an end; it is given a time, and killed after it.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::Context as _;

use super::packages::Image;

/// What a guest has said.
#[derive(Default)]
pub(crate) struct Report {
    said: Vec<(String, String)>,
    seconds: f64,
}

impl Report {
    /// All it has said of one thing.
    pub(crate) fn all(&self, what: &str) -> impl Iterator<Item = &str> {
        self.said.iter().filter(move |(key, _)| key == what).map(|(_, value)| value.as_str())
    }

    /// How long it took.
    pub(crate) fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Why it did not pass. A guest that ends without a verdict has failed.
    pub(crate) fn failure(&self) -> Option<&str> {
        if self.all("passed").next().is_some() {
            return None;
        }
        Some(self.all("failed").next().unwrap_or("no verdict: it hung, crashed, or never started"))
    }
}

/// What a guest is given.
pub(crate) struct Machine {
    /// Memory in MiB.
    pub(crate) memory: &'static str,
    /// Processors.
    pub(crate) processors: &'static str,
    /// Seconds; several times what it takes.
    pub(crate) time: &'static str,
    /// What its kernel is told besides where to speak.
    pub(crate) told: &'static str,
}

/// Boots the image with the archive, and waits for its end.
pub(crate) fn run(machine: &Machine, image: &Image, archive: &Path, log: &Path) -> anyhow::Result<Report> {
    let started = Instant::now();
    // How QEMU ends says nothing: a guest that panics and one that is done both end well.
    command(machine, image, archive)
        .stdin(Stdio::null())
        .stdout(File::create(log).with_context(|| format!("failed to write {}", log.display()))?)
        .status()
        .context("failed to start QEMU")?;
    let console = fs::read(log)?;
    Ok(Report { seconds: started.elapsed().as_secs_f64(), ..read(&String::from_utf8_lossy(&console)) })
}

/// Emulated even where there is `/dev/kvm`: a device that is there and does not boot ordinary kernels makes QEMU wait for
/// ever instead of falling back.
fn command(machine: &Machine, image: &Image, archive: &Path) -> Command {
    let mut qemu = Command::new("timeout");
    qemu.args([
        "--kill-after=5",
        machine.time,
        QEMU,
        "-M",
        "q35",
        "-accel",
        "tcg",
        "-cpu",
        "qemu64",
        "-smp",
        machine.processors,
        "-m",
        machine.memory,
    ]);
    qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot", "-kernel"]);
    qemu.arg(image.kernel()).arg("-initrd").arg(archive);
    qemu.arg("-append").arg(format!("console=ttyS0 quiet panic=-1 {}", machine.told));
    qemu
}

fn read(console: &str) -> Report {
    let said = console.lines().filter_map(|line| line.trim_end().rsplit_once("vm: ")?.1.split_once('='));
    Report { said: said.map(|(what, value)| (what.to_owned(), value.to_owned())).collect(), seconds: 0.0 }
}

/// For a bare kernel with one program.
pub(crate) const BARE: Machine = Machine { memory: "1024", processors: "1", time: "300", told: "" };
/// For a whole Debian, of which the archive is in memory twice while it is unpacked.
pub(crate) const DEBIAN: Machine = Machine {
    memory: "3072",
    processors: "1",
    time: "900",
    told: "enforcer.guest rdinit=/sbin/init systemd.getty_auto=0 systemd.log_target=journal",
};
/// For the namespace suite, which takes the better part of an hour.
pub(crate) const SUITE: Machine = Machine { memory: "4096", processors: "2", time: "14400", told: "" };
/// The emulator.
pub(crate) const QEMU: &str = "qemu-system-x86_64";

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_verdict_is_read_among_other_lines_and_its_absence_is_a_failure() {
        let report = read("\x1b[2Jnoise vm: xdp=native\r\nvm: verified=enforcer_tc 12\r\nvm: passed=all\r\n");
        assert_eq!((report.all("xdp").next(), report.failure()), (Some("native"), None));
        assert_eq!(read("vm: failed=after a crash: 200").failure(), Some("after a crash: 200"));
        assert!(read("Kernel panic").failure().is_some());
    }
}
