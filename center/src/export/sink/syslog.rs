//! Syslog: RFC 5424 messages over TCP or TLS, each with its length before it (RFC 6587, RFC 5425).
//!
//! In: events. Out: they are written. Never here: a claim that they arrived: the protocol has no answer. The receiver's kernel has
//! taken them, or the connection breaks, within [`SETTLED`]; until then the cursor stays, and a break sends them again. A receiver that
//! is killed with messages unread for longer than that has lost them: Splunk's collector or a file say more.
use std::time::Duration;

use anyhow::Context as _;
use enforcer_policy::EventKind;
use enforcer_policy::document::rfc3339;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::format::{Format, line, severity};
use super::super::settings::{Syslog, host_of};
use super::connection::{SILENT, Stream, connect};
use crate::store::KeptEvent;

/// A receiver of syslog.
pub(in super::super) struct SyslogSink {
    settings: Syslog,
    stream: Option<Box<dyn Stream>>,
}

impl SyslogSink {
    pub(super) const fn new(settings: Syslog) -> Self {
        Self { settings, stream: None }
    }

    pub(super) async fn send(&mut self, events: &[KeptEvent], format: Format) -> anyhow::Result<()> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let Syslog { address, authority } = &self.settings;
                none.insert(connect(address, host_of(address), authority.as_deref()).await?)
            }
        };
        let bytes: String = events.iter().map(|event| framed(&message(event, format))).collect();
        stream.write_all(bytes.as_bytes()).await.context("writing to syslog")?;
        stream.flush().await.context("writing to syslog")
    }

    /// Receivers say nothing: whatever can be read is an end.
    pub(super) async fn broken(&mut self) -> anyhow::Error {
        let Some(stream) = &mut self.stream else { return std::future::pending().await };
        let mut word = [0; 64];
        loop {
            match stream.read(&mut word).await {
                Ok(0) => return anyhow::anyhow!("the receiver has hung up"),
                Ok(_) => {}
                Err(error) => return anyhow::Error::new(error).context("the connection broke"),
            }
        }
    }

    pub(super) fn close(&mut self) {
        self.stream = None;
    }
}

fn framed(message: &str) -> String {
    format!("{} {message}", message.len())
}

/// `<priority>1 time host app - kind [meta sequenceId] text`.
fn message(kept: &KeptEvent, format: Format) -> String {
    let facility = if kept.event.kind == EventKind::Act { AUDIT } else { LOCAL0 };
    let priority = facility * 8 + level(kept);
    let sequence = kept.number % MOST_SEQUENCE + 1;
    let (time, kind, text) = (rfc3339(kept.event.time), kept.event.kind.name(), line(kept, format));
    let host = name(&kept.host);
    format!("<{priority}>1 {time} {host} enforcer - {kind} [meta sequenceId=\"{sequence}\"] {text}")
}

/// Severities of syslog: less is worse.
fn level(kept: &KeptEvent) -> u8 {
    match severity(&kept.event) {
        5.. => 2,
        4 => 3,
        3 => 4,
        2 => 5,
        _ => 6,
    }
}

/// Printable ASCII without blanks, 255 at most.
fn name(host: &str) -> String {
    let name: String = host.chars().filter(char::is_ascii_graphic).take(255).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

/// The receiver's kernel has everything by then, or the connection is broken.
pub(super) const SETTLED: Duration = SILENT.saturating_add(Duration::from_secs(5));
const AUDIT: u8 = 13;
const LOCAL0: u8 = 16;
const MOST_SEQUENCE: u64 = 2_147_483_647;

#[cfg(test)]
mod tests {
    use enforcer_policy::{Event, Moment};

    use super::*;

    #[test]
    fn a_message_is_what_the_protocol_says() {
        let event = Event::new(EventKind::Act, Moment(1_767_225_600_500), "block", "block device");
        let (host, spool) = ("edge 1\n".to_owned(), String::new());
        let kept = KeptEvent { number: 41, host, spool, received: Moment(0), event };
        let text = message(&kept, Format::Cef);
        let head = "<109>1 2026-01-01T00:00:00.500Z edge1 enforcer - act [meta sequenceId=\"42\"] CEF:0|";
        assert!(text.starts_with(head), "{text}");
        assert_eq!(framed("äb"), "3 äb");
    }
}
