//! Removing networks: one's own, and those that a killed test run left behind.
//!
//! In: names made of [`PREFIX`], a process id and a number. Out: nothing left of them: processes, mounts, folders,
//! namespaces. Never here: a namespace that some living process of the suite owns, or one that is not ours.

use std::{
    collections::BTreeMap,
    env, fs, panic,
    path::Path,
    process::{self, Command, Stdio},
    thread,
};

use nix::{
    mount::{MntFlags, umount2},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// The exit code of who was interrupted.
const INTERRUPTED: i32 = 130;
/// What all names begin with.
pub(crate) const PREFIX: &str = "enf-";

/// From now on Ctrl-C ends the program, and leaves none of its networks, whoever holds a guard on them.
///
/// # Errors
///
/// Those of setting a signal handler, once there is one.
pub fn clean_up_when_interrupted() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        // What goes on fails when its network goes; nobody wants to read how.
        panic::set_hook(Box::new(|_| {
            loop {
                thread::park();
            }
        }));
        let own = process::id().to_string();
        remove_those(|owner| owner == own);
        process::exit(INTERRUPTED);
    })
}

/// Removes the networks of test programs that no longer run.
pub(crate) fn stale() {
    remove_those(|owner| !Path::new("/proc").join(owner).exists());
}

fn remove_those(is_meant: impl Fn(&str) -> bool) {
    let mut worlds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in names(Path::new("/run/netns")) {
        if let Some(world) = world(&name) {
            worlds.entry(world.to_owned()).or_default().push(name);
        }
    }
    for name in names(&env::temp_dir()).into_iter().filter(|name| world(name) == Some(name)) {
        worlds.entry(name).or_default();
    }
    for (world, spaces) in worlds.iter().filter(|(world, _)| is_meant(owner(world))) {
        remove(spaces.iter().map(String::as_str), &env::temp_dir().join(world));
    }
}

/// Kills what runs in the namespaces, and removes them and the folder with everything mounted in it. It is called while
/// unwinding, so it complains but doesn't panic.
pub(crate) fn remove<'a>(spaces: impl IntoIterator<Item = &'a str>, folder: &Path) {
    for space in spaces {
        for id in inhabitants(space) {
            // Gone in the meantime is as good.
            let _gone = kill(Pid::from_raw(id), Signal::SIGKILL);
        }
        let deleted = Command::new("ip").args(["netns", "delete", space]).stderr(Stdio::null()).status();
        if !deleted.is_ok_and(|status| status.success()) {
            eprintln!("namespace {space} could not be deleted");
        }
    }
    for mount in mounts_below(folder) {
        if let Err(error) = umount2(mount.as_str(), MntFlags::MNT_DETACH) {
            eprintln!("{mount} could not be unmounted: {error}");
        }
    }
    if let Err(error) = fs::remove_dir_all(folder) {
        eprintln!("{} could not be removed: {error}", folder.display());
    }
}

/// `enf-12-3` of `enf-12-3` or `enf-12-3-host`.
fn world(name: &str) -> Option<&str> {
    let rest = name.strip_prefix(PREFIX)?;
    let mut parts = rest.split('-');
    let (owner, number) = (parts.next()?, parts.next()?);
    let numeric = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (numeric(owner) && numeric(number)).then(|| &name[..PREFIX.len() + owner.len() + 1 + number.len()])
}

fn owner(world: &str) -> &str {
    world.trim_start_matches(PREFIX).split('-').next().unwrap_or_default()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn inhabitants(space: &str) -> Vec<i32> {
    let listed = Command::new("ip").args(["netns", "pids", space]).stderr(Stdio::null()).output();
    let listed = listed.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&listed).lines().filter_map(|line| line.trim().parse().ok()).collect()
}

/// The deepest first.
fn mounts_below(folder: &Path) -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = table.lines().filter_map(|line| line.split(' ').nth(1));
    let mut below: Vec<String> =
        points.filter(|point| Path::new(point).starts_with(folder)).map(str::to_owned).collect();
    below.reverse();
    below
}

#[cfg(test)]
mod tests {
    use super::world;

    #[test]
    fn only_names_of_the_suite_belong_to_a_world() {
        assert_eq!(world("enf-12-3-host"), Some("enf-12-3"));
        assert_eq!(world("enf-12-3"), Some("enf-12-3"));
        for foreign in ["enf-", "enf-12", "enf-x-3-host", "enforcer-1-2", "web"] {
            assert_eq!(world(foreign), None, "{foreign}");
        }
    }
}
