//! The namespace suite: the agent on a real kernel with real traffic, one behaviour per file.
//!
//! In: root. Out: what a user would see. Never here: how the agent does it. A test begins with Given, When, Then; what it
//! stands on is in `harness`.
#![forbid(unsafe_code)]
#![expect(clippy::expect_used, clippy::panic, reason = "what tests share fails as they do, by panicking")]

mod actions;
mod adopt;
mod allow_wins;
mod apis;
mod attacks;
mod bypass;
mod center;
mod center_apis;
mod center_crowdsec;
mod center_events;
mod center_exports;
mod center_foresight;
mod center_lists;
mod center_modules;
mod center_rollout;
mod center_services;
mod center_troubles;
mod clean_load;
mod cli;
mod clsact;
mod crowdsec;
mod detach;
mod drift;
mod drill;
mod dry_run;
mod durability;
mod endpoints;
mod evasion;
mod expiry;
mod findings;
mod flow;
mod forwarded;
mod fragments;
mod full_map;
mod generic_mode;
mod generic_requests;
mod half_open;
mod harness;
mod hosts_and_paths;
mod import;
mod interface_comes;
mod keep_alive;
mod keys_and_users;
mod lab;
mod large_upload;
mod lease;
mod loopback;
mod metrics;
mod modules;
mod networks;
mod no_gap;
mod observe_mode;
mod odd_input;
mod privileges;
mod proxy_allow;
mod proxy_protocol;
mod rate_limit;
mod reload;
mod replay;
mod responses;
mod retransmission;
mod service_scope;
mod sessions;
mod user_agent;
mod vlan_and_offloads;
mod watching;
mod why;
mod wild;
