//! `events`: refusals and observations as they happen.
//!
//! In: the agent's stream. Out: one line or one JSON document per event, at once, and so for news of the agent itself (a
//! full map; events that were missed because nobody read), of which only the latter is shown when one service is asked for. Ends
//! when either side hangs up, or after `--count`. Never here: sums (`top` has them; the stream of packet events is sampled).
use super::args::{EventsArgs, Globals};
use super::client::{Client, News};
use super::failure::Failure;
use super::out::Out;
use super::table::{clean, time};
use crate::wire::{EventReport, Exit, NoticeKind, NoticeReport, Request};

/// `events`.
pub(super) fn events(args: &EventsArgs, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let mut client = Client::open(globals)?;
    client.send(&Request::Events)?;
    client.be_patient()?;
    if out.terminal {
        out.note("following events; Ctrl-C ends");
    }
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        match client.receive()? {
            News::Event(event) if args.service.is_none() || args.service == event.service => {
                out.report(&event, line)?;
            }
            News::Notice(notice) if args.service.is_none() || notice.notice == NoticeKind::Missed => {
                out.report(&notice, notice_line)?;
            }
            News::Event(_) | News::Notice(_) => continue,
        }
        out.flush()?;
        left -= 1;
    }
    Ok(Exit::Done)
}

/// One event on one line, in columns that hold for most values.
pub(super) fn line(event: &EventReport) -> String {
    let service = event.service.as_deref().unwrap_or("-");
    let decision = event.decision.map_or_else(|| "-".to_owned(), |id| id.to_string());
    clean(&format!(
        "{}  {:<7}  {:<16}  {service:<8}  {} > {}  {} {}  {decision}",
        time(event.time),
        event.verdict.name(),
        event.reason.name(),
        end(event.source, event.source_port),
        end(event.destination, event.destination_port),
        event.protocol,
        event.interface,
    ))
}

/// News of the agent, in the columns of events.
fn notice_line(notice: &NoticeReport) -> String {
    clean(&format!("{}  {:<7}  {:<16}  {}", time(notice.time), "notice", notice.notice.name(), notice.message))
}

/// An address with its port, where it has one.
fn end(address: std::net::IpAddr, port: u16) -> String {
    match port {
        0 => address.to_string(),
        port => std::net::SocketAddr::new(address, port).to_string(),
    }
}
