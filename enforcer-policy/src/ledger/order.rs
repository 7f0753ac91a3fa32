//! What can be asked of the ledger, and what is refused.
//!
//! In: an order and the time. Out: whether it may be carried out, and names for what changed. Never here: the ledger's state.
use std::sync::Arc;
use std::time::Duration;

use enforcer_common::{Action, Address, Prefix, Rate, SourceRule};
use serde::{Deserialize, Serialize};

use super::row::NEVER;
use crate::{Decision, Moment, Note, Scope, Subject};

/// A decision as it is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// Who.
    pub subject: Subject,
    /// Where.
    pub scope: Scope,
    /// What happens.
    pub action: Action,
    /// How many requests may pass; with [`Action::Limit`], and only then.
    pub rate: Option<Rate>,
    /// When it ends; `None` is never.
    pub until: Option<Moment>,
    /// End exactly then, even when an earlier decision says later.
    pub shorten: bool,
    /// The width of the network is meant.
    pub wide: bool,
    /// Why.
    pub note: Arc<Note>,
}

/// An order that was carried out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Blocked {
    /// As it stands now.
    pub decision: Decision,
    /// What the order did.
    pub change: Change,
}

/// What an order did.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// There was no such decision.
    Added,
    /// Another action or rate, whatever happened to its end.
    Changed,
    /// The same action for longer.
    Extended,
    /// The same action for a shorter time.
    Shortened,
    /// It already said that, or more.
    Unchanged,
}

impl Change {
    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Extended => "extended",
            Self::Shortened => "shortened",
            Self::Unchanged => "unchanged",
        }
    }

    /// What happened between two states of a decision.
    pub(super) fn between(before: (Action, Option<Rate>, Moment), after: (Action, Option<Rate>, Moment)) -> Self {
        if (before.0, before.1) != (after.0, after.1) {
            return Self::Changed;
        }
        match after.2.cmp(&before.2) {
            std::cmp::Ordering::Less => Self::Shortened,
            std::cmp::Ordering::Equal => Self::Unchanged,
            std::cmp::Ordering::Greater => Self::Extended,
        }
    }
}

/// Why an order is not carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Its end is not in the future.
    #[error("the decision would already be over: give an end in the future, or unblock")]
    AlreadyOver,
    /// The network is a whole family, or holds one.
    #[error("everything would be blocked: name the networks that are meant; no option allows 0.0.0.0/0 or ::/0")]
    Everything,
    /// Packets cannot be answered that way.
    #[error("{} works on requests only: for an address or a flow use drop or observe", action.name())]
    IpActionUnsupported {
        /// The action.
        action: Action,
    },
    /// Packets belong to no service yet.
    #[error(
        "a decision on an address or a flow holds for all services: leave out the scope, or block a device, session, user \
         or apikey there"
    )]
    IpScopeUnsupported,
    /// A limit without its rate.
    #[error("how many requests may pass is missing: add a rate, such as --rate 60/m")]
    RateMissing,
    /// A rate without a limit.
    #[error("a rate goes with the action limit only: leave it out, or use --action limit")]
    RateUseless,
    /// Longer than the kernel can count.
    #[error("too long for an address: give at most {} days, or no end at all", limit.as_secs() / 86_400)]
    TooLong {
        /// The longest.
        limit: Duration,
    },
    /// A network this wide is more often a slip than a wish.
    #[error("{prefix} is wider than /{minimum}: block narrower networks, or add --wide if all of it is meant")]
    TooWide {
        /// What was asked for.
        prefix: Prefix,
        /// The shortest length that needs no second thought, as the family counts it.
        minimum: u8,
    },
}

impl Order {
    /// Whether it may be carried out, whatever there is already.
    pub fn check(&self, now: Moment) -> Result<(), Refusal> {
        let until = self.until.unwrap_or(NEVER);
        match self.subject {
            Subject::Device(_) | Subject::Session(_) | Subject::User(_) | Subject::ApiKey(_) => {}
            Subject::Flow(_) => self.check_packet()?,
            Subject::Ip(prefix) => {
                self.check_packet()?;
                check_width(prefix, self.wide)?;
                if until != NEVER && now.until(until) > LONGEST {
                    return Err(Refusal::TooLong { limit: LONGEST });
                }
            }
        }
        match (self.action, self.rate) {
            (Action::Limit, None) => return Err(Refusal::RateMissing),
            (Action::Observe | Action::Deny | Action::Reset | Action::Drop, Some(_)) => {
                return Err(Refusal::RateUseless);
            }
            (_, _) => {}
        }
        if until <= now { Err(Refusal::AlreadyOver) } else { Ok(()) }
    }

    fn check_packet(&self) -> Result<(), Refusal> {
        match (self.action, &self.scope) {
            (Action::Limit | Action::Deny | Action::Reset, _) => {
                Err(Refusal::IpActionUnsupported { action: self.action })
            }
            (Action::Observe | Action::Drop, Scope::Service(_) | Scope::Endpoint(_)) => {
                Err(Refusal::IpScopeUnsupported)
            }
            (Action::Observe | Action::Drop, Scope::All) => Ok(()),
        }
    }
}

fn check_width(prefix: Prefix, wide: bool) -> Result<(), Refusal> {
    let (length, minimum) = if prefix.is_v4() { (prefix.length() - 96, 8) } else { (prefix.length(), 16) };
    // IPv4 lies inside ::/n as mapped addresses: such a network would be all of IPv4 to whoever reads it that way.
    let holds_v4 = !prefix.is_v4() && prefix.contains(Address::v4([0; 4]));
    if length == 0 || holds_v4 {
        Err(Refusal::Everything)
    } else if length < minimum && !wide {
        Err(Refusal::TooWide { prefix, minimum })
    } else {
        Ok(())
    }
}

const LONGEST: Duration = Duration::from_secs(SourceRule::MAX_SECONDS);
