//! `apis`: every API that is called, one in all detail, a specification of them, and how they differ from one.
//!
//! In: typed arguments, the inventory of the agent, a specification. Out: tables or JSON; the specification as it is. Never here: what
//! is learned from calls (insight), or how the agent keeps it.
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use enforcer_insight::inventory::{Drift, Inventory, Listed, Spec, drift, openapi};

use super::apis_text;
use super::args::{ApisArgs, ApisCommand, Globals};
use super::client::Client;
use super::failure::Failure;
use super::out::Out;
use crate::wire::{ApiLine, ApiOwner, ApiReport, ApiService, ApisPart, ApisReport, DriftReport, Exit, Request};

/// `apis`.
pub(super) fn apis(args: ApisArgs, globals: &Globals, out: &mut Out) -> Result<Exit, Failure> {
    let ApisArgs { service, command } = args;
    match command {
        None => asked(service.as_deref(), globals).and_then(|(inventory, owners)| list(&inventory, &owners, out)),
        Some(command) => look(&command, || asked(service.as_deref(), globals), out),
    }
}

/// A look at an inventory, wherever it comes from. A specification that cannot be read needs none.
pub(super) fn look(
    command: &ApisCommand,
    asked: impl FnOnce() -> Result<(Inventory, Owners), Failure>,
    out: &mut Out,
) -> Result<Exit, Failure> {
    let spec = if let ApisCommand::Drift { spec } = command { Some(read_spec(spec)?) } else { None };
    let (inventory, owners) = asked()?;
    match command {
        ApisCommand::Show { method, template } => show(&inventory, &owners, (method, template), out),
        ApisCommand::Export { openapi: _ } => export(&inventory, &owners, out),
        ApisCommand::Drift { .. } => compare(&inventory, &spec.unwrap_or_default(), out),
    }
}

/// Who answers, by service.
pub(super) type Owners = BTreeMap<String, Vec<ApiOwner>>;

/// The inventory.
pub(super) fn inventory(service: Option<&str>, globals: &Globals) -> Result<Inventory, Failure> {
    asked(service, globals).map(|(inventory, _)| inventory)
}

/// The inventory, part by part, and who answers.
fn asked(service: Option<&str>, globals: &Globals) -> Result<(Inventory, Owners), Failure> {
    let mut client = Client::open(globals)?;
    client.send(&Request::Apis(service.map(str::to_owned)))?;
    let mut bytes = Vec::new();
    loop {
        let part: ApisPart = client.receive()?;
        bytes.extend(part.bytes);
        if part.last {
            let length = bytes.len();
            let malformed = |source| crate::wire::FrameError::Malformed { length, source };
            let inventory = postcard::from_bytes(&bytes).map_err(malformed).map_err(Failure::Frame)?;
            return Ok((inventory, part.owners));
        }
    }
}

fn list(inventory: &Inventory, owners: &Owners, out: &mut Out) -> Result<Exit, Failure> {
    let endpoints: Vec<ApiLine> = inventory.list(None).iter().map(ApiLine::from).collect();
    let services =
        inventory.services().map(|(name, service)| ApiService::new(name, service, of(owners, name))).collect();
    let report = ApisReport { services, endpoints };
    let (now, colour) = (super::now(), out.colour);
    out.report(&report, |report| apis_text::list(report, now, colour))?;
    Ok(Exit::Done)
}

fn of(owners: &Owners, service: &str) -> Vec<ApiOwner> {
    owners.get(service).cloned().unwrap_or_default()
}

fn show(
    inventory: &Inventory,
    owners: &Owners,
    (method, template): (&str, &str),
    out: &mut Out,
) -> Result<Exit, Failure> {
    let Some(endpoint) = wanted(inventory, (method, template), out)? else { return Ok(Exit::Nothing) };
    let (now, colour) = (super::now(), out.colour);
    let report = ApiReport::new(&endpoint, of(owners, endpoint.service));
    out.report(&report, |report| apis_text::show(report, now, colour))?;
    Ok(Exit::Done)
}

/// The endpoint that is meant; none is told.
pub(super) fn wanted<'i>(
    inventory: &'i Inventory,
    (method, template): (&str, &str),
    out: &mut Out,
) -> Result<Option<Listed<'i>>, Failure> {
    let wanted = nameless(template);
    let is_wanted = |one: &Listed<'_>| one.method.eq_ignore_ascii_case(method) && nameless(&one.template()) == wanted;
    let mut found: Vec<Listed<'_>> = inventory.list(None).into_iter().filter(is_wanted).collect();
    let Some(endpoint) = found.pop() else {
        out.note(format_args!("no endpoint {method} {template} was called; enforcer apis lists those that were"));
        return Ok(None);
    };
    if !found.is_empty() {
        return Err(several(found.iter().map(|one| one.service).chain([endpoint.service])));
    }
    Ok(Some(endpoint))
}

fn export(inventory: &Inventory, owners: &Owners, out: &mut Out) -> Result<Exit, Failure> {
    let service = only_service(inventory)?;
    let mut document = openapi(service, &inventory.list(Some(service)));
    // Who answers is of this host, so it is no part of what is learned from calls.
    if let (Some(owners), Some(info)) =
        (owners.get(service), document.get_mut("info").and_then(|info| info.as_object_mut()))
    {
        info.insert("x-enforcer-owners".to_owned(), serde_json::json!(owners));
    }
    let text = serde_json::to_string_pretty(&document).map_err(|error| Failure::Output(error.into()))?;
    out.text(&text)?;
    Ok(Exit::Done)
}

fn compare(inventory: &Inventory, spec: &Spec, out: &mut Out) -> Result<Exit, Failure> {
    let service = only_service(inventory)?;
    let endpoints = inventory.list(Some(service));
    let differences: Vec<Drift> = drift(&endpoints, spec);
    let exit = if differences.is_empty() { Exit::Done } else { Exit::Nothing };
    let (endpoints, operations) = (endpoints.len() as u64, spec.operations() as u64);
    let report = DriftReport { service: service.to_owned(), endpoints, operations, differences };
    let colour = out.colour;
    out.report(&report, |report| apis_text::drift(report, colour))?;
    Ok(exit)
}

/// The one service that was called: a specification is one service's. None that was called is an empty one.
fn only_service(inventory: &Inventory) -> Result<&str, Failure> {
    let mut names = inventory.services().map(|(name, _)| name);
    let first = names.next().unwrap_or_default();
    if names.next().is_some() {
        return Err(several(inventory.services().map(|(name, _)| name)));
    }
    Ok(first)
}

fn several<'n>(names: impl Iterator<Item = &'n str>) -> Failure {
    let names: Vec<&str> = names.collect();
    let message = format!("several services have APIs: {}", names.join(", "));
    Failure::Usage { message, hint: "name one with --service" }
}

fn read_spec(path: &Path) -> Result<Spec, Failure> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(path).map(|read| text = read)
    };
    read.map_err(|source| Failure::file("read", path, source))?;
    Spec::read(&text).map_err(|source| Failure::Specification { path: path.to_owned(), source })
}

/// The template without the names of its parameters.
fn nameless(template: &str) -> String {
    let piece = |piece: &str| if piece.starts_with('{') && piece.ends_with('}') { "{}" } else { piece }.to_owned();
    template.trim_end_matches('/').split('/').map(piece).collect::<Vec<_>>().join("/")
}
