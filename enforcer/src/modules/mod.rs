//! The modules' room: filters that are files.
//!
//! In: the configuration, files, what was loaded before; what the center publishes (`published`). Out: a catalogue of all filters, and every problem
//! with its line and mend. Never here: what a module may do (`enforcer-module`), when filters run.
//!
//! A file that has not changed keeps its entry, and so what its filter knows; one that cannot be used leaves the one that ran before.
mod published;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use enforcer_insight::filters::{Catalogue, Entry};
use enforcer_module::{Gauge, LARGEST, Module, ModuleError, digest, key_name, signed_by, verify};
use enforcer_policy::revision::Digest;

use crate::config::{Config, ModuleFile, Problem, Problems};
use published::Fate;
pub use published::{Held, wanted};

/// The modules that were loaded.
#[derive(Clone, Default)]
pub struct Modules {
    /// Files that the host's configuration names.
    own: BTreeMap<String, Loaded>,
    /// What the center publishes.
    published: BTreeMap<String, Fate>,
}

#[derive(Clone)]
struct Loaded {
    digest: Digest,
    /// The id of the key that signed it.
    key: String,
    entry: Entry,
}

impl Modules {
    /// All filters: those that come with the agent, and these.
    pub fn catalogue(&self) -> Catalogue {
        // The host's own come last: they stand before others of their name.
        let all = self.published.values().filter_map(Fate::running).chain(self.own.values());
        all.fold(Catalogue::built_in(), |catalogue, loaded| catalogue.with(loaded.entry.clone()))
    }

    /// Reads the files of a configuration; `self` is what was loaded before. Beside problems stands what there is without them. What is published stays
    /// as it is.
    pub fn load(&self, config: &Config) -> (Self, Problems) {
        let (own, published) = (BTreeMap::new(), self.published.clone());
        let (mut loaded, mut problems) = (Self { own, published }, Vec::new());
        for module in &config.modules {
            let before = self.own.get(&module.name);
            match load(module, before) {
                Ok(one) => {
                    problems.extend(config.misfits(&module.name, module.line, &one.entry));
                    loaded.own.insert(module.name.clone(), one);
                }
                Err(problem) => {
                    problems.push(problem);
                    loaded.own.extend(before.map(|before| (module.name.clone(), before.clone())));
                }
            }
        }
        (loaded, Problems(problems))
    }
}

fn load(module: &ModuleFile, before: Option<&Loaded>) -> Result<Loaded, Problem> {
    let file = module.file.display();
    let problem = |what: String, mend: &str| {
        let place = format!("module {}", module.name);
        Problem { line: module.line, place, what, mend: mend.to_owned() }
    };
    let bytes = read(&module.file).map_err(|error| {
        problem(format!("{file} cannot be read: {error}"), "put it there, readable for the user of the agent")
    })?;
    let refused = |error: ModuleError| {
        let (what, mend) = parts(&error);
        problem(format!("{file} cannot be used: {what}"), &mend)
    };
    // What has not changed is not compiled again; whoever signed it must still be trusted.
    if let (Some(before), Ok(body)) = (before, verify(&bytes, &module.keys))
        && before.digest == digest(body)
    {
        return Ok(before.clone());
    }
    let opened = Module::open(&bytes, &module.keys).map_err(refused)?;
    let name = &opened.manifest().name;
    if *name != module.name {
        return Err(problem(format!("{file} names itself {name}"), "write that name, here and in filters"));
    }
    let key = signed_by(&bytes).map(key_name).unwrap_or_default();
    Ok(Loaded { digest: opened.digest(), key, entry: opened.entry(&Arc::new(Gauge::default())) })
}

/// A file, no more of it than a module may have and a signature.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What is wrong, and how to mend it: every error of a module says both, in this order.
pub fn parts(error: &ModuleError) -> (String, String) {
    let text = error.to_string();
    let (what, mend) = text.rsplit_once(": ").unwrap_or((&text, ""));
    (what.to_owned(), mend.to_owned())
}

#[cfg(test)]
mod published_tests;
#[cfg(test)]
mod tests;
