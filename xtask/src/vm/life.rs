//! The life of the Debian package, in two guests: one in which it is installed, upgraded, kept and purged, and one that boots with what
//! a disk would have kept of the first.
//!
//! In: a kernel, the built agent. Out: a report of each guest. Never here: what is done in them; that is `enforcer-vm` of the tests
//! crate (`tests/vm/package.rs`).

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};

use super::{
    archive::{Archive, libraries, stripped},
    guest::{DEBIAN, Report, run},
    packages::Image,
    system::{self, SERVER},
};
use crate::{
    dist::{self, Programs},
    steps::{execute, sibling},
    task_dist::VERSION,
};

/// Both guests, by name. The second needs the first.
pub(crate) fn live(image: &Image, folder: &Path) -> anyhow::Result<Vec<(&'static str, Report)>> {
    drop(fs::remove_dir_all(folder));
    fs::create_dir_all(folder)?;
    let programs = Programs::in_folder(&sibling("")?);
    let old = dist::agent(&programs, VERSION, &folder.join("old"))?;
    let new = dist::agent(&programs, &format!("{VERSION}+new"), &folder.join("new"))?;
    let mut first = ours(image, "lifecycle", folder)?;
    first.file("debs/old.deb", &fs::read(&old)?);
    first.file("debs/new.deb", &fs::read(new)?);
    let first = boot(image, "lifecycle", first, folder)?;
    let Some(state) = first.all("state").next().map(str::to_owned).filter(|_| first.failure().is_none()) else {
        return Ok(vec![("lifecycle", first)]);
    };
    let kept = folder.join("kept");
    unpack(&old, &state, &kept)?;
    let mut second = ours(image, "after-a-boot", folder)?;
    second.tree(&kept)?;
    let second = boot(image, "after-a-boot", second, folder)?;
    Ok(vec![("lifecycle", first), ("after-a-boot", second)])
}

/// What every guest has besides Debian: the kernel's modules, our program, and the units that run it.
fn ours(image: &Image, stage: &str, folder: &Path) -> anyhow::Result<Archive> {
    let mut archive = Archive::default();
    let program = sibling("enforcer-vm")?;
    archive.file("usr/local/bin/enforcer-vm", &stripped(&program, &folder.join("stripped"))?);
    // Debian has them all, perhaps not as new.
    ensure!(!libraries(&program)?.is_empty(), "the program of guests is linked to nothing");
    archive.folder("modules");
    for entry in fs::read_dir(image.modules())?.flatten() {
        archive.file(&format!("modules/{}", entry.file_name().display()), &fs::read(entry.path())?);
    }
    archive.file("etc/systemd/system/guest-cable.service", CABLE.as_bytes());
    archive.file(
        "etc/systemd/system/guest.service",
        format!("{TRIAL}ExecStart=/usr/local/bin/enforcer-vm {stage}\n").as_bytes(),
    );
    archive.file("etc/systemd/system/default.target", TARGET.as_bytes());
    Ok(archive)
}

/// The kernel unpacks archives one after the other: Debian first, then ours.
fn boot(image: &Image, stage: &'static str, ours: Archive, folder: &Path) -> anyhow::Result<Report> {
    let whole = folder.join(stage).with_extension("initramfs");
    let mut debian = Archive::default();
    debian.tree(&system::get(&SERVER)?)?;
    let mut file = File::create(&whole)?;
    file.write_all(&debian.end())?;
    file.write_all(&ours.end())?;
    drop(file);
    let report = run(&DEBIAN, image, &whole, &folder.join(stage).with_extension("log"));
    fs::remove_file(&whole)?;
    report
}

/// The package's files, and what the first guest has told of its disk.
fn unpack(package: &Path, state: &str, kept: &Path) -> anyhow::Result<()> {
    execute(Command::new("dpkg-deb").arg("-x").arg(package).arg(kept))?;
    let mut decode = Command::new("sh");
    decode.args(["-c", "base64 -d | tar -xz --numeric-owner --same-owner --preserve-permissions -C \"$0\""]).arg(kept);
    let mut child = decode.stdin(Stdio::piped()).spawn().context("failed to start a shell")?;
    child.stdin.take().map(|mut pipe| pipe.write_all(state.as_bytes())).transpose()?;
    ensure!(child.wait()?.success(), "what the first guest kept can't be unpacked");
    Ok(())
}

/// A network card is there before anything that uses it.
const CABLE: &str = "[Unit]\nDescription=The cable of the guest\nDefaultDependencies=no\nAfter=local-fs.target\n\
                     Before=enforcer.service network-pre.target\n\
                     [Service]\nType=oneshot\nRemainAfterExit=yes\nStandardOutput=tty\nTTYPath=/dev/ttyS0\n\
                     ExecStart=/usr/local/bin/enforcer-vm cable\n";
/// As a server would be: after the network.
const TRIAL: &str = "[Unit]\nDescription=The trial\nWants=network.target network-pre.target\nAfter=network.target multi-user.target\n\
                     [Service]\nType=oneshot\nTimeoutStartSec=infinity\nStandardOutput=tty\nTTYPath=/dev/ttyS0\n";
const TARGET: &str = "[Unit]\nDescription=A guest\nRequires=multi-user.target\nWants=guest-cable.service guest.service\n\
                      After=multi-user.target\nAllowIsolate=yes\n";
