//! Decisions of CrowdSec in this host's ledger and kernel. In: the configuration; answers of its local API. Out: decisions with the origin
//! `crowdsec`, and their end. Never here: the protocol (`enforcer-crowdsec`); a decision that was made otherwise is never touched, and the
//! allowlist wins in the data path as ever.
//!
//! While CrowdSec is away, what it decided stays until its own end. A decision of CrowdSec that is ended by hand stays ended until CrowdSec
//! decides anew, or the agent restarts.
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use enforcer_crowdsec::{Answer, Book, Client, CrowdSecError, Ignored, Place, Who, Wish};
use enforcer_policy::{Action, Change, Decision, Moment, Note, Order, Origin, Scope, Subject, put, remove};

use super::core::Core;
use super::orders::token;
use super::{Shared, clock};
use crate::apply::apply_one;
use crate::config::CrowdSec;
use crate::metrics::CrowdSecCounts;
use crate::store::Record;

/// What CrowdSec is told of who asks.
const AGENT: &str = concat!("enforcer-agent/v", env!("CARGO_PKG_VERSION"));
/// Wishes that are carried out at once; then others may speak to the agent.
const AT_ONCE: usize = 1024;
/// How often the whole list is asked for.
const WHOLE: Duration = Duration::from_mins(10);
/// Milliseconds by which two ends may differ and be the same.
const SLACK: u64 = 5000;
/// While nothing is configured.
const IDLE: Duration = Duration::from_secs(1);

/// What is known of CrowdSec here.
#[derive(Default)]
pub(super) struct CrowdSecState {
    /// Ended by hand, and when they would have ended.
    lifted: HashMap<Subject, Moment>,
    /// Those on which something else stands.
    local: BTreeSet<Who>,
    refused: u64,
    ignored: Ignored,
    without_room: u64,
    wanted: u64,
    last: Option<Moment>,
}

/// Asks until dropped.
pub(super) async fn ask_crowdsec(core: Shared) {
    loop {
        let wanted = core.lock().config.crowdsec.clone();
        match wanted {
            None => tokio::time::sleep(IDLE).await,
            Some(settings) => follow(&core, &settings).await,
        }
    }
}

/// Follows one API until the configuration names another.
async fn follow(core: &Shared, settings: &CrowdSec) {
    let known = core.lock().ledger.iter().filter(|one| one.note.origin == Origin::CrowdSec).count();
    let mut book = Book::new(settings.most as usize, known);
    let (mut whole_at, mut is_first) = (Moment(0), true);
    while core.lock().config.crowdsec.as_ref() == Some(settings) {
        let now = clock::now();
        let whole = now >= whole_at;
        match round(core, settings, &mut book, whole).await {
            Ok(doubtful) => {
                if whole {
                    whole_at = now.plus(WHOLE);
                }
                if is_first {
                    core.lock().end_unnamed(&book);
                    is_first = false;
                }
                if doubtful {
                    whole_at = now;
                }
                drop(core.lock().problems.remove("crowdsec"));
            }
            Err(problem) => {
                // A delta that was not read to its end is lost.
                whole_at = now;
                if core.lock().problems.insert("crowdsec", problem.clone()).is_none() {
                    tracing::warn!(problem, "CrowdSec; what it decided before stays until its own end");
                }
            }
        }
        tokio::time::sleep(settings.interval).await;
    }
}

/// One question; tells whether the whole list should be asked for next.
async fn round(core: &Shared, settings: &CrowdSec, book: &mut Book, whole: bool) -> Result<bool, String> {
    let said = |error: CrowdSecError| error.to_string();
    let place = Place::new(&settings.url, settings.authority.as_deref(), AGENT).map_err(said)?;
    let client = Client::new(place, &settings.key_file).map_err(said)?;
    let json = client.ask(whole).await.map_err(said)?;
    // A long list takes its time, and traffic must not wait.
    let read = tokio::task::spawn_blocking(move || Answer::read(&json)).await;
    let answer = read.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    let (now, ignored) = (clock::now(), answer.ignored);
    book.expire(now);
    let (wishes, doubtful) = if whole {
        (book.take_whole(answer, now).map_err(|refused| refused.to_string())?, false)
    } else {
        book.take(answer, now)
    };
    for some in wishes.chunks(AT_ONCE) {
        core.lock().take_wishes(some);
        tokio::task::yield_now().await;
    }
    core.lock().asked_crowdsec(book, ignored);
    Ok(doubtful)
}

impl Core {
    fn take_wishes(&mut self, wishes: &[Wish]) {
        let mut records = Vec::new();
        for wish in wishes {
            match wish {
                Wish::Ban(who, until, reason) => self.ban(who, *until, reason, &mut records),
                Wish::Free(who) => self.free(who, &mut records),
            }
        }
        if !records.is_empty() {
            // A problem for `status`, and noted there.
            let _ = self.keep(&records);
        }
    }

