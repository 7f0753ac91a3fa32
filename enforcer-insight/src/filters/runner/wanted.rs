//! Which filters are wanted where. In: the matrix of a policy. Out: cells by service and filter, those that are off left out.
//! Never here: whether such filters exist.
use std::collections::BTreeMap;
use std::sync::Arc;

use enforcer_policy::document::{Base, Mode};

/// One filter on one service.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WantedCell {
    /// What it may do.
    pub mode: Mode,
    /// Its parameters as written.
    pub parameters: BTreeMap<String, String>,
}

/// All that are wanted, by service, then by filter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wanted(BTreeMap<Arc<str>, BTreeMap<String, WantedCell>>);

impl Wanted {
    /// What a policy wants: a cell's parameters beat those of its filter.
    pub fn of(base: &Base) -> Self {
        let mut wanted = Self::default();
        for (filter, row) in &base.matrix {
            let own = base.filters.get(filter).map(|filter| &filter.parameters);
            for (service, cell) in row {
                let mut parameters = own.cloned().unwrap_or_default();
                parameters.extend(cell.parameters.clone());
                wanted.set(service, filter, WantedCell { mode: cell.mode, parameters });
            }
        }
        wanted
    }

    /// Wants a filter on a service; off is the same as never named.
    pub fn set(&mut self, service: &str, filter: &str, cell: WantedCell) {
        if cell.mode == Mode::Off {
            if let Some(row) = self.0.get_mut(service) {
                row.remove(filter);
            }
        } else {
            self.0.entry(service.into()).or_default().insert(filter.to_owned(), cell);
        }
    }

    /// All cells.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &str, &WantedCell)> {
        self.0.iter().flat_map(|(service, row)| row.iter().map(move |(filter, cell)| (service, &**filter, cell)))
    }
}
