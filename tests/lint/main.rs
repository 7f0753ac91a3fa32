//! Rules of the repository as tests: door signs, budgets, who may know what. In: the source tree. Out: every offender.
#![expect(clippy::expect_used, reason = "helpers of tests: a tree that cannot be read fails them")]

mod deploy;
mod links;
mod pages;
mod promql;
mod watching;

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the tree, by its path from the root.
struct Source {
    path: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace").to_owned()
}

fn sources() -> Vec<Source> {
    let found = files("rs");
    assert!(found.len() > 50, "the tree was not found");
    found
}

/// All files of the tree with this ending.
fn files(ending: &str) -> Vec<Source> {
    let mut found = Vec::new();
    walk(&root(), &root(), ending, &mut found);
    found
}

fn walk(root: &Path, folder: &Path, ending: &str, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a readable folder").flatten() {
        let path: PathBuf = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "target" && !name.to_string_lossy().starts_with('.') {
            walk(root, &path, ending, found);
        } else if path.extension().is_some_and(|extension| extension == ending) {
            let text = fs::read_to_string(&path).expect("readable text");
            found.push(Source { path: path.strip_prefix(root).expect("below the root").display().to_string(), text });
        }
    }
}

/// The lines that are product code: not comments, and not what follows `#[cfg(test)]`.
fn code(source: &Source) -> impl Iterator<Item = &str> {
    let lines = source.text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
    lines.filter(|line| !line.trim_start().starts_with("//"))
}

/// Files outside `allowed` whose code holds `word`.
fn outside(word: &str, rooms: &str, allowed: &[&str]) -> Vec<String> {
    let sources = sources().into_iter().filter(|source| source.path.starts_with(rooms));
    let offends = |source: &Source| code(source).any(|line| line.contains(word));
    sources
        .filter(|source| !allowed.iter().any(|a| source.path.starts_with(a)) && offends(source))
        .map(|s| s.path)
        .collect()
}

#[test]
fn every_file_opens_with_its_door_sign() {
    let signless = sources().into_iter().filter(|source| !source.text.starts_with("//!"));
    assert_eq!(signless.map(|source| source.path).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn files_stay_within_their_budget() {
    const LINES: usize = 600;
    let long = sources().into_iter().filter(|source| source.text.lines().count() > LINES);
    assert_eq!(long.map(|source| source.path).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn one_table_names_the_verdicts_of_the_kernel() {
    for word in ["XDP_DROP", "TC_ACT_SHOT"] {
        assert_eq!(outside(word, "enforcer-ebpf/", &["enforcer-ebpf/src/verdict.rs"]), Vec::<String>::new(), "{word}");
    }
}

#[test]
fn one_room_knows_aya() {
    assert_eq!(outside("aya::", "enforcer/src", &["enforcer/src/kernel/"]), Vec::<String>::new());
}

#[test]
fn one_room_writes_policy() {
    for word in [".put_source(", ".put_identity(", ".put_flow(", ".put_allow(", ".set_bypass("] {
        let allowed = ["enforcer/src/apply/", "enforcer/src/kernel/"];
        assert_eq!(outside(word, "enforcer/src", &allowed), Vec::<String>::new(), "{word}");
    }
}

#[test]
fn one_file_reads_the_wall_clock() {
    let allowed = ["enforcer/src/agent/clock.rs", "enforcer/src/cli/"];
    assert_eq!(outside("SystemTime::now", "enforcer", &allowed), Vec::<String>::new());
}

#[test]
fn unsafe_stays_in_its_rooms() {
    let allowed = ["enforcer/src/kernel/", "enforcer-common/src/user.rs", "enforcer-ebpf/"];
    assert_eq!(outside("unsafe {", "enforcer", &allowed), Vec::<String>::new());
}
