//! Why a command failed, and what its user should do next.
//!
//! In: errors of files, the socket, the agent and the command line itself. Out: message, hint and exit code. Never here:
//! printing.
use std::io;
use std::path::{Path, PathBuf};

use enforcer_policy::document::FileProblems;
use thiserror::Error;

use crate::config::Problems;
use crate::sync::SyncError;
use crate::wire::{Exit, FrameError, Trouble};

/// Why a command failed.
#[derive(Debug, Error)]
pub enum Failure {
    /// The agent side failed before there was an agent to ask.
    #[error("{}", chain(.0.as_ref()))]
    Agent(anyhow::Error),
    /// The center, or the way there.
    #[error("{0}")]
    Center(SyncError),
    /// Nobody reads what is written.
    #[error("the output was closed")]
    Closed,
    /// The configuration has problems.
    #[error("{}: {problems}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// All of them.
        problems: Problems,
    },
    /// A file could not be used.
    #[error("cannot {operation} {}: {source}", path.display())]
    File {
        /// What was tried, as a verb.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The conversation with the agent broke.
    #[error("the conversation with the agent broke: {}", chain(.0))]
    Frame(#[from] FrameError),
    /// The agent hung up.
    #[error("the agent hung up before it answered")]
    HungUp,
    /// The socket refuses this user.
    #[error("you may not use {}", socket.display())]
    NotPermitted {
        /// The socket.
        socket: PathBuf,
    },
    /// Output could not be written.
    #[error("cannot write the output: {0}")]
    Output(io::Error),
    /// The policy files have problems.
    #[error("{0}")]
    Policy(FileProblems),
    /// The agent answered that it did not do it.
    #[error("{}", .0.message)]
    Refused(Trouble),
    /// The agent did not answer in time.
    #[error("the agent did not answer within {seconds} s")]
    Silent {
        /// How long was waited.
        seconds: u64,
    },
    /// The specification is none.
    #[error("{}: {}", path.display(), chain(source))]
    Specification {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: enforcer_insight::inventory::SpecError,
    },
    /// A drill could not be played.
    #[error("the drill {name} could not be played: {source}")]
    Drill {
        /// Which.
        name: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The agent speaks another version of the protocol.
    #[error("the agent is release {agent} and speaks protocol {theirs}; this is {ours}")]
    Stranger {
        /// Its release.
        agent: String,
        /// Its protocol.
        theirs: u32,
        /// Ours.
        ours: u32,
    },
    /// The agent answered something that does not belong.
    #[error("the agent answered {got:?} where {expected:?} was expected")]
    Unexpected {
        /// What came.
        got: &'static str,
        /// What should have come.
        expected: &'static str,
    },
    /// Nobody listens on the socket.
    #[error("no agent is listening on {}: {source}", socket.display())]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The command line makes no sense.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to write instead.
        hint: &'static str,
    },
}

impl Failure {
    /// A file that could not be used.
    pub(super) fn file(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File { operation, path: path.to_owned(), source }
    }

    /// What a failed write means: a closed pipe is no failure to speak of.
    pub(super) fn from_output(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Output(error) }
    }

    /// What went wrong, what to do, and how to end.
    pub fn trouble(&self) -> Trouble {
        if let Self::Refused(trouble) = self {
            return trouble.clone();
        }
        Trouble::new(self.exit(), self.to_string(), self.hint())
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Closed => Exit::Done,
            Self::Config { .. } | Self::Policy(_) | Self::Specification { .. } | Self::Usage { .. } => Exit::Usage,
            Self::Refused(trouble) => Exit::from_code(trouble.exit),
            Self::Center(SyncError::Answer { status: 400..500, .. }) | Self::NotPermitted { .. } => Exit::Refused,
            Self::Center(SyncError::Unreachable(_)) | Self::Silent { .. } | Self::Unreachable { .. } => {
                Exit::Unreachable
            }
            Self::Agent(_)
            | Self::Center(_)
            | Self::Drill { .. }
            | Self::File { .. }
            | Self::Frame(_)
            | Self::HungUp
            | Self::Output(_)
            | Self::Stranger { .. }
            | Self::Unexpected { .. } => Exit::Failed,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Config { .. } => "mend the file and run: enforcer config check",
            Self::Frame(_) | Self::HungUp => "see its log: journalctl -u enforcer",
            Self::NotPermitted { .. } => {
                "use sudo, or have your user join the group that [agent] socket_group names in the configuration"
            }
            Self::Silent { .. } => {
                "see what it is doing: journalctl -u enforcer; the kernel goes on enforcing without it"
            }
            Self::Stranger { .. } | Self::Unexpected { .. } => {
                "use the program the agent was started from, or restart the agent: systemctl restart enforcer"
            }
            Self::Unreachable { .. } => {
                "start it with: systemctl start enforcer (or in the foreground: enforcer run); \
                 if it uses another socket, name it with --socket"
            }
            Self::Usage { hint, .. } => hint,
            Self::Specification { .. } => "OpenAPI 3.0 and 3.1 are read, as YAML or JSON",
            Self::Drill { source, .. } if source.kind() == io::ErrorKind::Interrupted => "",
            Self::Drill { .. } => "it needs root, ip and nsenter; enforcer doctor says what this kernel can do",
            Self::Center(_) => "see docs/CENTER.md",
            Self::Policy(_) => "mend the files and run: enforcer policy validate",
            Self::Agent(_) | Self::Closed | Self::File { .. } | Self::Output(_) | Self::Refused(_) => "",
        }
    }
}

/// An error and what caused it, on one line. Many errors name their cause themselves: that is not said twice.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let cause = source.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let system = || io::Error::from_raw_os_error(libc::ENOENT);
        let kernel = crate::kernel::KernelError::System { step: "read the clock", source: system() };
        let told = system().to_string();
        let failure = Failure::Agent(anyhow::Error::new(kernel).context("starting"));
        assert_eq!(failure.to_string(), format!("starting: failed to read the clock: {told}"));
        let frame = Failure::Frame(FrameError::Read(system()));
        assert!(frame.to_string().ends_with(&format!("reading from the socket failed: {told}")), "{frame}");
    }
}
