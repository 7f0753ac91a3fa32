//! Comes for the samples of the kernel, now and then. In: the ring. Out: followers of requests are told of each exchange; the
//! kernel learns whose sessions are whose; the inventory takes each call.
use std::collections::HashSet;
use std::mem;
use std::time::Duration;

use enforcer_common::{Reason, SubjectKind, Verdict, siphash};
use enforcer_insight::http::Head;
use enforcer_policy::DecisionId;

use super::core::Core;
use super::{Shared, clock};
use crate::exchanges::{Exchange, Joiner, user_of};
use crate::kernel::{SampleRing, monotonic};
use crate::wire::{Identity, Reply, RequestReport};

/// How long the kernel's samples wait while there are some, and while there are none.
const BUSY: Duration = Duration::from_millis(20);
const IDLE: Duration = Duration::from_millis(100);
/// Samples at a time, so that others get their turn.
const BATCH: usize = 2048;
/// Exchanges that are taken before somebody else may speak to the agent.
const TOGETHER: usize = 32;
/// Sessions whose users were learned lately.
const LEARNED: usize = 32_768;
/// Bytes of a method and a path that are shown.
const SHOWN: usize = 512;

/// Sessions whose users the kernel was told lately: two generations, so that the oldest are forgotten.
#[derive(Default)]
pub(super) struct Learned {
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl Learned {
    fn knows(&self, session: u64) -> bool {
        self.young.contains(&session) || self.old.contains(&session)
    }

    fn note(&mut self, session: u64) {
        if self.young.len() == LEARNED {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(session);
    }
}

/// Reads until dropped.
pub(super) async fn read_samples(core: Shared, mut ring: SampleRing) {
    let mut joiner = Joiner::default();
    loop {
        let mut done = Vec::new();
        let drained = ring.drain(BATCH, |sample| done.extend(joiner.take(sample)));
        let now = monotonic();
        done.extend(std::iter::from_fn(|| joiner.give_up(now)));
        // What the kernel must know comes first. Of a crowd the ring keeps what it has room for and counts the rest.
        core.lock().take_urgent(&done);
        for some in done.chunks(TOGETHER) {
            core.lock().take_calls(some);
            // Orders come between.
            tokio::task::yield_now().await;
        }
        match drained {
            BATCH => tokio::task::yield_now().await,
            0 => tokio::time::sleep(IDLE).await,
            _ => tokio::time::sleep(BUSY).await,
        }
    }
}

impl Core {
    fn take_urgent(&mut self, exchanges: &[Exchange]) {
        for exchange in exchanges {
            self.learn(exchange);
            self.note_caller(exchange);
            if self.requests.receiver_count() > 0 {
                let report = self.exchange_in_words(exchange);
                // The last one has just gone: fine.
                let _ = self.requests.send(Reply::Request(Box::new(report)));
            }
        }
    }

    /// Tells the kernel whose session it was, when the server has served a token that says so.
    fn learn(&mut self, exchange: &Exchange) {
        let session = digest(exchange, SubjectKind::Session);
        let served = exchange.answer.as_ref().is_some_and(|answer| answer.status < 400);
        if session == 0 || !served || self.learned.knows(session) {
            return;
        }
        let Some(user) = self.user_of(exchange) else { return };
        match self.kernel.put_session_user(session, siphash(self.key, user.as_bytes())) {
            Ok(()) => self.learned.note(session),
            Err(error) => tracing::debug!(%error, "a session's user could not be noted"),
        }
    }

    fn user_of(&self, exchange: &Exchange) -> Option<String> {
        let service = self.service_with(exchange.asking.service)?;
        let head = Head::read(&exchange.head).ok().flatten()?;
        user_of(service, &head, self.key, digest(exchange, SubjectKind::Session))
    }

    fn exchange_in_words(&self, exchange: &Exchange) -> RequestReport {
        let asking = &exchange.asking;
        let (method, path, host) = request_line(exchange);
        let answer = exchange.answer.as_ref();
        let identity = |kind: &SubjectKind| {
            let digest = digest(exchange, *kind);
            (digest != 0).then(|| Identity { kind: *kind, digest: format!("{digest:016x}") })
        };
        RequestReport {
            time: clock::on_the_wall(asking.time),
            id: format!("{:016x}", asking.id),
            service: self.service_name(asking.service),
            interface: self.interface_name(asking.ifindex),
            source: asking.source.into(),
            source_port: asking.source_port,
            client: (asking.client != enforcer_common::Address::default()).then(|| asking.client.into()),
            method,
            path,
            host,
            reason: Reason::ALL.get(usize::from(asking.reason)).copied().unwrap_or(Reason::RequestClean),
            verdict: Verdict::ALL.get(usize::from(asking.verdict)).copied().unwrap_or(Verdict::Pass),
            decision: (asking.decision != 0).then_some(DecisionId(asking.decision)),
            identities: SubjectKind::ALL.iter().filter_map(identity).collect(),
            head_bytes: asking.head,
            status: answer.map(|answer| answer.status).filter(|status| *status != 0),
            first_byte: answer.map(|answer| answer.first_byte),
            took: answer.map(|answer| answer.whole),
            bytes: answer.map(|answer| answer.bytes),
            complete: answer.is_some_and(|answer| answer.complete),
        }
    }
}

fn digest(exchange: &Exchange, kind: SubjectKind) -> u64 {
    exchange.asking.digests.get(kind as usize).copied().unwrap_or(0)
}

/// Method, path without its query, and host, as far as they can be shown.
fn request_line(exchange: &Exchange) -> (String, String, Option<String>) {
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes.get(..SHOWN).unwrap_or(bytes)).into_owned();
    let line =
        exchange.head.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let host =
        Head::read(&exchange.head).ok().flatten().and_then(|head| head.values("host").next().map(|host| shown(host)));
    (shown(method), shown(path), host)
}
