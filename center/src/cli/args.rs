//! The command line as it is typed.
//!
//! In: the words of the shell. Out: [`Cli`]. Never here: what the commands do.
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::store::Role;

/// Holds the policy of a fleet, signs and numbers it, and brings it to every host that enforces it.
///
/// Nothing that happens to the center touches the traffic: hosts go on enforcing what they have, whether it runs, stands still, or
/// was restored from an older backup (whose revisions they refuse).
#[derive(Parser, Debug)]
#[command(name = "enforcer-center", version, max_term_width = 100)]
#[command(
    after_help = "To begin: init, token add, run; then hosts invite for each host, and `enforcer enroll` there.\n\
    Exit codes: 0 done, 1 the audit log does not hold, 2 error."
)]
pub(super) struct Cli {
    /// The center's folder: keys and store
    #[arg(long, global = true, value_name = "DIR", default_value = "/var/lib/enforcer-center")]
    #[arg(env = "ENFORCER_CENTER_FOLDER", hide_env_values = true)]
    pub(super) folder: PathBuf,
    /// The log that several centers share: nats://HOST:PORT,HOST:PORT,.../NAME, or tls://; without it, this center is the only one
    #[arg(long, global = true, value_name = "URL", env = "ENFORCER_CENTER_STORE", hide_env_values = true)]
    pub(super) store: Option<String>,
    /// A file with what the log's servers ask for: user = "..." and password = "...", or NATS credentials
    #[arg(long, global = true, value_name = "FILE", env = "ENFORCER_CENTER_STORE_CREDENTIALS", hide_env_values = true)]
    pub(super) store_credentials: Option<PathBuf>,
    /// The certificate authority of the log's servers; without it, those of this system
    #[arg(long, global = true, value_name = "FILE", env = "ENFORCER_CENTER_STORE_AUTHORITY", hide_env_values = true)]
    pub(super) store_authority: Option<PathBuf>,
    /// How results are written: table, or json (one document)
    #[arg(short, long, global = true, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    pub(super) output: Format,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[value(rename_all = "lower")]
pub(super) enum Format {
    Json,
    Table,
}

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Make a center: its folder, its keys, its certificate authority and its empty store
    Init {
        /// A host name or address by which hosts reach this center; may be given several times
        #[arg(long = "name", value_name = "NAME", required = true)]
        names: Vec<String>,
    },
    /// Serve hosts and people over HTTPS until a signal comes
    Run {
        /// Where to listen
        #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:9443")]
        listen: SocketAddr,
    },
    /// Tokens of people and programs; only digests of them are kept
    #[command(subcommand)]
    Token(TokenCommand),
    /// Hosts: invite, list, revoke
    #[command(subcommand)]
    Hosts(HostsCommand),
    /// The audit log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Write the completion script of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages
    Man {
        /// Where to write them
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum TokenCommand {
    /// Make a token, and show it this once
    Add {
        /// Whose; it stands in revisions and in the audit log
        #[arg(long)]
        name: String,
        /// viewer reads; operator reads and changes policy; approver reads and stands for changes of others
        #[arg(long, hide_possible_values = true)]
        role: Role,
        /// Days until it ends; without, it does not
        #[arg(long)]
        days: Option<u32>,
    },
    /// List tokens
    List,
    /// End a token
    Revoke {
        /// The eight digits behind `ect_`
        id: String,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum HostsCommand {
    /// Make a one-time token by which a host enrols under this name
    Invite {
        /// The host's name
        name: String,
        /// A group it belongs to; may be given several times
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// Hours until the token ends
        #[arg(long, default_value_t = 24)]
        hours: u32,
    },
    /// List hosts: the revision and digest each should hold, and does
    List,
    /// Speak to a host no more
    Revoke {
        /// The host's name
        name: String,
    },
}

#[derive(Subcommand, Debug)]
pub(super) enum AuditCommand {
    /// Show entries
    Show {
        /// Begin behind this one
        #[arg(long, default_value_t = 0)]
        after: u64,
    },
    /// Follow the chain of hashes from its beginning
    Verify,
}
