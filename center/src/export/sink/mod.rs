//! Receivers: a file, syslog, Splunk.
//!
//! In: events and the format they should have. Out: they are there, or an error. Never here: cursors, trying again.
mod connection;
mod file;
mod hec;
mod syslog;

use std::time::Duration;

use super::format::Format;
use super::settings::Target;
use crate::store::KeptEvent;
pub(crate) use connection::connect;
use file::FileSink;
use hec::HecSink;
use syslog::SyslogSink;

/// A receiver.
pub(super) enum Sink {
    File(FileSink),
    Hec(HecSink),
    Syslog(SyslogSink),
}

impl Sink {
    pub(super) fn new(target: &Target) -> Self {
        match target {
            Target::File(path) => Self::File(FileSink::new(path.clone())),
            Target::Hec(hec) => Self::Hec(HecSink::new(hec.clone())),
            Target::Syslog(syslog) => Self::Syslog(SyslogSink::new(syslog.clone())),
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Hec(_) => "hec",
            Self::Syslog(_) => "syslog",
        }
    }

    /// Sends all of them; a connection is made where there is none.
    pub(super) async fn send(&mut self, events: &[KeptEvent], format: Format) -> anyhow::Result<()> {
        match self {
            Self::File(file) => file.send(events, format).await,
            Self::Hec(hec) => hec.send(events, format).await,
            Self::Syslog(syslog) => syslog.send(events, format).await,
        }
    }

    /// How long after it was sent something is safe, if nothing broke.
    pub(super) const fn settles_after(&self) -> Duration {
        match self {
            Self::File(_) | Self::Hec(_) => Duration::ZERO,
            Self::Syslog(_) => syslog::SETTLED,
        }
    }

    /// Returns when a connection is no longer there.
    pub(super) async fn broken(&mut self) -> anyhow::Error {
        match self {
            Self::File(_) | Self::Hec(_) => std::future::pending().await,
            Self::Syslog(syslog) => syslog.broken().await,
        }
    }

    /// The next one makes a connection of its own.
    pub(super) fn close(&mut self) {
        match self {
            Self::File(_) => {}
            Self::Hec(hec) => hec.close(),
            Self::Syslog(syslog) => syslog.close(),
        }
    }
}
