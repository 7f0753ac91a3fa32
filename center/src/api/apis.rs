//! The inventory of the fleet: what hosts know of APIs, made one; and what people said of endpoints.
//!
//! In: packed inventories of hosts; marks of people. Out: endpoints in lines, each with its mark; the inventory itself. Never here: what calls say (that is
//! `enforcer-insight`'s), rows.
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use enforcer_insight::inventory::{Inventory, Listed, risk};
use enforcer_policy::Moment;
use serde::{Deserialize, Serialize};

use super::people::Person;
use super::problem::{Answer, Asked, Problem, Sent, body};
use super::{Center, lock};
use crate::clock;
use crate::desk::Desk;
use crate::serve::Peer;
use crate::store::{ApiStore, KnownApis, Mark};

/// What an inventory is on the line.
pub(super) const KIND: &str = "application/octet-stream";
/// Letters of a comment (`maxLength` in `schemas.json`).
const COMMENT: usize = 512;

/// What all hosts know, made one.
#[derive(Default)]
pub(super) struct Fleet {
    inventory: Inventory,
    hosts: Vec<Teller>,
}

/// A host that has told.
#[derive(Clone, Serialize)]
struct Teller {
    name: String,
    received: Moment,
    /// Services that were called there.
    services: Vec<String>,
}

#[derive(Serialize)]
struct Page {
    hosts: Vec<Teller>,
    items: Vec<Line>,
    /// Marks of endpoints that no host knows any more.
    gone: Vec<Mark>,
}

/// An endpoint.
#[derive(Serialize)]
struct Line {
    service: String,
    method: String,
    path: String,
    calls: u64,
    refused: u64,
    open: u64,
    auth: Vec<&'static str>,
    first: Option<Moment>,
    last: Option<Moment>,
    risk: u8,
    mark: Option<Said>,
}

/// A mark, and whether the endpoint looks otherwise now.
#[derive(Serialize)]
struct Said {
    #[serde(flatten)]
    mark: Mark,
    changed: bool,
}

/// `?service=`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    service: Option<String>,
}

/// What somebody says of an endpoint.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Marked {
    service: String,
    method: String,
    path: String,
    mark: Word,
    #[serde(default)]
    comment: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    /// Its risk is known, and borne.
    Accepted,
    /// Nothing is said of it any more.
    None,
    /// Somebody has looked at it, and it is as it should be.
    Reviewed,
    /// It should not be there.
    Unwanted,
}

impl Word {
    const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::None => "none",
            Self::Reviewed => "reviewed",
            Self::Unwanted => "unwanted",
        }
    }
}

impl Center {
    /// Work on inventories and marks, which keeps nobody from policy.
    async fn with_apis<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut ApiStore) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let center = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&mut lock(&center.0.apis)));
        done.await.unwrap_or_else(|_panic| Err(Problem::internal("the request could not be carried out")))
    }

    /// What all hosts know, made one anew when one has told something.
    async fn fleet_of_apis(&self) -> Result<Arc<Fleet>, Problem> {
        let (told, fleet) = lock(&self.0.fleet).clone();
        if let Some(fleet) = fleet {
            return Ok(fleet);
        }
        let known = self.with_apis(|store| Ok(store.all()?)).await?;
        let made = tokio::task::spawn_blocking(move || Arc::new(Fleet::of(&known))).await;
        let fleet = made.map_err(|_panic| Problem::internal("the inventories could not be made one"))?;
        let mut kept = lock(&self.0.fleet);
        if kept.0 == told {
            kept.1 = Some(Arc::clone(&fleet));
        }
        drop(kept);
        Ok(fleet)
    }

    /// The same, for whoever may read.
    async fn fleet_for(&self, headers: HeaderMap) -> Result<Arc<Fleet>, Problem> {
        self.read(headers, |_| Ok(())).await?;
        self.fleet_of_apis().await
    }

    /// What all hosts know is something else now.
    fn told_of_apis(&self) {
        let mut fleet = lock(&self.0.fleet);
        *fleet = (fleet.0 + 1, None);
    }

    /// A host is none of ours any more.
    pub(super) async fn forget_apis(&self, host: String) -> Result<(), Problem> {
        self.with_apis(move |store| Ok(store.forget(&host)?)).await?;
        self.told_of_apis();
        Ok(())
    }
}

impl Fleet {
    fn of(known: &[KnownApis]) -> Self {
        let mut fleet = Self::default();
        for one in known {
            match Inventory::unpack(&one.packed) {
                Ok(inventory) => fleet.add(one, inventory),
                // It was one when it was kept: of another version.
                Err(error) => {
                    tracing::warn!(host = one.host, %error, "an inventory is left out until the host tells it anew");
                }
            }
        }
        fleet.inventory = fleet.inventory.settled();
        fleet
    }

    fn add(&mut self, known: &KnownApis, inventory: Inventory) {
        let services = inventory.services().map(|(name, _)| name.to_owned()).collect();
        self.hosts.push(Teller { name: known.host.clone(), received: known.received, services });
        self.inventory = std::mem::take(&mut self.inventory).merged(inventory);
    }
}

