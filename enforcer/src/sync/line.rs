//! The conversation: watch from what is here, verify, keep, hand over, acknowledge; and again.
//!
//! In: a host to hand changes to. Out: acknowledgements. Never here: an end: only the task's own ends it.
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use enforcer_policy::Moment;
use enforcer_policy::document::Base;
use enforcer_policy::reach::{Answer, Question};
use enforcer_policy::revision::{Accepted, Delta, Digest, Known, Replica};
use hyper::{Method, StatusCode};
use serde::Serialize;

use super::backoff::Backoff;
use super::{Enrolment, Https, Server, Shelf, SyncError};

/// Whoever enforces what is verified here.
pub trait Host {
    /// The wall clock.
    fn now(&self) -> Moment;
    /// Carries out a change; what cannot be carried out is told in `held`.
    fn carry_out(&self, delta: &Delta) -> impl Future<Output = ()>;
    /// What the kernel holds of the center's decisions.
    fn held(&self) -> Held;
    /// What it has seen since its counters began.
    fn traffic(&self) -> Option<Traffic> {
        None
    }
    /// Whom decisions would have hit here that somebody thinks of.
    fn foresee(&self, _question: &Question) -> impl Future<Output = Answer> {
        std::future::ready(Answer::default())
    }
    /// Which modules of the center are held.
    fn modules_held(&self) -> Digest {
        Digest::default()
    }
    /// The center publishes these now.
    fn announce_modules(&self, _digest: Digest) {}
    /// What is known here is what the center says; with all of it but the decisions.
    fn settled(&self, base: &Base);
    /// How the line is, for `status`.
    fn tell(&self, phase: Phase, known: Known);
    /// The center has this host's word that it is at this revision, on its disk.
    fn acknowledged(&self, _known: Known) {}
}

/// How the line is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Phase {
    /// All is well.
    Connected,
    /// A delivery was refused; the policy before stays.
    Refused(String),
    /// The center does not answer, or not as it should.
    Lost(String),
}

/// What the kernel holds.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Held {
    /// Decisions of the center in force.
    pub decisions: u64,
    /// Their digest.
    pub digest: Digest,
    /// Those that are not, by reason.
    pub skipped: Skipped,
    /// Decisions made on this host.
    pub local: u64,
    /// Services and cells of the matrix that cannot be carried out here. Centers that do not know of it need not hear of none.
    #[serde(skip_serializing_if = "is_none")]
    pub left_out: u64,
}

/// Decisions of the center that are not in force here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Skipped {
    /// For other hosts.
    pub elsewhere: u64,
    /// This host's own decision stands.
    pub local: u64,
    /// Ended here by hand.
    pub lifted: u64,
    /// No room, or no meaning.
    pub failed: u64,
}

/// What a host has seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Traffic {
    /// Requests, and packets dropped by their source or flow.
    pub all: u64,
    /// Those that were refused.
    pub refused: u64,
}

/// What the center is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Ack {
    number: u64,
    hash: Digest,
    held: Held,
    refused: Option<String>,
    version: String,
    gateways: Vec<IpAddr>,
    /// Only for a center that asks: those from before would not take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    traffic: Option<Traffic>,
}

/// The line of one host.
pub struct Line {
    replica: Replica,
    shelf: Shelf,
    enrolment: Enrolment,
    server: Server,
    state: PathBuf,
    backoff: Backoff,
}

impl Line {
    /// Of an enrolled host.
    pub fn new(enrolment: Enrolment, replica: Replica, shelf: Shelf, state: PathBuf) -> Result<Self, SyncError> {
        let server = enrolment.server()?;
        Ok(Self { replica, shelf, enrolment, server, state, backoff: Backoff::default() })
    }

    /// Talks for ever.
    pub async fn run(mut self, host: impl Host) {
        loop {
            let Err(error) = self.converse(&host).await;
            if self.backoff.is_fresh() {
                tracing::warn!(error = error.to_string(), center = ?self.server, "the center is away; enforcement goes on");
            }
            let pause = match error {
                SyncError::Unreachable(_) => self.backoff.next(),
                SyncError::Answer { .. } | SyncError::File { .. } | SyncError::Flaw(_) | SyncError::Meaningless(_) => {
                    self.backoff.grown()
                }
            };
            let phase = if let SyncError::Flaw(flaw) = error {
                Phase::Refused(flaw.to_string())
            } else {
                Phase::Lost(error.to_string())
            };
            host.tell(phase, self.replica.known());
            tokio::time::sleep(pause).await;
        }
    }

