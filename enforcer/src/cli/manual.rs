//! The manual: help texts, manual pages, completion scripts, all from the one command tree.
//!
//! In: [`Cli`]'s own descriptions. Out: the tree with its groups, examples, exit codes and files; pages and scripts. A
//! command that is in no group fails a test. Never here: what commands do.
use std::fmt::Write as _;
use std::path::Path;

use clap::CommandFactory as _;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::args::{Cli, CompletionsArgs, ManArgs};
use super::failure::Failure;
use super::out::Out;
use crate::wire::Exit;

/// The command tree with its help texts.
pub fn command() -> clap::Command {
    let plain = Cli::command();
    let template = template(&plain);
    plain
        .help_template(template)
        .long_about(LONG_ABOUT)
        .after_help("See enforcer --help for examples, exit codes and files; enforcer COMMAND --help for one command.")
        .after_long_help(format!("{}\n\n{}\n\n{}\n\n{}", examples(), exits(), files(), ENVIRONMENT))
        .mut_subcommand("block", |block| block.after_long_help(BLOCK))
        .mut_subcommand("allow", |allow| allow.after_long_help(ALLOW))
}

/// `completions`.
pub(super) fn completions(args: CompletionsArgs, out: &mut Out) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "enforcer", &mut script);
    out.bytes(&script).map(|()| Exit::Done)
}

/// `man`.
pub(super) fn man(args: &ManArgs, out: &mut Out) -> Result<Exit, Failure> {
    match &args.dir {
        None => out.bytes(&page()?)?,
        Some(dir) => write_pages(dir)?,
    }
    Ok(Exit::Done)
}

fn write_pages(dir: &Path) -> Result<(), Failure> {
    let failed = |source| Failure::file("write manual pages into", dir, source);
    std::fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(command(), dir).map_err(failed)?;
    std::fs::write(dir.join("enforcer.1"), page()?).map_err(failed)
}

/// The main page: as `clap_mangen` makes it, with sections of our own at the end.
fn page() -> Result<Vec<u8>, Failure> {
    let man = Man::new(command()).manual("Enforcer");
    let mut page = Vec::new();
    man.render_title(&mut page).map_err(Failure::Output)?;
    man.render_name_section(&mut page).map_err(Failure::Output)?;
    man.render_synopsis_section(&mut page).map_err(Failure::Output)?;
    man.render_description_section(&mut page).map_err(Failure::Output)?;
    man.render_options_section(&mut page).map_err(Failure::Output)?;
    man.render_subcommands_section(&mut page).map_err(Failure::Output)?;
    closing().to_writer(&mut page).map_err(Failure::Output)?;
    man.render_version_section(&mut page).map_err(Failure::Output)?;
    Ok(page)
}

fn closing() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    for (what, lines) in EXAMPLES {
        roff.control("TP", []).text([roman(*what)]);
        for line in *lines {
            roff.text([bold(*line)]).control("br", []);
        }
    }
    roff.control("SH", ["EXIT STATUS"]);
    for exit in Exit::ALL {
        roff.control("TP", []).text([bold(exit.code().to_string())]).text([roman(meaning(*exit))]);
    }
    roff.control("SH", ["FILES"]);
    for (path, what) in FILES {
        roff.control("TP", []).text([bold(*path)]).text([roman(*what)]);
    }
    roff
}

/// The layout of the main help: commands in groups, not in one long list.
fn template(tree: &clap::Command) -> String {
    let mut text = String::from("{about-with-newline}\n{usage-heading} {usage}\n");
    for (title, names) in GROUPS {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{title}:\n");
        for name in *names {
            let about = tree.find_subcommand(name).and_then(clap::Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {name:<12} {about}");
        }
    }
    text.push_str("\nGlobal options:\n{options}{after-help}");
    text
}

fn examples() -> String {
    let mut text = String::from("Examples:");
    for (what, lines) in EXAMPLES {
        let _ = write!(text, "\n  {what}");
        for line in *lines {
            let _ = write!(text, "\n      {line}");
        }
    }
    text
}

fn exits() -> String {
    Exit::ALL.iter().fold(String::from("Exit codes:"), |mut text, exit| {
        let _ = write!(text, "\n  {}  {}", exit.code(), meaning(*exit));
        text
    })
}

fn files() -> String {
    FILES.iter().fold(String::from("Files:"), |mut text, (path, what)| {
        let _ = write!(text, "\n  {path:<30} {what}");
        text
    })
}

const fn meaning(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "done",
        Exit::Failed => "failed; the message says what, and what to do next",
        Exit::Usage => "the command line is wrong, or a configuration file has problems",
        Exit::Nothing => {
            "nothing found, the kernel differs from what was decided, or a change waits for a second person"
        }
        Exit::Unreachable => "the agent does not answer",
        Exit::Refused => {
            "refused: a limit is reached, a network is too wide, a line was rejected, or it is not permitted"
        }
    }
}

