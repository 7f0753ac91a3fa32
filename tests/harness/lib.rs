//! The ground the namespace suite stands on: a host with two neighbours, a real nginx, real traffic, the real agent.
//!
//! In: root on a Linux kernel, the built `enforcer`. Out: guards that clean up after themselves, also when a test
//! panics. Never here: a fake of anything, or a sleep in place of waiting for the thing itself ([`eventually`]).
//!
//! A test reads like this:
//!
//! ```no_run
//! use enforcer_tests::{Agent, CLIENT, Net, Nginx, Requests};
//! let net = Net::new();
//! let nginx = Nginx::start(&net);
//! let agent = Agent::start(&net, "[[service]]\nname = \"pay\"\nports = [8080]\ndevice = [{ header = \"X-Device-Id\" }]\n");
//! agent.done(&["block", "device", "--value", "mallory", "--service", "pay", "--action", "deny", "--reason", "test"]);
//! let outcomes = Requests::to(CLIENT.web4()).total(100).device(|_| Some("mallory".into())).run(&net.client);
//! assert!(outcomes.iter().all(|outcome| outcome.status() == Some(403)));
//! assert!(nginx.served().is_empty());
//! ```
//!
//! Failing is done by panicking: the caller is a test, and a message with a line number is all it needs.
#![forbid(unsafe_code)]
#![expect(clippy::print_stderr, reason = "what a guard can't clean up must be said, and it can't panic")]
#![expect(clippy::expect_used, clippy::panic, reason = "a harness fails by panicking; its caller is a test")]
#![expect(clippy::missing_panics_doc, reason = "every function here panics when the system refuses something")]

mod agent;
mod center;
mod connection;
mod counters;
mod crowdsec;
mod dashboards;
mod flat;
mod frames;
mod hand;
mod http;
mod inbound;
mod kernel;
mod lines;
mod links;
mod namespace;
mod netns;
mod nginx;
mod orders;
mod play;
mod player;
mod process;
mod prometheus;
mod proxy;
mod reply;
mod segments;
mod sweep;
mod tap;
mod tcp;
mod traffic;
mod wait;
mod wrapped;

pub use agent::{Agent, Output, program};
pub use center::Center;
pub use crowdsec::CrowdSec;
pub use dashboards::{Query, dashboards, queries, shipped};
pub use flat::{Slack, Thirds, median};
pub use frames::{Flags, Frame, FrameBuilder};
pub use http::{Client, Failure, Request, Response};
pub use kernel::{Objects, classifiers, lacks_tcx, xdp_programs};
pub use lines::Lines;
pub use links::{ATTACKER, CLIENT, Link, PROXIED_PORT, SECOND_PORT, WEB_PORT};
pub use namespace::Namespace;
pub use netns::Net;
pub use nginx::{Answered, Nginx, Served};
pub use orders::{PAY, notice};
pub use play::Play;
pub use player::{Finish, Played, Player};
pub use process::Process;
pub use prometheus::Prometheus;
pub use proxy::Proxy;
pub use reply::Reply;
pub use segments::Twist;
pub use sweep::clean_up_when_interrupted;
pub use tap::Tap;
pub use tcp::{Ending, RawTcp, connect};
pub use traffic::{Load, Outcome, Requests, Summary};
pub use wait::eventually;
pub use wrapped::{without_links, wrapped};
