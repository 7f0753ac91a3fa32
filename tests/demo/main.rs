//! `cargo xtask demo`: what Enforcer does, shown on real traffic, with figures.
//!
//! In: root, the built agent. Out: a readable account of what happened. Never here: a figure that was not measured in
//! this run, or anything left behind, also after Ctrl-C.
#![forbid(unsafe_code)]
#![expect(clippy::panic, reason = "a demo that can't go on says why and ends; the guards clean up")]
#![expect(clippy::print_stdout, reason = "an account is printed")]

mod acts;
mod figures;
mod tell;

use std::thread;

use clap::Parser;
use enforcer_tests::{Net, Nginx, clean_up_when_interrupted};

/// Shows Enforcer on real traffic, in network namespaces of its own.
#[derive(Parser)]
struct Arguments {
    /// Leave it running until Ctrl-C, and print how to look at it
    #[arg(long)]
    keep: bool,
}

fn main() -> Result<(), ctrlc::Error> {
    let arguments = Arguments::parse();
    clean_up_when_interrupted()?;
    let net = Net::new();
    let nginx = Nginx::start(&net);
    acts::show_the_api(&net);
    let mut agent = acts::start_agent(&net);
    acts::block_a_device(&net, &nginx, &agent);
    acts::block_a_network(&net, &agent);
    acts::kill_the_agent(&net, &mut agent);
    acts::unblock(&net, &agent);
    acts::look(&agent);
    if arguments.keep {
        tell::how_to_look(&net, &agent);
        loop {
            thread::park();
        }
    }
    tell::act("Done; everything is removed again");
    Ok(())
}
