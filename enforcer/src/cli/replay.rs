//! `replay`: a capture, shown to the inventory and the filters of this configuration, and to two policies.
//!
//! In: a file in the format pcap or pcapng; maybe a key, and two policies. Out: what would have been noticed and refused. Never here: the
//! agent: nothing that runs is asked or changed.
use std::fmt::Write as _;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use enforcer_common::SipKey;
use enforcer_insight::capture::CaptureError;
use enforcer_policy::revision::Content;

use super::args::{Globals, ReplayArgs};
use super::failure::Failure;
use super::local::{load, modules};
use super::out::Out;
use super::policy::content_of;
use super::table::{Grid, clean, grouped, number, time, word};
use crate::replay::{Difference, Judged, Replayed, replay};
use crate::store::identity_key;
use crate::wire::Exit;

/// `replay`.
pub(super) fn run(args: &ReplayArgs, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let config = load(globals)?;
    let catalogue = modules(&config, globals)?.catalogue();
    if config.services.is_empty() {
        let message = "the configuration names no service, so no packet of the capture is for one".to_owned();
        return Err(Failure::Usage { message, hint: "name a file with [[service]] tables by --config" });
    }
    // Digests of a capture need only differ where tokens do, unless they are to be those of this fleet.
    let key = args.identity_key.as_deref().map_or(Ok(OWN), key_of)?;
    let policies = policies(args, key)?;
    let file = File::open(&args.file).map_err(|source| Failure::file("read", &args.file, source))?;
    let pair = policies.as_ref().map(|(old, new)| (old, new));
    let replayed = replay(BufReader::new(file), &config, &catalogue, key, pair).map_err(|error| wrong(args, error))?;
    let colour = out.colour;
    out.report(&replayed, |replayed| text(replayed, pair.is_some(), colour))?;
    Ok(Exit::Done)
}

/// The key in a file that is there.
fn key_of(path: &Path) -> Result<SipKey, Failure> {
    File::open(path).map_err(|source| Failure::file("read", path, source))?;
    identity_key(path).map_err(|error| Failure::Agent(error.into()))
}

fn policies(args: &ReplayArgs, key: SipKey) -> Result<Option<(Content, Content)>, Failure> {
    match &args.policy[..] {
        [] => Ok(None),
        [old, new] => {
            Ok(Some((content_of(old, key, &Content::default())?, content_of(new, key, &Content::default())?)))
        }
        _ => Err(Failure::Usage {
            message: "policies are compared two by two".to_owned(),
            hint: "write --policy OLD --policy NEW",
        }),
    }
}

fn wrong(args: &ReplayArgs, error: CaptureError) -> Failure {
    let source = std::io::Error::new(std::io::ErrorKind::InvalidData, error);
    Failure::file("read", &args.file, source)
}

fn text(replayed: &Replayed, compared: bool, colour: bool) -> String {
    let counts = &replayed.counts;
    let mut text = format!(
        "{} packets, {} segments of services, {} calls of {} endpoints",
        grouped(counts.packets),
        grouped(counts.segments),
        grouped(counts.calls),
        grouped(replayed.endpoints as u64)
    );
    if counts.lost + counts.unread > 0 {
        // Writing to a string cannot fail.
        let _ = write!(text, "; {} connections lost, {} packets unread", grouped(counts.lost), grouped(counts.unread));
    }
    text.push_str("\n\n");
    text.push_str(&if replayed.findings.is_empty() {
        "no findings\n".to_owned()
    } else {
        findings(&replayed.findings, colour)
    });
    if compared {
        text.push('\n');
        text.push_str(&differences(&replayed.differences, colour));
    }
    text
}

fn findings(all: &[Judged], colour: bool) -> String {
    let mut grid = Grid::new(&["LAST", "SEVERITY", "SURE", "WHAT", "WHERE", "WHO", "TIMES", "BECOMES"], colour);
    for Judged { finding, decides } in all {
        grid.row([
            word(time(finding.last)),
            word(finding.severity.name()),
            number(finding.confidence.into()),
            word(clean(&finding.kind)),
            word(clean(&super::findings::place(finding))),
            word(clean(&super::findings::who(finding))),
            number(finding.count),
            word(if *decides { "a decision" } else { "a finding" }),
        ]);
    }
    grid.text()
}

fn differences(all: &[Difference], colour: bool) -> String {
    if all.is_empty() {
        return "both policies treat every request alike\n".to_owned();
    }
    let mut grid = Grid::new(&["WHERE", "OLD", "NEW", "BY", "REQUESTS"], colour);
    for one in all {
        grid.row([
            word(clean(&format!("{}:{}", one.service, one.endpoint))),
            word(one.old),
            word(one.new),
            word(clean(&one.decision)),
            number(one.requests),
        ]);
    }
    grid.text()
}

/// Of captures whose digests need not be those of a fleet.
const OWN: SipKey = SipKey([0x6361_7074_7572_6573, 0x7265_706c_6179_6564]);
