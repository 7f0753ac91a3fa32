//! Takes values, within limits. In: raw values with place and name. Out: [`Contents`]. Never here: formats.
use bytes::Bytes;

use super::decode::{Coding, readings};
use super::{Contents, Place, Value};

/// Values are taken until there are that many.
pub const MOST_VALUES: usize = 512;
/// Of each value, that many bytes.
pub const LONGEST_VALUE: usize = 8192;
/// Of each name, that many bytes.
pub const LONGEST_NAME: usize = 128;
/// JSON and XML are read to this depth.
pub const DEEPEST: usize = 32;

/// What was found so far.
#[derive(Default)]
pub(super) struct Collector(Contents);

impl Collector {
    /// Takes a value with all its readings, unless there are too many.
    pub(super) fn take(&mut self, place: Place, name: &str, raw: &Bytes, coding: Coding) {
        if self.0.values.len() >= MOST_VALUES {
            self.forget();
            return;
        }
        let kept = raw.slice(..raw.len().min(LONGEST_VALUE));
        if kept.len() < raw.len() {
            self.forget();
        }
        let name = name.get(..name.floor_char_boundary(LONGEST_NAME)).unwrap_or_default().into();
        self.0.values.push(Value { place, name, readings: readings(&kept, coding) });
    }

    /// Something was beyond the limits.
    pub(super) fn forget(&mut self) {
        self.0.forgotten = self.0.forgotten.saturating_add(1);
    }

    /// True when nothing more is taken.
    pub(super) fn is_full(&self) -> bool {
        self.0.values.len() >= MOST_VALUES
    }

    pub(super) fn finish(self) -> Contents {
        self.0
    }
}
