//! Proposals: changes that need a second person, kept until somebody else approves them.
//!
//! In: a change that the rules do not let one person make; later, somebody who stands for it. Out: a revision that bears both names. Never
//! here: which classes there are (`rules`), roles (`api`).
//!
//! A proposal is its exact change, and nothing else: what it touches must be as it was when it was made, or it is stale and has to be made
//! anew. What others change elsewhere meanwhile stays.
use std::time::Duration;

use enforcer_policy::Moment;
use enforcer_policy::plan::{Guard, Plan};
use enforcer_policy::revision::{Content, Delta};
use serde::{Deserialize, Serialize};

use super::change::Change;
use super::{Approval, Course, Desk, DeskError, Done, HostNow, Signature};
use crate::clock;
use crate::rules::{Class, Manner, Rules};
use crate::store::ProposalRow;

/// What way a change comes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "way", rename_all = "snake_case")]
pub enum Way {
    /// Files become the policy.
    Applied,
    /// Decisions are made.
    Decided,
    /// A decision is ended.
    Ended,
    /// Files become the policy, until somebody confirms them.
    OnTrial {
        /// How long they may take for that.
        seconds: u64,
    },
    /// Files become the policy, stage by stage.
    RolledOut {
        /// How.
        course: Course,
    },
    /// What an earlier revision said becomes the policy.
    RolledBack {
        /// Which.
        to: u64,
    },
    /// What is on trial stays.
    TrialConfirmed {
        /// The revision that began the trial.
        trial: u64,
    },
}

/// A change that waits for a second person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Proposal {
    /// Its number.
    pub id: u64,
    /// Who wants it.
    pub author: String,
    /// Why.
    pub comment: String,
    /// How it came.
    #[serde(flatten)]
    pub way: Way,
    /// What makes it need a second person.
    pub classes: Vec<Class>,
    /// What it is, in words.
    pub detail: String,
    /// The revision that it was made against.
    pub revision: u64,
    /// When it was made.
    pub created: Moment,
    /// When it is over.
    pub until: Moment,
    /// Why it can no longer be approved.
    pub stale: Option<String>,
}

impl Desk {
    /// Lets these rules hold.
    #[must_use]
    pub fn with_rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// All that are open, oldest first.
    pub fn proposals(&self) -> Result<Vec<Proposal>, DeskError> {
        let rows = self.store.proposals().map_err(anyhow::Error::from)?;
        rows.iter().map(|row| Ok(self.shown(row)?.0)).collect()
    }

    /// One of them, and what it would change as things are now.
    pub fn proposal(&self, id: u64, guard: &Guard) -> Result<(Proposal, Plan), DeskError> {
        let (shown, change) = self.shown(&self.open_proposal(id)?)?;
        let wanted = self.changed(change.due(&self.content, clock::now()));
        Ok((shown, Plan::between(&self.content, &wanted, guard)))
    }

    /// Carries one out for its author; `by` stands for it, and must be somebody else. Gives the new revision.
    /// `hosts`: what they say now.
    pub fn approve(&mut self, id: u64, (guard, hosts): (&Guard, &[HostNow]), by: &Signature) -> Result<u64, DeskError> {
        let row = self.open_proposal(id)?;
        self.stands_for((&row.author, &row.token), by)?;
        let (shown, change) = self.shown(&row)?;
        if let Some(why) = shown.stale {
            return Err(DeskError::Stale(id, why));
        }
        let delta = change.due(&self.content, clock::now());
        let approval = Approval { who: by.author.clone(), proposal: id };
        let ProposalRow { author, token, comment, forced, .. } = row;
        let comment = if by.comment.is_empty() { comment } else { format!("{comment} ({})", by.comment) };
        let signature = Signature { author, token, approval: Some(approval), comment };
        self.carry_out(&shown.way, delta, (guard, hosts, forced), &signature, &shown.detail)?;
        self.tell("proposal_approved", "low", format!("{} approved proposal {id} of {}", by.author, shown.author));
        Ok(self.number)
    }

