//! What a decision would have hit, and nothing more: `block --dry-run`, and under each decision of `policy plan`.
//!
//! In: figures of the agent or of a center. Out: one aligned row, or lines; and what to beware of. Never here: how figures come about (`reach`).
use enforcer_policy::Moment;
use enforcer_policy::plan::{Foreseen, Hit};
use enforcer_policy::reach::{Estimate, Reached};

use super::args::Globals;
use super::block::wrong;
use super::client::Client;
use super::failure::Failure;
use super::out::Out;
use super::table::{Grid, clean, grouped, right, time, word};
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

/// What one decision of a plan would have hit, under its step.
pub(super) fn hit(hit: &Hit) -> String {
    let Reached { requests, devices, sessions, users, keys, addresses, crowd: _ } = hit.reached;
    let figures = [
        (Some(requests), "request", "s"),
        (devices, "device", "s"),
        (sessions, "session", "s"),
        (users, "user", "s"),
        (keys, "key", "s"),
        (Some(addresses), "address", "es"),
    ];
    let known = figures.into_iter().filter_map(|(known, name, many)| {
        let many = if known? == ONE { "" } else { many };
        Some(format!("{} {name}{many}", exact_or_about(known?)))
    });
    let figures = known.collect::<Vec<_>>().join(", ");
    let warnings = hit.warnings.iter().map(|one| format!("    note: {}\n", clean(one)));
    format!("    would have hit {figures}\n{}", warnings.collect::<String>())
}

const ONE: Estimate = Estimate { about: 1, give_or_take: 0 };

/// Whence the figures of a plan are.
pub(super) fn foreseen(foreseen: &Foreseen) -> String {
    let Foreseen { hosts, answered, since } = foreseen;
    match since {
        Some(since) => format!(
            "what {answered} of {hosts} hosts have served since {} tells whom it would have hit\n",
            time(*since)
        ),
        None if *hosts == 0 => {
            "whom it would have hit is unknown: no host is connected to this center that could tell\n".to_owned()
        }
        None => format!(
            "whom it would have hit is unknown: {answered} of {hosts} hosts answered, and have looked at no request yet\n"
        ),
    }
}

/// `12`, `1,024 ± 130`, or that nobody knows.
fn figure(known: Option<Estimate>) -> comfy_table::Cell {
    right(known.map_or_else(|| "unknown".to_owned(), exact_or_about))
}

fn exact_or_about(figure: Estimate) -> String {
    match figure {
        Estimate { about, give_or_take: 0 } => grouped(about),
        Estimate { about, give_or_take } => format!("{} ± {}", grouped(about), grouped(give_or_take)),
    }
}

#[cfg(test)]
mod tests {
    use enforcer_common::SubjectKind;

    use super::*;
    use crate::cli::golden::golden;
    use enforcer_policy::reach::Crowd;

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
        let warnings = report.warnings.clone();
        let whence = Foreseen { hosts: 4, answered: 3, since: report.since };
        golden("cli/foresee-plan.txt", &(hit(&Hit { reached: report.reached, warnings }) + &foreseen(&whence)));
        let nothing = ForeseenReport { since: None, reached: Reached::default(), warnings: Vec::new(), ..report };
        golden("cli/foresee-nothing.txt", &text(&nothing, false));
    }
}
