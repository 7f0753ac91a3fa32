//! Beforehand: hosts are asked whom decisions would have hit.
//!
//! In: decisions of a plan; what hosts answer. Out: figures for each of them, and how many hosts they are from. Never here: a change of policy.
//! A host hears of a question where it waits for news, fetches it, and answers; who does not answer in time is not waited for.
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::State;
use enforcer_policy::plan::{Foreseen, Hit, Plan};
use enforcer_policy::reach::{self, Considered, LARGEST, MOST_CONSIDERED, Question};
use enforcer_policy::revision::Entry;
use tokio::sync::watch;

use super::problem::{Answer, Placed, Problem, Sent, body};
use super::{Center, lock};
use crate::serve::Peer;
use crate::store::Host;

/// Questions that are open, and who could answer them.
#[derive(Default)]
pub(super) struct Foresight {
    open: Mutex<Open>,
    /// Changes with each question, and with each answer.
    asked: watch::Sender<()>,
    answered: watch::Sender<()>,
}

#[derive(Default)]
struct Open {
    /// The number of the last question.
    last: u64,
    questions: BTreeMap<u64, Asked>,
    /// Hosts that can answer, and when each last waited for news.
    listening: BTreeMap<String, Instant>,
}

/// A question, and what was answered so far.
struct Asked {
    decisions: Arc<Vec<Thought>>,
    most: usize,
    answers: BTreeMap<String, reach::Answer>,
}

/// A decision of a plan.
struct Thought {
    /// The step of the plan.
    step: usize,
    entry: Arc<Entry>,
}

/// A question that is put, until dropped.
struct Put<'f> {
    foresight: &'f Foresight,
    number: u64,
}

impl Foresight {
    /// The first open question that a host has not seen.
    pub(super) fn after(&self, seen: u64) -> Option<u64> {
        let unseen = (Bound::Excluded(seen), Bound::Unbounded);
        lock(&self.open).questions.range(unseen).next().map(|(number, _)| *number)
    }

    /// Tells of each question.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.asked.subscribe()
    }

    /// A host that can answer waits for news.
    pub(super) fn listens(&self, host: &str) {
        lock(&self.open).listening.insert(host.to_owned(), Instant::now());
    }

    /// Whom the decisions of a plan would have hit on the hosts that answer in time. The plan gets the figures.
    pub(super) async fn of(&self, plan: &mut Plan) {
        let thoughts = plan.wanted().map(|(step, entry)| Thought { step, entry: Arc::clone(entry) });
        let thoughts: Vec<Thought> = thoughts.take(MOST_CONSIDERED).collect();
        if thoughts.is_empty() {
            return;
        }
        let thoughts = Arc::new(thoughts);
        let (hosts, answers) = self.ask(&thoughts).await;
        plan.foreseen = Some(Foreseen {
            hosts,
            answered: answers.len() as u64,
            since: answers.values().filter_map(|answer| answer.since).min(),
        });
        for (at, thought) in thoughts.iter().enumerate() {
            let hit = hit(thought, answers.values().filter_map(|answer| answer.told.get(at)));
            if let Some(step) = plan.changes.get_mut(thought.step) {
                step.hit = hit;
            }
        }
    }

    async fn ask(&self, thoughts: &Arc<Vec<Thought>>) -> (u64, BTreeMap<String, reach::Answer>) {
        let Some((put, hosts)) = self.put(thoughts) else { return (0, BTreeMap::new()) };
        let mut answered = self.answered.subscribe();
        self.asked.send_replace(());
        let all = async {
            while put.answers(|asked| asked.answers.len() < hosts) == Some(true) && answered.changed().await.is_ok() {}
        };
        // Who is late is not waited for.
        let _ = tokio::time::timeout(PATIENCE, all).await;
        let answers = put.answers(|asked| std::mem::take(&mut asked.answers));
        (hosts as u64, answers.unwrap_or_default())
    }

    /// Puts a question to all hosts that listen; none when nobody does, or too many questions are open.
    fn put(&self, thoughts: &Arc<Vec<Thought>>) -> Option<(Put<'_>, usize)> {
        let mut open = lock(&self.open);
        open.listening.retain(|_, last| last.elapsed() < LISTENS);
        let hosts = open.listening.len();
        if hosts == 0 || open.questions.len() >= MOST_OPEN {
            return None;
        }
        let most = (BUDGET / (hosts * thoughts.len() * SKETCHES)).clamp(LEAST, LARGEST);
        open.last += 1;
        let number = open.last;
        open.questions.insert(number, Asked { decisions: Arc::clone(thoughts), most, answers: BTreeMap::new() });
        Some((Put { foresight: self, number }, hosts))
    }

    /// What a host is asked: an answer to a decision that is not for it is none.
    fn question(&self, number: u64) -> Option<Question> {
        let open = lock(&self.open);
        let asked = open.questions.get(&number)?;
        let considered = |thought: &Thought| {
            let decision = &thought.entry.decision;
            Considered { subject: decision.subject.clone(), scope: decision.scope.clone() }
        };
        Some(Question { most: asked.most, decisions: asked.decisions.iter().map(considered).collect() })
    }

    /// Takes a host's answer; false when the question is over, or it answers another one.
    fn take(&self, number: u64, host: &Host, mut answer: reach::Answer) -> bool {
        let mut open = lock(&self.open);
        let Some(asked) = open.questions.get_mut(&number) else { return false };
        // Agents from before, and those of the bench, have nothing to tell.
        if answer.told.len() != asked.decisions.len() && !answer.told.is_empty() {
            return false;
        }
        for (told, thought) in answer.told.iter_mut().zip(asked.decisions.iter()) {
            if !thought.entry.is_for(&host.groups) {
                *told = reach::Told::default();
            }
        }
        asked.answers.insert(host.name.clone(), answer);
        drop(open);
        self.answered.send_replace(());
        true
    }
}

