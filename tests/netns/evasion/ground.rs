//! The ground under the tables: without enforcer every form reaches the server, or it could not fail.

use super::{
    bodies, chunks, connections, form::Form, framing, handshakes, heads, lines, near_misses, order, overlaps, packets,
    processors, splits, stage::unguarded,
};

/// Given no enforcer. When every form is played. Then the evil twins are served as the honest ones are, except where the
/// table says that nginx itself rejects both.
#[test]
fn every_form_is_served_without_enforcer() {
    let forms: Vec<Form> = [
        bodies::forms(),
        chunks::forms(),
        connections::forms(),
        framing::forms(),
        handshakes::forms(),
        heads::forms(),
        lines::forms(),
        near_misses::forms(),
        order::forms(),
        overlaps::forms(),
        packets::forms(),
        processors::own(),
        splits::forms(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut names: Vec<_> = forms.iter().map(|form| form.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert!(names.len() >= 60, "only {} forms", names.len());
    unguarded(&forms);
}
