//! Sources: what each wants is carried out here, and shown.
//!
//! In: wishes of sources. Out: the policy as they want it, as far as it may be; how each source is. Never here: how sources are asked
//! (`crate::sources`), what may not be (`desk`).
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use enforcer_common::SipKey;
use enforcer_policy::Event;
use serde::Serialize;

use super::Center;
use super::people::Person;
use super::problem::{Answer, Placed, Problem};
use crate::desk::{Desk, Taken, Wants};
use crate::sources::{SourceState, Sources};

#[derive(Serialize)]
struct Shown {
    name: String,
    #[serde(flatten)]
    state: SourceState,
}

#[derive(Serialize)]
struct Page {
    items: Vec<Shown>,
}

pub(super) async fn list(State(center): State<Center>, headers: HeaderMap) -> Result<Answer, Problem> {
    center.read(headers, |_| Ok(())).await?;
    let shown = |(name, state): (String, SourceState)| Shown { name, state };
    Ok(Answer::json(&Page { items: center.sources().all().into_iter().map(shown).collect() }))
}

/// A person stands for what a list has become: the next reading is believed, whatever its size. It is read at once.
pub(super) async fn accept(
    State(center): State<Center>,
    Placed(name): Placed<String>,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    let accept = move |desk: &mut Desk, center: &Center| {
        let person = Person::operator(&headers, desk)?;
        if !center.0.sources.is_list(&name) {
            return Err(Problem::not_found("no list of this name was read; see GET /v1/sources"));
        }
        desk.store().note(&person.name, "list accepted", &name)?;
        center.0.sources.accept(&name);
        Ok(Answer::nothing())
    };
    center.work(accept).await
}

impl Center {
    /// A look at the desk; or why there is none.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl Fn(&Desk) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let seen = self.work(move |desk, _| Ok(look(desk)?)).await;
        seen.map_err(|problem| anyhow::anyhow!("{}", problem.detail()))
    }

    /// How sources are.
    pub(crate) fn sources(&self) -> Sources {
        self.0.sources.clone()
    }

    /// A source has said what it wants: it becomes so. `again`: within this time it says all of it once more. What has to wait is told, and
    /// carried out as soon as it can be, without another word of the source.
    pub(crate) async fn take_source(&self, name: &str, wants: Wants, again: Duration) {
        self.tell(self.0.sources.heard(name).into_iter().collect());
        let source = name.to_owned();
        let taken = self.work(move |desk, _| Ok(desk.take_source(&source, &wants, again)?)).await;
        self.note_source(name, taken);
    }

    /// The key of identities, and how many decisions there are of a source; none while the desk cannot be asked.
    pub(crate) async fn source_begins(&self, name: &'static str) -> Option<(SipKey, usize)> {
        self.work(move |desk, _| Ok((desk.key(), desk.kept_by(name)))).await.ok()
    }

    /// A source could not be asked.
    pub(crate) fn source_failed(&self, name: &str, why: &str) {
        tracing::debug!(source = name, why, "a source could not be asked");
        self.tell(self.0.sources.failed(name, why).into_iter().inspect(warn).collect());
    }

    fn note_source(&self, name: &str, taken: Result<Taken, Problem>) {
        let event = match taken {
            Ok(taken) => self.0.sources.taken(name, &taken),
            Err(problem) => self.0.sources.waits(name, problem.detail()),
        };
        self.tell(event.into_iter().inspect(warn).collect());
    }
}

fn warn(event: &Event) {
    tracing::warn!(event = event.what, "{}", event.message);
}

/// Ends what sources keep that nobody has configured, then carries out what had to wait; until dropped.
pub(crate) async fn watch_sources(center: Center, configured: Vec<String>) -> Infallible {
    let known = center.work(|desk, _| Ok(desk.sources())).await.unwrap_or_default();
    for name in known.into_iter().filter(|name| !configured.contains(name)) {
        tracing::warn!(source = name, "this source is configured no more: what it keeps ends");
        center.take_source(&name, Wants::All(Vec::new()), Duration::MAX).await;
    }
    loop {
        tokio::time::sleep(LOOK).await;
        match center.work(|desk, _| tend(desk)).await {
            Ok(tended) => tended.into_iter().for_each(|(name, taken)| center.note_source(&name, taken)),
            Err(problem) => tracing::warn!(?problem, "wishes of sources have to wait"),
        }
    }
}

/// A source, and what has become of what waited.
type Tended = (String, Result<Taken, Problem>);

/// What somebody else has changed meanwhile is begun anew with the rest.
fn tend(desk: &mut Desk) -> Result<Vec<Tended>, Problem> {
    let tended = desk.tend_sources().into_iter().map(|(name, taken)| match taken.map_err(Problem::from) {
        Err(problem) if problem.is_overtaken() => Err(problem),
        taken => Ok((name, taken)),
    });
    tended.collect()
}

/// How often it is looked whether something can be carried out that had to wait.
const LOOK: Duration = Duration::from_secs(2);
