//! The host agent and the command line.
//!
//! ```text
//! policy   cli -> wire -> agent -> enforcer-policy (Ledger -> MapOp) -> apply -> kernel -> maps
//! events   kernel ring -> agent -> events, metrics
//! ```
//!
//! Rooms, and what each may know: `kernel` alone knows aya; `apply` carries out map operations on `kernel`; `store` keeps
//! decisions; `config` reads the one file; `wire` is what the socket speaks; `cli` and `metrics` show; `agent` wires all of it
//! and is the only room that reads the wall clock; `sync` brings signed policy from the center, and writes none; `spool` keeps
//! what the center is to be told. An arrow points only forward: nothing in `kernel` knows `agent`. What calls say is read in a crate of its own,
//! `enforcer-insight`, and what a CrowdSec says in `enforcer-crowdsec`;
//! `owners` is who answers for a service; `filters` is where its filters run, `modules` where those come from that are files; `report` is a month of all this on one page;
//! `drill` plays attacks on an agent of its own; `reach` knows whom requests came from.
pub mod agent;
pub mod apply;
pub mod cli;
pub mod config;
pub mod drill;
pub mod exchanges;
pub mod filters;
pub mod kernel;
pub mod metrics;
pub mod modules;
pub mod owners;
pub mod reach;
pub mod replay;
pub mod report;
pub mod spool;
pub mod store;
pub mod sync;
pub mod wire;
