//! CrowdSec as a source: its bans on every host.
//!
//! In: settings; answers of its local API. Out: what it wants, to the desk; tokens are digested with the fleet's key here and go no further.
//! Never here: the protocol (`enforcer-crowdsec`), what may stand in the way of a wish (`desk/sources.rs`). While CrowdSec is away, what it
//! decided stays until its own end.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use enforcer_common::SipKey;
use enforcer_crowdsec::{Answer, Book, Client, CrowdSecError, Ignored, Place, Who, Wish};
use enforcer_policy::document::WrittenSubject;
use enforcer_policy::{Action, Moment, Subject};

use super::AGENT;
use super::settings::CrowdSecSettings;
use crate::api::Center;
use crate::clock;
use crate::desk::{Want, Wants};

/// Its name among sources.
pub(crate) const NAME: &str = "crowdsec";

/// Who follows it.
struct Follower {
    settings: CrowdSecSettings,
    key: SipKey,
    book: Book,
    /// When the whole list is asked for.
    whole_at: Moment,
    /// Items that mean nothing here, of the last whole list and since.
    ignored: Ignored,
    unreadable: BTreeSet<Who>,
}

/// Follows it until dropped; idle where none is configured.
pub(crate) async fn run(settings: Option<CrowdSecSettings>, center: Center) {
    let Some(settings) = settings else { return std::future::pending().await };
    let (key, kept) = loop {
        if let Some(known) = center.source_begins(NAME).await {
            break known;
        }
        tokio::time::sleep(settings.interval).await;
    };
    let book = Book::new(settings.most, kept);
    let mut follower =
        Follower { settings, key, book, whole_at: Moment(0), ignored: Ignored::default(), unreadable: BTreeSet::new() };
    loop {
        follower.round(&center).await;
        tokio::time::sleep(follower.settings.interval).await;
    }
}

impl Follower {
    async fn round(&mut self, center: &Center) {
        let whole = clock::now() >= self.whole_at;
        match self.asked(whole).await {
            Ok(wants) => {
                center.take_source(NAME, wants, WHOLE + self.settings.interval * 2).await;
                center.sources().ignores(NAME, self.counted());
            }
            Err(why) => {
                // A delta that was not read to its end is lost.
                self.whole_at = Moment(0);
                center.source_failed(NAME, &why);
            }
        }
    }

    /// What it wants now; or why it cannot be asked.
    async fn asked(&mut self, whole: bool) -> Result<Wants, String> {
        let said = |error: CrowdSecError| error.to_string();
        let CrowdSecSettings { url, authority, key_file, .. } = &self.settings;
        // Read anew each time: a key may be replaced.
        let place = Place::new(url, authority.as_deref(), AGENT).map_err(said)?;
        let json = Client::new(place, key_file).map_err(said)?.ask(whole).await.map_err(said)?;
        // A long list takes its time, and hosts must not wait.
        let read = tokio::task::spawn_blocking(move || Answer::read(&json)).await;
        let answer = read.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let now = clock::now();
        self.book.expire(now);
        let Ignored { measures, scopes, values } = answer.ignored;
        let wishes = if whole {
            let wishes = self.book.take_whole(answer, now).map_err(|refused| refused.to_string())?;
            self.whole_at = now.plus(WHOLE);
            self.ignored = Ignored { measures, scopes, values };
            self.unreadable.clear();
            wishes
        } else {
            let (wishes, doubtful) = self.book.take(answer, now);
            if doubtful {
                self.whole_at = now;
            }
            self.ignored.measures += measures;
            self.ignored.scopes += scopes;
            self.ignored.values += values;
            wishes
        };
        Ok(self.wants(wishes, whole))
    }

    fn wants(&mut self, wishes: Vec<Wish>, whole: bool) -> Wants {
        let (mut put, mut free) = (Vec::new(), Vec::new());
        let mut reasons: BTreeMap<String, Arc<str>> = BTreeMap::new();
        for wish in wishes {
            match wish {
                Wish::Ban(who, until, reason) => {
                    let Some(subject) = self.subject(&who) else {
                        self.unreadable.insert(who);
                        continue;
                    };
                    let action = if subject.kind().is_token() { Action::Deny } else { Action::Drop };
                    let reason =
                        Arc::clone(reasons.entry(reason).or_insert_with_key(|reason| Arc::from(reason.as_str())));
                    put.push(Want {
                        subject,
                        action,
                        until: Some(until),
                        reason,
                        groups: self.settings.groups.clone(),
                    });
                }
                Wish::Free(who) => {
                    self.unreadable.remove(&who);
                    free.extend(self.subject(&who));
                }
            }
        }
        if whole { Wants::All(put) } else { Wants::Some { put, free } }
    }

    /// The same as everywhere; none for a token that no request can carry.
    fn subject(&self, who: &Who) -> Option<Subject> {
        match who {
            Who::Ip(prefix) => Some(Subject::Ip(*prefix)),
            Who::Token(kind, raw) => {
                let raw = raw.trim();
                let sound =
                    (1..=enforcer_common::limits::TOKEN).contains(&raw.len()) && !raw.contains(char::is_control);
                WrittenSubject::Raw(*kind, raw.to_owned()).sealed(self.key).filter(|_| sound)
            }
        }
    }

    fn counted(&self) -> BTreeMap<&'static str, u64> {
        let Ignored { measures, scopes, values } = self.ignored;
        let values = values + self.unreadable.len() as u64;
        let rows = [("measure", measures), ("scope", scopes), ("value", values), ("most", self.book.without_room)];
        rows.into_iter().filter(|(_, count)| *count > 0).collect()
    }
}

/// How often the whole list is asked for.
const WHOLE: Duration = Duration::from_mins(10);
