//! The filters together, on labelled traffic: every kind of attack is found, clean users are left alone, and the same calls give
//! the same findings.
mod attacks;
mod memory;
mod simulation;
mod traffic;
