//! What calls of an API say. Pure: in go calls and a time, out comes data; the same calls give the same data.
//!
//! ```text
//! bytes of the kernel -> http (heads, paths, framing, as servers read them) -> Call -> inventory, filters -> findings
//! ```
//! Never here: I/O, clocks, threads, the kernel, policy. Every room is bounded, and says what it forgot.
#![forbid(unsafe_code)]

mod call;
mod pattern;

pub mod classes;
pub mod content;
pub mod http;
pub mod injection;

pub use call::{Answer, AnswerHead, Call, body};
