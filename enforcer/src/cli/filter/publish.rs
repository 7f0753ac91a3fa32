//! `filter publish`, `published`, `approve` and `withdraw`: modules that the center lets hosts have.
//!
//! In: a signed file, a center. Out: what is published, and how it is on every host. Never here: whom hosts trust; their configuration says so.
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use enforcer_module::{Label, SignatureError, signed_by};
use enforcer_policy::Moment;
use hyper::Method;
use serde::{Deserialize, Serialize};

use super::super::args::{CenterArgs, PublishArgs};
use super::super::fleet::escaped;
use super::super::policy::ask;
use super::super::table::{Grid, Mood, clean, maybe, span, state, word};
use super::{Failure, Out, read, wrong};
use crate::sync::SyncError;
use crate::wire::Exit;

/// As the center tells it.
#[derive(Serialize, Deserialize)]
struct Page {
    items: Vec<Module>,
    waiting: Vec<Module>,
}

#[derive(Serialize, Deserialize)]
struct Module {
    name: String,
    version: String,
    title: String,
    digest: String,
    key: String,
    bytes: u64,
    mode: String,
    parameters: BTreeMap<String, String>,
    groups: Vec<String>,
    author: String,
    approved_by: Option<String>,
    comment: String,
    published: Moment,
    #[serde(default)]
    hosts: Vec<Place>,
}

/// How it is on one host.
#[derive(Serialize, Deserialize)]
struct Place {
    host: String,
    state: String,
    why: String,
    since: Option<Moment>,
    version: Option<String>,
    digest: Option<String>,
}

/// What has become of one.
#[derive(Serialize, Deserialize)]
struct Taken {
    name: String,
    version: String,
    digest: String,
    key: String,
    waits: bool,
}

/// `filter publish`: what no host could run is not sent.
pub(super) fn publish(args: &PublishArgs, out: &mut Out) -> Result<Exit, Failure> {
    let (bytes, _) = read(&args.file)?;
    signed(&args.file, &bytes)?;
    let parameters: BTreeMap<_, _> = args.parameters.iter().cloned().collect();
    let body = serde_json::json!({
        "module": STANDARD.encode(&bytes), "groups": args.hosts, "mode": args.mode.name(), "parameters": parameters,
        "comment": args.comment,
    });
    let answer = ask(&args.center, Method::POST, "/v1/modules", body.to_string().into_bytes())?;
    let taken: Taken = serde_json::from_slice(&answer).map_err(SyncError::line)?;
    out.report(&taken, Taken::text)?;
    Ok(if taken.waits { Exit::Nothing } else { Exit::Done })
}

fn signed(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let missing = || wrong(path, SignatureError::Missing.into());
    signed_by(bytes).ok_or_else(missing)?;
    Label::read(bytes).map(drop).map_err(|error| wrong(path, error))
}

/// `filter published`.
pub(super) fn published(center: &CenterArgs, out: &mut Out) -> Result<Exit, Failure> {
    let page = page(center)?;
    let (now, colour) = (crate::cli::now(), out.colour);
    out.report(&page, |page| text(page, now, colour))?;
    Ok(if page.items.is_empty() && page.waiting.is_empty() { Exit::Nothing } else { Exit::Done })
}

/// `filter approve`: what is approved is what the center shows now, and no other that somebody puts in its place.
pub(super) fn approve(name: &str, center: &CenterArgs, out: &mut Out) -> Result<Exit, Failure> {
    let waiting = page(center)?.waiting;
    let Some(module) = waiting.iter().find(|module| module.name == name) else {
        out.note(format_args!("no module {} waits; see enforcer filter published", clean(name)));
        return Ok(Exit::Nothing);
    };
    let body = serde_json::json!({ "digest": module.digest }).to_string().into_bytes();
    let answer = ask(center, Method::POST, &format!("/v1/modules/{}/approve", escaped(name)), body)?;
    let taken: Taken = serde_json::from_slice(&answer).map_err(SyncError::line)?;
    out.report(&taken, Taken::text)?;
    Ok(Exit::Done)
}

/// `filter withdraw`.
pub(super) fn withdraw(name: &str, center: &CenterArgs, out: &mut Out) -> Result<Exit, Failure> {
    ask(center, Method::DELETE, &format!("/v1/modules/{}", escaped(name)), Vec::new())?;
    out.done(&format!("{}: hosts take it away; enforcer filter published shows what is left", clean(name)))?;
    Ok(Exit::Done)
}

fn page(center: &CenterArgs) -> Result<Page, Failure> {
    let answer = ask(center, Method::GET, "/v1/modules", Vec::new())?;
    Ok(serde_json::from_slice(&answer).map_err(SyncError::line)?)
}

