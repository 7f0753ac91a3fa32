//! Paths of control groups by their numbers. In: numbers as sockets bear them. Out: paths below the root of the groups. Never here: what they mean.
//!
//! A group's number is that of its folder. The folders are walked once for all numbers, and no further than needed.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Folders that are looked at, and how deep they lie.
pub(super) const MOST_FOLDERS: usize = 16_384;
const DEEPEST: usize = 16;

/// Where the groups of the second version are mounted.
pub(super) fn root() -> Option<PathBuf> {
    mounted(&fs::read_to_string("/proc/self/mountinfo").ok()?)
}

/// The first mount of that type, of lines such as `30 24 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw`.
fn mounted(mounts: &str) -> Option<PathBuf> {
    let line = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    line.split(' ').nth(4).map(PathBuf::from)
}

/// The paths of these groups, as far as they are found.
pub(super) fn paths(root: &Path, wanted: &BTreeSet<u64>) -> BTreeMap<u64, String> {
    let mut found = BTreeMap::new();
    let mut waiting = VecDeque::from([(root.to_owned(), 0)]);
    for _ in 0..MOST_FOLDERS {
        if found.len() == wanted.len() {
            break;
        }
        let Some((folder, depth)) = waiting.pop_front() else { break };
        let number = fs::metadata(&folder).map(|folder| folder.ino()).unwrap_or_default();
        if wanted.contains(&number) {
            let below = folder.strip_prefix(root).unwrap_or(&folder);
            found.insert(number, format!("/{}", below.display()));
        }
        if depth < DEEPEST {
            waiting.extend(
                below(&folder).take(MOST_FOLDERS - waiting.len().min(MOST_FOLDERS)).map(|one| (one, depth + 1)),
            );
        }
    }
    found
}

fn below(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_found_by_their_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("system.slice/a.service");
        fs::create_dir_all(&deep).unwrap();
        let number = fs::metadata(&deep).unwrap().ino();
        let found = paths(dir.path(), &BTreeSet::from([number, 1]));
        assert_eq!(found, BTreeMap::from([(number, "/system.slice/a.service".to_owned())]));
    }

    #[test]
    fn the_mount_is_found_beside_those_of_the_first_version() {
        let mounts = "29 23 0:25 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n30 29 0:26 / /sys/fs/cgroup/unified rw shared:4 - cgroup2 cgroup2 rw\n31 29 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
        assert_eq!(mounted(mounts).unwrap(), Path::new("/sys/fs/cgroup/unified"));
        assert_eq!(mounted("29 23 0:25 / / rw - ext4 /dev/sda rw\n"), None);
    }
}
