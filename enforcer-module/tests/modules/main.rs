//! Modules beside built-in filters: what they say, what stops them, what files are refused.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod files;
mod hostile;
mod parity;
mod stage;
