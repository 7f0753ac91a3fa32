//! The CLI's end of the socket.
//!
//! In: a path. Out: an open conversation in which requests get their replies, and errors of the agent become
//! [`Failure`]s. Never here: what is asked, how it is shown.
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::Globals;
use super::failure::Failure;
use crate::config::{Agent, Config, DEFAULT_PATH};
use crate::wire::{
    AllowReport, AllowedEntry, ApisPart, BlockReport, EventReport, FilterReport, ForeseenReport, FrameError, Hello,
    ImportProgress, ImportReport, ListReport, NoticeReport, Reply, Request, RequestReport, StatusReport, TopReport,
    UnblockReport, WhyReport, read_frame, write_frame,
};

/// How long the agent may think about one answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// An open conversation with the agent.
#[derive(Debug)]
pub(super) struct Client {
    stream: UnixStream,
}

impl Client {
    /// Opens a conversation on the socket that the options name.
    pub(super) fn open(globals: &Globals) -> Result<Self, Failure> {
        Self::connect(&socket_of(globals))
    }

    /// Opens a conversation and agrees on the protocol.
    pub(super) fn connect(socket: &Path) -> Result<Self, Failure> {
        let stream = UnixStream::connect(socket).map_err(|source| unreachable(socket, source))?;
        let timeouts = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        timeouts.map_err(|source| unreachable(socket, source))?;
        let mut client = Self { stream };
        let ours = Hello::ours();
        // An agent that wants no more of us may have said why and hung up already, so what it said is read either way.
        let sent = write_frame(&mut client.stream, &ours);
        let theirs: Hello = read_frame(&mut client.stream).map_err(broken)?.ok_or(Failure::HungUp)?;
        if theirs.agrees() {
            return match sent {
                Ok(()) => Ok(client),
                Err(_) => Err(client.last_words()),
            };
        }
        Err(Failure::Stranger { agent: theirs.version, theirs: theirs.protocol, ours: ours.protocol })
    }

    /// One request and its reply.
    pub(super) fn call<T: Answer>(&mut self, request: &Request) -> Result<T, Failure> {
        self.send(request)?;
        self.receive()
    }

    /// One request.
    pub(super) fn send(&mut self, request: &Request) -> Result<(), Failure> {
        match write_frame(&mut self.stream, request) {
            Err(FrameError::Write(_)) => Err(self.last_words()),
            result => result.map_err(broken),
        }
    }

    /// One reply; one that says it was not done is an error.
    pub(super) fn receive<T: Answer>(&mut self) -> Result<T, Failure> {
        let reply = read_frame(&mut self.stream).map_err(broken)?.ok_or(Failure::HungUp)?;
        T::from_reply(reply).map_err(|reply| {
            if let Reply::Error(trouble) = *reply {
                return Failure::Refused(trouble);
            }
            Failure::Unexpected { got: reply.name(), expected: T::NAME }
        })
    }

    /// Who refuses says so before hanging up: what it said is worth more than that the pipe broke.
    fn last_words(&mut self) -> Failure {
        match read_frame(&mut self.stream) {
            Ok(Some(Reply::Error(trouble))) => Failure::Refused(trouble),
            Ok(_) | Err(_) => Failure::HungUp,
        }
    }

    /// Waits for replies without end from now on.
    pub(super) fn be_patient(&self) -> Result<(), Failure> {
        self.stream.set_read_timeout(None).map_err(|error| Failure::Frame(FrameError::Read(error)))
    }
}

/// What a request is answered with.
pub(super) trait Answer: Sized {
    /// The reply's name.
    const NAME: &'static str;

    /// The answer, or the reply that does not belong.
    fn from_reply(reply: Reply) -> Result<Self, Box<Reply>>;
}

macro_rules! answers {
    ($($answer:ty = $variant:ident, $name:literal;)*) => {$(
        impl Answer for $answer {
            const NAME: &'static str = $name;

            fn from_reply(reply: Reply) -> Result<Self, Box<Reply>> {
                if let Reply::$variant(answer) = reply { Ok(answer) } else { Err(Box::new(reply)) }
            }
        }
    )*};
}

answers! {
    AllowReport = Allowed, "allowed";
    Vec<AllowedEntry> = Allowlist, "allowlist";
    ApisPart = Apis, "apis";
    BlockReport = Blocked, "blocked";
    Vec<FilterReport> = Filters, "filters";
    String = Findings, "findings";
    ImportReport = Imported, "imported";
    ListReport = Listed, "listed";
    ImportProgress = Progress, "progress";
    Box<RequestReport> = Request, "request";
    Box<StatusReport> = Status, "status";
    Box<TopReport> = Top, "top";
    UnblockReport = Unblocked, "unblocked";
    Box<ForeseenReport> = Foreseen, "foreseen";
    Box<WhyReport> = Why, "why";
}

/// What the stream of events is made of.
#[derive(Debug)]
pub(super) enum News {
    /// Of the kernel.
    Event(EventReport),
    /// Of the agent itself.
    Notice(NoticeReport),
}

impl Answer for News {
    const NAME: &'static str = "event";

    fn from_reply(reply: Reply) -> Result<Self, Box<Reply>> {
        if let Reply::Notice(notice) = reply {
            return Ok(Self::Notice(notice));
        }
        if let Reply::Event(event) = reply { Ok(Self::Event(event)) } else { Err(Box::new(reply)) }
    }
}

impl Answer for () {
    const NAME: &'static str = "done";

    fn from_reply(reply: Reply) -> Result<Self, Box<Reply>> {
        if reply == Reply::Done { Ok(()) } else { Err(Box::new(reply)) }
    }
}

/// The option or environment first, then the configuration as far as it can be read, then the default.
fn socket_of(globals: &Globals) -> PathBuf {
    let configured = || {
        let path = globals.config.as_deref().unwrap_or_else(|| Path::new(DEFAULT_PATH));
        let config = std::fs::read_to_string(path).ok().and_then(|text| Config::parse(&text).ok());
        config.map_or_else(|| Agent::default().socket, |config| config.agent.socket)
    };
    globals.socket.clone().unwrap_or_else(configured)
}

fn unreachable(socket: &Path, source: io::Error) -> Failure {
    let socket = socket.to_owned();
    if source.kind() == io::ErrorKind::PermissionDenied {
        return Failure::NotPermitted { socket };
    }
    Failure::Unreachable { socket, source }
}

fn broken(error: FrameError) -> Failure {
    let kind = if let FrameError::Read(io) | FrameError::Write(io) = &error { Some(io.kind()) } else { None };
    match kind {
        Some(io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Failure::Silent { seconds: PATIENCE.as_secs() },
        Some(io::ErrorKind::ConnectionReset) => Failure::HungUp,
        Some(_) | None => Failure::Frame(error),
    }
}
