//! What hosts tell their center: one form for findings, refusals, health, notices and acts.
//!
//! In: words and counts. Out: plain data that files, the wire and exports carry. Never here: raw identities (only masks), where an
//! event is kept or sent. Host and [`Event::sequence`] together are its id: the center counts each once.
//!
//! To add a kind: a variant of [`EventKind`], its rows in the center's `export/` formats. A center that does not know it yet keeps
//! it as [`EventKind::Other`].
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{DecisionId, Moment};

/// Bytes of each text of an event.
pub const TEXT: usize = 1024;

/// What an event is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Somebody did something on the host by hand.
    Act,
    /// A filter noticed something.
    Finding,
    /// Events that are missing: as many as `count` were lost.
    Gap,
    /// Something is wrong with the host, or well again.
    Health,
    /// News of the agent itself.
    Notice,
    /// Requests or packets that a decision met in one slot of time.
    Refusal,
    /// Of a kind that is not known here.
    #[default]
    #[serde(other)]
    Other,
}

impl EventKind {
    /// All that have a name.
    pub const ALL: [Self; 6] = [Self::Act, Self::Finding, Self::Gap, Self::Health, Self::Notice, Self::Refusal];

    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Act => "act",
            Self::Finding => "finding",
            Self::Gap => "gap",
            Self::Health => "health",
            Self::Notice => "notice",
            Self::Refusal => "refusal",
            Self::Other => "other",
        }
    }

    /// The kind of a word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == word)
    }
}

/// One event. What does not apply is left out.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Event {
    /// 1, 2, 3, ... on its host; given by the spool.
    pub sequence: u64,
    /// When it was, or began.
    pub time: Moment,
    /// What it is about.
    pub kind: EventKind,
    /// Which one of its kind: the reason of a refusal, the kind of a finding, the verb of an act, the name of a problem.
    pub what: String,
    /// One sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Method and path template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// `ip`, `device`, `session`, `user`, `apikey` or `flow`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_kind: Option<String>,
    /// An address, or a masked token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The decision that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionId>,
    /// What happened to packets or requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// One address that it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// The filter that noticed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// The finding's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// `low`, `medium`, `high` or `critical`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// Of the OWASP API Security Top 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<String>,
    /// 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<u8>,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// How many times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Bytes of them all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// When it was last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Moment>,
}

impl Event {
    /// An event of this kind; what else is known is added.
    pub fn new(kind: EventKind, time: Moment, what: &str, message: impl Into<String>) -> Self {
        Self { time, kind, what: what.to_owned(), message: message.into(), ..Self::default() }
    }

    /// No text is longer than [`TEXT`] and none has control characters: texts may have been written by an attacker.
    #[must_use]
    pub fn clipped(mut self) -> Self {
        clip(&mut self.what);
        clip(&mut self.message);
        let texts = [
            &mut self.service,
            &mut self.endpoint,
            &mut self.subject_kind,
            &mut self.subject,
            &mut self.verdict,
            &mut self.filter,
            &mut self.finding,
            &mut self.severity,
            &mut self.risk,
            &mut self.who,
        ];
        texts.into_iter().flatten().for_each(clip);
        self
    }
}

fn clip(text: &mut String) {
    let mut end = text.len().min(TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    if text.contains(char::is_control) {
        *text = text.replace(char::is_control, "\u{fffd}");
        // The replacement is longer than what it replaces.
        clip(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_what_applies_and_nothing_else() {
        let event = Event { sequence: 7, ..Event::new(EventKind::Notice, Moment(5), "map_full", "no room") };
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(json, r#"{"sequence":7,"time":5,"kind":"notice","what":"map_full","message":"no room"}"#);
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
    }

    #[test]
    fn what_a_newer_agent_says_is_not_refused() {
        let event: Event = serde_json::from_str(r#"{"sequence":1,"kind":"tomorrow","colour":"blue"}"#).unwrap();
        assert_eq!((event.kind, event.sequence), (EventKind::Other, 1));
    }

    #[test]
    fn texts_are_clipped_and_plain() {
        let service = Some("\u{1b}[2J".repeat(1000));
        let event = Event { service, ..Event::new(EventKind::Act, Moment(1), "block", "ä".repeat(TEXT)) }.clipped();
        assert_eq!(event.message.len(), TEXT);
        let service = event.service.unwrap();
        assert!(service.len() <= TEXT && !service.contains('\u{1b}'), "{service}");
    }

    #[test]
    fn kinds_have_one_word() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::named(kind.name()), Some(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.name()));
        }
    }
}
