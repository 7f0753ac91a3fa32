//! The filters together, on labelled traffic: every kind of attack is found, clean users are left alone, and the same calls give
//! the same findings.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "helpers of tests")]

mod anything;
mod attacks;
mod behaviour;
mod documented;
mod edges;
mod memory;
mod simulation;
mod traffic;
