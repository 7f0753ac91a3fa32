//! Receivers: a file, syslog, Splunk, CrowdSec.
//!
//! In: events and the format they should have. Out: they are there, or an error. Never here: cursors, trying again.
mod connection;
mod crowdsec;
mod file;
mod hec;
mod syslog;

use std::time::Duration;

use super::format::Format;
use super::settings::Target;
use crate::store::KeptEvent;
pub(crate) use connection::connect;
use crowdsec::CrowdSecSink;
use file::FileSink;
use hec::HecSink;
use syslog::SyslogSink;

/// A receiver.
pub(super) enum Sink {
    CrowdSec(CrowdSecSink),
    File(FileSink),
    Hec(HecSink),
    Syslog(SyslogSink),
}

impl Sink {
    pub(super) fn new(target: &Target) -> Self {
        match target {
            Target::CrowdSec(crowdsec) => Self::CrowdSec(CrowdSecSink::new(crowdsec.clone())),
            Target::File(path) => Self::File(FileSink::new(path.clone())),
            Target::Hec(hec) => Self::Hec(HecSink::new(hec.clone())),
            Target::Syslog(syslog) => Self::Syslog(SyslogSink::new(syslog.clone())),
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::CrowdSec(_) => "crowdsec",
            Self::File(_) => "file",
            Self::Hec(_) => "hec",
            Self::Syslog(_) => "syslog",
        }
    }

    /// Sends all of them; a connection is made where there is none. How many the receiver has no place for.
    pub(super) async fn send(&mut self, events: &[KeptEvent], format: Format) -> anyhow::Result<u64> {
        match self {
            Self::CrowdSec(crowdsec) => return crowdsec.send(events).await,
            Self::File(file) => file.send(events, format).await?,
            Self::Hec(hec) => hec.send(events, format).await?,
            Self::Syslog(syslog) => syslog.send(events, format).await?,
        }
        Ok(0)
    }

    /// How long after it was sent something is safe, if nothing broke.
    pub(super) const fn settles_after(&self) -> Duration {
        match self {
            Self::CrowdSec(_) | Self::File(_) | Self::Hec(_) => Duration::ZERO,
            Self::Syslog(_) => syslog::SETTLED,
        }
    }

    /// Returns when a connection is no longer there.
    pub(super) async fn broken(&mut self) -> anyhow::Error {
        match self {
            Self::CrowdSec(_) | Self::File(_) | Self::Hec(_) => std::future::pending().await,
            Self::Syslog(syslog) => syslog.broken().await,
        }
    }

    /// The next one makes a connection of its own.
    pub(super) fn close(&mut self) {
        match self {
            Self::CrowdSec(crowdsec) => crowdsec.close(),
            Self::File(_) => {}
            Self::Hec(hec) => hec.close(),
            Self::Syslog(syslog) => syslog.close(),
        }
    }
}
