//! Modules of the center on this host: held, run, kept over restarts, told.
//!
//! In: lists and files, from the sync room; what filters say of themselves. Out: filters among the others, words for the center and `status`. Never here: the
//! network, whom to trust (the modules' room). Whatever fails here leaves every other filter as it is.
//!
//! ```text
//! <state>/center/modules.json   the center's list, as it was taken last
//!                modules/       its files, by their digests: each is verified again at the start
//! ```
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use enforcer_module::{LARGEST, List, Listed, State, Told, WHY};
use enforcer_policy::Moment;
use enforcer_policy::revision::Digest;
use tokio::sync::Notify;

use super::core::Core;
use super::{Shared, clock};
use crate::config::Config;
use crate::modules::{self, Held, Modules};
use crate::sync::{Enrolment, Loads, SyncError, keep_secret};
use crate::wire::PublishedReport;

/// What the center publishes, and how it is here.
#[derive(Default)]
pub(super) struct Published {
    list: List,
    held: Vec<Held>,
    /// The list that the center has.
    announced: Option<Digest>,
    /// How each is, since when.
    standing: BTreeMap<String, Told>,
    /// What the center has heard last, and when.
    heard: (Vec<Told>, Moment),
    called: Arc<Notify>,
    unkept: bool,
}

impl Core {
    /// Before anything hangs: what was taken before, as far as it is trusted still.
    pub(super) fn open_published(&mut self) {
        let folder = Enrolment::folder(&self.config.agent.state_dir);
        match read(&folder) {
            Ok((list, held)) => (self.published.list, self.published.held) = (list, held),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                tracing::error!(%error, "the center's modules that were kept cannot be read; they come from the center again");
                return;
            }
        }
        let modules = self.with_published(&Modules::default(), &self.own.clone());
        self.swap_modules(modules);
        self.note_published();
    }

    /// These modules with what is held of the center's, under this configuration.
    pub(super) fn with_published(&self, modules: &Modules, config: &Config) -> Modules {
        modules.publish(config, &self.published.held)
    }

    /// A configuration with the center's modules that run here.
    pub(super) fn beside_modules(&self, own: &Config) -> Config {
        own.with_published(self.modules().cells(&self.published.held))
    }

    fn take_published(&mut self, list: List, files: &[(Digest, Bytes)]) {
        let before = std::mem::take(&mut self.published.held);
        let held =
            list.modules.iter().map(|listed| Held { listed: listed.clone(), file: file(listed, files, &before) });
        self.published.held = held.collect();
        self.published.list = list;
        self.published.unkept = true;
        let modules = self.with_published(self.modules(), &self.own);
        self.swap_modules(modules);
        tracing::info!(modules = self.published.held.len(), "the center's modules are taken");
        self.serve_again();
        self.apply_filters();
        self.note_published();
    }

    /// What `status` says of them. A host that trusts nobody has chosen so: that is no problem.
    pub(super) fn note_published(&mut self) {
        let refused = |held: &Held| {
            let (name, why) = (&held.listed.name, self.modules().refusal(&held.listed.name)?);
            Some(format!("{name}: {why}"))
        };
        let refused: Vec<String> = self.published.held.iter().filter_map(refused).collect();
        let misfits = self.published_misfits();
        if (refused.is_empty() || self.own.trusted.is_empty()) && misfits.is_empty() {
            self.problems.remove("published modules");
        } else {
            let lines = [refused, misfits].concat().join("; ");
            self.problems.insert("published modules", format!("not all modules of the center run here: {lines}"));
        }
        self.published.called.notify_one();
    }

    /// What this host's file says of them that does not fit, and names of filters that there are not.
    fn published_misfits(&self) -> Vec<String> {
        if self.own.trusted.is_empty() {
            return Vec::new();
        }
        let catalogue = self.modules().catalogue();
        let misfits = self.published.held.iter().filter_map(|held| {
            let entry = catalogue.find(&held.listed.name)?;
            Some(self.config.misfits(&held.listed.name, 0, entry))
        });
        let misfits = misfits.flatten().map(|one| format!("{}: {} ({})", one.place, one.what, one.mend));
        let unknown = self.own.unknown_filters(&catalogue).into_iter();
        misfits
            .chain(unknown.map(|name| format!("filters.{name}: no filter of this name is here, or was published")))
            .collect()
    }

    /// The center's list is this one now.
    pub(super) fn announce_modules(&mut self, digest: Digest) {
        self.published.announced = Some(digest);
        self.published.called.notify_one();
    }

    /// The list that is held.
    pub(super) const fn modules_held(&self) -> Digest {
        self.published.list.digest
    }

    /// How each is, looked at now.
    fn stand_published(&mut self) -> Vec<Told> {
        let now = clock::now();
        let standing = self.published.held.iter().map(|held| {
            let (state, why) = self.state_of(&held.listed.name);
            let Listed { name, version, digest, .. } = held.listed.clone();
            let told = Told { name, version, digest, state, why, since: now };
            let before = self.published.standing.get(&told.name);
            let same = |before: &&Told| Told { since: now, ..(*before).clone() } == told;
            before.filter(same).cloned().unwrap_or(told)
        });
        let standing: Vec<Told> = standing.collect();
        self.published.standing = standing.iter().map(|told| (told.name.clone(), told.clone())).collect();
        standing
    }

    fn state_of(&self, name: &str) -> (State, String) {
        if let Some(why) = self.modules().refusal(name) {
            return (State::Refused, why.chars().take(WHY).collect());
        }
        let statuses = self.filter_statuses().lock().unwrap_or_else(PoisonError::into_inner);
        let stopped = statuses.iter().filter(|status| *status.filter == *name);
        let stopped = stopped.filter_map(|status| Some(format!("on {}: {}", status.service, status.stopped?)));
        let why = stopped.collect::<Vec<_>>().join("; ");
        let state = if why.is_empty() { State::Loaded } else { State::Stopped };
        (state, why.chars().take(WHY).collect())
    }

    /// For `status`.
    pub(super) fn published_in_words(&self) -> Vec<PublishedReport> {
        let report = |held: &Held| {
            let (state, why) = self.state_of(&held.listed.name);
            let Listed { name, version, digest, .. } = held.listed.clone();
            let since = self.published.standing.get(&name).map_or(self.started, |told| told.since);
            PublishedReport { name, version, digest: digest.to_string(), state: state.name().to_owned(), why, since }
        };
        self.published.held.iter().map(report).collect()
    }

    /// How many there are in each state.
    pub(super) fn published_counts(&self) -> Vec<(&'static str, u64)> {
        let states: Vec<State> = self.published.held.iter().map(|held| self.state_of(&held.listed.name).0).collect();
        let count = |state: State| states.iter().filter(|one| **one == state).count() as u64;
        State::ALL.into_iter().map(|state| (state.name(), count(state))).collect()
    }

    fn published_to_keep(&mut self) -> Option<(PathBuf, List, Vec<Held>)> {
        let folder = Enrolment::folder(&self.config.agent.state_dir);
        let unkept = std::mem::take(&mut self.published.unkept);
        unkept.then(|| (folder, self.published.list.clone(), self.published.held.clone()))
    }

    fn published_kept(&mut self, kept: Result<(), SyncError>) {
        match kept {
            Ok(()) => drop(self.problems.remove("modules kept")),
            Err(error) => {
                self.published.unkept = true;
                let text =
                    format!("modules of the center run, and a restart without the center would forget them: {error}");
                self.problems.insert("modules kept", text);
            }
        }
    }
}

