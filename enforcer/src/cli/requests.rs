//! `requests`: requests and their answers as they end.
//!
//! In: the agent's stream. Out: one line or one JSON document per request, at once. Ends when either side hangs up, or after
//! `--count`. Never here: sums (`top` has them; requests may be sampled), queries, values of headers.
use std::time::Duration;

use super::args::{EventsArgs, Globals};
use super::client::Client;
use super::failure::Failure;
use super::out::Out;
use super::table::{clean, time};
use crate::wire::{Exit, Request, RequestReport};

/// `requests`.
pub(super) fn requests(args: &EventsArgs, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let mut client = Client::open(globals)?;
    client.send(&Request::Requests)?;
    client.be_patient()?;
    if out.terminal {
        out.note("following requests; Ctrl-C ends");
    }
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        let request: Box<RequestReport> = client.receive()?;
        if args.service.is_some() && args.service != request.service {
            continue;
        }
        out.report(&request, |request| line(request))?;
        out.flush()?;
        left -= 1;
    }
    Ok(Exit::Done)
}

/// One request on one line, in columns that hold for most values.
pub(super) fn line(request: &RequestReport) -> String {
    let service = request.service.as_deref().unwrap_or("-");
    let status = request.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    let source = request.client.unwrap_or(request.source);
    let cut = if request.complete || request.status.is_none() { "" } else { "  (cut off)" };
    clean(&format!(
        "{}  {:<7}  {status:>3}  {:>9}  {:>9}  {service:<8}  {:<15}  {} {}{cut}",
        time(request.time),
        request.verdict.name(),
        request.took.map_or_else(|| "-".to_owned(), milliseconds),
        request.bytes.map_or_else(|| "-".to_owned(), |bytes| format!("{bytes} B")),
        source,
        request.method,
        request.path,
    ))
}

fn milliseconds(took: Duration) -> String {
    format!("{:.2} ms", took.as_secs_f64() * 1000.0)
}
