//! Kernels from Debian's archive, into the user's cache. In: a line of the list. Out: an [`Image`] on disk. Never here: the
//! system's own packages; apt works in a folder of ours, with sources of ours, and installs nothing.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

use super::kernels::{ARCHIVES, Kernel, MODULES};
use crate::steps::execute;

/// A kernel that can be booted.
pub(crate) struct Image {
    folder: PathBuf,
}

impl Image {
    /// The kernel itself.
    pub(crate) fn kernel(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    /// The folder of its modules.
    pub(crate) fn modules(&self) -> PathBuf {
        self.folder.join("modules")
    }
}

/// The kernel in the cache, or the newest of its line from the archive. To have a newer one, remove its folder.
pub(crate) fn get(kernel: &Kernel) -> anyhow::Result<Image> {
    let cache = enforcer_ebpf_build::tools_root().context("neither ENFORCER_TOOLS, XDG_CACHE_HOME nor HOME is set")?;
    let folder = cache.join("kernels").join(kernel.series);
    // One that was kept with fewer modules is fetched anew.
    let modules = fs::read_to_string(folder.join(ASKED)).unwrap_or_default();
    if modules != MODULES.join(" ") {
        let part = cache.join("kernels").join(format!("{}.part", kernel.series));
        drop(fs::remove_dir_all(&part));
        fetch(kernel, &part).with_context(|| format!("Linux {} can't be had", kernel.series))?;
        drop(fs::remove_dir_all(&folder));
        fs::rename(part.join("kept"), &folder)?;
        fs::remove_dir_all(&part)?;
    }
    Ok(Image { folder })
}

fn fetch(kernel: &Kernel, part: &Path) -> anyhow::Result<()> {
    let apt = Apt::update(part)?;
    let names = kernel.packages.iter().map(|package| apt.newest(&format!("{package}{}.", kernel.series)));
    for name in names.collect::<anyhow::Result<Vec<_>>>()? {
        println!("== fetching {name}");
        execute(apt.run("apt-get").args(["--quiet=2", "download", &name]))?;
    }
    for package in files(part).filter(|file| file.extension().is_some_and(|ending| ending == "deb")) {
        execute(Command::new("dpkg-deb").arg("-x").arg(package).arg(part.join("unpacked")))?;
    }
    keep(&part.join("unpacked"), &part.join("kept"))
}

/// The image and the few modules; the rest is a hundred times as much.
fn keep(unpacked: &Path, kept: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(kept.join("modules"))?;
    for file in files(unpacked) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let module = name.split_once(".ko").filter(|(module, _)| MODULES.contains(module));
        if name.starts_with("vmlinuz") {
            fs::copy(&file, kept.join("vmlinuz"))?;
        } else if let Some((module, packing)) = module {
            unpack(&file, packing, &kept.join("modules").join(format!("{module}.ko")))?;
        }
    }
    if !kept.join("vmlinuz").exists() {
        bail!("its package holds no image");
    }
    Ok(fs::write(kept.join(ASKED), MODULES.join(" "))?)
}

fn unpack(module: &Path, packing: &str, target: &Path) -> anyhow::Result<()> {
    match packing {
        "" => fs::copy(module, target).map(drop).context("failed to copy a module"),
        ".xz" => execute(Command::new("xz").arg("-dc").arg(module).stdout(File::create(target)?)),
        other => bail!("a module is packed as {other}"),
    }
}

/// All files below a folder.
fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let (mut folders, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder { folders.push(entry.path()) } else { found.push(entry.path()) }
        }
    }
    found.into_iter()
}

/// Debian's package tool with a root of its own, so that the system's sources and lists stay as they are.
struct Apt {
    root: PathBuf,
}

impl Apt {
    fn update(root: &Path) -> anyhow::Result<Self> {
        let apt = Self { root: root.to_owned() };
        fs::create_dir_all(root.join("lists/partial"))?;
        fs::write(root.join("status"), "")?;
        let source = |archive: &&str| format!("deb [arch=amd64 signed-by={KEYRING}] {archive}\n");
        fs::write(root.join("sources.list"), ARCHIVES.iter().map(source).collect::<String>())?;
        execute(apt.run("apt-get").args(["--quiet=2", "--error-on=any", "update"]))?;
        Ok(apt)
    }

    /// The newest cloud kernel whose name begins like this.
    fn newest(&self, start: &str) -> anyhow::Result<String> {
        let output = self.run("apt-cache").args(["pkgnames", start]).stderr(Stdio::null()).output()?;
        let names = String::from_utf8_lossy(&output.stdout).into_owned();
        let kernels = names.lines().filter(|name| name.ends_with("-cloud-amd64"));
        let newest = kernels.max_by_key(|name| numbers(name)).map(str::to_owned);
        newest.with_context(|| format!("the archive has no {start}*-cloud-amd64"))
    }

    fn run(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("DEBIAN_FRONTEND", "noninteractive");
        for (name, file) in
            [("State", ""), ("State::status", "status"), ("Cache", ""), ("Etc::sourcelist", "sources.list")]
        {
            command.arg("-o").arg(format!("Dir::{name}={}", self.root.join(file).display()));
        }
        for option in OPTIONS {
            command.args(["-o", option]);
        }
        command
    }
}

/// 6, 1, 0, 56 of `linux-image-6.1.0-56-cloud-amd64`.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|letter: char| !letter.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

/// Which modules were looked for; not all kernels have all of them as modules.
const ASKED: &str = "asked";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const OPTIONS: [&str; 5] = [
    "Dir::Etc::sourceparts=-",
    // Its own user could not write into a folder in somebody's home.
    "APT::Sandbox::User=root",
    "Acquire::Languages=none",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
    "Acquire::http::Timeout=20",
];

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn the_newest_is_the_one_with_the_greatest_numbers() {
        let names = ["linux-image-6.1.0-9-cloud-amd64", "linux-image-6.1.0-56-cloud-amd64"];
        assert_eq!(names.into_iter().max_by_key(|name| numbers(name)), Some(names[1]));
        assert!(numbers("linux-image-6.12.117+deb12-cloud-amd64") > numbers("linux-image-6.12.90+deb12.1-cloud-amd64"));
    }
}
