//! What hosts ask: to enrol, for news, to acknowledge, to renew.
//!
//! In: a one-time token once, then a certificate. Out: a certificate; deliveries. Never here: a host's private key.
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use enforcer_policy::revision::{Digest, Known};
use serde::{Deserialize, Serialize};

use super::Center;
use super::people::host;
use super::problem::{Answer, Asked, Problem, Sent, body};
use crate::authority::HOST_LIFE;
use crate::desk::Desk;
use crate::serve::Peer;
use crate::store::Ack;

/// A one-time token and a certificate request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrol {
    id: String,
    secret: String,
    request: String,
}

/// What a host needs to know.
#[derive(Serialize)]
struct Enrolled<'e> {
    name: String,
    groups: Vec<String>,
    certificate: String,
    authority: &'e str,
    signing_key: String,
    identity_key: &'e str,
    lifetime_seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Renew {
    request: String,
}

#[derive(Serialize)]
struct Renewed {
    certificate: String,
    lifetime_seconds: u64,
}

/// What the host has, and how long it will wait for something newer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Watch {
    number: u64,
    hash: String,
    #[serde(default)]
    wait: u64,
    #[serde(default)]
    whole: bool,
}

/// Seconds that a host may wait.
const LONGEST: u64 = 60;
const DELIVERY: &str = "application/vnd.enforcer.delivery";

pub(super) async fn enrol(State(center): State<Center>, Sent(bytes): Sent) -> Result<Answer, Problem> {
    let enrol = move |desk: &mut Desk, center: &Center| {
        let asked: Enrol = body(&bytes)?;
        let open = || Problem::forbidden("the one-time token is wrong, used up or over");
        let invited = desk.store().invitation(&asked.id, &asked.secret)?.ok_or_else(open)?;
        let issued = center.0.authority.host(&invited.host, &asked.request);
        let (certificate, fingerprint) = issued.map_err(|error| Problem::bad(format!("{error:#}"), ""))?;
        if !desk.store().enrol(&asked.id, &invited, &fingerprint)? {
            return Err(open());
        }
        tracing::info!(host = invited.host, "enrolled");
        Ok(Answer::json(&Enrolled {
            name: invited.host,
            groups: invited.groups,
            certificate,
            authority: center.0.authority.certificate(),
            signing_key: desk.public(),
            identity_key: &center.0.identity_key,
            lifetime_seconds: HOST_LIFE.as_secs(),
        }))
    };
    center.work(enrol).await
}

pub(super) async fn renew(
    State(center): State<Center>,
    Extension(peer): Extension<Peer>,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    let renew = move |desk: &mut Desk, center: &Center| {
        let host = host(&peer, desk)?;
        let asked: Renew = body(&bytes)?;
        let issued = center.0.authority.host(&host.name, &asked.request);
        let (certificate, fingerprint) = issued.map_err(|error| Problem::bad(format!("{error:#}"), ""))?;
        desk.store().renew(&host.name, &fingerprint)?;
        Ok(Answer::json(&Renewed { certificate, lifetime_seconds: HOST_LIFE.as_secs() }))
    };
    center.work(renew).await
}

/// Answers at once when there is something newer, else as soon as there is, else with nothing.
pub(super) async fn watch(
    State(center): State<Center>,
    Extension(peer): Extension<Peer>,
    Asked(asked): Asked<Watch>,
) -> Result<Answer, Problem> {
    let hash: Digest = asked.hash.parse().map_err(|_digits| Problem::bad("hash is no digest", ""))?;
    let known = Known { number: asked.number, hash };
    let mut news = center.0.news.subscribe();
    let patience = tokio::time::sleep(Duration::from_secs(asked.wait.min(LONGEST)));
    tokio::pin!(patience);
    let mut whole = asked.whole;
    loop {
        news.borrow_and_update();
        let peer = peer.clone();
        if let Some(bytes) = center.work(move |desk, _| offer(desk, &peer, known, whole)).await? {
            return Ok(Answer::bytes(DELIVERY, Bytes::from(bytes.to_vec())));
        }
        whole = false;
        tokio::select! {
            () = &mut patience => return Ok(Answer::nothing()),
            changed = news.changed() => if changed.is_err() { return Ok(Answer::nothing()) },
        }
    }
}

/// What a host has not got yet. One that is ahead, or on another branch, gets nothing it could believe, and the operator is told.
fn offer(desk: &mut Desk, peer: &Peer, known: Known, whole: bool) -> Result<Option<Arc<Vec<u8>>>, Problem> {
    let host = host(peer, desk)?;
    let ours = desk.known();
    if known == ours {
        return Ok(None);
    }
    if known.number >= ours.number || !desk.is_ours(known)? {
        tracing::error!(
            host = host.name,
            has = known.number,
            ours = ours.number,
            "a host has a revision that is not ours"
        );
        let detail = format!("revision {} of this host is not one of this center's", known.number);
        return Err(Problem::conflict(detail, "was the center restored from an older backup? restore a newer one"));
    }
    Ok(Some(desk.delivery(known.number, whole)?))
}

pub(super) async fn acknowledge(
    State(center): State<Center>,
    Extension(peer): Extension<Peer>,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    let acknowledge = move |desk: &mut Desk, _: &Center| {
        let host = host(&peer, desk)?;
        let ack: Ack = body(&bytes)?;
        let certificate = peer.certificate.as_deref().unwrap_or_default();
        desk.store().acknowledge(&host.name, certificate, host.ack.as_ref(), &ack)?;
        Ok(Answer::nothing())
    };
    center.work(acknowledge).await
}
