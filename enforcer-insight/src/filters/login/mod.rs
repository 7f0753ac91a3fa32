//! What a login looks like. In: calls and their answers. Out: whether one tries to log in, as digests; whether it worked. Never
//! here: counting, judging.
mod attempt;
mod shape;

pub use attempt::Attempt;
pub(super) use attempt::attempt;
pub(super) use shape::{Clue, Shapes};
