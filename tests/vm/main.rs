//! The first program of a guest of `cargo xtask vm`: the real agent on another kernel, with real traffic. With `--package`, the last
//! service of a guest with Debian on it: the life of the package. With `--suite`, the namespace suite, test by test.
//!
//! In: a bare kernel and an archive with this program as `/init`, the agent, `ip` and a few modules. Out: lines that begin
//! with `vm: ` on the serial console, the last of them the verdict, and a machine that is off. Never here: a test of
//! behaviour that the namespace suite has; `acts.rs` asks only whether each hook of each kernel loads, judges, stays and goes.
//!
//! To add one: a function of `acts.rs` and its line in `play`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the console is how a guest speaks")]

mod acts;
mod agent;
mod http;
mod package;
mod stage;
mod suite;

use std::{env, fs, path::Path, process};

use nix::sys::reboot::{RebootMode, reboot};

fn main() {
    // On a host, the mounts and the end of this program would be a catastrophe.
    let ours = fs::read_to_string("/proc/cmdline").is_ok_and(|line| line.split(' ').any(|word| word.trim() == GUEST));
    if process::id() != 1 && !ours {
        println!("this is a program of a virtual machine; run `cargo xtask vm`");
        process::exit(2);
    }
    let verdict = match env::args().nth(1).as_deref() {
        Some("cable") => {
            let laid = stage::cable();
            process::exit(i32::from(laid.inspect_err(|error| tell("failed", &format!("{error:#}"))).is_err()));
        }
        Some("lifecycle") => package::lifecycle(),
        Some("after-a-boot") => package::after_a_boot(),
        None if Path::new(suite::ORDER).exists() => suite::play(),
        Some(_) | None => stage::set().and_then(|()| acts::play()),
    };
    match verdict {
        Ok(()) => tell("passed", "all"),
        Err(error) => tell("failed", &format!("{error:#}").replace('\n', " | ")),
    }
    // The kernel prints a panic when its first program ends; that is what a refusal here would look like.
    let _ = reboot(RebootMode::RB_POWER_OFF);
}

/// On the command line of a guest's kernel.
const GUEST: &str = "enforcer.guest";

/// Says one thing to the task outside.
fn tell(what: &str, value: &str) {
    println!("vm: {what}={value}");
}
