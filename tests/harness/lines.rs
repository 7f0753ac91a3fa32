//! What a command prints, line by line, while it runs.
//!
//! In: a command. Out: its lines as they come. Never here: a wait without an end.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

/// A command whose lines are read; killed when dropped.
#[derive(Debug)]
pub struct Lines {
    child: Child,
    lines: Receiver<String>,
}

impl Lines {
    /// Starts it.
    #[track_caller]
    pub fn of(command: &mut Command) -> Self {
        let started = command.stdout(Stdio::piped()).spawn();
        let mut child = started.unwrap_or_else(|error| panic!("failed to start {command:?}: {error}"));
        let (sender, lines) = channel();
        let output = child.stdout.take();
        thread::spawn(move || {
            let lines = output.into_iter().flat_map(|output| BufReader::new(output).lines()).map_while(Result::ok);
            // Ends with the command, or when nobody wants to know any more.
            lines.map(|line| sender.send(line)).find(Result::is_err)
        });
        Self { child, lines }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line, if it comes in time.
    pub fn next(&self, patience: Duration) -> Option<String> {
        self.lines.recv_timeout(patience).ok()
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let (killed, waited) = (self.child.kill(), self.child.wait());
        if let Err(error) = killed.and(waited) {
            eprintln!("a command could not be ended: {error}");
        }
    }
}
