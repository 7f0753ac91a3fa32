//! `block --dry-run`: what a decision would have hit, and nothing more.
//!
//! In: the agent's figures. Out: one aligned row, and what to beware of. Never here: how figures come about (`reach`).
use enforcer_policy::Moment;

use super::args::Globals;
use super::block::wrong;
use super::client::Client;
use super::failure::Failure;
use super::out::Out;
use super::table::{Grid, clean, grouped, right, time, word};
use crate::reach::Estimate;
use crate::wire::{BlockRequest, Exit, ForeseenReport, Request};

/// Asks the agent, and shows it.
pub(super) fn foresee(request: BlockRequest, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let report: Box<ForeseenReport> = Client::open(globals)?.call(&Request::Foresee(request))?;
    let colour = out.colour;
    out.report(&report, |report| text(report, colour)).map(|()| Exit::Done)
}

/// A file is many decisions, and each hits somebody else.
pub(super) fn no_file() -> Failure {
    wrong("--dry-run looks at one decision", "give one value instead of --file")
}

fn text(report: &ForeseenReport, colour: bool) -> String {
    let titles = ["SUBJECT", "WHERE", ">REQUESTS", ">DEVICES", ">SESSIONS", ">USERS", ">KEYS", ">ADDRESSES"];
    let (mut grid, reached) = (Grid::new(&titles, colour), &report.reached);
    // Of nothing that was seen, nothing is known.
    let known = |figure: Estimate| report.since.map(|_some| figure);
    grid.row([
        word(&report.subject),
        word(&report.scope),
        figure(known(reached.requests)),
        figure(reached.devices),
        figure(reached.sessions),
        figure(reached.users),
        figure(reached.keys),
        figure(known(reached.addresses)),
    ]);
    let since = |since: Moment| format!("Nothing was changed. Of what this host has served since {}:", time(since));
    let begun = report.since.map_or_else(|| "Nothing was changed.".to_owned(), since);
    let warnings = report.warnings.iter().map(|one| format!("\n  note: {}", clean(one)));
    format!("{begun}\n{}{}", grid.text().trim_end(), warnings.collect::<String>())
}

/// `12`, `1,024 ± 130`, or that nobody knows.
fn figure(known: Option<Estimate>) -> comfy_table::Cell {
    right(match known {
        None => "unknown".to_owned(),
        Some(Estimate { about, give_or_take: 0 }) => grouped(about),
        Some(Estimate { about, give_or_take }) => format!("{} ± {}", grouped(about), grouped(give_or_take)),
    })
}

#[cfg(test)]
mod tests {
    use enforcer_common::SubjectKind;

    use super::*;
    use crate::cli::golden::golden;
    use crate::reach::{Crowd, Reached};

    #[test]
    fn figures_are_exact_or_say_how_far_off_they_may_be() {
        let exact = |about| Estimate { about, give_or_take: 0 };
        let devices = Estimate { about: 2048, give_or_take: 181 };
        let crowd = Crowd { address: "203.0.113.7".parse().unwrap(), kind: SubjectKind::Device, count: devices };
        let report = ForeseenReport {
            subject: "203.0.113.0/24".to_owned(),
            scope: "pay".to_owned(),
            since: Some(Moment(1_767_222_000_000)),
            reached: Reached {
                requests: Estimate { about: 123_456, give_or_take: 9_000 },
                devices: Some(devices),
                sessions: Some(exact(7)),
                users: None,
                keys: None,
                addresses: exact(3),
                crowd: Some(crowd),
            },
            warnings: vec!["203.0.113.7 hides about 2048 devices".to_owned()],
        };
        golden("cli/foresee.txt", &text(&report, false));
        golden("cli/foresee-json.txt", &serde_json::to_string_pretty(&report).unwrap());
        let nothing = ForeseenReport { since: None, reached: Reached::default(), warnings: Vec::new(), ..report };
        golden("cli/foresee-nothing.txt", &text(&nothing, false));
    }
}