    async fn converse(&mut self, host: &impl Host) -> Result<std::convert::Infallible, SyncError> {
        let mut https = self.server.connect().await?;
        self.acknowledge(&mut https, host, None).await?;
        self.backoff.connected();
        host.tell(Phase::Connected, self.replica.known());
        loop {
            if let Err(error) = self.renew(&mut https, host).await {
                tracing::warn!(%error, "the certificate was not renewed; the present one goes on");
            }
            let Some(bytes) = self.watch(&mut https, host).await? else {
                self.backoff.reset();
                host.settled(self.replica.content().base());
                if let Some(digest) = https.modules_news() {
                    host.announce_modules(digest);
                    continue;
                }
                if let Some(number) = https.question() {
                    answer(&mut https, host, number).await?;
                    continue;
                }
                let traffic = https.asks().traffic.then(|| host.traffic()).flatten();
                self.tell(&mut https, host, None, traffic).await?;
                continue;
            };
            match self.replica.accept(&bytes, &self.enrolment.groups, Some(host.now())) {
                Ok(accepted) => self.take(&bytes, &accepted, host).await,
                Err(flaw) => {
                    tracing::error!(%flaw, "a revision was refused; the one before stays in force");
                    self.acknowledge(&mut https, host, Some(flaw.to_string())).await?;
                    return Err(flaw.into());
                }
            }
            self.backoff.reset();
            host.settled(self.replica.content().base());
            host.tell(Phase::Connected, self.replica.known());
            self.acknowledge(&mut https, host, None).await?;
        }
    }

    /// A new certificate in time; then the connection is made anew with it.
    async fn renew(&mut self, https: &mut Https, host: &impl Host) -> Result<(), SyncError> {
        if host.now() < self.enrolment.renew_at {
            return Ok(());
        }
        let renewed = self.enrolment.renewed(https, host.now()).await?;
        renewed.save(&self.state)?;
        self.server = renewed.server()?;
        self.enrolment = renewed;
        *https = self.server.connect().await?;
        tracing::info!("the certificate was renewed");
        Ok(())
    }

    async fn watch(&mut self, https: &mut Https, host: &impl Host) -> Result<Option<bytes::Bytes>, SyncError> {
        let (Known { number, hash }, whole) = (self.replica.known(), self.shelf.is_long());
        let wait = https.asks().every.unwrap_or(WAIT).min(WAIT);
        let answered = if https.asks().foresight { format!("&answered={}", https.answered()) } else { String::new() };
        let modules = https.modules().unwrap_or_else(|| host.modules_held());
        let modules = if https.asks().modules { format!("&modules={modules}") } else { String::new() };
        let path = format!("/v1/agent/watch?number={number}&hash={hash}&wait={wait}&whole={whole}{answered}{modules}");
        let patience = Duration::from_secs(wait) + PATIENCE;
        let (status, bytes) = https.ask(Method::GET, &path, Vec::new(), patience).await?;
        if let Some(spread) = https.spread() {
            self.backoff.spread(spread);
        }
        Ok((status == StatusCode::OK).then_some(bytes))
    }

    /// Enforced first: a disk may think for seconds. A start after a crash in between leaves the center's decisions alone until
    /// the center has spoken, see [`Host::settled`].
    async fn take(&mut self, bytes: &[u8], accepted: &Accepted, host: &impl Host) {
        host.carry_out(&accepted.delta).await;
        if let Err(error) = self.shelf.keep(bytes, accepted.kind) {
            tracing::error!(%error, "a revision is enforced but not kept; a restart asks for it again");
        }
        let number = self.replica.known().number;
        tracing::info!(
            number,
            put = accepted.delta.put.len(),
            removed = accepted.delta.remove.len(),
            "revision in force"
        );
    }

    /// Tells the center what is new. Its counters are read only where they are wanted often: a delivery costs no more than it must.
    async fn acknowledge(
        &mut self,
        https: &mut Https,
        host: &impl Host,
        refused: Option<String>,
    ) -> Result<(), SyncError> {
        let traffic = https.asks().every.and_then(|_| host.traffic());
        self.tell(https, host, refused, traffic).await
    }

    async fn tell(
        &mut self,
        https: &mut Https,
        host: &impl Host,
        refused: Option<String>,
        traffic: Option<Traffic>,
    ) -> Result<(), SyncError> {
        let Known { number, hash } = self.replica.known();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let ack = Ack { number, hash, held: host.held(), refused, version, gateways: gateways(), traffic };
        let body = serde_json::to_vec(&ack).map_err(SyncError::line)?;
        https.ask(Method::POST, "/v1/agent/ack", body, PATIENCE).await?;
        host.acknowledged(self.replica.known());
        Ok(())
    }
}

/// Answers what the center wants to know beforehand. One that is over needs no answer.
async fn answer(https: &mut Https, host: &impl Host, number: u64) -> Result<(), SyncError> {
    let path = format!("/v1/agent/questions/{number}");
    let question = match https.ask(Method::GET, &path, Vec::new(), PATIENCE).await {
        Ok((_, bytes)) => serde_json::from_slice::<Question>(&bytes).map_err(SyncError::line)?,
        Err(SyncError::Answer { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    let answer = serde_json::to_vec(&host.foresee(&question.bounded()).await).map_err(SyncError::line)?;
    match https.ask(Method::POST, &path, answer, PATIENCE).await {
        Ok(_) | Err(SyncError::Answer { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

/// The default gateways of IPv4, which no decision should cut off.
fn gateways() -> Vec<IpAddr> {
    let text = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
    let gateway = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (destination, gateway) = (fields.get(1)?, fields.get(2)?);
        let address = u32::from_str_radix(gateway, 16).ok().filter(|address| *address != 0)?;
        (*destination == "00000000").then(|| IpAddr::from(address.to_le_bytes()))
    };
    text.lines().skip(1).filter_map(gateway).collect()
}

/// Seconds that one watch may last.
const WAIT: u64 = 25;
const PATIENCE: Duration = Duration::from_secs(20);