impl Put<'_> {
    fn answers<T>(&self, look: impl FnOnce(&mut Asked) -> T) -> Option<T> {
        self.open().questions.get_mut(&self.number).map(look)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        lock(&self.foresight.open)
    }
}

impl Drop for Put<'_> {
    fn drop(&mut self) {
        self.open().questions.remove(&self.number);
    }
}

/// What all hosts tell of one decision; none when none does.
fn hit<'a>(thought: &Thought, told: impl Iterator<Item = &'a reach::Told>) -> Option<Hit> {
    let all = told.cloned().reduce(|mut all, one| {
        all.merge(one);
        all
    })?;
    let decision = &thought.entry.decision;
    let reached = all.reached();
    let crowd = reached.crowd.filter(|_| decision.subject.network().is_some());
    let mut warnings: Vec<String> = crowd.and_then(|crowd| crowd.warning()).into_iter().collect();
    if decision.scope.endpoint().is_some() {
        warnings.push("endpoints are not told apart: this is what was asked of the whole service".to_owned());
    }
    if all.partly {
        warnings.push("some hosts look at a part of the requests only (sample): it was more".to_owned());
    }
    Some(Hit { reached, warnings })
}

pub(super) async fn question(
    State(center): State<Center>,
    Extension(peer): Extension<Peer>,
    Placed(number): Placed<u64>,
) -> Result<Answer, Problem> {
    center.host(&peer)?;
    center.0.foresight.question(number).map(|question| Answer::json(&question)).ok_or_else(over)
}

pub(super) async fn answer(
    State(center): State<Center>,
    Extension(peer): Extension<Peer>,
    Placed(number): Placed<u64>,
    Sent(bytes): Sent,
) -> Result<Answer, Problem> {
    let host = center.host(&peer)?;
    let answer: reach::Answer = body(&bytes)?;
    if center.0.foresight.take(number, &host, answer) { Ok(Answer::nothing()) } else { Err(over()) }
}

fn over() -> Problem {
    Problem::not_found("there is no such question, or it is over")
}

/// How long hosts are waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Who has not waited for news for so long is away: a host waits for 25 seconds at most.
const LISTENS: Duration = Duration::from_secs(40);
/// Digests that all hosts together may answer with: some 32 MB.
const BUDGET: usize = 2_000_000;
/// Of them in one sketch at least, which is right within about a half; and sketches of one decision.
const LEAST: usize = 16;
const SKETCHES: usize = 5;
const MOST_OPEN: usize = 16;
