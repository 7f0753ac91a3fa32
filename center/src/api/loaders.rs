//! What hosts ask about published modules: which there are for them, a file, and how each is there.
//!
//! In: a host's certificate. Out: lists and files of what is published for it. Never here: people, what a module is.
use axum::Extension;
use axum::extract::State;
use enforcer_module::{MOST_PUBLISHED, Told};
use enforcer_policy::revision::Digest;
use serde::Deserialize;

use super::Center;
use super::problem::{Answer, Placed, Problem, Sent, body};
use crate::clock;
use crate::serve::Peer;
use crate::store::{HostTold, ModuleStore};

/// What a module is on the line.
pub(super) const KIND: &str = "application/wasm";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    modules: Vec<Told>,
}

pub(super) async fn list(State(center): State<Center>, Extension(peer): Extension<Peer>) -> Result<Answer, Problem> {
    let host = center.host(&peer)?;
    Ok(Answer::json(&center.modules_for(&host.groups)))
}

/// The file of one that is for this host: no other host's module is given away.
pub(super) async fn file(
    State(center): State<Center>,
    Extension(peer): Extension<Peer>,
    Placed(digest): Placed<String>,
) -> Result<Answer, Problem> {
    let host = center.host(&peer)?;
    let digest: Digest = digest.parse().map_err(|_digits| Problem::bad("this is no digest", ""))?;
    let missing = || Problem::not_found("no module of this digest is published for this host");
    let listed = center.modules_for(&host.groups).modules;
    let name = listed.into_iter().find(|module| module.digest == digest).map(|module| module.name);
    let name = name.ok_or_else(missing)?;
    let file = center.with_modules(move |store: &mut ModuleStore| Ok(store.file(&name)?)).await?;
    file.map(|file| Answer::bytes(KIND, file)).ok_or_else(missing)
}

pub(super) async fn tell(
    State(center): State<Center>,
    Extension(peer): Extension<Peer>,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    let host = center.host(&peer)?.name;
    let Words { modules: said } = body(&bytes)?;
    if said.len() > MOST_PUBLISHED || !said.iter().all(Told::is_sound) {
        return Err(Problem::bad("too much is told", "at most 64 modules, with short names and reasons"));
    }
    let told = HostTold { host, received: clock::now(), said };
    center.with_modules(move |store| Ok(store.hear(&told)?)).await?;
    Ok(Answer::nothing())
}
