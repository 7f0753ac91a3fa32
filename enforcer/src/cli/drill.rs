//! `drill`: an attack that is played in namespaces of its own, and what this binary makes of it.
//!
//! In: the name of a drill, or none for all. Out: times to detection, decision and effect; exit code 3 when a drill was not ended.
//! Never here: how it is played (the drill room).
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use enforcer_policy::Moment;
use tokio::signal::unix::{SignalKind, signal};

use super::args::{DrillArgs, Globals};
use super::client::Client;
use super::enroll::runtime;
use super::failure::Failure;
use super::findings::page_at;
use super::out::Out;
use super::table::{Grid, Mood, number, state, word};
use crate::drill::{DRILLS, Drill, Outcome, Outside, play};
use crate::wire::{Exit, FindingReport};

/// `drill`.
pub(super) fn drill(args: &DrillArgs, _: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    if args.list {
        let listed: Vec<[&str; 2]> = DRILLS.iter().map(|drill| [drill.name, drill.title]).collect();
        out.report(&listed, |listed| lines(listed))?;
        return Ok(Exit::Done);
    }
    let (mut outcomes, here) = (Vec::new(), Here::listening());
    for drill in chosen(args.name.as_deref())? {
        out.note(format_args!("{}: {}", drill.name, drill.title));
        outcomes.push(played(drill, &here)?);
    }
    let colour = out.colour;
    out.report(&outcomes, |outcomes| table(outcomes, colour))?;
    Ok(if outcomes.iter().all(Outcome::is_good) { Exit::Done } else { Exit::Nothing })
}

fn lines(listed: &[[&str; 2]]) -> String {
    let lines: Vec<String> = listed.iter().map(|[name, title]| format!("{name:<18} {title}")).collect();
    lines.join("\n")
}

fn chosen(name: Option<&str>) -> Result<Vec<&'static Drill>, Failure> {
    let found: Vec<&Drill> = DRILLS.iter().filter(|drill| name.is_none_or(|name| name == drill.name)).collect();
    if found.is_empty() {
        let message = format!("there is no drill {}", name.unwrap_or_default());
        return Err(Failure::Usage { message, hint: "enforcer drill --list" });
    }
    Ok(found)
}

fn played(drill: &Drill, here: &Here) -> Result<Outcome, Failure> {
    let folder = std::env::temp_dir().join(format!("enforcer-drill-{}-{}", std::process::id(), drill.name));
    let failed = |source| Failure::Drill { name: drill.name, source };
    std::fs::create_dir(&folder).map_err(failed)?;
    let outcome = play(drill, &folder, here).map_err(failed);
    // What is left of it holds nothing but the drill's own state.
    let _ = std::fs::remove_dir_all(&folder);
    outcome
}

/// This host, and whether Ctrl-C was pressed: the drill takes away what it has built before it ends.
struct Here(Arc<AtomicBool>);

impl Here {
    fn listening() -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stopped);
        std::thread::spawn(move || {
            // Without a runtime the signal ends the process at once, as it would have.
            if let Ok(runtime) = runtime() {
                told.store(runtime.block_on(signalled()).is_ok(), Ordering::Relaxed);
            }
        });
        Self(stopped)
    }
}

async fn signalled() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = terminate.recv() => Ok(()),
    }
}

impl Outside for Here {
    fn findings(&self, socket: &Path) -> Option<Vec<FindingReport>> {
        let mut client = Client::connect(socket).ok()?;
        page_at(&mut client, None, None, 100).ok().map(|page| page.findings)
    }

    fn now(&self) -> Moment {
        super::now()
    }

    fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

fn table(outcomes: &[Outcome], colour: bool) -> String {
    let titles =
        ["DRILL", "FOUND AS", ">FOUND", ">DECIDED", ">REFUSED", ">SERVED BEFORE", ">CUSTOMERS", ">REFUSED OF THEM"];
    let mut grid = Grid::new(&titles, colour);
    for one in outcomes {
        let after = |time: Option<u64>| match time {
            Some(millis) => state(&format!("{millis} ms"), Mood::Good),
            None => state("never", Mood::Bad),
        };
        let right = |cell: comfy_table::Cell| cell.set_alignment(comfy_table::CellAlignment::Right);
        grid.cells(vec![
            word(&one.name),
            word(one.kind.as_deref().unwrap_or("-")),
            right(after(one.found_after)),
            right(after(one.decided_after)),
            right(after(one.refused_after)),
            number(one.served),
            number(one.customers),
            number(one.customers_refused),
        ]);
    }
    grid.text()
}
