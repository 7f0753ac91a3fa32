//! `enforcer-center`: see `enforcer-center --help`.
use std::process::ExitCode;

fn main() -> ExitCode {
    enforcer_center::cli::main()
}
