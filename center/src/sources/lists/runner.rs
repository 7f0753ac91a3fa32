//! One list, for ever.
//!
//! In: its settings. Out: what it wants, each time it was read well; or why it was not. Never here: how it is fetched (`place.rs`), cleaned and
//! doubted (`enforcer_policy::lists`).
//!
//! A round that finds the list as it was still looks at all of it: whom it may not hit may have changed, and every end has to be renewed. The
//! desk makes a revision only of what differs, and renews an end when half of it is gone.
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use enforcer_policy::lists::{Limits, Lint, Linted, List, Rules, Size, TABLES, Trust, read};
use enforcer_policy::{Moment, Subject};

use super::place::{Mark, Reading};
use super::{ListSettings, ListShown};
use crate::api::Center;
use crate::clock;
use crate::desk::{Desk, Want, Wants};

/// Who follows it.
struct Follower {
    settings: ListSettings,
    mark: Mark,
    /// As it was read last, and when its author last changed it.
    list: Option<(Arc<List>, Option<Moment>)>,
    trust: Trust,
}

/// Follows a list until dropped.
pub(super) async fn run(settings: ListSettings, center: Center) {
    let (name, every) = (settings.name.clone(), settings.every);
    let trust = known(&name, every, &center).await;
    let mut follower = Follower { settings, mark: Mark::default(), list: None, trust };
    let mut accepted = center.sources().acceptances();
    loop {
        match follower.round(&center).await {
            Ok(wants) => center.take_source(&name, wants, every).await,
            Err(error) => center.source_failed(&name, &format!("{error:#}")),
        }
        // At once when a person accepts a change. That somebody accepts another list's does no harm.
        let _ = tokio::time::timeout(every, accepted.changed()).await;
    }
}

/// What the policy has of it already: a center that starts anew believes no more than before.
async fn known(name: &str, patience: Duration, center: &Center) -> Trust {
    loop {
        let source = name.to_owned();
        match center.look(move |desk| Ok(held(desk, &source))).await {
            Ok(size) => return Trust::of(size),
            Err(error) => tracing::error!(%error, "a list waits for the desk"),
        }
        tokio::time::sleep(patience).await;
    }
}

fn held(desk: &Desk, name: &str) -> Option<Size> {
    let ours = desk.content().entries().filter(|entry| entry.source() == Some(name));
    let networks = ours.filter_map(|entry| entry.decision.subject.network());
    let size = networks.fold(Size::default(), Size::with);
    (size.networks > 0).then_some(size)
}

impl Follower {
    /// What the list wants now; or why it is not believed.
    async fn round(&mut self, center: &Center) -> anyhow::Result<Wants> {
        // A person has looked at what it says now, not at what a later reading may say.
        let is_accepted = center.sources().take_acceptance(&self.settings.name);
        let (list, modified) = self.read().await?;
        let age = modified.map_or(Duration::ZERO, |modified| modified.until(clock::now()));
        let rules = self.rules(center).await?;
        let (list, linted) = tokio::task::spawn_blocking(move || {
            let linted = Lint::new(rules).list(&list);
            (list, linted)
        })
        .await?;
        let name = &self.settings.name;
        center.sources().describe(name, ListShown::of(&list, &linted));
        if let Some(flaw) = linted.flaw {
            return Err(flaw.into());
        }
        let (days, bound) = (age.as_secs() / 86_400, self.settings.stale.as_secs());
        anyhow::ensure!(
            age <= self.settings.stale,
            "its last change is {days} days old, and stale says {bound} s: see whether anybody keeps it"
        );
        if is_accepted {
            self.trust.accept(linted.size());
        }
        self.trust.judge(linted.size(), &self.settings.bounds)?;
        Ok(self.wants(&linted))
    }

    /// The list as it is now.
    async fn read(&mut self) -> anyhow::Result<(Arc<List>, Option<Moment>)> {
        let limits = Limits { entries: usize::try_from(self.settings.most)?.saturating_mul(4), ..Limits::default() };
        match self.settings.place.read(&self.mark, limits.bytes).await? {
            Reading::Same => {}
            Reading::New { bytes, mark, modified } => {
                let format = self.settings.format;
                let list = tokio::task::spawn_blocking(move || read(&bytes, format, &limits)).await?;
                let whole = list.flaw.is_none();
                self.list = Some((Arc::new(list), modified));
                // What was cut off is asked for again, and not whether it has changed.
                self.mark = if whole { mark } else { Mark::default() };
            }
        }
        self.list.clone().context("it says that nothing has changed, and was never read")
    }

    /// Whom it may not hit now.
    async fn rules(&self, center: &Center) -> anyhow::Result<Rules> {
        let ListSettings { most, most_addresses, widest_v4, widest_v6, .. } = self.settings;
        let mut rules = Rules { most, most_addresses, widest_v4, widest_v6, ..Rules::default() };
        for table in TABLES {
            table.guard(&mut rules, &tokio::fs::read_to_string(table.file).await.unwrap_or_default());
        }
        rules.guarded.extend(center.look(guarded).await?);
        Ok(rules)
    }

    fn wants(&self, linted: &Linted) -> Wants {
        let ListSettings { name, action, groups, lasts, .. } = &self.settings;
        let until = Some(clock::now().plus(*lasts));
        let reason: Arc<str> = name.as_str().into();
        let want = |network| Want {
            subject: Subject::Ip(network),
            action: *action,
            until,
            reason: Arc::clone(&reason),
            groups: groups.clone(),
        };
        Wants::All(linted.networks.iter().copied().map(want).collect())
    }
}

type Guarded = Vec<(enforcer_policy::Prefix, std::borrow::Cow<'static, str>)>;

/// The allowlist of the policy, and what hosts say that their traffic depends on.
fn guarded(desk: &Desk) -> anyhow::Result<Guarded> {
    let allowed = desk.content().base().allow.iter();
    let allowed = allowed.map(|allow| (allow.network, format!("allowlist, as {}", allow.kind.name()).into()));
    let guard = desk.guard()?;
    let hosts =
        guard.addresses().map(|(address, whose)| (enforcer_policy::Prefix::host(address), whose.to_owned().into()));
    Ok(allowed.chain(hosts).collect())
}
