//! The book has every page, the page of maps is what the programs have, and every reason is told. In: `docs/`, the kernel programs, the types of the border. Out:
//! every page that is in no table of contents, every map or type that the page does not tell, or tells differently.

use std::fs;

use enforcer_common::Reason;

use super::{Source, files, root, sources};

/// Pages that no table of contents need name.
const APART: [&str; 1] = ["docs/SUMMARY.md"];

#[test]
fn every_page_is_in_both_tables_of_contents() {
    for contents in ["SUMMARY.md", "README.md"] {
        assert_eq!(left_out(&page(contents), &files("md")), Vec::<String>::new(), "{contents}");
    }
}

#[test]
fn maps_are_told_as_they_are() {
    let (page, pinned) = (page("ABI.md"), pinned());
    let maps: Vec<Map> =
        sources().iter().filter(|source| source.path.starts_with("enforcer-ebpf/")).flat_map(maps).collect();
    assert!(maps.len() > 30 && pinned.len() > 20, "the maps were not found");
    let rows: Vec<&str> = page.lines().filter(|line| is_map(line)).collect();
    let wrong = maps.iter().filter(|map| rows.iter().filter(|row| map.is_told(row, &pinned)).count() != 1);
    assert_eq!(wrong.map(Map::row).collect::<Vec<_>>(), Vec::<String>::new());
    assert_eq!(rows.len(), maps.len(), "and no others");
}

#[test]
fn every_reason_is_told() {
    let page = page("FAIL-OPEN.md");
    let untold = Reason::ALL.iter().map(|reason| reason.name()).filter(|name| !page.contains(&format!("`{name}`")));
    assert_eq!(untold.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn types_are_told_with_their_sizes() {
    let page = page("ABI.md");
    let rows =
        page.lines().filter(|line| line.starts_with("| `") && line.split(" | ").nth(1).is_some_and(is_number)).count();
    let wrong: Vec<String> =
        sizes().map(|(name, size)| format!("| `{name}` | {size} |")).filter(|row| !page.contains(row)).collect();
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(rows, sizes().count(), "and no others");
    assert!(page.contains(&format!("Layout {} (`ABI_VERSION`)", enforcer_common::ABI_VERSION)));
}

/// The checks themselves must not be blind.
#[test]
fn what_is_left_out_is_found() {
    let page = |path: &str| Source { path: path.to_owned(), text: String::new() };
    let pages = [page("docs/A.md"), page("docs/B.md"), page("README.md")];
    assert_eq!(left_out("- [a](A.md)", &pages), ["docs/B.md"]);
    let source = Source { path: String::new(), text: "static A: Array<u64, { 2 * N }> = Array::new();\n#[btf_map]\nstatic B: LruHashMap<K, V, 7> = LruHashMap::new();".to_owned() };
    let found: Vec<Map> = maps(&source).collect();
    assert_eq!(found.iter().map(Map::row).collect::<Vec<_>>(), ["| `B` | LruHashMap | `K` | `V` |"]);
    let told = |row| found[0].is_told(row, &["B".to_owned()]);
    assert!(told("| `B` | LruHashMap | `K` | `V` |  | yes | what |"));
    assert!(
        !told("| `B` | LruHashMap | `K` | `V` |  | no | what |")
            && !told("| `B` | LruHashMap | `K` | `W` |  | yes | what |")
    );
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).expect("a page can be read")
}

/// Pages of the folder that a table of contents has no link to.
fn left_out(contents: &str, pages: &[Source]) -> Vec<String> {
    let paths = pages.iter().map(|page| &page.path);
    let pages = paths.filter_map(|path| Some((path, path.strip_prefix("docs/")?)));
    let of_the_book = pages.filter(|(path, name)| !APART.contains(&path.as_str()) && *name != "README.md");
    of_the_book.filter(|(_, name)| !contents.contains(&format!("]({name})"))).map(|(path, _)| path.clone()).collect()
}

/// A map as its program declares it.
struct Map {
    name: String,
    kind: String,
    arguments: Vec<String>,
}

impl Map {
    /// How its row begins.
    fn row(&self) -> String {
        let has_key = ["HashMap", "LpmTrie"].iter().any(|kind| self.kind.ends_with(kind));
        let (key, value) = match &self.arguments[..] {
            [key, value, ..] if has_key => (format!("`{key}`"), value),
            others => (String::new(), others.first().expect("a map has a value")),
        };
        format!("| `{}` | {} | {key} | `{value}` |", self.name, self.kind)
    }

    fn is_told(&self, row: &str, pinned: &[String]) -> bool {
        let word = if pinned.contains(&self.name) { "yes" } else { "no" };
        row.starts_with(&self.row()) && row.split(" | ").nth(5) == Some(word)
    }
}

/// Statics behind `#[btf_map]`.
fn maps(source: &Source) -> impl Iterator<Item = Map> {
    source.text.split("#[btf_map]\n").skip(1).filter_map(|behind| {
        let (name, rest) = behind.strip_prefix("static ")?.split_once(": ")?;
        let (kind, rest) = rest.split_once('<')?;
        let (arguments, _) = rest.split_once("> = ")?;
        let arguments = arguments.split(',').map(|argument| argument.trim().to_owned()).collect();
        Some(Map { name: name.to_owned(), kind: kind.to_owned(), arguments })
    })
}

fn is_map(line: &str) -> bool {
    line.starts_with("| `") && line.split(" | ").count() == 7
}

fn is_number(cell: &str) -> bool {
    cell.parse::<usize>().is_ok()
}

/// The names that the agent pins.
fn pinned() -> Vec<String> {
    let text = fs::read_to_string(root().join("enforcer/src/kernel/maps.rs")).expect("the agent's maps");
    let list = text.split_once("PINNED: [").and_then(|(_, rest)| rest.split_once("];")).map(|(list, _)| list);
    list.expect("a list of names").split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

macro_rules! sizes {
    ($($name:ident),* $(,)?) => {
        /// The types of the border.
        fn sizes() -> impl Iterator<Item = (&'static str, usize)> {
            [$((stringify!($name), size_of::<enforcer_common::$name>())),*].into_iter()
        }
    };
}

sizes!(
    AllowKey,
    AllowRule,
    Answering,
    Asking,
    Bodying,
    Bucket,
    Bucket4,
    Bucket6,
    Connection,
    Counter,
    Denied,
    Event,
    FlowKey,
    Held,
    IdentityKey,
    Notice,
    Place,
    Rule,
    ServiceCounters,
    ServiceKey,
    ServiceRule,
    Settings,
    SpillRule,
    Watchlist,
);