pub(super) async fn take(
    State(center): State<Center>,
    Extension(peer): Extension<Peer>,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    let host = center.host(&peer)?.name;
    let keep = move |store: &mut ApiStore| {
        Inventory::unpack(&bytes)
            .map_err(|error| Problem::bad(error.to_string(), "send what Inventory::pack makes"))?;
        Ok(store.keep(&KnownApis { host, received: clock::now(), packed: bytes.to_vec() })?)
    };
    center.with_apis(keep).await?;
    center.told_of_apis();
    Ok(Answer::nothing())
}

pub(super) async fn inventory(
    State(center): State<Center>,
    Asked(which): Asked<Which>,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let fleet = center.fleet_for(headers).await?;
    let packed = match &which.service {
        None => fleet.inventory.pack(),
        Some(service) => fleet.inventory.only(service).pack(),
    };
    let packed = packed.map_err(|error| Problem::conflict(error.to_string(), "ask for one service"))?;
    Ok(Answer::bytes(KIND, packed))
}

pub(super) async fn list(
    State(center): State<Center>,
    Asked(which): Asked<Which>,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let fleet = center.fleet_for(headers).await?;
    let marks = center.with_apis(|store| Ok(store.marks()?)).await?;
    let wanted = |mark: &Mark| which.service.as_ref().is_none_or(|service| *service == mark.service);
    let key = |mark: Mark| ((mark.service.clone(), mark.method.clone(), mark.path.clone()), mark);
    let mut marks: BTreeMap<_, _> = marks.into_iter().filter(wanted).map(key).collect();
    let lines = fleet.inventory.list(which.service.as_deref());
    let items = lines.iter().map(|listed| {
        let key = (listed.service.to_owned(), listed.method.to_owned(), listed.template());
        line(listed, marks.remove(&key))
    });
    let items = items.collect();
    Ok(Answer::json(&Page { hosts: fleet.hosts.clone(), items, gone: marks.into_values().collect() }))
}

fn line(listed: &Listed<'_>, mark: Option<Mark>) -> Line {
    let usage = listed.usage;
    let likeness = listed.likeness();
    Line {
        service: listed.service.to_owned(),
        method: listed.method.to_owned(),
        path: listed.template(),
        calls: usage.calls,
        refused: usage.refused,
        open: usage.open,
        auth: usage.auth.keys().map(|auth| auth.name()).collect(),
        first: usage.first,
        last: usage.last,
        risk: risk(listed, None).score,
        mark: mark.map(|mark| Said { changed: mark.likeness != likeness, mark }),
    }
}

pub(super) async fn mark(
    State(center): State<Center>,
    headers: HeaderMap,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    let asked: Marked = body(&bytes)?;
    if asked.comment.chars().count() > COMMENT {
        return Err(Problem::bad("the comment is too long", "say it in 512 letters"));
    }
    let person = center.work(move |desk, _| Person::operator(&headers, desk)).await?;
    let fleet = center.fleet_of_apis().await?;
    let mark = asked.by(&person, &fleet)?;
    let (told, word) = (mark.clone(), asked.mark);
    let kept = center.with_apis(move |store| match word {
        Word::None => Ok(store.unmark(&mark.service, &mark.method, &mark.path)?),
        Word::Accepted | Word::Reviewed | Word::Unwanted => Ok(store.mark(&mark)?),
    });
    match (kept.await?, word) {
        (true, _) => {}
        (false, Word::None) => return Err(Problem::not_found("no mark stands there")),
        (false, _) => return Err(Problem::conflict("there are 100,000 marks", "take some off first")),
    }
    let detail = format!("{} {} of {}: {} ({})", told.method, told.path, told.service, told.mark, told.comment);
    let note = move |desk: &mut Desk, _: &Center| Ok(desk.store().note(&person.name, "marked", &detail)?);
    center.work(note).await?;
    Ok(Answer::with(StatusCode::OK, serde_json::to_string(&told).unwrap_or_default()))
}

impl Marked {
    /// The mark, with how the endpoint looks now.
    fn by(&self, person: &Person, fleet: &Fleet) -> Result<Mark, Problem> {
        let endpoints = fleet.inventory.list(Some(&self.service));
        let found = endpoints.iter().find(|one| one.method == self.method && one.template() == self.path);
        let missing = || Problem::not_found(format!("no host knows {} {} of {}", self.method, self.path, self.service));
        // A mark can be taken off an endpoint that is gone.
        let likeness = match found {
            None if self.mark == Word::None => 0,
            None => return Err(missing()),
            Some(found) => found.likeness(),
        };
        Ok(Mark {
            service: self.service.clone(),
            method: self.method.clone(),
            path: self.path.clone(),
            mark: self.mark.name().to_owned(),
            author: person.name.clone(),
            time: clock::now(),
            comment: self.comment.clone(),
            likeness,
        })
    }
}