const GROUPS: &[(&str, &[&str])] = &[
    ("Decide", &["block", "unblock", "list", "lists", "allow", "bypass"]),
    (
        "Look",
        &["status", "why", "events", "requests", "top", "apis", "findings", "filters", "replay", "report", "drill"],
    ),
    ("Run", &["run", "reload", "doctor", "support", "detach"]),
    ("Fleet", &["policy", "fleet", "enroll"]),
    ("Set up", &["config", "filter", "completions", "man"]),
];

const LONG_ABOUT: &str = "\
Refuses blocked devices, addresses and connections in the kernel of the host that serves your APIs.

Packets of blocked addresses are dropped before the network stack sees them. A request of a blocked device, session, user \
or key is answered with 403 and a notice while other requests on the same load balancer go on; the application never \
sees it. A limited one gets 429 for what is over its rate.

A decision says who (ip, device, session, user, apikey, flow), where (everywhere, one service, or one endpoint of it), \
what (observe, limit, deny, reset, drop) and how long. The allowlist beats every decision, and what cannot be parsed \
passes.";

const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "Block a network for two hours, then look at it and end it early",
        &[
            "enforcer block ip 203.0.113.0/24 --for 2h --reason \"scan of /login\"",
            "enforcer why ip 203.0.113.7",
            "enforcer unblock ip 203.0.113.0/24",
        ],
    ),
    (
        "Refuse a device on one service, with the service's notice",
        &["enforcer block device --value ABC123 --service pay --action deny --for 1d"],
    ),
    (
        "Close one endpoint to a partner, and slow it down on all others",
        &[
            "enforcer block apikey K-4711 --scope \"pay:GET /accounts/{id}\" --for 1d",
            "enforcer block apikey K-4711 --service pay --action limit --rate 60/m --burst 10",
            "enforcer why apikey K-4711",
        ],
    ),
    (
        "Only count what a decision would refuse",
        &["enforcer block device ABC123 --action observe", "enforcer events --service pay"],
    ),
    (
        "A list of a million addresses; lines that cannot be read are reported by number",
        &[
            "enforcer block ip --file list.txt --for 1d --rejects rejected.txt",
            "curl -fsS https://lists.example/bad.txt | enforcer block ip --file - --feed",
            "enforcer lists check bad.netset --last yesterday.netset",
        ],
    ),
    (
        "Never block the load balancer, and in an emergency nobody",
        &["enforcer allow 192.0.2.10 --as proxy --reason \"load balancer\"", "enforcer bypass on"],
    ),
    (
        "Know every API, and what its specification does not",
        &[
            "enforcer apis --service pay",
            "enforcer apis show GET /accounts/{id} --service pay",
            "enforcer apis drift openapi.yaml --service pay",
        ],
    ),
    (
        "See what filters have noticed, and decide on it",
        &[
            "enforcer findings --service pay",
            "enforcer findings show 0123456789abcdef",
            "enforcer findings decide 0123456789abcdef --for 2h",
        ],
    ),
    (
        "Write a filter of your own, try it on sample calls, and sign it",
        &[
            "enforcer filter new pages",
            "enforcer filter test pages.wasm --set page=500",
            "enforcer filter sign pages.wasm --key filters.key",
        ],
    ),
    ("For scripts", &["enforcer list ip -o json | jq -r '.decisions[].subject'"]),
];

const FILES: &[(&str, &str)] = &[
    ("/etc/enforcer/enforcer.toml", "the configuration (enforcer config example)"),
    ("/run/enforcer/enforcer.sock", "the agent's socket"),
    ("/var/lib/enforcer", "decisions, and the secret of the identity digests"),
    ("/sys/fs/bpf/enforcer", "programs, links and maps, which outlive the agent"),
];

const ENVIRONMENT: &str = "\
Environment:
  ENFORCER_SOCKET                the agent's socket
  NO_COLOR                       no colours, even on a terminal";

