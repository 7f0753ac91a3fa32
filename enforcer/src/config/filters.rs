//! What filters may do. In: the table `filters` of the file, and of a service. Out: what was written of each filter, fit for its
//! schema; and, with the defaults, which filters run where. Never here: running them.
use std::collections::BTreeMap;

use enforcer_insight::filters::{Catalogue, Entry, Parameters, Wanted, WantedCell};
use enforcer_policy::document::Mode;

use super::Config;
use super::reader::{Report, Section, Value};

/// What was written, by the name of the filter or [`EVERY`].
pub type Filters = BTreeMap<String, WantedCell>;

/// Stands for every filter that is not named itself.
pub(super) const EVERY: &str = "all";

/// Reads one table of filters.
pub(super) fn filters(section: &Section<'_>, report: &mut Report) -> Filters {
    let catalogue = Catalogue::built_in();
    let mut found = Filters::new();
    for (name, value) in section.entries(report) {
        let entry = catalogue.find(&name);
        if entry.is_none() && name != EVERY {
            let known: Vec<&str> = catalogue.iter().map(|entry| &*entry.name).collect();
            let mend = format!("write one of {}, or {EVERY}", known.join(", "));
            value.refuse(report, format!("there is no filter {name}"), mend);
        } else if let Some(cell) = cell(entry, &value, report) {
            found.insert(name, cell);
        }
    }
    found
}

/// A mode alone, or a table with a mode and parameters.
fn cell(entry: Option<&Entry>, value: &Value<'_>, report: &mut Report) -> Option<WantedCell> {
    if value.is_text() {
        return value.choice(report, &MODES).map(|mode| WantedCell { mode, parameters: BTreeMap::new() });
    }
    let section = value.section(report)?;
    let mut cell = WantedCell { mode: Mode::Observe, parameters: BTreeMap::new() };
    for (name, value) in section.entries(report) {
        if name == "mode" {
            cell.mode = value.choice(report, &MODES)?;
        } else if let Some(text) = value.plain(report) {
            let one = BTreeMap::from([(name.clone(), text.clone())]);
            let schema = entry.map_or(&[][..], |entry| &entry.schema);
            for problem in Parameters::read(schema, "", &one).err().into_iter().flatten() {
                value.refuse(report, problem.what, problem.mend);
            }
            cell.parameters.insert(name, text);
        }
    }
    Some(cell)
}

impl Config {
    /// Which filters run where: what stands with the service counts first, then what stands for all services; what is named nowhere
    /// observes.
    pub fn wanted_filters(&self) -> Wanted {
        let (mut wanted, catalogue) = (Wanted::default(), Catalogue::built_in());
        for service in &self.services {
            for entry in catalogue.iter() {
                let in_table = |table: &Filters| table.get(&*entry.name).or_else(|| table.get(EVERY)).cloned();
                let cell = in_table(&service.filters).or_else(|| in_table(&self.filters));
                let unnamed = || WantedCell { mode: Mode::Observe, parameters: BTreeMap::new() };
                wanted.set(&service.name, &entry.name, cell.unwrap_or_else(unnamed));
            }
        }
        wanted
    }
}

const MODES: [(&str, Mode); 3] = [("off", Mode::Off), ("observe", Mode::Observe), ("enforce", Mode::Enforce)];
