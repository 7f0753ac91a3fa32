//! What calls of an API say. Pure: in go calls and a time, out comes data; the same calls give the same data.
//!
//! ```text
//! bytes of the kernel -> http (heads, paths, framing, as servers read them) -> Call -> inventory, filters -> findings -> decide
//!                                                    Call -> content (values, decoded) -> classes, injection
//! ```
//! Never here: I/O, clocks, threads, the kernel, policy. Every room is bounded, and says what it forgot.
#![forbid(unsafe_code)]

mod call;
mod pattern;

pub mod capture;
pub mod classes;
pub mod content;
pub mod decide;
pub mod filters;
pub mod findings;
pub mod http;
pub mod injection;
pub mod inventory;

pub use call::{Answer, AnswerHead, Call, Placed, body};