impl Loads for Shared {
    fn state(&self) -> PathBuf {
        self.lock().config.agent.state_dir.clone()
    }

    fn called(&self) -> Arc<Notify> {
        Arc::clone(&self.lock().published.called)
    }

    fn is_behind(&self) -> bool {
        let core = self.lock();
        // Keys that came with a reload may want files that were not fetched.
        let lacks = !core.lacking(&core.published.list).is_empty();
        lacks || core.published.announced.is_some_and(|announced| announced != core.published.list.digest)
    }

    fn announced(&self) -> Option<Digest> {
        self.lock().published.announced
    }

    fn lacks(&self, list: &List) -> Vec<Listed> {
        self.lock().lacking(list)
    }

    fn take(&self, list: List, files: Vec<(Digest, Bytes)>, asked: Option<Digest>) {
        let mut core = self.lock();
        // Unless the center has said something else meanwhile, this is what it has.
        if core.published.announced == asked {
            core.published.announced = Some(list.digest);
        }
        core.take_published(list, &files);
    }

    async fn keep(&self) {
        let Some((folder, list, held)) = self.lock().published_to_keep() else { return };
        // A disk may take its time; requests are answered meanwhile.
        let kept = tokio::task::spawn_blocking(move || keep(&folder, &list, &held)).await;
        if let Ok(kept) = kept {
            self.lock().published_kept(kept);
        }
    }

    fn news(&self) -> Option<Vec<Told>> {
        let mut core = self.lock();
        let told = core.stand_published();
        let (heard, when) = &core.published.heard;
        let is_news = told != *heard || (!told.is_empty() && when.until(clock::now()) > AGAIN);
        is_news.then_some(told)
    }

    fn heard(&self, told: Vec<Told>) {
        self.lock().published.heard = (told, clock::now());
    }
}

