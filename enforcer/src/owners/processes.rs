//! The process of a socket. In: a socket, and the folder of its control group. Out: its name, and its number where its descriptors may be
//! read. Never here: arguments and environments of processes: they hold secrets.
use std::fs;
use std::path::{Path, PathBuf};

use crate::kernel::Listener;

/// Processes of a group, and of the host where the group is not known, that are looked at.
pub(super) const MOST_PROCESSES: usize = 4096;
/// Descriptors of a process.
const MOST_DESCRIPTORS: usize = 4096;

/// What is known of it.
#[derive(Default)]
pub(super) struct Process {
    /// Its name; where its descriptors may not be read, that of all processes of its group, if they have but one.
    pub(super) name: Option<String>,
    /// Its number; only where it is sure.
    pub(super) pid: Option<u32>,
}

/// The process that holds a socket.
pub(super) fn of(listener: &Listener, group: Option<(&Path, &str)>) -> Process {
    let own = group.filter(|(_, path)| *path != "/");
    let pids = own.map_or_else(everybody, |(root, path)| members(root, path));
    let socket = PathBuf::from(format!("socket:[{}]", listener.inode));
    if let Some(pid) = pids.iter().copied().find(|pid| holds(*pid, &socket)) {
        return Process { name: name(pid), pid: Some(pid) };
    }
    let mut names = pids.iter().filter_map(|pid| name(*pid)).collect::<Vec<_>>();
    names.sort_unstable();
    names.dedup();
    let only = names.pop().filter(|_| own.is_some() && names.is_empty());
    Process { name: only, pid: None }
}

/// The group of a process, where its socket knows none: that of systemd, or the first that says more than the root.
pub(super) fn group(pid: u32) -> Option<String> {
    group_of(&fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)
}

fn group_of(lines: &str) -> Option<String> {
    let parts = lines.lines().filter_map(|line| line.splitn(3, ':').nth(2).map(|path| (line, path)));
    let mut told: Vec<(&str, &str)> = parts.filter(|(_, path)| *path != "/").collect();
    told.sort_by_key(|(line, _)| !(line.starts_with("0::") || line.contains(":name=systemd:")));
    told.first().map(|(_, path)| (*path).to_owned())
}

/// The processes of a group, without those of groups below.
fn members(root: &Path, group: &str) -> Vec<u32> {
    let text = fs::read_to_string(root.join(group.trim_start_matches('/')).join("cgroup.procs")).unwrap_or_default();
    // Zero is a process of another namespace.
    text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid != 0).take(MOST_PROCESSES).collect()
}

fn everybody() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).take(MOST_PROCESSES).collect()
}

fn holds(pid: u32, socket: &Path) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten().take(MOST_DESCRIPTORS);
    descriptors.into_iter().any(|descriptor| fs::read_link(descriptor.path()).is_ok_and(|link| link == socket))
}

fn name(pid: u32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_both_versions_are_read() {
        assert_eq!(group_of("0::/system.slice/a.service\n").unwrap(), "/system.slice/a.service");
        let first = "9:memory:/docker/x\n1:name=systemd:/system.slice/b.service\n0::/\n";
        assert_eq!(group_of(first).unwrap(), "/system.slice/b.service");
        assert_eq!(group_of("4:memory:/docker/x\n0::/\n").unwrap(), "/docker/x");
        assert_eq!(group_of("1:cpu:/\n0::/\n"), None);
    }
}
