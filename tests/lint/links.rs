//! Links of the documentation lead somewhere. In: every page of the tree. Out: every dead end: a file that is not there, a heading
//! that is not there, a file that is named between backticks and is not there. Never here: the network.

use std::path::Path;

use super::{Source, files, root};

#[test]
fn links_lead_somewhere() {
    let pages = files("md");
    assert!(pages.len() > 8, "the documentation was not found");
    let dead: Vec<String> = pages.iter().flat_map(|page| dead_links(page, &pages)).collect();
    assert_eq!(dead, Vec::<String>::new());
}

#[test]
fn files_that_are_named_are_there() {
    let dead = files("md").iter().flat_map(|page| dead_names(&page.path, &page.text)).collect::<Vec<_>>();
    assert_eq!(dead, Vec::<String>::new());
}

/// The checks themselves must not be blind.
#[test]
fn dead_ends_are_found() {
    let page = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let pages = [
        page("docs/A.md", "# One two\n[b](B.md#gone) [c](C.md) [a](#one-two)"),
        page("docs/B.md", "## Here\n[r](../README.md)"),
    ];
    let dead: Vec<String> = pages.iter().flat_map(|one| dead_links(one, &pages)).collect();
    assert_eq!(dead, ["docs/A.md: B.md#gone", "docs/A.md: C.md"]);
    assert_eq!(dead_names("x.md", "`docs/GONE.md` `docs/metrics.md` `docs/*.md` `a/b.rs`"), ["x.md: docs/GONE.md"]);
}

fn dead_links(page: &Source, pages: &[Source]) -> Vec<String> {
    let folder = Path::new(&page.path).parent().unwrap_or_else(|| Path::new(""));
    let dead = |target: &&str| {
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        let path = if file.is_empty() { page.path.clone() } else { plain(&folder.join(file)) };
        let led_to = pages.iter().find(|page| page.path == path);
        match led_to {
            Some(led_to) => !heading.is_empty() && !headings(&led_to.text).any(|known| known == heading),
            None => !root().join(&path).exists(),
        }
    };
    links(&page.text).filter(dead).map(|target| format!("{}: {target}", page.path)).collect()
}

/// What stands behind `](`, but for addresses of the network.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|behind| behind.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.contains("://") && !target.contains(' '))
}

/// As forges name them: lower case, blanks as hyphens, no punctuation.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let lines = text.lines().filter(|line| line.starts_with('#'));
    lines.map(|line| {
        let words = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        words.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
    })
}

/// Files of the tree that are named between backticks; those with a pattern, and those of other places, are left out.
fn dead_names(page: &str, text: &str) -> Vec<String> {
    let names = text.split('`').skip(1).step_by(2);
    let names = names
        .filter(|name| ENDINGS.iter().any(|ending| name.ends_with(ending)) && !name.contains(['*', ' ', '{', '<']));
    let of_the_tree = names
        .filter(|name| name.split_once('/').is_some_and(|(first, _)| !first.is_empty() && root().join(first).is_dir()));
    of_the_tree.filter(|name| !root().join(name).exists()).map(|name| format!("{page}: {name}")).collect()
}

/// Without `.` and `..`.
fn plain(path: &Path) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()) {
        match part.as_str() {
            "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

const ENDINGS: [&str; 5] = [".json", ".md", ".rs", ".toml", ".yml"];
