//! Where a command writes.
//!
//! In: reports and lines. Out: standard output in the format that was asked for, notes on standard error. A closed pipe is
//! [`Failure::Closed`], which ends the command without a word. Never here: layout of tables.
use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal as _, Write};

use serde::Serialize;

use super::args::Format;
use super::failure::Failure;

/// What was done, for JSON.
#[derive(Serialize)]
struct Done<'a> {
    message: &'a str,
}

/// Both outputs of a command, and how to write on them.
pub struct Out {
    to: Box<dyn Write>,
    notes: Box<dyn Write>,
    /// What was asked for.
    pub(super) format: Format,
    /// True when results go to a terminal.
    pub(super) terminal: bool,
    /// True when notes go to a terminal.
    pub(super) notes_terminal: bool,
    /// True when results may carry colours.
    pub(super) colour: bool,
}

impl Out {
    /// The outputs of this process.
    pub fn standard(format: Format) -> Self {
        let terminal = io::stdout().is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            to: Box::new(BufWriter::new(io::stdout())),
            notes: Box::new(io::stderr()),
            format,
            terminal,
            notes_terminal: io::stderr().is_terminal(),
            colour: terminal && !plain,
        }
    }

    /// Any two writers, as if neither were a terminal.
    pub fn to(results: Box<dyn Write>, notes: Box<dyn Write>, format: Format) -> Self {
        Self { to: results, notes, format, terminal: false, notes_terminal: false, colour: false }
    }

    /// One report: itself as JSON, or `text` made of it.
    pub(super) fn report<T: Serialize>(&mut self, report: &T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.json(report),
            Format::Table => self.text(&text(report)),
        }
    }

    /// What was done, where there is nothing else to report.
    pub(super) fn done(&mut self, message: &str) -> Result<(), Failure> {
        self.report(&Done { message }, |done| done.message.to_owned())
    }

    /// One JSON document on a line of its own.
    pub(super) fn json<T: Serialize>(&mut self, report: &T) -> Result<(), Failure> {
        let json = serde_json::to_string(report).map_err(|error| Failure::Output(error.into()))?;
        self.text(&json)
    }

    /// Text; its last line is ended if it is not.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Failure> {
        let end: &[u8] = if text.is_empty() || text.ends_with('\n') { b"" } else { b"\n" };
        self.bytes(text.as_bytes())?;
        self.bytes(end)
    }

    /// Bytes as they are.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.to.write_all(bytes).map_err(Failure::from_output)
    }

    /// Makes everything written so far visible.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.to.flush().map_err(Failure::from_output)
    }

    /// One line on standard error. If nobody reads it, so be it.
    pub(super) fn note(&mut self, text: impl Display) {
        let _ = writeln!(self.notes, "{text}");
    }
}