    /// It is not to be. An operator may take back what is theirs alone: `only_own`.
    pub fn reject(&mut self, id: u64, only_own: bool, by: &Signature) -> Result<(), DeskError> {
        let row = self.open_proposal(id)?;
        if only_own && !(row.token == by.token || is_same(&row.author, &by.author)) {
            return Err(DeskError::NotTheirs(row.author));
        }
        let detail = format!("of {}: {}", row.author, if by.comment.is_empty() { "no comment" } else { &by.comment });
        self.store.reject(id, &by.author, &detail).map_err(anyhow::Error::from)?;
        self.tell("proposal_rejected", "low", format!("{} rejected proposal {id} {detail}", by.author));
        Ok(())
    }

    /// Until when a module that is published now waits for a second person; none where it needs none.
    pub fn module_waits(&self, published: Moment) -> Option<Moment> {
        self.rules.modules_need_two().then(|| published.plus(self.rules.wait()))
    }

    /// Whether somebody may stand for what `author` did with a token: they must be somebody else, and the token must still count.
    pub fn stands_for(&self, (author, token): (&str, &str), by: &Signature) -> Result<bool, DeskError> {
        if token == by.token || is_same(author, &by.author) {
            return Err(DeskError::SamePerson(author.to_owned()));
        }
        Ok(self.store.token_counts(token).map_err(anyhow::Error::from)?)
    }

    /// Those that nobody has approved in time are over.
    pub fn forget_lapsed(&mut self) -> Result<(), DeskError> {
        for id in self.store.forget_proposals().map_err(anyhow::Error::from)? {
            self.tell("proposal_lapsed", "low", format!("nobody approved proposal {id} in time"));
        }
        Ok(())
    }

    /// Whether one person may make this change; else it is kept, and the error is the proposal. `by` may have somebody's approval.
    pub(super) fn clear(
        &mut self,
        way: &Way,
        cuts_off: bool,
        delta: &Delta,
        by: &Signature,
        detail: &str,
    ) -> Result<(), DeskError> {
        let back = matches!(way, Way::RolledBack { .. });
        let classes = self.rules.needed(&self.content, delta, Manner { cuts_off, back });
        if by.approval.is_some() || classes.is_empty() {
            return Ok(());
        }
        let classes: Vec<Class> = classes.into_iter().collect();
        let proposal = self.propose(way, &classes, cuts_off, delta, by, detail)?;
        Err(DeskError::Proposed(Box::new(proposal)))
    }

    fn propose(
        &mut self,
        way: &Way,
        classes: &[Class],
        forced: bool,
        delta: &Delta,
        by: &Signature,
        detail: &str,
    ) -> Result<Proposal, DeskError> {
        if self.store.open_proposals().map_err(anyhow::Error::from)? >= MOST {
            return Err(DeskError::ManyWait(MOST));
        }
        let (forward, before) = Change::of(&self.content, delta.clone()).packed()?;
        let created = clock::now();
        let row = ProposalRow {
            id: 0,
            author: by.author.clone(),
            token: by.token.clone(),
            comment: by.comment.clone(),
            kind: written(way)?,
            classes: written(&classes)?,
            detail: detail.to_owned(),
            forced,
            revision: self.number,
            created,
            until: created.plus(self.rules.wait()),
            forward,
            before,
        };
        let made = |id| Proposal {
            id,
            author: row.author.clone(),
            comment: row.comment.clone(),
            way: way.clone(),
            classes: classes.to_vec(),
            detail: row.detail.clone(),
            revision: row.revision,
            created,
            until: row.until,
            stale: None,
        };
        let answer = |id| self.asked.as_ref().map(|asked| asked.row(Done::Proposed(&made(id))));
        let id = self.store.propose_and(&row, answer).map_err(anyhow::Error::from)?;
        let proposal = made(id);
        let Proposal { author, detail, .. } = &proposal;
        self.tell("proposed", "medium", format!("proposal {id} of {author} waits for a second person: {detail}"));
        Ok(proposal)
    }

