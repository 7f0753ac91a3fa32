//! `fleet apis`: every API that is called on any host, what people said of each, one in all detail, a specification of them.
//!
//! In: a center. Out: tables or JSON, as `apis` makes them of one host; a mark for an endpoint. Never here: what is learned from calls.
use std::fmt::Write as _;

use enforcer_insight::inventory::Inventory;
use enforcer_policy::Moment;
use hyper::Method;
use serde::{Deserialize, Serialize};

use super::args::{CenterArgs, FleetApisArgs, FleetApisCommand};
use super::failure::Failure;
use super::fleet::escaped;
use super::out::Out;
use super::policy::ask;
use super::table::{Grid, clean, maybe, number, span, word};
use super::{apis, apis_text};
use crate::sync::SyncError;
use crate::wire::Exit;

/// As the center tells it.
#[derive(Serialize, Deserialize)]
struct Page {
    hosts: Vec<Host>,
    items: Vec<Line>,
    gone: Vec<Marked>,
}

#[derive(Serialize, Deserialize)]
struct Host {
    name: String,
    received: Moment,
    services: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    service: String,
    method: String,
    path: String,
    calls: u64,
    refused: u64,
    open: u64,
    auth: Vec<String>,
    first: Option<Moment>,
    last: Option<Moment>,
    risk: u8,
    mark: Option<Said>,
}

#[derive(Serialize, Deserialize)]
struct Said {
    #[serde(flatten)]
    mark: Marked,
    changed: bool,
}

#[derive(Serialize, Deserialize)]
struct Marked {
    service: String,
    method: String,
    path: String,
    mark: String,
    author: String,
    time: Moment,
    comment: String,
}

/// `fleet apis`.
pub(super) fn fleet_apis(args: &FleetApisArgs, out: &mut Out) -> Result<Exit, Failure> {
    let (center, service) = (&args.center, args.service.as_deref());
    match &args.command {
        None => list(center, service, out),
        // Who answers is known on each host only.
        Some(FleetApisCommand::Look(command)) => {
            apis::look(command, || Ok((inventory(center, service)?, apis::Owners::new())), out)
        }
        Some(FleetApisCommand::Mark { mark, method, template, comment }) => {
            let known = inventory(center, service)?;
            let Some(found) = apis::wanted(&known, (method, template), out)? else { return Ok(Exit::Nothing) };
            let marked = serde_json::json!({
                "service": found.service, "method": found.method, "path": found.template(), "mark": mark.name(), "comment": comment,
            });
            let answer = ask(center, Method::PUT, "/v1/apis/marks", marked.to_string().into_bytes())?;
            let mark: Marked = serde_json::from_slice(&answer).map_err(SyncError::line)?;
            out.report(&mark, |Marked { service, method, path, mark, .. }| {
                clean(&format!("{method} {path} of {service}: {mark}"))
            })?;
            Ok(Exit::Done)
        }
    }
}

/// What all hosts know, made one.
fn inventory(center: &CenterArgs, service: Option<&str>) -> Result<Inventory, Failure> {
    let answer = ask(center, Method::GET, &path("/v1/apis/inventory", service), Vec::new())?;
    Ok(Inventory::unpack(&answer).map_err(SyncError::line)?)
}

fn path(path: &str, service: Option<&str>) -> String {
    service.map_or_else(|| path.to_owned(), |service| format!("{path}?service={}", escaped(service)))
}

fn list(center: &CenterArgs, service: Option<&str>, out: &mut Out) -> Result<Exit, Failure> {
    let answer = ask(center, Method::GET, &path("/v1/apis", service), Vec::new())?;
    let page: Page = serde_json::from_slice(&answer).map_err(SyncError::line)?;
    let (now, colour) = (super::now(), out.colour);
    out.report(&page, |page| text(page, now, colour))?;
    Ok(if page.items.is_empty() { Exit::Nothing } else { Exit::Done })
}

fn text(page: &Page, now: Moment, colour: bool) -> String {
    let titles = ["SERVICE", "METHOD", "PATH", ">CALLS", ">REFUSED", "AUTH", "LAST", ">RISK", "MARK", "BY"];
    let mut grid = Grid::new(&titles, colour);
    for line in &page.items {
        grid.row([
            word(&line.service),
            word(&line.method),
            word(&line.path),
            number(line.calls),
            number(line.refused),
            word(line.auth.join(",")),
            maybe(line.last.map(|last| apis_text::ago(last, now))),
            apis_text::risk(line.risk),
            maybe(line.mark.as_ref().map(Said::words)),
            maybe(line.mark.as_ref().map(|said| said.mark.author.clone())),
        ]);
    }
    let mut text = if page.items.is_empty() { "no host has told of any API\n".to_owned() } else { grid.text() };
    for Marked { service, method, path, mark, .. } in &page.gone {
        text += &clean(&format!("{method} {path} of {service} is {mark}, and no host knows it any more"));
        text.push('\n');
    }
    let told = |host: &Host| format!("{} ({} ago)", clean(&host.name), span(host.received.until(now)));
    let told: Vec<String> = page.hosts.iter().map(told).collect();
    if !told.is_empty() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "told by {}", told.join(", "));
    }
    text
}

impl Said {
    /// The mark, and whether to look again.
    fn words(&self) -> String {
        if self.changed { format!("{}, changed since", self.mark.mark) } else { self.mark.mark.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::golden::golden;

    #[test]
    fn the_list_says_what_is_marked_and_what_has_changed_since() {
        let mark = |mark: &str| Marked {
            service: "pay".to_owned(),
            method: "GET".to_owned(),
            path: "/users/{id}".to_owned(),
            mark: mark.to_owned(),
            author: "ada".to_owned(),
            time: Moment(1_767_222_000_000),
            comment: String::new(),
        };
        let line = |path: &str, mark: Option<Said>| Line {
            service: "pay".to_owned(),
            method: "GET".to_owned(),
            path: path.to_owned(),
            calls: 1234,
            refused: 5,
            open: 0,
            auth: vec!["bearer".to_owned(), "none".to_owned()],
            first: Some(Moment(1_767_222_000_000)),
            last: Some(Moment(1_767_225_000_000)),
            risk: 40,
            mark,
        };
        let said = |word: &str, changed| Some(Said { mark: mark(word), changed });
        let received = Moment(1_767_225_570_000);
        let page = Page {
            hosts: vec![Host { name: "edge-1".to_owned(), received, services: vec!["pay".to_owned()] }],
            items: vec![
                line("/health", None),
                line("/users", said("reviewed", false)),
                line("/users/{id}", said("accepted", true)),
            ],
            gone: vec![mark("unwanted")],
        };
        golden("cli/fleet-apis.txt", &text(&page, Moment(1_767_225_600_000), false));
        let nothing = Page { hosts: Vec::new(), items: Vec::new(), gone: Vec::new() };
        golden("cli/fleet-apis-nothing.txt", &text(&nothing, received, false));
    }
}
