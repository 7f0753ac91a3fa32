//! The filters' room in the agent: where they run. In: calls, ticks, the matrix. Out: signs and notices, to a listener. Never here:
//! what filters do (`enforcer-insight`), decisions, the kernel.
mod meter;
mod supervisor;

pub use supervisor::{Listener, Lost, Supervisor};