    fn carry_out(
        &mut self,
        way: &Way,
        delta: Delta,
        (guard, hosts, forced): (&Guard, &[HostNow], bool),
        by: &Signature,
        detail: &str,
    ) -> Result<(), DeskError> {
        let what = match way {
            Way::TrialConfirmed { .. } => return self.confirm(by).map(drop),
            Way::OnTrial { seconds } => {
                let wanted = self.changed(delta);
                return self.try_out(&wanted, guard, Duration::from_secs(*seconds), by).map(drop);
            }
            Way::RolledOut { course } => {
                let wanted = self.changed(delta);
                return self.roll_out(&wanted, course.clone(), (guard, hosts), forced, by).map(drop);
            }
            Way::Applied | Way::RolledBack { .. } => {
                self.no_trial()?;
                "policy applied"
            }
            Way::Decided => "decided",
            Way::Ended => "ended",
        };
        let hit = if delta.base.is_some() {
            Plan::between(&self.content, &self.changed(delta.clone()), guard).lockouts
        } else {
            guard.hit(delta.put.iter().map(|entry| &entry.decision), &self.content)
        };
        super::refusal::not_cut_off(&hit, forced)?;
        self.publish(delta, by, what, detail)
    }

    fn open_proposal(&self, id: u64) -> Result<ProposalRow, DeskError> {
        self.store.proposal(id).map_err(anyhow::Error::from)?.ok_or(DeskError::NoProposal(id))
    }

    fn shown(&self, row: &ProposalRow) -> anyhow::Result<(Proposal, Change)> {
        let change = Change::unpacked(&row.forward, &row.before)?;
        let way = serde_json::from_str(&row.kind)?;
        let proposal = Proposal {
            id: row.id,
            author: row.author.clone(),
            comment: row.comment.clone(),
            stale: self.stale(row, &way, &change)?,
            way,
            classes: serde_json::from_str(&row.classes)?,
            detail: row.detail.clone(),
            revision: row.revision,
            created: row.created,
            until: row.until,
        };
        Ok((proposal, change))
    }

    /// Why a proposal can no longer be approved.
    fn stale(&self, row: &ProposalRow, way: &Way, change: &Change) -> anyhow::Result<Option<String>> {
        if !self.store.token_counts(&row.token)? {
            return Ok(Some(format!("the token of {} no longer counts", row.author)));
        }
        if let Way::TrialConfirmed { trial } = way {
            let is_on = self.trial()?.is_some_and(|(on, until)| on == *trial && until > clock::now());
            return Ok((!is_on).then(|| format!("the trial of revision {trial} is over")));
        }
        let now = clock::now();
        if let Some(why) = change.disturbed(&self.content, &self.index, now) {
            return Ok(Some(why));
        }
        let groups = &change.forward.base.as_ref().unwrap_or_else(|| self.content.base()).groups;
        let mut named = change.forward.put.iter().flat_map(|entry| &entry.groups);
        if let Some(group) = named.find(|group| !groups.contains_key(*group)) {
            return Ok(Some(format!("there is no group {group} any more")));
        }
        let is_over = change.due(&self.content, now).is_empty();
        Ok(is_over.then(|| "what it would do has come to its end".to_owned()))
    }

    /// The content after a change.
    pub(super) fn changed(&self, delta: Delta) -> Content {
        let mut content = self.content.clone();
        content.apply(delta);
        content
    }
}

fn written(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string(value)?)
}

/// Whether two tokens are one person's, as far as their names tell: case, blanks and signs make nobody somebody else.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let plain =
        |name: &str| -> String { name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect() };
    plain(one) == plain(other)
}

/// Proposals that are open at once.
const MOST: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_make_nobody_somebody_else() {
        for same in ["ada", "Ada", " ada ", "a-d-a", "ADA."] {
            assert!(is_same("ada", same), "{same}");
        }
        assert!(!is_same("ada", "bea") && !is_same("ada", "ada2"));
        assert!(is_same("..", "--"), "names without letters are nobody's");
    }
}
