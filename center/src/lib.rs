//! The Security Control Center: one place that holds policy, signs it, numbers it, and brings it to every host.
//!
//! ```text
//! people   CLI, HTTP/JSON -> api -> desk (plan, sign, number) -> store (SQLite: revisions, audit) -> news
//! hosts    watch from revision R -> api -> desk -> signed delta or snapshot;   acknowledgement -> store
//! events   hosts -> api -> store (each once) -> export -> file, syslog, Splunk
//! ```
//! Rooms: `store` alone knows SQL; `log` alone knows NATS; `desk` alone signs; `authority` alone issues certificates; `api` speaks HTTP; `serve` speaks
//! TLS; `rules` says which changes need two people; `sources` asks lists and the like; `metrics` is what Prometheus is told; `cli` is the command line. Nothing that happens here touches the traffic: hosts enforce by themselves.
#![forbid(unsafe_code)]

pub mod addresses;
pub mod authority;
pub mod cli;
pub mod clock;
pub mod desk;
pub mod export;
pub mod folder;
pub mod log;
pub mod rules;
pub mod secret;
pub mod serve;
pub mod sources;
pub mod store;

mod api;
mod metrics;
mod settings;
