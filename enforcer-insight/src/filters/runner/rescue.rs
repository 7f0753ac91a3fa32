//! Another runner in place of one that does not come back. In: the cells that both share. Out: a runner with all of them but the one
//! at work. Never here: when to give up (the supervisor sees to it).
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use enforcer_policy::document::Mode;

use super::budget::{Budget, Stopped};
use super::cell::Running;
use super::{Change, Notice, Runner};
use crate::filters::{Catalogue, Tools, Word};

/// The cells, for whoever rescues them, with what must be known of one that cannot be locked; and which filters there are now.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) catalogue: Catalogue,
    pub(super) cells: Vec<Arc<Mutex<Running>>>,
    pub(super) labels: Vec<(Word, Arc<str>, Mode)>,
}

/// Makes another runner from the cells of one that hangs.
#[derive(Clone)]
pub struct Rescue {
    tools: Tools,
    budget: Budget,
    shared: Arc<Mutex<Shared>>,
}

impl Rescue {
    pub(super) const fn new(tools: Tools, budget: Budget, shared: Arc<Mutex<Shared>>) -> Self {
        Self { tools, budget, shared }
    }

    /// The runner in its place. The filter at work stands in it as given up: it is never started again in this process, since its
    /// thread still runs. All others keep what they know; templates begin anew.
    ///
    /// The old runner must have been abandoned by its [`Pulse`](crate::filters::Pulse) before.
    pub fn runner(&self) -> Runner {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let mut runner = Runner::new(shared.catalogue.clone(), self.tools.clone(), self.budget);
        let mut cells: BTreeMap<Arc<str>, Vec<_>> = BTreeMap::new();
        for (cell, (name, service, mode)) in shared.cells.iter().zip(&shared.labels) {
            let free = !matches!(cell.try_lock(), Err(TryLockError::WouldBlock));
            let kept = if free {
                Arc::clone(cell)
            } else {
                let (filter, change) = (name.clone(), Change::Stopped(Stopped::Looped));
                runner.notices.push(Notice { filter, service: Arc::clone(service), change });
                Arc::new(Mutex::new(Running::given_up(name.clone(), Arc::clone(service), *mode)))
            };
            cells.entry(Arc::clone(service)).or_default().push(kept);
        }
        drop(shared);
        runner.cells = cells;
        runner.share();
        runner
    }
}

/// A cell, also after a panic in it: that was caught, and the filter stopped.
pub(super) fn lock(cell: &Mutex<Running>) -> MutexGuard<'_, Running> {
    cell.lock().unwrap_or_else(PoisonError::into_inner)
}
