//! What filters may do. In: the table `filters` of the file, and of a service. Out: what was written of each filter, fit for its
//! schema; and, with the defaults, which filters run where. Never here: running them.
use std::collections::BTreeMap;

use enforcer_insight::filters::{Catalogue, Entry, ParameterProblem, Parameters, Wanted, WantedCell};
use enforcer_policy::document::Mode;

use super::reader::{Problem, Report, Section, Value};
use super::{Config, ModuleFile};

/// What was written, by the name of the filter or [`EVERY`].
pub type Filters = BTreeMap<String, WantedCell>;

/// Stands for every filter that is not named itself.
pub(super) const EVERY: &str = "all";

/// Reads one table of filters. What is written of a module waits for its file: [`Config::misfits`].
pub(super) fn filters(section: &Section<'_>, modules: &[ModuleFile], report: &mut Report) -> Filters {
    let catalogue = Catalogue::built_in();
    let mut found = Filters::new();
    for (name, value) in section.entries(report) {
        let entry = catalogue.find(&name);
        let is_module = modules.iter().any(|module| module.name == name);
        if entry.is_none() && name != EVERY && !is_module {
            let built_in = catalogue.iter().map(|entry| &*entry.name);
            let known: Vec<&str> = built_in.chain(modules.iter().map(|module| &*module.name)).collect();
            let mend = format!("write one of {}, or {EVERY}", known.join(", "));
            value.refuse(report, format!("there is no filter {name}"), mend);
        } else if let Some(cell) = cell(entry, is_module, &value, report) {
            found.insert(name, cell);
        }
    }
    found
}

/// A mode alone, or a table with a mode and parameters.
fn cell(entry: Option<&Entry>, waits: bool, value: &Value<'_>, report: &mut Report) -> Option<WantedCell> {
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
            let problems = if waits { None } else { Parameters::read(schema, "", &one).err() };
            for problem in problems.into_iter().flatten() {
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
    pub fn wanted_filters(&self, catalogue: &Catalogue) -> Wanted {
        let mut wanted = Wanted::default();
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

    /// What is written of this module and does not fit it.
    pub fn misfits(&self, module: &ModuleFile, entry: &Entry) -> Vec<Problem> {
        let tables = self.services.iter().map(|service| (format!("service {}", service.name), &service.filters));
        let tables = std::iter::once((String::new(), &self.filters)).chain(tables);
        let misfit = |(owner, table): (String, &Filters)| {
            let written = &table.get(&module.name)?.parameters;
            let place = format!("{owner} filters.{}", module.name);
            Parameters::read(&entry.schema, place.trim_start(), written).err()
        };
        let problem = |one: ParameterProblem| {
            let ParameterProblem { place, what, mend } = one;
            Problem { line: module.line, place, what, mend }
        };
        tables.filter_map(misfit).flatten().map(problem).collect()
    }
}

const MODES: [(&str, Mode); 3] = [("off", Mode::Off), ("observe", Mode::Observe), ("enforce", Mode::Enforce)];
