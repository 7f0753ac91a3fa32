//! The command line: from the words of the shell to an exit code.
//!
//! In: arguments, and replies of the agent over its socket. Out: tables or JSON, an exit code. Each command is two steps: typed
//! arguments become a meaning (mostly a `Request`), then the reply becomes text. Never here: policy, the kernel, or any
//! state of its own. Every file but `args.rs`, `manual.rs` and the helpers is one command or a pair that belongs together.

mod allow;
mod apis;
mod apis_text;
mod args;
mod block;
mod client;
mod config;
mod decide_args;
mod decisions;
mod doctor;
mod drill;
mod enroll;
mod events;
mod failure;
mod filter;
mod filter_args;
mod find_args;
mod findings;
mod fleet;
mod fleet_apis;
mod fleet_args;
mod foresee;
#[cfg(test)]
pub(crate) mod golden;
mod import;
mod lines;
mod list;
mod lists;
mod lists_args;
mod local;
mod manual;
mod out;
mod own;
mod policy;
mod proposals;
mod replay;
mod report;
mod requests;
mod rollout;
mod status;
mod support;
mod switch;
mod table;
mod top;
mod top_text;
mod why;

#[cfg(test)]
mod tests;

use std::process::ExitCode;
use std::time::SystemTime;

use clap::FromArgMatches as _;
use enforcer_policy::Moment;

pub use args::{Cli, Command, Format};
pub use failure::Failure;
pub use manual::command;
pub use out::Out;

use crate::wire::Exit;

/// Runs the command that this process was started with.
pub fn main() -> ExitCode {
    let parsed = command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    match parsed {
        Ok(cli) => run(cli),
        Err(error) => {
            // Help and versions are "errors" too; if nobody reads them, so be it.
            let _ = error.print();
            u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}

fn run(cli: Cli) -> ExitCode {
    let mut out = Out::standard(cli.globals.output);
    if matches!(cli.command, Command::Run) {
        return local::run(&cli.globals).unwrap_or_else(|failure| ExitCode::from(explain(&failure, &mut out).code()));
    }
    ExitCode::from(execute(cli, &mut out).code())
}

/// Runs one command; whatever goes wrong is explained on the notes of `out`.
pub fn execute(cli: Cli, out: &mut Out) -> Exit {
    let done = dispatch(cli, out).and_then(|exit| out.flush().map(|()| exit));
    done.unwrap_or_else(|failure| explain(&failure, out))
}

fn dispatch(cli: Cli, out: &mut Out) -> Result<Exit, Failure> {
    let Cli { globals, command } = cli;
    match command {
        Command::Allow(args) => allow::allow(args, &globals, out),
        Command::Apis(args) => apis::apis(args, &globals, out),
        Command::Block(args) => block::block(args, &globals, out),
        Command::Bypass(args) => switch::bypass(args, &globals, out),
        Command::Completions(args) => manual::completions(args, out),
        Command::Config(args) => config::config(args, &globals, out),
        Command::Detach(args) => local::detach(args, &globals, out),
        Command::Doctor => doctor::doctor(&globals, out),
        Command::Drill(args) => drill::drill(&args, &globals, out),
        Command::Enroll(args) => enroll::enroll(&args, &globals, out),
        Command::Events(args) => events::events(&args, &globals, out),
        Command::Filter(command) => filter::filter(&command, &globals, out),
        Command::Filters(args) => findings::filters(&args, &globals, out),
        Command::Findings(args) => findings::findings(&args, &globals, out),
        Command::Fleet(command) => fleet::fleet(&command, &globals, out),
        Command::Replay(args) => replay::run(&args, &globals, out),
        Command::Report(args) => report::report(&args, &globals, out),
        Command::Requests(args) => requests::requests(&args, &globals, out),
        Command::List(args) => list::list(args, &globals, out),
        Command::Lists(command) => lists::lists(&command, &globals, out),
        Command::Man(args) => manual::man(&args, out),
        Command::Policy(command) => policy::policy(&command, &globals, out),
        Command::Reload => switch::reload(&globals, out),
        // The agent has its own way to end; see `run` above.
        Command::Run => local::run(&globals).map(|_ended| Exit::Done),
        Command::Status => status::status(&globals, out),
        Command::Support(command) => support::support(&command, &globals, out),
        Command::Top(args) => top::top(args, &globals, out),
        Command::Unblock(args) => block::unblock(args, &globals, out),
        Command::Why(args) => why::why(args, &globals, out),
    }
}

fn explain(failure: &Failure, out: &mut Out) -> Exit {
    let trouble = failure.trouble();
    let exit = Exit::from_code(trouble.exit);
    if matches!(failure, Failure::Closed) {
        return exit;
    }
    match out.format {
        Format::Json => out.note(serde_json::to_string(&trouble).unwrap_or_default()),
        Format::Table => {
            out.note(format_args!("enforcer: {}", trouble.message));
            if !trouble.hint.is_empty() {
                out.note(format_args!("  next: {}", trouble.hint));
            }
        }
    }
    exit
}

/// The time, for whoever shows how long something still lasts.
fn now() -> Moment {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Moment(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
