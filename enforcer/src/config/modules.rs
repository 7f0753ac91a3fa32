//! `[[module]]` and `[published]`: filters that are files, here or published by the center. In: the sections. Out: names, files, keys. Never here: reading
//! the files.
use std::path::PathBuf;

use enforcer_insight::filters::Catalogue;
use enforcer_policy::revision::Verifier;

use super::reader::{Report, Section, Value, shown};

/// A filter that is a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModuleFile {
    /// Its name, as in its manifest.
    pub name: String,
    /// Where it lies.
    pub file: PathBuf,
    /// Who may have signed it.
    pub keys: Vec<Verifier>,
    /// The line of its section, for what is found out about the file later.
    pub line: usize,
}

/// Reads all; incomplete ones are left out, and told.
pub(super) fn modules(sections: Vec<Section<'_>>, report: &mut Report) -> Vec<ModuleFile> {
    let mut modules = Vec::new();
    for section in sections {
        if modules.len() == MOST_MODULES {
            section.refuse(
                report,
                format!("there are more than {MOST_MODULES} modules"),
                "join filters that belong together",
            );
            break;
        }
        modules.extend(module(section, &modules, report));
    }
    modules
}

/// `[published]`: whose modules are run, when the center publishes them. Without it, nobody's.
pub(super) fn trusted(mut section: Section<'_>, report: &mut Report) -> Vec<Verifier> {
    let keys = section.need(report, "keys", "[\"the public key of who signs modules\"]");
    let keys = keys.map_or_else(Vec::new, |value| keys_of(&value, report));
    section.finish(report);
    keys
}

fn module(mut section: Section<'_>, others: &[ModuleFile], report: &mut Report) -> Option<ModuleFile> {
    let line = report.line(section.at());
    let name = section.need(report, "name", "\"pages\"").and_then(|value| name(&value, others, report));
    let file = section.need(report, "file", "\"/etc/enforcer/modules/pages.wasm\"").and_then(|value| {
        let text = value.text(report)?;
        if !text.starts_with('/') {
            value.refuse(report, format!("{} is not an absolute path", shown(text)), "begin the path with a slash");
        }
        Some(PathBuf::from(text))
    });
    let keys =
        section.need(report, "keys", "[\"the public key of who signed it\"]").map(|value| keys_of(&value, report));
    section.finish(report);
    Some(ModuleFile { name: name?, file: file?, keys: keys?, line })
}

fn name(value: &Value<'_>, others: &[ModuleFile], report: &mut Report) -> Option<String> {
    let name = value.text(report)?;
    if others.iter().any(|other| other.name == name) {
        value.refuse(report, format!("there are two modules {}", shown(name)), "keep one of the two");
    } else if Catalogue::built_in().find(name).is_some() || name == "all" {
        value.refuse(report, format!("{} is built in", shown(name)), "give the module another name in its manifest");
    } else {
        return Some(name.to_owned());
    }
    None
}

fn keys_of(value: &Value<'_>, report: &mut Report) -> Vec<Verifier> {
    let elements = value.list(report);
    if elements.is_empty() {
        value.refuse(report, "no key is trusted", "write the public key that enforcer filter key tells");
    }
    let mut keys = Vec::new();
    for element in elements {
        let Some(text) = element.text(report) else { continue };
        match Verifier::parse(text) {
            Some(key) => keys.push(key),
            None => element.refuse(
                report,
                format!("{} is no public key", shown(text)),
                "write the 64 hexadecimal digits that enforcer filter key tells",
            ),
        }
    }
    keys
}

/// Modules of a host, wherever they come from. Each costs up to 16 MiB on each service.
pub const MOST_MODULES: usize = 16;
