//! Classes of data by where they were found. In: what was found in a call. Out: [`Classes`], counts by place, field
//! and class. Never here: the data, and how it is told.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::classes::Sensitive;
use crate::content;

/// Places, fields and classes of one endpoint that are kept.
pub const CLASSES: usize = 64;

/// Where in a call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// In the body of the answer.
    Answer,
    /// In a header of the request.
    Header,
    /// In the body of the request.
    Request,
    /// In the path or the query.
    Url,
}

impl Place {
    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Header => "header",
            Self::Request => "request",
            Self::Url => "url",
        }
    }
}

/// How often data of a class was found, by place, field path and name of the class.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Classes(BTreeMap<(Place, Box<str>, Box<str>), u64>);

impl Classes {
    /// What was found in a call.
    pub fn of(call: &Sensitive) -> Self {
        let mut all = Self::default();
        for found in &call.request {
            let place = match found.place {
                content::Place::Path | content::Place::Query => Place::Url,
                content::Place::Cookie | content::Place::Header => Place::Header,
                content::Place::Form
                | content::Place::Json
                | content::Place::Multipart
                | content::Place::Text
                | content::Place::Xml => Place::Request,
            };
            all.note(place, &found.name, found.class.name(), found.count.into());
        }
        for found in &call.answer {
            all.note(Place::Answer, &found.name, found.class.name(), found.count.into());
        }
        all
    }

    /// Takes what was found in one field; 1 when there is no room for it.
    pub fn note(&mut self, place: Place, field: &str, class: &str, count: u64) -> u64 {
        let key = (place, field.into(), class.into());
        if self.0.len() >= CLASSES && !self.0.contains_key(&key) {
            return 1;
        }
        *self.0.entry(key).or_default() += count;
        0
    }

    /// Place, field, class and count, in this order.
    pub fn iter(&self) -> impl Iterator<Item = (Place, &str, &str, u64)> {
        self.0.iter().map(|((place, field, class), count)| (*place, &**field, &**class, *count))
    }

    /// True when there is some in this place.
    pub fn are_in(&self, place: Place) -> bool {
        self.0.keys().any(|(one, ..)| *one == place)
    }

    /// Takes what was found in one call; tells how many found no room.
    pub(super) fn join(&mut self, call: &Self) -> u64 {
        call.iter().map(|(place, field, class, count)| self.note(place, field, class, count)).sum()
    }

    /// Takes all of another's.
    pub(super) fn merge(&mut self, other: Self) {
        other.0.into_iter().for_each(|(key, count)| *self.0.entry(key).or_default() += count);
    }

    /// Lets go of the rarest; tells how many finds they were.
    pub(super) fn trim(&mut self) -> u64 {
        let mut gone = 0;
        while self.0.len() > CLASSES {
            let rarest = self.0.iter().min_by_key(|(_, count)| **count).map(|(key, _)| key.clone());
            gone += rarest.and_then(|key| self.0.remove(&key)).unwrap_or(0);
        }
        gone
    }
}
