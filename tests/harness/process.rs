//! A child process that doesn't outlive its guard.
//!
//! In: a command. Out: a running process. Never here: a process left behind.

use std::{
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::wait::eventually;

/// A running child; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Starts it.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let name = format!("{command:?}");
        let child = command.spawn().unwrap_or_else(|error| panic!("failed to start {name}: {error}"));
        Self { child, name }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked for its status")
    }

    /// Sends a signal; a process that has ended doesn't mind.
    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_some() {
            return;
        }
        let id = i32::try_from(self.child.id()).expect("process ids are positive 32-bit numbers");
        kill(Pid::from_raw(id), signal).unwrap_or_else(|error| panic!("failed to signal {}: {error}", self.name));
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill9(&mut self) {
        self.signal(Signal::SIGKILL);
        self.child.wait().expect("a killed child ends");
    }

    /// Asks it to end, and waits until it has.
    pub fn terminate(&mut self, deadline: Duration) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait(deadline)
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self, deadline: Duration) -> ExitStatus {
        let mut status = None;
        let what = format!("the end of {}", self.name);
        eventually(deadline, &what, || {
            status = self.ended();
            status.is_some()
        });
        status.expect("it has ended")
    }

    /// Like [`Self::terminate`], but never panics: for guards. What doesn't obey is killed with the guard.
    pub fn put_down(&mut self, patience: Duration) {
        self.signal(Signal::SIGTERM);
        self.wait_quietly(patience);
    }

    /// Like [`Self::wait`], but never panics.
    pub(crate) fn wait_quietly(&mut self, patience: Duration) {
        let started = Instant::now();
        while self.ended().is_none() && started.elapsed() < patience {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let (killed, waited) = (self.child.kill(), self.child.wait());
        if let Err(error) = killed.and(waited) {
            eprintln!("{} could not be ended: {error}", self.name);
        }
    }
}