impl Core {
    /// Those of a list whose files are wanted, and not held.
    fn lacking(&self, list: &List) -> Vec<Listed> {
        let is_held = |listed: &&Listed| {
            self.published.held.iter().any(|held| held.file.is_some() && is_same(&held.listed, listed))
        };
        let wanted = list.modules.iter().filter(|listed| modules::wanted(listed, &self.own).is_ok());
        wanted.filter(|listed| !is_held(listed)).cloned().collect()
    }
}

fn is_same(one: &Listed, other: &Listed) -> bool {
    (one.digest, &one.key, one.bytes) == (other.digest, &other.key, other.bytes)
}

fn file(listed: &Listed, files: &[(Digest, Bytes)], before: &[Held]) -> Option<Arc<[u8]>> {
    let came = files.iter().find(|(digest, _)| *digest == listed.digest).map(|(_, file)| Arc::from(&file[..]));
    came.or_else(|| before.iter().find(|held| is_same(&held.listed, listed)).and_then(|held| held.file.clone()))
}

/// The list comes last: files that nobody lists are nothing.
fn keep(folder: &Path, list: &List, held: &[Held]) -> Result<(), SyncError> {
    let files = folder.join(FILES);
    fs::create_dir_all(&files).map_err(SyncError::file("make", &files))?;
    for Held { listed, file } in held {
        let path = files.join(listed.digest.to_string());
        if let Some(file) =
            file.as_ref().filter(|_| fs::metadata(&path).map_or(true, |kept| kept.len() != listed.bytes))
        {
            keep_secret(&path, file)?;
        }
    }
    let text = serde_json::to_vec(list).map_err(SyncError::line)?;
    keep_secret(&folder.join(Enrolment::MODULES), &text)?;
    let listed: Vec<String> = list.modules.iter().map(|listed| listed.digest.to_string()).collect();
    for entry in fs::read_dir(&files).into_iter().flatten().flatten() {
        if !listed.iter().any(|name| entry.file_name() == **name) {
            // It is nobody's; the next time tries again.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

fn read(folder: &Path) -> io::Result<(List, Vec<Held>)> {
    let path = folder.join(Enrolment::MODULES);
    let list: List = serde_json::from_slice(&fs::read(path)?)?;
    let file = |listed: &Listed| {
        let file = modules::read(&folder.join(FILES).join(listed.digest.to_string())).ok()?;
        (file.len() <= LARGEST).then(|| Arc::from(file))
    };
    let held = list.modules.iter().map(|listed| Held { listed: listed.clone(), file: file(listed) }).collect();
    Ok((list, held))
}

const FILES: &str = "modules";
/// After this time the center is told again what it has heard: it may have forgotten.
const AGAIN: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use enforcer_policy::document::Mode;

    use super::*;

    fn held(name: &str, bytes: &[u8]) -> Held {
        let listed = Listed {
            name: name.to_owned(),
            version: "1".to_owned(),
            digest: Digest::of("test", &[bytes]),
            key: "00".repeat(8),
            bytes: bytes.len() as u64,
            mode: Mode::Off,
            parameters: BTreeMap::new(),
        };
        Held { listed, file: Some(bytes.into()) }
    }

    fn list(held: &[Held]) -> List {
        List::of(held.iter().map(|held| held.listed.clone()).collect())
    }

    #[test]
    fn what_was_taken_is_there_after_a_restart_and_what_was_withdrawn_is_not() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap_err().kind(), io::ErrorKind::NotFound);
        let all = [held("a", b"one"), held("b", b"two")];
        keep(folder.path(), &list(&all), &all).unwrap();
        let (kept, back) = read(folder.path()).unwrap();
        assert_eq!(kept, list(&all));
        assert!(back.iter().zip(&all).all(|(back, held)| (&back.listed, &back.file) == (&held.listed, &held.file)));
        keep(folder.path(), &list(&all[..1]), &all[..1]).unwrap();
        let (_, back) = read(folder.path()).unwrap();
        assert_eq!(back.len(), 1);
        assert_eq!(fs::read_dir(folder.path().join(FILES)).unwrap().count(), 1);
        fs::remove_file(folder.path().join(FILES).join(all[0].listed.digest.to_string())).unwrap();
        assert!(read(folder.path()).unwrap().1[0].file.is_none(), "it is asked for again");
        fs::write(folder.path().join(Enrolment::MODULES), "{").unwrap();
        assert_eq!(read(folder.path()).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_file_is_taken_from_what_came_or_from_what_was_there() {
        let (old, new) = (held("a", b"one"), held("a", b"two"));
        let came = [(new.listed.digest, Bytes::from_static(b"two"))];
        assert_eq!(file(&new.listed, &came, &[]).as_deref(), Some(&b"two"[..]));
        assert_eq!(file(&old.listed, &came, std::slice::from_ref(&old)).as_deref(), Some(&b"one"[..]));
        assert_eq!(file(&new.listed, &[], std::slice::from_ref(&old)), None);
    }
}
