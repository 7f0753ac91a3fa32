//! The arguments of `filter`: what is done with a filter that is a module. In: the words of the shell. Out: typed arguments without
//! meaning. Never here: files.
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

/// `filter`.
#[derive(Subcommand, Clone, Debug)]
pub enum ModuleCommand {
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
