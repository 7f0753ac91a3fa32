//! The arguments of `lists`.
//!
//! In: the words of the shell. Out: typed arguments without meaning. Never here: how lists are written, what they may hit.
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use enforcer_policy::lists::Format;

use super::decide_args::list_format;

/// `lists`.
#[derive(Subcommand, Clone, Debug)]
pub enum ListsCommand {
    /// Show what would be taken of lists, what would be removed and why, and what cannot be read; needs no agent
    Check(CheckArgs),
}

/// `lists check`.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// The lists; - for standard input
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// How they are written: csv, firehol, ipset, plain or spamhaus [default: as the first line of each shows]
    #[arg(long, value_name = "FORMAT", value_parser = list_format)]
    pub format: Option<Format>,
    /// The widest IPv4 network that is taken
    #[arg(long, value_name = "LENGTH", default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=32))]
    pub widest_v4: u8,
    /// The widest IPv6 network that is taken
    #[arg(long, value_name = "LENGTH", default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=128))]
    pub widest_v6: u8,
    /// The most networks of one list
    #[arg(long, value_name = "N", default_value_t = 500_000)]
    pub most: u64,
    /// A list of one's own: take private addresses, and private networks up to /24 (IPv6: /48), as block ip --file does
    #[arg(long)]
    pub inside: bool,
    /// The list as it was: refuse one that has become much smaller or larger
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub last: Option<PathBuf>,
    /// With --last: percent by which it may have shrunk
    #[arg(long, value_name = "PERCENT", default_value_t = 30, requires = "last")]
    pub shrink: u32,
    /// With --last: percent by which it may have grown
    #[arg(long, value_name = "PERCENT", default_value_t = 100, requires = "last")]
    pub grow: u32,
    /// Lines that are named one by one
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub show: usize,
}
