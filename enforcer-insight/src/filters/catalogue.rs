//! Which filters there are. In: built-in filters, and others that are added. Out: for each its name, what it is for, its parameters,
//! and how to make one. Never here: which run where (`runner`).
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::state::Seed;
use super::{Filter, Parameter, Parameters, Word};
use super::{
    anomaly, contract, exposure, injection, logins, protocol, record, resources, restriction, sessions, tokens, walking,
};
use crate::findings::Risk;

/// What filters are made with.
#[derive(Clone)]
pub struct Tools {
    /// The key of digests.
    pub seed: Seed,
}

/// Makes a filter.
pub type Make = dyn Fn(&Parameters, &Tools) -> Box<dyn Filter> + Send + Sync;

/// One kind of filter.
#[derive(Clone)]
pub struct Entry {
    /// Its name in the matrix: lower-case letters, digits and hyphens.
    pub name: Word,
    /// Of a module; none for what comes with the agent.
    pub version: Option<Word>,
    /// What it does, in one line.
    pub title: Word,
    /// The risk it answers first.
    pub risk: Risk,
    /// What can be set.
    pub schema: Arc<[Parameter]>,
    /// Makes one for a service.
    pub make: Arc<Make>,
}

/// All kinds of filters, by their names.
#[derive(Clone, Default)]
pub struct Catalogue(BTreeMap<String, Entry>);

impl Entry {
    /// A built-in filter.
    pub fn built_in<F: Filter + 'static>(
        name: &'static str,
        title: &'static str,
        risk: Risk,
        schema: &[Parameter],
        make: fn(&Parameters, &Tools) -> F,
    ) -> Self {
        let make: Arc<Make> = Arc::new(move |parameters: &Parameters, tools: &Tools| Box::new(make(parameters, tools)));
        Self {
            name: Word::Borrowed(name),
            version: None,
            title: Word::Borrowed(title),
            risk,
            schema: schema.into(),
            make,
        }
    }
}

impl Catalogue {
    /// The filters that come with the agent: the same entries each time, so that a runner that is told of them again knows them.
    pub fn built_in() -> Self {
        BUILT_IN.clone()
    }

    fn all() -> Self {
        let entries = [
            anomaly::entry(),
            contract::entry(),
            exposure::entry(),
            injection::entry(),
            logins::entry(),
            protocol::entry(),
            record::entry(),
            resources::entry(),
            restriction::entry(),
            sessions::entry(),
            tokens::entry(),
            walking::entry(),
        ];
        entries.into_iter().fold(Self::default(), Self::with)
    }

    /// With one more, in place of one of its name.
    #[must_use]
    pub fn with(mut self, entry: Entry) -> Self {
        self.0.insert(entry.name.to_string(), entry);
        self
    }

    /// The one of this name.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.0.get(name)
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.values()
    }
}

static BUILT_IN: LazyLock<Catalogue> = LazyLock::new(Catalogue::all);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filters::Kind;

    #[test]
    fn every_entry_is_whole() {
        for entry in Catalogue::built_in().iter() {
            let plain = |text: &str, extra: u8| {
                text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == extra)
            };
            assert!(plain(&entry.name, b'-') && entry.name.len() <= 64, "{}", entry.name);
            for parameter in entry.schema.iter() {
                assert!(plain(&parameter.name, b'_') && !parameter.doc.is_empty(), "{} {}", entry.name, parameter.name);
                let text = matches!(parameter.kind, Kind::Text(_) | Kind::Choice(_));
                let defaults = Parameters::defaults(&entry.schema);
                let written = [(parameter.name.to_string(), parameter.default.to_string())].into();
                assert_eq!(Parameters::read(&entry.schema, "", &written).as_ref(), Ok(&defaults), "{}", parameter.name);
                assert!(text || defaults.count(&parameter.name) > 0 || parameter.default == "0", "{}", parameter.name);
            }
        }
        assert_eq!(Catalogue::built_in().iter().count(), 12);
    }
}
