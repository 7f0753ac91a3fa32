//! Names and values as queries and forms join them. In: bytes. Out: each pair, repeated names too. Never here: other bodies.
use bytes::Bytes;

use super::Place;
use super::collect::Collector;
use super::decode::{Coding, readings};
use super::heads::until;

/// Takes each pair; a piece without `=` is a value without a name, since some servers read it so.
pub(super) fn read(place: Place, text: &Bytes, found: &mut Collector) {
    for piece in text.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty()) {
        if found.is_full() {
            found.forget();
            return;
        }
        let piece = text.slice_ref(piece);
        let name = until(&piece, b'=');
        if name.len() == piece.len() {
            found.take(place, "", &piece, Coding::Form);
        } else {
            let value = piece.slice(name.len() + 1..);
            let decoded = readings(&name, Coding::Form);
            let name = decoded.first().map(|name| String::from_utf8_lossy(name)).unwrap_or_default();
            found.take(place, &name, &value, Coding::Form);
        }
    }
}
