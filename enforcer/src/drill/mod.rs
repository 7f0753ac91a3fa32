//! Drills: a labelled attack on a small API in namespaces of its own, under a real agent of this binary, with customers at work.
//!
//! ```text
//! lab     two namespaces, a cable, an agent with its own state, maps and socket
//! api     answers: accounts, a login, a search          people   customers, and one attacker
//! play    the clock of a drill: found, decided, refused, and what the attacker got until then
//! ```
//! In: the name of a drill. Out: an [`Outcome`]. Never here: the host's own network, agent, policy or traffic: nothing leaves the two
//! namespaces, and both go when the drill ends.
mod api;
mod lab;
mod people;
mod play;

use serde::Serialize;

pub use play::{Outside, play};

/// One attack that can be played.
#[derive(Clone, Copy, Debug)]
pub struct Drill {
    /// Its name.
    pub name: &'static str,
    /// What the attacker does, in one line.
    pub title: &'static str,
    /// The filter that should find it.
    pub filter: &'static str,
    /// The attacker's request of this number.
    request: fn(u64) -> people::Request,
}

/// All of them, by name.
pub const DRILLS: [Drill; 4] = [
    Drill {
        name: "injection",
        title: "SQL, scripts and commands in a search",
        filter: "injection",
        request: people::injection,
    },
    Drill {
        name: "object-walk",
        title: "one device looks at account after account",
        filter: "walking",
        request: people::object_walk,
    },
    Drill {
        name: "password-guessing",
        title: "one device tries passwords of many users",
        filter: "logins",
        request: people::password_guessing,
    },
    Drill {
        name: "traversal",
        title: "ways out of the folder of documents",
        filter: "injection",
        request: people::traversal,
    },
];

/// What came of a drill. Times are milliseconds since the attacker's first request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Outcome {
    /// The drill.
    pub name: String,
    /// What was found, such as `object_walk`; none when nothing was.
    pub kind: Option<String>,
    /// When it was found.
    pub found_after: Option<u64>,
    /// When a decision was made of it.
    pub decided_after: Option<u64>,
    /// When a request of the attacker was refused.
    pub refused_after: Option<u64>,
    /// The attacker's requests that were answered before.
    pub served: u64,
    /// Requests of customers meanwhile.
    pub customers: u64,
    /// Those of them that were refused.
    pub customers_refused: u64,
}

impl Outcome {
    /// The attacker was found and refused, and nobody else was.
    pub const fn is_good(&self) -> bool {
        self.found_after.is_some() && self.refused_after.is_some() && self.customers_refused == 0
    }
}