impl Taken {
    fn text(&self) -> String {
        let Self { name, version, key, .. } = self;
        let what = if self.waits {
            "waits for a second person: enforcer filter approve"
        } else {
            "is published, for hosts that trust its key"
        };
        clean(&format!("{name} {version}, signed with key {key}, {what}"))
    }
}

fn text(page: &Page, now: Moment, colour: bool) -> String {
    if page.items.is_empty() && page.waiting.is_empty() {
        return "no module is published".to_owned();
    }
    let titles = ["MODULE", "VERSION", "DIGEST", ">BYTES", "KEY", "MODE", "FOR", "BY", "APPROVED", "SINCE", "HOSTS"];
    let mut grid = Grid::new(&titles, colour);
    for (module, waits) in page.items.iter().map(|one| (one, false)).chain(page.waiting.iter().map(|one| (one, true))) {
        grid.cells(module.row(waits, now));
    }
    let mut text = grid.text();
    let places = page.items.iter().flat_map(|module| module.hosts.iter().map(move |place| (module, place)));
    let mut hosts = Grid::new(&["HOST", "MODULE", "VERSION", "STATE", "SINCE", "WHY"], colour);
    for (module, place) in places {
        hosts.cells(place.row(&module.name, now));
    }
    if page.items.iter().any(|module| !module.hosts.is_empty()) {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{}", hosts.text());
    }
    text
}

impl Module {
    fn row(&self, waits: bool, now: Moment) -> Vec<comfy_table::Cell> {
        let groups = if self.groups.is_empty() { "all".to_owned() } else { self.groups.join(",") };
        let loaded = self.hosts.iter().filter(|place| place.state == "loaded").count();
        let hosts = if waits { "waits".to_owned() } else { format!("{loaded} of {}", self.hosts.len()) };
        let mood = if !waits && loaded == self.hosts.len() { Mood::Good } else { Mood::Doubtful };
        let set = self.parameters.iter().map(|(name, value)| format!(" {name}={value}"));
        vec![
            word(&self.name),
            word(&self.version),
            word(self.digest.chars().take(12).collect::<String>()),
            super::super::table::number(self.bytes),
            word(&self.key),
            word(format!("{}{}", self.mode, set.collect::<String>())),
            word(groups),
            word(&self.author),
            maybe(self.approved_by.as_ref()),
            word(span(self.published.until(now))),
            state(&hosts, mood),
        ]
    }
}

impl Place {
    fn row(&self, module: &str, now: Moment) -> Vec<comfy_table::Cell> {
        let mood = match self.state.as_str() {
            "loaded" => Mood::Good,
            "unheard" => Mood::Doubtful,
            _ => Mood::Bad,
        };
        vec![
            word(&self.host),
            word(module),
            maybe(self.version.as_ref()),
            state(&clean(&self.state), mood),
            maybe(self.since.map(|since| span(since.until(now)))),
            maybe(Some(&self.why).filter(|why| !why.is_empty())),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::golden::golden;

    #[test]
    fn the_list_says_where_each_module_runs_and_why_not() {
        let place = |host: &str, state: &str, why: &str| Place {
            host: host.to_owned(),
            state: state.to_owned(),
            why: why.to_owned(),
            since: (state != "unheard").then_some(Moment(1_767_225_500_000)),
            version: (state != "unheard").then(|| "1.0.0".to_owned()),
            digest: None,
        };
        let module = |name: &str, hosts| Module {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            title: "pages".to_owned(),
            digest: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a".to_owned(),
            key: "0011223344556677".to_owned(),
            bytes: 48_213,
            mode: "observe".to_owned(),
            parameters: BTreeMap::from([("page".to_owned(), "500".to_owned())]),
            groups: vec!["edge".to_owned()],
            author: "ada".to_owned(),
            approved_by: Some("bea".to_owned()),
            comment: String::new(),
            published: Moment(1_767_222_000_000),
            hosts,
        };
        let hosts = vec![
            place("edge-1", "loaded", ""),
            place("edge-2", "refused", "this host trusts no key: write [published]\u{1b}[2J"),
            place("edge-3", "unheard", ""),
        ];
        let page = Page { items: vec![module("my-pages", hosts)], waiting: vec![module("other", Vec::new())] };
        golden("cli/filter-published.txt", &text(&page, Moment(1_767_225_600_000), false));
        let nothing = Page { items: Vec::new(), waiting: Vec::new() };
        assert_eq!(text(&nothing, Moment(0), false), "no module is published");
    }
}
