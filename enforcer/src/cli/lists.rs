//! `lists check`: what would become of lists, without an agent.
//!
//! In: files, and whom they may not hit on this host. Out: a table, every line that was not taken, an exit code: 0 all is taken, 3 some lines
//! are not, 5 a list is refused as a whole. Never here: how lists are read and judged (the policy's `lists` room).
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use enforcer_policy::lists::{Bounds, Limits, Lint, Linted, List, NotTaken, Rules, Size, Special, Trust, read};
use serde::Serialize;

use super::args::{CheckArgs, Globals, ListsCommand};
use super::failure::Failure;
use super::out::Out;
use super::own;
use super::table::{Grid, Mood, clean, grouped, number, state, word};
use crate::wire::Exit;

/// `lists`.
pub(super) fn lists(command: &ListsCommand, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let ListsCommand::Check(args) = command;
    check(args, globals, out)
}

/// What one list would be.
#[derive(Serialize, Debug)]
struct Checked {
    file: String,
    format: &'static str,
    lines: u64,
    taken: usize,
    addresses: u64,
    duplicates: u64,
    inside: u64,
    host_bits_cleared: u64,
    removed: u64,
    rejected: u64,
    /// Why the list as a whole would not be used.
    refused: Option<String>,
    /// The first lines that are not taken.
    not_taken: Vec<NotTaken>,
}

fn check(args: &CheckArgs, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let judge = Lint::new(rules(args, globals)?);
    let before = args.last.as_deref().map(|path| size(path, args, &judge)).transpose()?;
    let mut checked = Vec::with_capacity(args.files.len());
    for path in &args.files {
        let (list, linted) = look(path, args, &judge)?;
        let mut one = Checked::of(path, &list, &linted);
        one.refused = one.refused.or_else(|| beyond(&linted, before, args));
        checked.push(one);
    }
    let exit = checked.iter().map(Checked::exit).max_by_key(|exit| exit.code()).unwrap_or(Exit::Done);
    let colour = out.colour;
    out.report(&checked, |checked| text(checked, args.show, colour))?;
    Ok(exit)
}

fn rules(args: &CheckArgs, globals: &Globals) -> Result<Rules, Failure> {
    let special = if args.inside { Special::Wide } else { Special::All };
    let (widest_v4, widest_v6, most) = (args.widest_v4, args.widest_v6, args.most);
    let mut rules = Rules { special, widest_v4, widest_v6, most, ..Rules::default() };
    own::guard(&mut rules, &super::local::load(globals)?);
    Ok(rules)
}

fn look(path: &Path, args: &CheckArgs, judge: &Lint) -> Result<(List, Linted), Failure> {
    let limits = Limits::default();
    let bytes = bytes(path, limits.bytes as u64 + 1).map_err(|source| Failure::file("read", path, source))?;
    let list = read(&bytes, args.format, &limits);
    let linted = judge.list(&list);
    Ok((list, linted))
}

/// A file, up to one byte past the bound.
fn bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().take(most).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(most).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn size(path: &Path, args: &CheckArgs, judge: &Lint) -> Result<Size, Failure> {
    look(path, args, judge).map(|(_, linted)| linted.size())
}

/// Why a list of this size is not believed.
fn beyond(linted: &Linted, before: Option<Size>, args: &CheckArgs) -> Option<String> {
    // Whoever looks by hand looks once.
    let bounds = Bounds { shrink: args.shrink, grow: args.grow, again: u32::MAX, ..Bounds::default() };
    Trust::of(before).judge(linted.size(), &bounds).err().map(|doubt| doubt.to_string())
}

impl Checked {
    fn of(path: &Path, list: &List, linted: &Linted) -> Self {
        Self {
            file: path.display().to_string(),
            format: list.format.name(),
            lines: list.lines,
            taken: linted.networks.len(),
            addresses: linted.addresses,
            duplicates: linted.duplicates,
            inside: linted.inside,
            host_bits_cleared: list.cleared,
            removed: linted.removed.values().sum(),
            rejected: list.rejected,
            refused: linted.flaw.map(|flaw| flaw.to_string()),
            not_taken: linted.not_taken(list),
        }
    }

    const fn exit(&self) -> Exit {
        match (&self.refused, self.removed + self.rejected) {
            (Some(_), _) => Exit::Refused,
            (None, 0) => Exit::Done,
            (None, _) => Exit::Nothing,
        }
    }

    fn state(&self) -> (&'static str, Mood) {
        match self.exit() {
            Exit::Done => ("ok", Mood::Good),
            Exit::Nothing => ("in part", Mood::Doubtful),
            Exit::Failed | Exit::Refused | Exit::Unreachable | Exit::Usage => ("refused", Mood::Bad),
        }
    }
}

fn text(checked: &[Checked], show: usize, colour: bool) -> String {
    let titles = [
        "FILE",
        "FORMAT",
        ">LINES",
        ">TAKEN",
        ">ADDRESSES",
        ">DUPLICATES",
        ">INSIDE",
        ">REMOVED",
        ">REJECTED",
        "STATE",
    ];
    let mut grid = Grid::new(&titles, colour);
    for one in checked {
        let (name, mood) = one.state();
        grid.row([
            word(&one.file),
            word(one.format),
            number(one.lines),
            number(one.taken as u64),
            number(one.addresses),
            number(one.duplicates),
            number(one.inside),
            number(one.removed),
            number(one.rejected),
            state(name, mood),
        ]);
    }
    grid.text() + &checked.iter().map(|one| told(one, show)).collect::<String>()
}

/// What is not taken of one list.
fn told(one: &Checked, show: usize) -> String {
    let mut lines: Vec<String> = one.refused.iter().map(|why| format!("refused as a whole: {}", clean(why))).collect();
    lines.extend(one.not_taken.iter().take(show).map(|not| format!("  {}", clean(&not.to_string()))));
    let more = (one.removed + one.rejected).saturating_sub(one.not_taken.len().min(show) as u64);
    if more > 0 {
        lines.push(format!("  and {} more", grouped(more)));
    }
    if lines.is_empty() { String::new() } else { format!("\n{}:\n{}\n", clean(&one.file), lines.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::golden::golden;

    #[test]
    fn a_table_says_what_becomes_of_each_list() {
        let mut rules = Rules::default();
        rules.guard(enforcer_policy::parse_prefix("20.7.0.5").unwrap(), "gateway of this host");
        let judge = Lint::new(rules);
        let of = |name: &str, text: &str| {
            let list = read(text.as_bytes(), None, &Limits::default());
            Checked::of(Path::new(name), &list, &judge.list(&list))
        };
        let checked = [
            of("good.txt", "20.0.0.0/24\n20.0.0.9\n20.1.0.1\n20.1.0.1\n"),
            of("level1.netset", "20.0.0.0/16\n10.0.0.0/8\nnonsense\n20.7.0.0/24\n20.2.0.0/16\n30.0.0.0/8\n"),
            of("page.html", "<html>\n<h1>502 \u{1b}[2J</h1>\n"),
        ];
        assert_eq!(checked.each_ref().map(Checked::exit), [Exit::Done, Exit::Nothing, Exit::Refused]);
        golden("cli/lists-check.txt", &text(&checked, 3, false));
        golden("cli/lists-check-json.txt", &serde_json::to_string_pretty(&checked[1]).unwrap());
    }
}
