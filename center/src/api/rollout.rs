//! The rollout: how it is, on, back; and what hosts say of themselves while one is on.
//!
//! In: the word of an operator; acknowledgements. Out: how it is; hosts as the desk judges them. Never here: the judgement.
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use enforcer_policy::Moment;
use enforcer_policy::revision::{Digest, Known};

use super::hosts::{Compared, MOST, compared};
use super::people::Person;
use super::policy::comment;
use super::problem::{Answer, Problem, Sent};
use super::{Center, lock};
use crate::clock;
use crate::desk::{Desk, HostNow};
use crate::store::{Store, Traffic};

/// What hosts had seen some minutes ago, since this center started.
#[derive(Default)]
pub(super) struct Recent(BTreeMap<String, [(Moment, Traffic); 2]>);

impl Recent {
    /// A host tells its traffic. Two earlier words of it are kept, the older one of five minutes or more ago when it speaks for so long.
    pub(super) fn note(&mut self, host: &str, now: Moment, traffic: Traffic) {
        let [_, newer] = self.0.entry(host.to_owned()).or_insert([(now, traffic); 2]);
        let newer = *newer;
        if newer.0.until(now) >= SPAN || traffic.all < newer.1.all {
            self.0.insert(host.to_owned(), [newer, (now, traffic)]);
        }
    }

    /// What it has seen since then.
    fn of(&self, host: &str, traffic: Traffic) -> Traffic {
        let begun = self.0.get(host).map(|[older, _]| older.1).filter(|older| older.all <= traffic.all);
        begun.map_or_else(Traffic::default, |begun| traffic.minus(begun))
    }
}

impl Center {
    /// A host tells its traffic.
    pub(super) fn hear_traffic(&self, host: &str, traffic: Traffic) {
        lock(&self.0.recent).note(host, clock::now(), traffic);
    }

    /// How often hosts shall speak, in seconds; none when it does not matter.
    pub(super) fn asks(&self) -> Option<u64> {
        let is_on = self.0.rolling.load(Ordering::Relaxed);
        let period = EACH.saturating_mul(u32::try_from(self.0.tally.most_watching()).unwrap_or(u32::MAX));
        is_on.then(|| period.as_secs().clamp(OFTEN, SELDOM))
    }

    /// Hosts as they are to the desk.
    pub(super) fn hosts_now(&self, store: &Store, known: Known, digest: Digest) -> anyhow::Result<Vec<HostNow>> {
        let hosts = compared(store, known, digest, "", MOST)?;
        let recent = lock(&self.0.recent);
        let spoken_to = hosts.into_iter().filter(|one| !one.host.revoked);
        Ok(spoken_to.map(|one| now(one, known, &recent)).collect())
    }
}

fn now(Compared { host, state, .. }: Compared, known: Known, recent: &Recent) -> HostNow {
    let ack = host.ack.unwrap_or_default();
    let lacking = ack.held.left_out + ack.held.skipped.failed;
    let wrong = match state {
        "refuses" => Some(format!("refuses the revision: {}", ack.refused.clone().unwrap_or_default())),
        "forked" => Some("has a revision that is not this center's".to_owned()),
        // It may have heard of a newer one than was known a moment ago.
        "differs" if ack.number == known.number => Some(match lacking {
            0 => "holds something else than the policy says".to_owned(),
            count => format!("cannot carry out {count} decisions, services or filters"),
        }),
        _ => None,
    };
    let before = ack.traffic.map_or_else(Traffic::default, |traffic| recent.of(&host.name, traffic));
    HostNow {
        name: host.name,
        groups: host.groups,
        seen: host.seen,
        revision: ack.number,
        refuses: ack.refused.is_some(),
        wrong,
        lacking,
        tries: ack.traffic,
        before,
    }
}

pub(super) async fn look(State(center): State<Center>, headers: HeaderMap) -> Result<Answer, Problem> {
    center.read(headers, |desk| Ok(shown(desk))).await
}

pub(super) async fn promote(
    State(center): State<Center>,
    headers: HeaderMap,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    let promote = move |desk: &mut Desk, center: &Center| {
        let person = Person::operator(&headers, desk)?;
        let hosts = center.hosts_of(desk)?;
        desk.promote(&hosts, &person.signs(&comment(&bytes)?))?;
        Ok(shown(desk))
    };
    center.work(promote).await
}

pub(super) async fn stop(
    State(center): State<Center>,
    headers: HeaderMap,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    let stop = move |desk: &mut Desk, _: &Center| {
        let person = Person::operator(&headers, desk)?;
        desk.stop_rollout(&person.signs(&comment(&bytes)?))?;
        Ok(shown(desk))
    };
    center.work(stop).await
}

/// The rollout as it stands, or the last one.
fn shown(desk: &Desk) -> Answer {
    Answer::json(&serde_json::json!({ "rollout": desk.rollout() })).tagged(desk.known().number)
}

impl Center {
    /// The same, with the desk in hand.
    pub(super) fn hosts_of(&self, desk: &mut Desk) -> anyhow::Result<Vec<HostNow>> {
        let (known, digest) = (desk.known(), desk.decisions_digest());
        self.hosts_now(desk.store(), known, digest)
    }
}

/// Looks at the rollout now and then, until dropped. All hosts are read over a connection of their own.
pub(crate) async fn watch_rollout(center: Center) {
    let opened = clock::now();
    loop {
        tokio::time::sleep(LOOK).await;
        if let Err(problem) = tend(&center, opened).await {
            tracing::error!(?problem, "the rollout could not be looked after; it stays where it is");
        }
    }
}

async fn tend(center: &Center, opened: Moment) -> Result<(), Problem> {
    if center.asks().is_none() {
        return Ok(());
    }
    let look = |desk: &mut Desk, _: &Center| Ok((desk.known(), desk.decisions_digest(), desk.store().beside()?));
    let (known, digest, store) = center.work(look).await?;
    let reader = center.clone();
    let read = tokio::task::spawn_blocking(move || reader.hosts_now(&store, known, digest)).await;
    let hosts = read.unwrap_or_else(|_panic| Err(anyhow::anyhow!("the hosts could not be read")))?;
    center.work(move |desk, _| Ok(desk.tend_rollout(&hosts, opened)?)).await
}

/// How often it is looked, where a host of a rollout speaks every two seconds; many hosts speak less often.
const LOOK: Duration = Duration::from_secs(1);
const EACH: Duration = Duration::from_millis(4);
const OFTEN: u64 = 2;
const SELDOM: u64 = 25;
/// Between two words that are kept.
const SPAN: Duration = Duration::from_mins(5);
