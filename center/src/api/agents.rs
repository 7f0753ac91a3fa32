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
use super::problem::{Answer, Asked, Problem, Sent, body};
use crate::authority::HOST_LIFE;
use crate::desk::{Desk, News};
use crate::serve::Peer;
use crate::store::{Ack, Host, Said};

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
    /// The last question that it has answered on this connection, if it can answer any.
    answered: Option<u64>,
    /// Which modules it knows to be published for it, if it can run any.
    modules: Option<String>,
}

/// Seconds that a host may wait.
const LONGEST: u64 = 60;
/// Time between two hosts that come back: a handshake costs a center about a millisecond.
const EACH: Duration = Duration::from_millis(4);
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST_SPREAD: Duration = Duration::from_secs(30);
/// The header that tells hosts, in milliseconds.
const SPREAD: &str = "enforcer-spread";
/// The header that asks hosts for more than every agent tells, and how many seconds they shall wait at most until they speak again.
const ASKS: &str = "enforcer-asks";
const TRAFFIC: &str = "traffic";
const FORESIGHT: &str = "foresight";
const MODULES: &str = "modules";
/// The header with the number of a question, see `foresight`.
const QUESTION: &str = "enforcer-question";
/// The header with the digest of what is published for a host, see `loaders`.
const PUBLISHED: &str = "enforcer-modules";
const DELIVERY: &str = "application/vnd.enforcer.delivery";

pub(super) async fn enrol(State(center): State<Center>, Sent(bytes): Sent) -> Result<Answer, Problem> {
    let enrol = move |desk: &mut Desk, center: &Center| {
        let asked: Enrol = body(&bytes)?;
        let open = || Problem::forbidden("the one-time token is wrong, used up or over");
        let mut invited = desk.store().invitation(&asked.id, &asked.secret)?.ok_or_else(open)?;
        // A group of its own, so that a rollout can begin with one host.
        invited.groups.extend((!invited.host.contains(',')).then(|| format!("host:{}", invited.host)));
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
    let host = center.host(&peer)?;
    let renew = move |desk: &mut Desk, center: &Center| {
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
    let modules = asked.modules.as_deref().map(str::parse).transpose();
    let modules: Option<Digest> = modules.map_err(|_digits| Problem::bad("modules is no digest", ""))?;
    let news = center.0.news.subscribe();
    let _watching = center.0.tally.watch();
    let answer = wait(&center, &peer, (known, modules), &asked, news).await?;
    let spread = spread(center.0.tally.most_watching());
    Ok(answer.with_header(SPREAD, &spread.as_millis().to_string()).with_header(ASKS, &asks(&center)))
}

fn asks(center: &Center) -> String {
    let every = center.asks().map_or_else(String::new, |seconds| format!(" {seconds}"));
    format!("{TRAFFIC}{every} {FORESIGHT} {MODULES}")
}

/// Over how long a time hosts shall come back when they have lost this center: all at once would be a peak that it need not bear.
fn spread(hosts: u64) -> Duration {
    let each = EACH.saturating_mul(u32::try_from(hosts).unwrap_or(u32::MAX));
    each.clamp(SHORTEST, LONGEST_SPREAD)
}

async fn wait(
    center: &Center,
    peer: &Peer,
    (known, modules): (Known, Option<Digest>),
    asked: &Watch,
    mut news: tokio::sync::watch::Receiver<Arc<News>>,
) -> Result<Answer, Problem> {
    let mut whole = asked.whole;
    let foresight = &center.0.foresight;
    let mut questions = foresight.subscribe();
    let mut shelf = center.0.shelf.subscribe();
    let patience = tokio::time::sleep(Duration::from_secs(asked.wait.min(LONGEST)));
    tokio::pin!(patience);
    loop {
        let present = Arc::clone(&news.borrow_and_update());
        let host = center.host(peer)?;
        let name = host.name.clone();
        shelf.mark_unchanged();
        let published = modules.map(|_known| center.modules_for(&host.groups).digest);
        if !whole && known == present.before && present.delivery.is_some() {
            // What nearly all hosts need, all at once.
            return Ok(present.delivery.clone().map_or_else(Answer::nothing, |bytes| delivery(center, bytes)));
        }
        if known != present.known {
            match center.work(move |desk, _| offer(desk, &host, known, whole)).await? {
                Offer::Delivery(bytes) => return Ok(delivery(center, bytes)),
                Offer::Later => {
                    tokio::select! {
                        () = &mut patience => return Ok(Answer::nothing()),
                        () = center.snapshot() => continue,
                    }
                }
                Offer::Nothing => {}
            }
        }
        whole = false;
        if let Some(seen) = asked.answered {
            foresight.listens(&name);
            if let Some(number) = foresight.after(seen) {
                return Ok(Answer::nothing().with_header(QUESTION, &number.to_string()));
            }
        }
        if let Some(digest) = published.filter(|digest| Some(*digest) != modules) {
            return Ok(Answer::nothing().with_header(PUBLISHED, &digest.to_string()));
        }
        tokio::select! {
            () = &mut patience => return Ok(Answer::nothing()),
            changed = news.changed() => if changed.is_err() { return Ok(Answer::nothing()) },
            _ = questions.changed(), if asked.answered.is_some() => {}
            _ = shelf.changed(), if modules.is_some() => {}
        }
    }
}

fn delivery(center: &Center, bytes: Bytes) -> Answer {
    center.0.tally.deliver(bytes.len());
    Answer::bytes(DELIVERY, bytes)
}

/// What there is for a host.
enum Offer {
    Delivery(Bytes),
    /// When a snapshot has been taken.
    Later,
    Nothing,
}

/// What a host has not got yet. One that is ahead, or on another branch, gets nothing it could believe, and the operator is told.
fn offer(desk: &mut Desk, host: &Host, known: Known, whole: bool) -> Result<Offer, Problem> {
    let ours = desk.known();
    if known == ours {
        return Ok(Offer::Nothing);
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
    Ok(desk.delivery(known.number, whole)?.map_or(Offer::Later, Offer::Delivery))
}

pub(super) async fn acknowledge(
    State(center): State<Center>,
    Extension(peer): Extension<Peer>,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    let host = center.host(&peer)?;
    let ack: Ack = body(&bytes)?;
    let is_new = host.ack.is_none_or(|before| before.number != ack.number);
    let (reached, refused) = (is_new.then_some(ack.number), ack.refused.is_some());
    let certificate = peer.certificate.unwrap_or_default();
    if let Some(traffic) = ack.traffic {
        center.hear_traffic(&host.name, traffic);
    }
    let kept = center.0.clerk.keep(Said { host: host.name, certificate, ack }).await;
    match &kept {
        Ok(()) => center.0.tally.keep(reached, refused),
        Err(_problem) => center.0.tally.lose(),
    }
    kept.map(|()| Answer::nothing().with_header(ASKS, &asks(&center)))
}
