//! Full maps: an order that the kernel has no room for. In: failed map operations. Out: a count, a problem for `status`, and
//! one notice per map for the log and whoever follows events, until there is room again.
use super::clock;
use super::core::Core;
use crate::kernel::{Fill, KernelError};
use crate::wire::{NoticeKind, NoticeReport};

impl Core {
    /// Takes note of a failure, if it is for want of room.
    pub(super) fn note_if_full(&mut self, error: &KernelError) {
        let KernelError::Full { map, .. } = error else { return };
        self.refused_for_want_of_room += 1;
        // A list refused line by line is one piece of news.
        if self.full.insert(map, error.to_string()).is_none() {
            let message = error.to_string();
            tracing::warn!(map, message, "an order was refused");
            let notice = NoticeReport { time: clock::now(), notice: NoticeKind::MapFull, message };
            self.tell_notice(notice);
        }
    }

    /// Forgets about maps that have room again.
    pub(super) fn look_for_room(&mut self) {
        if self.full.is_empty() {
            return;
        }
        let fill = self.kernel.fill();
        let is_full =
            |map: &str| fill.iter().any(|Fill { map: name, used, capacity }| *name == map && used >= capacity);
        self.full.retain(|map, _| is_full(map));
    }
}
