//! What is known of one service. In: its calls. Out: its tree of endpoints, and counts of what makes none. Never here: other
//! services.
use std::collections::BTreeMap;

use bytes::Bytes;
use enforcer_common::SipKey;
use serde::{Deserialize, Serialize};

use super::fold;
use super::tree::{DEPTH, Full, Node};
use super::usage::{Usage, cut, is_proof};
use crate::http::read_paths;
use crate::{Call, Placed};

/// Endpoints of one service.
pub const ENDPOINTS: usize = 2048;

/// What found no room, or taught nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Forgotten {
    /// Calls of paths deeper than is followed, or without a path.
    pub deep: u64,
    /// Calls that would have made an endpoint too many.
    pub endpoints: u64,
    /// Calls with a method too many, or with none that is known.
    pub methods: u64,
    /// Calls of services too many.
    pub services: u64,
    /// Calls that would have made a segment too many beside others.
    pub siblings: u64,
}

impl Forgotten {
    /// Each with its name.
    pub fn each(self) -> [(&'static str, u64); 5] {
        [
            ("deep", self.deep),
            ("endpoints", self.endpoints),
            ("methods", self.methods),
            ("services", self.services),
            ("siblings", self.siblings),
        ]
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.deep += other.deep;
        self.endpoints += other.endpoints;
        self.methods += other.methods;
        self.services += other.services;
        self.siblings += other.siblings;
    }
}

/// One service.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Service {
    pub(super) root: Node,
    /// Its endpoints.
    pub(super) count: usize,
    /// Calls that the application saw.
    pub calls: u64,
    /// Calls that were refused before.
    pub refused: u64,
    /// Calls whose answer was not seen, of no endpoint that is known.
    pub unanswered: u64,
    /// Answers of no endpoint, by status: what scanners get.
    pub unmatched: BTreeMap<u16, u64>,
    /// What found no room.
    pub forgotten: Forgotten,
}

impl Service {
    /// How many endpoints it has.
    pub const fn endpoints(&self) -> usize {
        self.count
    }

    /// Takes one call, and gives its endpoint; `room` is false when the inventory has no more of them.
    pub(super) fn take(&mut self, call: &Call, key: SipKey, room: bool) -> Option<Placed> {
        let method = std::str::from_utf8(&call.head.method).unwrap_or_default();
        let segments = segments(call).filter(|segments| segments.len() <= DEPTH);
        if call.is_refused() {
            self.take_refused(segments.as_deref(), method);
        } else if let Some(segments) = &segments {
            self.take_seen(call, segments, method, key, room);
        } else {
            self.calls += 1;
            self.forgotten.deep += 1;
        }
        self.root.place(&segments?, method)
    }

    fn take_seen(&mut self, call: &Call, segments: &[Bytes], method: &str, key: SipKey, room: bool) {
        self.calls += 1;
        let proof = call.status().is_some_and(is_proof);
        let found = self.root.find(segments, method, proof);
        let differs = |usage: &Usage| call.answer.as_ref().is_some_and(|answer| !usage.could_answer(answer));
        let apart = found.as_ref().is_some_and(|found| proof && found.by_name && differs(found.usage));
        match found {
            Some(found) if !apart => found.usage.take(call, key),
            _ if proof && room && self.count < ENDPOINTS => {
                let mut usage = Usage::default();
                usage.take(call, key);
                self.make(segments, method, usage, apart);
            }
            _ if proof => self.forgotten.endpoints += 1,
            _ => self.take_unmatched(call.status()),
        }
    }

    fn take_refused(&mut self, segments: Option<&[Bytes]>, method: &str) {
        self.refused += 1;
        if let Some(found) = segments.and_then(|segments| self.root.find(segments, method, false)) {
            found.usage.refused += 1;
        }
    }

    fn take_unmatched(&mut self, status: Option<u16>) {
        let Some(status) = status else {
            self.unanswered += 1;
            return;
        };
        *self.unmatched.entry(status).or_default() += 1;
        cut(&mut self.unmatched);
    }

    fn make(&mut self, segments: &[Bytes], method: &str, usage: Usage, apart: bool) {
        match self.root.make(segments, method, usage, apart) {
            Ok(()) => self.count = self.root.count(),
            Err(Full::Methods) => self.forgotten.methods += 1,
            Err(Full::Siblings) => self.forgotten.siblings += 1,
        }
    }

    pub(super) fn settle(&mut self) {
        fold::settle(&mut self.root);
        self.root.trim();
        cut(&mut self.unmatched);
        self.count = self.root.count();
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.root.merge(other.root);
        self.count = self.root.count();
        self.calls += other.calls;
        self.refused += other.refused;
        self.unanswered += other.unanswered;
        other.unmatched.into_iter().for_each(|(status, count)| *self.unmatched.entry(status).or_default() += count);
        self.forgotten.merge(other.forgotten);
    }
}

/// The segments of a call's path, as most servers read it.
fn segments(call: &Call) -> Option<Vec<Bytes>> {
    let odd = |path: &crate::http::Path| path.segments.iter().filter(|segment| segment.contains(&b';')).count();
    let path = read_paths(&call.head.target).paths.into_iter().min_by_key(odd)?;
    Some(path.segments.into_iter().filter(|segment| !segment.is_empty()).collect())
}