    fn ban(&mut self, who: &Who, until: Moment, reason: &str, records: &mut Vec<Record>) {
        let Some(subject) = self.subject_of(who) else {
            self.crowdsec.refused += 1;
            return;
        };
        let before = self.ledger.get(&subject, &Scope::All);
        if before.as_ref().is_some_and(|before| before.note.origin != Origin::CrowdSec) {
            self.crowdsec.local.insert(who.clone());
            return;
        }
        self.crowdsec.local.remove(who);
        // CrowdSec says how long something lasts, so its end is a little different each time.
        let said = before.as_ref().and_then(|before| before.until);
        let lifted = self.crowdsec.lifted.get(&subject);
        if said.is_some_and(|end| end.0.abs_diff(until.0) < SLACK) || lifted.is_some_and(|end| until.0 < end.0 + SLACK)
        {
            return;
        }
        let approved_by = "crowdsec".to_owned();
        let note = Note { reason: reason.to_owned(), origin: Origin::CrowdSec, approved_by, created: clock::now() };
        let action = if subject.kind().is_token() { Action::Deny } else { Action::Drop };
        let order = Order {
            subject,
            scope: Scope::All,
            action,
            rate: None,
            until: Some(until),
            shorten: true,
            wide: false,
            note: Arc::new(note),
        };
        self.order_of_crowdsec(order, before, records);
    }

    fn order_of_crowdsec(&mut self, order: Order, before: Option<Decision>, records: &mut Vec<Record>) {
        let entropy = self.entropy();
        let blocked = match self.ledger.block(order, clock::now(), entropy) {
            Ok(blocked) => blocked,
            Err(refusal) => {
                self.crowdsec.refused += 1;
                tracing::debug!(%refusal, "a decision of CrowdSec was refused");
                return;
            }
        };
        if blocked.change == Change::Unchanged {
            return;
        }
        let decision = blocked.decision;
        if let Err(error) = apply_one(&mut self.kernel, &put(&decision, &clock::both())) {
            self.ledger.unblock_id(decision.id);
            if let Some(before) = before {
                self.ledger.insert_raw(before);
            }
            self.crowdsec.refused += 1;
            self.note_if_full(&error);
            return;
        }
        records.push(Record::Put(decision));
    }

    fn free(&mut self, who: &Who, records: &mut Vec<Record>) {
        self.crowdsec.local.remove(who);
        let Some(subject) = self.subject_of(who) else { return };
        self.crowdsec.lifted.remove(&subject);
        let ours = self.ledger.get(&subject, &Scope::All).filter(|one| one.note.origin == Origin::CrowdSec);
        if let Some(decision) = ours {
            self.end_of_crowdsec(&decision, records);
        }
    }

    fn end_of_crowdsec(&mut self, decision: &Decision, records: &mut Vec<Record>) {
        if let Err(error) = apply_one(&mut self.kernel, &remove(decision)) {
            tracing::warn!(id = %decision.id, %error, "an ended decision could not be taken out; the next comparison tries again");
        }
        self.ledger.unblock_id(decision.id);
        records.push(Record::Remove(decision.id));
    }

    /// With the first whole list: what the journal brought back and CrowdSec no longer names is over.
    fn end_unnamed(&mut self, book: &Book) {
        let named: HashSet<Subject> = book.banned().filter_map(|who| self.subject_of(who)).collect();
        let is_over = |one: &Decision| one.note.origin == Origin::CrowdSec && !named.contains(&one.subject);
        let over: Vec<Decision> = self.ledger.iter().filter(is_over).collect();
        let mut records = Vec::new();
        for decision in &over {
            self.end_of_crowdsec(decision, &mut records);
        }
        if !records.is_empty() {
            // A problem for `status`, and noted there.
            let _ = self.keep(&records);
        }
    }

    fn asked_crowdsec(&mut self, book: &Book, ignored: Ignored) {
        let state = &mut self.crowdsec;
        state.ignored.measures += ignored.measures;
        state.ignored.scopes += ignored.scopes;
        state.ignored.values += ignored.values;
        state.without_room = book.without_room;
        state.wanted = book.len() as u64;
        let now = clock::now();
        state.last = Some(now);
        state.lifted.retain(|_, end| end.plus(WHOLE) > now);
        // What stood in the way may have ended.
        if !state.local.is_empty() {
            let waiting = std::mem::take(&mut state.local);
            self.take_wishes(&book.wishes(waiting));
        }
    }

    /// One of CrowdSec's was ended by hand.
    pub(super) fn lift_crowdsec(&mut self, decision: &Decision) {
        if decision.note.origin == Origin::CrowdSec {
            self.crowdsec.lifted.insert(decision.subject.clone(), decision.until.unwrap_or_default());
        }
    }

    fn subject_of(&self, who: &Who) -> Option<Subject> {
        match who {
            Who::Ip(prefix) => Some(Subject::Ip(*prefix)),
            Who::Token(kind, raw) => Subject::with_token(*kind, token(raw, self.key).ok()?),
        }
    }

    /// What is exported as metrics.
    pub(super) fn crowdsec_counts(&self) -> CrowdSecCounts {
        let CrowdSecState { ignored, refused, without_room, wanted, last, local, .. } = &self.crowdsec;
        CrowdSecCounts {
            wanted: *wanted,
            behind_local: local.len() as u64,
            left_out: vec![
                ("measure", ignored.measures),
                ("scope", ignored.scopes),
                ("value", ignored.values),
                ("refused", *refused),
                ("room", *without_room),
            ],
            last: *last,
        }
    }
}
