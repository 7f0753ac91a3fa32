//! The namespace suite: the agent on a real kernel with real traffic, one behaviour per file.
//!
//! In: root. Out: what a user would see. Never here: how the agent does it. A test begins with Given, When, Then; what it
//! stands on is in `harness`.
#![forbid(unsafe_code)]

mod harness;
