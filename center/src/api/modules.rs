//! Published modules, as people see them: publish, approve, withdraw, list.
//!
//! In: signed files. Out: what hosts may get, each with who stands for it and how it is on every host. Never here: running a module, whom hosts trust
//! (their own configuration says so), rows.
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use enforcer_insight::filters::{Catalogue, ParameterProblem, Parameters};
use enforcer_module::{Label, List, Listed};
use enforcer_policy::document::Mode;
use enforcer_policy::revision::Digest;
use serde::{Deserialize, Serialize};

use super::hosts::MOST;
use super::modules_shown::{Shown, Waiting};
use super::people::Person;
use super::problem::{Answer, Placed, Problem, Sent, body};
use super::{Center, lock};
use crate::clock;
use crate::desk::{Desk, Signature};
use crate::store::{ModuleStore, Published, Role};

/// What hosts may get.
pub(super) type Shelf = Arc<Vec<Published>>;

/// A module, and how it is to be published.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sending {
    /// The signed file, in base64.
    module: String,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default = "observe")]
    mode: Beginning,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    #[serde(default)]
    comment: String,
}

/// What a module may do where nobody says otherwise: to decide by itself, it must be named on the host or in the matrix.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Beginning {
    Observe,
    Off,
}

/// Whoever approves says what they have looked at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approving {
    digest: Digest,
}

#[derive(Serialize)]
struct Page {
    items: Vec<Shown>,
    /// Those that wait for a second person.
    waiting: Vec<Waiting>,
}

/// What has become of a module.
#[derive(Serialize)]
struct Taken {
    name: String,
    version: String,
    digest: Digest,
    key: String,
    /// It is nobody's until a second person approves it.
    waits: bool,
}

const fn observe() -> Beginning {
    Beginning::Observe
}

impl Center {
    /// Work on modules, which keeps nobody from policy.
    pub(super) async fn with_modules<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut ModuleStore) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let center = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let mut store = lock(&center.0.modules);
            let done = work(&mut store)?;
            let published = store.all(false)?;
            drop(store);
            center.0.shelf.send_if_modified(|known| {
                let is_other = **known != published;
                *known = Arc::new(published);
                is_other
            });
            Ok(done)
        });
        done.await.unwrap_or_else(|_panic| Err(Problem::internal("the request could not be carried out")))
    }

    /// What a host of these groups gets.
    pub(super) fn modules_for(&self, groups: &[String]) -> List {
        let published = Arc::clone(&self.0.shelf.borrow());
        let listed = published.iter().filter(|module| module.is_for(groups)).map(|module| module.listed.clone());
        List::of(listed.collect())
    }

    /// Those that hosts get, each with how it is there, and those that wait.
    pub(super) async fn modules_shown(&self) -> Result<(Vec<Shown>, Vec<Waiting>), Problem> {
        let hosts = self.work(|desk, _| Ok(desk.store().hosts("", MOST)?)).await?;
        let read = |store: &mut ModuleStore| Ok((store.all(false)?, store.all(true)?, store.told()?));
        let (published, waiting, told) = self.with_modules(read).await?;
        let hosts: Vec<_> = hosts.into_iter().filter(|host| !host.revoked).collect();
        let told = told.into_iter().map(|one| (one.host, one.said)).collect();
        let shown = published.into_iter().map(|module| Shown::of(module, &hosts, &told)).collect();
        Ok((shown, waiting.into_iter().map(Waiting::of).collect()))
    }
}

pub(super) async fn list(Shared(center): Shared<Center>, headers: HeaderMap) -> Result<Answer, Problem> {
    center.read(headers, |_| Ok(())).await?;
    let (items, waiting) = center.modules_shown().await?;
    Ok(Answer::json(&Page { items, waiting }))
}

pub(super) async fn publish(
    Shared(center): Shared<Center>,
    headers: HeaderMap,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    // Nobody else's bytes are looked at.
    let person = center.work(move |desk, _| Person::operator(&headers, desk)).await?;
    let asked: Sending = body(&bytes)?;
    let file = asked.file()?;
    let label = Label::read(&file).map_err(|error| Problem::bad(error.to_string(), "see docs/MODULES.md"))?;
    asked.fits(&label)?;
    let Signature { author, token, comment, .. } = person.signs(&asked.comment);
    let (listed, title) = (asked.listed(&label, file.len()), label.manifest.title.to_string());
    let (groups, published) = (asked.groups, clock::now());
    let module = Published { listed, title, groups, author, token, approved_by: None, comment, published };
    let noted = module.clone();
    let note = move |desk: &mut Desk, _: &Center| {
        known(&noted.groups, desk)?;
        let waits = desk.module_waits(published).is_some();
        let what = if waits { "module proposed" } else { "module published" };
        desk.store().note(&noted.author, what, &detail(&noted))?;
        Ok(waits)
    };
    let waits = center.work(note).await?;
    let taken = Taken::of(&module.listed, waits);
    if !center.with_modules(move |store| Ok(store.put(&module, waits, &file)?)).await? {
        return Err(Problem::conflict("there are 64 modules", "withdraw one first: enforcer filter withdraw"));
    }
    Ok(Answer::json(&taken))
}

