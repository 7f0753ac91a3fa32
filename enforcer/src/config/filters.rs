//! What filters may do. In: the table `filters` of the file, and of a service. Out: what was written of each filter, fit for its
//! schema; and, with the defaults, which filters run where. Never here: running them.
use std::collections::{BTreeMap, BTreeSet};

use enforcer_insight::filters::{Catalogue, Entry, ParameterProblem, Parameters, Wanted, WantedCell};
use enforcer_policy::document::Mode;

use super::reader::{Problem, Report, Section, Value};
use super::{Config, ModuleFile, Service};

/// What was written, by the name of the filter or [`EVERY`].
pub type Filters = BTreeMap<String, WantedCell>;

/// Stands for every filter that is not named itself.
pub(super) const EVERY: &str = "all";

/// Filters that a file may speak of besides those that are built in.
#[derive(Clone, Copy, Default)]
pub(super) struct Others<'m> {
    /// Modules that it names.
    pub(super) modules: &'m [ModuleFile],
    /// The center may publish more: any other name waits for that.
    pub(super) published: bool,
}

/// Reads one table of filters. What is written of a module waits for its file: [`Config::misfits`].
pub(super) fn filters(section: &Section<'_>, others: Others<'_>, report: &mut Report) -> Filters {
    let catalogue = Catalogue::built_in();
    let mut found = Filters::new();
    for (name, value) in section.entries(report) {
        let entry = catalogue.find(&name);
        let is_module = others.published || others.modules.iter().any(|module| module.name == name);
        if entry.is_none() && name != EVERY && !is_module {
            let built_in = catalogue.iter().map(|entry| &*entry.name);
            let known: Vec<&str> = built_in.chain(others.modules.iter().map(|module| &*module.name)).collect();
            let mend = format!("write one of {}, or {EVERY}", known.join(", "));
            value.refuse(report, format!("there is no filter {name}"), mend);
        } else if let Some(cell) = cell(entry, is_module && entry.is_none(), &value, report) {
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
                wanted.set(&service.name, &entry.name, self.cell(service, &entry.name));
            }
        }
        wanted
    }

    fn cell(&self, service: &Service, filter: &str) -> WantedCell {
        let published = self.published.get(filter);
        let in_table = |table: &Filters| match (table.get(filter), table.get(EVERY), published) {
            (None, all, None) => all.cloned(),
            (Some(named), _, None) => Some(named.clone()),
            (Some(named), _, Some(below)) => {
                let parameters = below.parameters.clone().into_iter().chain(named.parameters.clone()).collect();
                Some(WantedCell { mode: named.mode, parameters })
            }
            // Whoever wrote that did not know of it: it decides nothing unless it is named.
            (None, Some(all), Some(below)) => Some(WantedCell { mode: all.mode.min(Mode::Observe), ..below.clone() }),
            (None, None, Some(_)) => None,
        };
        let cell = in_table(&service.filters).or_else(|| in_table(&self.filters)).or_else(|| published.cloned());
        cell.unwrap_or_else(|| WantedCell { mode: Mode::Observe, parameters: BTreeMap::new() })
    }

    /// The same, with these published modules.
    #[must_use]
    pub fn with_published(&self, published: BTreeMap<String, WantedCell>) -> Self {
        Self { published, ..self.clone() }
    }

    /// True when nothing but what filters may do is another.
    pub fn is_like_but_for_filters(&self, other: &Self) -> bool {
        let mut same = Self { published: other.published.clone(), filters: other.filters.clone(), ..self.clone() };
        for (one, other) in same.services.iter_mut().zip(&other.services) {
            one.filters.clone_from(&other.filters);
        }
        same == *other
    }

    /// Names that stand in tables of filters, and are none.
    pub fn unknown_filters(&self, catalogue: &Catalogue) -> BTreeSet<String> {
        let tables = self.services.iter().map(|service| &service.filters).chain([&self.filters]);
        let names = tables.flat_map(|table| table.keys());
        names.filter(|name| *name != EVERY && catalogue.find(name).is_none()).cloned().collect()
    }

    /// What is written of this module and does not fit it.
    pub fn misfits(&self, module: &str, line: usize, entry: &Entry) -> Vec<Problem> {
        let tables = self.services.iter().map(|service| (format!("service {}", service.name), &service.filters));
        let tables = std::iter::once((String::new(), &self.filters)).chain(tables);
        let misfit = |(owner, table): (String, &Filters)| {
            let written = &table.get(module)?.parameters;
            let place = format!("{owner} filters.{module}");
            Parameters::read(&entry.schema, place.trim_start(), written).err()
        };
        let problem = |one: ParameterProblem| {
            let ParameterProblem { place, what, mend } = one;
            Problem { line, place, what, mend }
        };
        tables.filter_map(misfit).flatten().map(problem).collect()
    }
}

const MODES: [(&str, Mode); 3] = [("off", Mode::Off), ("observe", Mode::Observe), ("enforce", Mode::Enforce)];
