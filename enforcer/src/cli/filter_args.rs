//! The arguments of `filter`: what is done with a filter that is a module. In: the words of the shell. Out: typed arguments without
//! meaning. Never here: files.
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::fleet_args::CenterArgs;

/// `filter`.
#[derive(Subcommand, Clone, Debug)]
pub enum ModuleCommand {
    /// Stand for a module that somebody else has published: hosts get it now
    Approve {
        /// Its name; see filter published
        name: String,
        /// The center.
        #[command(flatten)]
        center: CenterArgs,
    },
    /// Make a secret key that signs modules, and tell the public one; of a file that is there, only tell it
    Key {
        /// The file
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Write a crate to begin with: cargo build --release --target wasm32-unknown-unknown makes a module of it
    New {
        /// Its name: lower-case letters, digits and hyphens; the folder, too
        name: String,
    },
    /// Let hosts of a center have a signed module: they run it if they trust its key; exit code 3 when it waits for a second person
    Publish(PublishArgs),
    /// Show what is published, who signed it, and how it is on every host; exit code 3 when there is nothing
    Published(CenterArgs),
    /// Sign a module, in place
    Sign {
        /// The module
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// The secret key of enforcer filter key
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        key: PathBuf,
    },
    /// Run a module over sample calls or a capture: what it finds, and what it uses; exit code 3 when it is stopped
    Test(TrialArgs),
    /// Take a module away from all hosts, or one that waits
    Withdraw {
        /// Its name; see filter published
        name: String,
        /// The center.
        #[command(flatten)]
        center: CenterArgs,
    },
}

/// `filter publish`.
#[derive(Args, Clone, Debug)]
pub struct PublishArgs {
    /// The module, signed
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// The center.
    #[command(flatten)]
    pub center: CenterArgs,
    /// Only for hosts of these groups; host:NAME is one host
    #[arg(long, value_name = "GROUP,...", value_delimiter = ',')]
    pub hosts: Vec<String>,
    /// What it may do where neither a host nor the matrix names it; to decide by itself it must be named there
    #[arg(long, value_enum, default_value = "observe")]
    pub mode: PublishMode,
    /// A parameter, for where nobody says otherwise
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    pub parameters: Vec<(String, String)>,
    /// Why, for the audit log
    #[arg(long, default_value = "")]
    pub comment: String,
}

/// What a published module may do by itself.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[value(rename_all = "lower")]
pub enum PublishMode {
    /// It reports.
    Observe,
    /// Nothing.
    Off,
}

impl PublishMode {
    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Off => "off",
        }
    }
}

/// `filter test`.
#[derive(Args, Clone, Debug)]
pub struct TrialArgs {
    /// The module, signed or not
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// A capture as of enforcer replay, for the services of the configuration [default: sample calls]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub capture: Option<PathBuf>,
    /// A parameter
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    pub parameters: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write a name, an equals sign and a value, such as page=500")?;
    Ok((name.to_owned(), value.to_owned()))
}