/// Somebody else stands for a module that waits: hosts get it now.
pub(super) async fn approve(
    Shared(center): Shared<Center>,
    Placed(name): Placed<String>,
    headers: HeaderMap,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    let asked: Approving = body(&bytes)?;
    let waiting = center.with_modules(|store| Ok(store.all(true)?)).await?;
    let found = waiting.into_iter().find(|module| module.listed.name == name);
    let approve = move |desk: &mut Desk, _: &Center| {
        let person = Person::approver(&headers, desk)?;
        let missing = || Problem::not_found("no module of this name waits; see GET /v1/modules");
        let module = found.clone().ok_or_else(missing)?;
        let counts = desk.stands_for((&module.author, &module.token), &person.signs(""))?;
        let mend = "withdraw it, and have it published again";
        if module.listed.digest != asked.digest {
            return Err(Problem::conflict("another one of this name waits now", "look at it, and approve that"));
        }
        if !counts {
            return Err(Problem::conflict(format!("the token of {} no longer counts", module.author), mend));
        }
        if desk.module_waits(module.published).is_some_and(|until| until <= clock::now()) {
            return Err(Problem::conflict("it has waited for too long", mend));
        }
        let told = format!("{}; published by {}", detail(&module), module.author);
        desk.store().note(&person.name, "module approved", &told)?;
        let approved = Published { approved_by: Some(person.name), published: clock::now(), ..module.clone() };
        Ok((module, approved))
    };
    let (module, approved) = center.work(approve).await?;
    let taken = Taken::of(&module.listed, false);
    if !center.with_modules(move |store| Ok(store.take_up(&module, &approved)?)).await? {
        return Err(Problem::conflict("it waits no more, or there are 64 modules", "see GET /v1/modules"));
    }
    Ok(Answer::json(&taken))
}

/// Nobody is to have it any more. It needs no second person: nothing new runs for it. An approver rejects what waits, and nothing else.
pub(super) async fn withdraw(
    Shared(center): Shared<Center>,
    Placed(name): Placed<String>,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let published = center.0.shelf.borrow().iter().any(|module| module.listed.name == name);
    let waiting = center.with_modules(|store| Ok(store.all(true)?)).await?;
    let waits = waiting.iter().any(|module| module.listed.name == name);
    let asked = name.clone();
    let note = move |desk: &mut Desk, _: &Center| {
        let person = Person::of(&headers, desk)?;
        let all = match person.role {
            Role::Operator => true,
            Role::Approver => false,
            Role::Viewer => return Err(Problem::forbidden(format!("{} is a viewer", person.name))),
        };
        if !(waits || all && published) {
            return Err(Problem::not_found("there is no such module; see GET /v1/modules"));
        }
        let what = if all && published { "module withdrawn" } else { "module rejected" };
        desk.store().note(&person.name, what, &asked)?;
        Ok(all)
    };
    let all = center.work(note).await?;
    center.with_modules(move |store| Ok(store.remove(&name, all)?)).await?;
    Ok(Answer::nothing())
}

impl Taken {
    fn of(listed: &Listed, waits: bool) -> Self {
        let Listed { name, version, digest, key, .. } = listed.clone();
        Self { name, version, digest, key, waits }
    }
}

impl Sending {
    fn file(&self) -> Result<Vec<u8>, Problem> {
        let mend = "send the bytes of the signed file in base64, with its padding";
        STANDARD.decode(&self.module).map_err(|error| Problem::bad(format!("module: {error}"), mend))
    }

    /// Whether hosts could run it so.
    fn fits(&self, label: &Label) -> Result<(), Problem> {
        let manifest = &label.manifest;
        if Catalogue::built_in().find(&manifest.name).is_some() {
            let what = format!("the filter {} comes with the agent", manifest.name);
            return Err(Problem::bad(what, "give the module another name in its manifest"));
        }
        if self.comment.chars().count() > COMMENT {
            return Err(Problem::bad("the comment is too long", "say it in 512 letters"));
        }
        if self.groups.len() > GROUPS {
            return Err(Problem::bad("there are too many groups", "name at most 64, or a group of all of them"));
        }
        let words = |problem: ParameterProblem| Problem::bad(format!("parameters: {}", problem.what), &problem.mend);
        Parameters::read(&manifest.schema, "", &self.parameters)
            .map(drop)
            .map_err(|problems| problems.into_iter().next().map_or_else(|| Problem::bad("parameters", ""), words))
    }

    fn listed(&self, label: &Label, bytes: usize) -> Listed {
        let mode = match self.mode {
            Beginning::Observe => Mode::Observe,
            Beginning::Off => Mode::Off,
        };
        Listed {
            name: label.manifest.name.to_string(),
            version: label.manifest.version.to_string(),
            digest: label.digest,
            key: label.key.clone(),
            bytes: bytes as u64,
            mode,
            parameters: self.parameters.clone(),
        }
    }
}

/// A group that nobody knows is a slip of the pen, and would be nobody's module.
fn known(groups: &[String], desk: &mut Desk) -> Result<(), Problem> {
    if groups.is_empty() {
        return Ok(());
    }
    let hosts = desk.store().hosts("", MOST)?;
    let is_known = |group: &String| {
        desk.content().base().groups.contains_key(group) || hosts.iter().any(|host| host.groups.contains(group))
    };
    groups.iter().find(|group| !is_known(group)).map_or(Ok(()), |group| {
        let what = format!("there is no group {group}");
        Err(Problem::refused(what, "name one of the policy, or of a host: GET /v1/hosts shows them"))
    })
}

/// For the audit log.
fn detail(module: &Published) -> String {
    let Published { listed: Listed { name, version, digest, key, .. }, groups, comment, .. } = module;
    let whose = if groups.is_empty() { "all hosts".to_owned() } else { groups.join(", ") };
    format!("{name} {version}, digest {digest}, key {key}, for {whose} ({comment})")
}

/// Letters of a comment.
const COMMENT: usize = 512;
const GROUPS: usize = 64;
