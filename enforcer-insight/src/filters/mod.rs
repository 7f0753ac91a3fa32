//! The filters: security policies as modules.
//!
//! ```text
//! Call -> Seen (who, where, which objects) -> Runner -> filters of the service -> signs -> findings
//! ```
//! In: calls with their answers in the order they ended, ticks, the matrix. Out: signs of something wrong, and notices of filters
//! that were started, retuned or stopped. Never here: clocks (a [`Meter`] is given), threads (a supervisor outside watches the
//! [`Pulse`]), decisions, raw values that outlive a call.
//!
//! To add a filter: a file with its door sign, its schema, and its type with [`Filter`]; a line in `catalogue`; a kind of attack in
//! the simulation under `tests/filters`; a row in `docs/FILTERS.md`.
mod anomaly;
mod catalogue;
mod claims;
mod contract;
mod crowds;
mod exposure;
mod fields;
mod filter;
mod found;
mod injection;
mod login;
mod logins;
mod parameters;
mod protocol;
mod pulse;
mod record;
mod resources;
mod restriction;
mod runner;
mod seen;
mod sessions;
mod state;
mod templates;
mod tokens;
mod walking;

#[cfg(test)]
mod testing;

use std::borrow::Cow;

pub use catalogue::{Catalogue, Entry, Make, Tools};
pub use claims::Claims;
pub use filter::{Filter, Out};
pub use login::Attempt;
pub use parameters::{Kind, Parameter, ParameterProblem, Parameters};
pub use pulse::Pulse;
pub use record::{Asked, Record};
pub use runner::{Budget, Change, Meter, Notice, Raised, Rescue, Runner, Spent, Status, Stopped, Wanted, WantedCell};
pub use seen::{Object, Party, Seen, Spot};
pub use state::{Book, Distinct, Peers, Recent, Seed, Steps, Window};

/// A word of the project: most are known when it is built, those of filters that come later are not.
pub type Word = Cow<'static, str>;
