//! What people do by hand, in the words of the center. In: what was asked, by whom, and the reply. Out: events, for what was done. Never
//! here: what was refused or only looked at.
use super::core::Core;
use crate::wire::{Change, Reply, Request};

/// An act that changes what is enforced, as it was asked for.
pub(super) enum Act {
    Allowlist,
    /// With the reason that was given: a decision that says so already keeps its own.
    Block(String),
    Bypass(bool),
    DecideFinding,
    Detach,
    ExceptFinding(String),
    Reload,
    RestartFilter(String),
    Unblock,
}

impl Act {
    /// The act that a request asks for.
    pub(super) fn of(request: &Request) -> Option<Self> {
        match request {
            Request::Allow(_) => Some(Self::Allowlist),
            Request::Block(request) => Some(Self::Block(request.reason.clone())),
            Request::Bypass(on) => Some(Self::Bypass(*on)),
            Request::DecideFinding { .. } => Some(Self::DecideFinding),
            Request::Detach => Some(Self::Detach),
            Request::ExceptFinding { id, reason } => Some(Self::ExceptFinding(format!("finding {id:016x}: {reason}"))),
            Request::Reload => Some(Self::Reload),
            Request::RestartFilter { filter, service } => Some(Self::RestartFilter(format!("{filter} on {service}"))),
            Request::Unblock(_) => Some(Self::Unblock),
            Request::Allowlist
            | Request::Apis(_)
            | Request::Events
            | Request::Filters
            | Request::Findings { .. }
            | Request::Foresee(_)
            | Request::Import(_)
            | Request::ImportChunk(_)
            | Request::ImportEnd
            | Request::List(_)
            | Request::Requests
            | Request::Status
            | Request::Top
            | Request::Why(_) => None,
        }
    }
}

impl Core {
    /// Tells of an act that was done.
    pub(super) fn tell_done(&self, who: &str, act: Act, reply: &Reply) {
        let (what, given) = match act {
            Act::Allowlist => ("allow", None),
            Act::Block(reason) => ("block", Some(reason)),
            Act::DecideFinding => ("decide finding", None),
            Act::Unblock => ("unblock", None),
            Act::Bypass(on) => return self.tell_plain(who, if on { "bypass on" } else { "bypass off" }, "", reply),
            Act::Detach => return self.tell_plain(who, "detach", "nothing is enforced any more", reply),
            Act::ExceptFinding(words) => return self.tell_plain(who, "except finding", &words, reply),
            Act::Reload => return self.tell_plain(who, "reload", "the configuration was read again", reply),
            Act::RestartFilter(words) => return self.tell_plain(who, "restart filter", &words, reply),
        };
        if let Reply::Blocked(report) = reply {
            self.tell_act_on(who, what, &report.decision, given.as_deref());
        } else if let Reply::Unblocked(report) = reply {
            report.ended.iter().for_each(|ended| self.tell_act_on(who, what, ended, None));
        } else if let Reply::Allowed(report) = reply {
            let what = if report.change == Change::Removed { "disallow" } else { what };
            self.tell_act(who, what, format!("{}: {}", report.entry.network, report.entry.reason));
        }
    }

    fn tell_plain(&self, who: &str, what: &str, words: &str, reply: &Reply) {
        if matches!(reply, Reply::Done) {
            self.tell_act(who, what, words.to_owned());
        }
    }
}
