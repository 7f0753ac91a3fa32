//! What was noticed. In: signs of filters, with the filter, the service and the time. Out: findings, each told once with a count;
//! exceptions, which are not told again. Never here: whether something is decided (`decide`), how it is shown, raw values.
mod book;
mod exception;
mod finding;
mod sign;

#[cfg(test)]
mod tests;

pub use book::{Counts, Findings, Noted};
pub use exception::{Exception, Exceptions};
pub use finding::{Finding, FindingId};
pub use sign::{Fact, FactValue, Risk, Severity, Sign, Suggestion};
