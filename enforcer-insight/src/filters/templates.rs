//! Which endpoint a call is for that the inventory does not know. In: calls. Out: path templates with `{}` where objects are named, and
//! the names. Never here: what is learned over time; the inventory knows better.
use std::collections::HashSet;

use bytes::Bytes;

use crate::http::read_paths;
use crate::{Call, Placed};

/// Tells objects from words by how they look: numbers, hexadecimal digits, UUIDs, addresses of mail, long mixtures.
///
/// A template is known once an application has answered it with something. All others are `/**`, so that a flood of random paths
/// is one endpoint.
#[derive(Debug)]
pub(super) struct Templates {
    known: HashSet<String>,
    limit: usize,
}

impl Templates {
    /// For at most `limit` templates.
    pub(super) fn new(limit: usize) -> Self {
        Self { known: HashSet::new(), limit }
    }

    /// True when the template may be told from others from now on.
    fn learn(&mut self, call: &Call, template: &str) -> bool {
        if self.known.contains(template) {
            return true;
        }
        let served = !call.is_refused() && call.status().is_some_and(|status| status != 404 && status < 500);
        let room = self.known.len() < self.limit;
        if served && room {
            self.known.insert(template.to_owned());
        }
        served && room
    }

    /// Puts the template of a call into `placed`, which is empty. Called once for each call, refused ones too: nothing is learned
    /// from these.
    pub(super) fn place(&mut self, call: &Call, placed: &mut Placed) {
        if let Some(path) = plain(&call.head.target) {
            let path = call.head.target.slice(1..path.len());
            for segment in path.split(|byte| *byte == b'/') {
                push(path.slice_ref(segment), placed);
            }
        } else {
            let first = read_paths(&call.head.target).paths.into_iter().next().unwrap_or_default();
            first.segments.into_iter().for_each(|segment| push(segment, placed));
        }
        if placed.template.is_empty() {
            placed.template.push('/');
        }
        if !self.learn(call, &placed.template) {
            placed.template.clear();
            placed.template.push_str("/**");
            // Nothing is named where there is nothing.
            placed.parameters.clear();
        }
    }

    /// Bytes held.
    pub(super) fn held_bytes(&self) -> usize {
        self.known.capacity() * (size_of::<String>() + 2) + self.known.iter().map(String::capacity).sum::<usize>()
    }
}

/// The path, when all servers read it alike.
fn plain(target: &[u8]) -> Option<&[u8]> {
    let path = target.split(|byte| matches!(byte, b'?' | b'#')).next()?;
    let odd = path.iter().any(|byte| matches!(byte, b'%' | b';' | b'\\'));
    let doubled = path.windows(2).any(|two| matches!(two, b"//" | b"/."));
    (path.first() == Some(&b'/') && path.len() > 1 && path.last() != Some(&b'/') && !odd && !doubled).then_some(path)
}

fn push(segment: Bytes, placed: &mut Placed) {
    if placed.template.len() > LONGEST || placed.template.ends_with("/**") {
        placed.parameters.push(segment);
        if !placed.template.ends_with("/**") {
            placed.template.push_str("/**");
        }
        return;
    }
    match std::str::from_utf8(&segment) {
        Ok(word) if !names_object(&segment) => placed.push_word(word),
        _ => placed.push_parameter(segment),
    }
}

/// True for a segment that names an object rather than a part of the interface.
fn names_object(segment: &[u8]) -> bool {
    let digits = segment.iter().filter(|byte| byte.is_ascii_digit()).count();
    let version = segment.first() == Some(&b'v') && segment.len() <= 4;
    let word = segment.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~'));
    let hexadecimal = segment.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    !word
        || digits == segment.len()
        || (hexadecimal && digits > 0 && segment.len() >= 8)
        || (!version && digits * 3 >= segment.len() && segment.len() >= 5)
        || (digits >= 2 && segment.len() >= 16)
        || segment.len() > 48
}

/// Bytes of a template, about.
const LONGEST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_told_from_words() {
        let objects = [
            "7",
            "00123",
            "a1b2c3d4",
            "550e8400-e29b-41d4-a716-446655440000",
            "ada@example.com",
            "AC-20391",
            "user1234",
            "b%20c",
            "01hv8k3q9zj4n2m7x5r6t8w0ya",
            "2026-11-22",
        ];
        for object in objects {
            assert!(names_object(object.as_bytes()), "{object}");
        }
        for word in ["accounts", "v1", "v2.1", "me", "health-check", "deadbeef", "oauth2", "3ds", "items.json", "i18n"]
        {
            assert!(!names_object(word.as_bytes()), "{word}");
        }
    }

    #[test]
    fn a_deep_path_ends_open() {
        let mut placed = Placed::default();
        (0..100).for_each(|_| push(Bytes::from_static(b"segment"), &mut placed));
        assert!(placed.template.ends_with("/**") && placed.template.len() < 250);
    }
}
