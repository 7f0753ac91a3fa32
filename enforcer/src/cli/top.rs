//! `top`: the counters, live.
//!
//! In: two snapshots of the agent. Out: a picture per interval, drawn over the last one on a terminal; with JSON one snapshot
//! per line. Ctrl-C ends. Never here: layout (`top_text.rs`).
use std::thread::sleep;
use std::time::Duration;

use super::args::{Format, Globals, TopArgs};
use super::client::Client;
use super::failure::Failure;
use super::out::Out;
use super::top_text::picture;
use crate::wire::{Exit, Request, TopReport};

/// The shortest interval: the agent reads every counter of every processor for each picture.
const SHORTEST: Duration = Duration::from_millis(100);

/// `top`.
pub(super) fn top(args: TopArgs, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let mut client = Client::open(globals)?;
    let interval = args.interval.max(SHORTEST);
    let mut before = snapshot(&mut client)?;
    if out.format == Format::Json {
        out.json(&before)?;
        out.flush()?;
        if args.once {
            return Ok(Exit::Done);
        }
    }
    loop {
        sleep(interval);
        let after = snapshot(&mut client)?;
        match out.format {
            Format::Json => out.json(&after)?,
            Format::Table => draw(&before, &after, args.once, out)?,
        }
        out.flush()?;
        if args.once {
            return Ok(Exit::Done);
        }
        before = after;
    }
}

fn snapshot(client: &mut Client) -> Result<TopReport, Failure> {
    client.call::<Box<TopReport>>(&Request::Top).map(|report| *report)
}

fn draw(before: &TopReport, after: &TopReport, once: bool, out: &mut Out) -> Result<(), Failure> {
    let text = picture(before, after, out.colour);
    if once || !out.terminal {
        return out.text(&text);
    }
    let (width, height) = size();
    out.bytes(HOME)?;
    for line in text.lines().take(height) {
        out.bytes(fit(line, width).as_bytes())?;
        out.bytes(END_LINE)?;
    }
    out.bytes(CLEAR_BELOW)
}

/// Columns and rows of the terminal, one row less than there are.
fn size() -> (usize, usize) {
    let (width, height) = terminal_size::terminal_size().map_or((80, 24), |(width, height)| (width.0, height.0));
    (usize::from(width), usize::from(height).saturating_sub(1))
}

/// The line's first `width` characters; a line with colours stays whole, because cutting one could leave a colour on.
fn fit(line: &str, width: usize) -> &str {
    if line.contains('\u{1b}') {
        return line;
    }
    line.char_indices().nth(width).and_then(|(at, _)| line.get(..at)).unwrap_or(line)
}

const HOME: &[u8] = b"\x1b[H";
const END_LINE: &[u8] = b"\x1b[K\r\n";
const CLEAR_BELOW: &[u8] = b"\x1b[J";