const BLOCK: &str = "\
Blocking the same subject again extends the decision and keeps its id; it never ends earlier unless --shorten says so.

A device, session, user or apikey is known by a token in the request: a header, a cookie, a bearer token, as the \
configuration says. The value is digested by the agent and not stored. Other users of this host can see command lines: \
use --file - to keep a value out of them.

A scope is a service, or one endpoint of it: the service, a colon, a method (or none for any) and a path. {name} stands \
for any one segment, and /** at the end for everything below. What servers could read in two ways (percent signs, dot \
segments, empty segments) is refused in a scope; in a request it counts as every endpoint with its method, so that no \
spelling walks around a decision.

A limit lets requests pass at a rate, some of them at once (--burst), and answers the rest with 429 and Retry-After. It \
counts in whole requests per minute (what is given per hour is rounded down, one at least), for each subject and scope, \
on this host.

With --dry-run nothing is decided: the agent shows how many requests, devices, sessions, users and addresses of the last \
day (since its start, at most) the decision would have hit on this host, of what was served, and warns when one address \
hides many devices. A figure is exact, or says how far off it may be (19 times in 20); what no request carried is unknown.

In a file of networks each line holds an address, a network or a range, alone or as the first CSV column, or in the \
column that the header names; #, ; and // begin a comment. FireHOL's files, `ipset save` and Spamhaus' JSON are read as \
they are. In a file of tokens each line is one value; empty lines and lines that begin with # are left out. Lines that \
cannot be read are reported by number, the others are blocked, and the exit code is 5.

Lines are rejected, too, that hold or lie in what no list may hit: the allowlist, this host's addresses and gateways, \
loopback, multicast and other networks that nobody can have; and private networks wider than /24 (IPv6: /48). With \
--feed, for lists of strangers, no private address is taken at all. One such network is blocked by naming it alone.

Examples:
  enforcer block ip 2001:db8::/48 --for 1d12h
  enforcer block flow \"tcp 203.0.113.7:5555 > 192.0.2.1:443\" --for 10m
  enforcer block device --file stolen.txt --service pay --reason \"stolen phones\"
  enforcer block session 8f3a2c --for 12h --reason \"stolen session\"
  enforcer block user alice --scope \"pay:POST /transfers\" --action limit --rate 2/m
  enforcer block apikey K-4711 --scope \"pay:/admin/**\"";

const ALLOW: &str = "\
The allowlist is checked first, in the kernel. Entries of the configuration file are changed there.

Examples:
  enforcer allow 10.0.0.0/8 --reason management
  enforcer allow 192.0.2.10 --as proxy --for 2h
  enforcer allow --list
  enforcer allow 192.0.2.10 --remove";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::golden::golden;

    #[test]
    fn every_command_is_in_one_group() {
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let tree = Cli::command();
        let mut known: Vec<&str> = tree.get_subcommands().map(clap::Command::get_name).collect();
        grouped.sort_unstable();
        known.sort_unstable();
        assert_eq!(grouped, known);
    }

    #[test]
    fn the_help_is_what_was_reviewed() {
        let mut tree = command().term_width(100);
        golden("cli/help.txt", &tree.render_long_help().to_string());
        golden("cli/help-short.txt", &tree.render_help().to_string());
        tree.build();
        for sub in tree.get_subcommands_mut() {
            let name = format!("cli/help-{}.txt", sub.get_name());
            if sub.get_name() != "help" {
                golden(&name, &sub.render_long_help().to_string());
            }
        }
    }

    #[test]
    fn the_page_has_all_sections() {
        let text = String::from_utf8(page().unwrap()).unwrap();
        for section in ["NAME", "SYNOPSIS", "OPTIONS", "SUBCOMMANDS", "EXAMPLES", "\"EXIT STATUS\"", "FILES"] {
            assert!(text.contains(&format!(".SH {section}\n")), "{section}\n{text}");
        }
    }

    #[test]
    fn every_example_parses() {
        for line in EXAMPLES.iter().flat_map(|(_, lines)| lines.iter()) {
            let start = line.find("enforcer ").unwrap();
            let line = line.get(start..).unwrap().split(" | ").next().unwrap();
            let mut quoted = line.split('"');
            let mut words = Vec::new();
            while let Some(plain) = quoted.next() {
                words.extend(plain.split_whitespace());
                words.extend(quoted.next());
            }
            assert!(command().try_get_matches_from(&words).is_ok(), "{line}");
        }
    }
}
