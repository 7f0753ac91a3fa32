//! The `enforcer` program: the agent and its command line, in one.
//!
//! In: arguments. Out: an exit code. Never here: anything else.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    enforcer::cli::main()
}
