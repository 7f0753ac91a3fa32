//! What a module says of itself. In: the JSON of its section [`MANIFEST`]. Out: a [`Manifest`], or what is wrong with it and how to
//! mend it. Never here: code.
//!
//! All words that can ever reach a finding stand here, where a person reads them before the module is signed: a module at work
//! adds only numbers, so that nothing of the traffic can leave by it as text.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use enforcer_insight::filters::{Kind, Parameter, Parameters, Word};
use enforcer_insight::findings::{Risk, Severity};
use serde::Deserialize;

use crate::limits::ABI;

/// The name of the custom section.
pub const MANIFEST: &str = "enforcer.manifest";

/// What a module is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// Its name in the matrix.
    pub name: Word,
    /// Its own version.
    pub version: Word,
    /// What it does, in one line.
    pub title: Word,
    /// The risk it answers first.
    pub risk: Risk,
    /// What it can raise.
    pub kinds: Vec<SignKind>,
    /// What can be set.
    pub schema: Arc<[Parameter]>,
}

/// A kind of sign that a module can raise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignKind {
    /// Its name, such as `huge_page`.
    pub name: Word,
    /// How bad it would be.
    pub severity: Severity,
    /// Which risk it is.
    pub risk: Risk,
    /// What the owner of the service can do about it.
    pub fix: Word,
    /// What it counts as evidence.
    pub counts: Vec<Word>,
}

/// What is wrong with a manifest.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ManifestError {
    /// It was made for another version of the contract.
    #[error("it is made for version {found} of the contract: build it for version {ABI}")]
    Abi {
        /// Which.
        found: u32,
    },
    /// It is no such JSON.
    #[error("its manifest cannot be read ({why}): docs/MODULES.md shows one")]
    Json {
        /// What the reader says.
        why: String,
    },
    /// It is too long.
    #[error("its manifest has {bytes} bytes: write at most {MOST}")]
    Large {
        /// How long.
        bytes: usize,
    },
    /// It has none.
    #[error("it has no section {MANIFEST}: build it with the crate of enforcer filter new")]
    Missing,
    /// Something in it does not fit.
    #[error("{place} of its manifest does not fit: {mend}")]
    Wrong {
        /// Where.
        place: String,
        /// What would fit.
        mend: &'static str,
    },
}

impl Manifest {
    /// Reads it.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn read(text: &[u8]) -> Result<Self, ManifestError> {
        if text.len() > MOST {
            return Err(ManifestError::Large { bytes: text.len() });
        }
        // The version alone first: what else stands there may be of another.
        let Version { abi } = serde_json::from_slice(text).map_err(json)?;
        if abi != ABI {
            return Err(ManifestError::Abi { found: abi });
        }
        serde_json::from_slice::<Written>(text).map_err(json)?.check()
    }

    /// The kind of this name.
    pub(crate) fn kind(&self, name: &str) -> Option<&SignKind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }
}

fn json(error: impl std::fmt::Display) -> ManifestError {
    ManifestError::Json { why: error.to_string() }
}

#[derive(Deserialize)]
struct Version {
    abi: u32,
}

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "abi")]
    _abi: u32,
    name: String,
    version: String,
    title: String,
    risk: Risk,
    kinds: Vec<WrittenKind>,
    #[serde(default)]
    parameters: Vec<WrittenParameter>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKind {
    name: String,
    severity: Severity,
    risk: Option<Risk>,
    fix: String,
    #[serde(default)]
    counts: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenParameter {
    name: String,
    default: String,
    doc: String,
    choice: Option<Vec<String>>,
    count: Option<(u32, u32)>,
    text: Option<u32>,
    time: Option<(u32, u32)>,
}

impl Written {
    fn check(self) -> Result<Manifest, ManifestError> {
        let fits = |fits: bool, place: &str, mend| if fits { Ok(()) } else { Err(wrong(place, mend)) };
        fits(is_name(&self.name, b'-') && self.name != "all", "name", NAME)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+');
        let version = (1..=32).contains(&self.version.len()) && self.version.bytes().all(plain);
        fits(version, "version", "write one such as 1.0.0")?;
        fits(is_line(&self.title), "title", LINE)?;
        fits((1..=KINDS).contains(&self.kinds.len()), "kinds", "name 1 to 32 kinds of signs")?;
        fits(self.parameters.len() <= PARAMETERS, "parameters", "have at most 32")?;
        fits(differ(self.kinds.iter().map(|kind| &*kind.name)), "kinds", "give each another name")?;
        fits(differ(self.parameters.iter().map(|one| &*one.name)), "parameters", "give each another name")?;
        let (risk, kinds) = (self.risk, self.kinds.into_iter());
        let kinds = kinds.map(|kind| kind.check(risk)).collect::<Result<_, _>>()?;
        let schema = self.parameters.into_iter().map(WrittenParameter::check).collect::<Result<_, _>>()?;
        let (name, version, title) = (Word::Owned(self.name), Word::Owned(self.version), Word::Owned(self.title));
        Ok(Manifest { name, version, title, risk, kinds, schema })
    }
}

impl WrittenKind {
    fn check(self, risk: Risk) -> Result<SignKind, ManifestError> {
        let place = |part: &str| format!("kinds.{}{part}", shown(&self.name));
        let names = self.counts.iter().all(|name| is_name(name, b'_'));
        let counts = names && self.counts.len() <= COUNTS && differ(self.counts.iter().map(|name| &**name));
        if !is_name(&self.name, b'_') {
            return Err(wrong(&place(""), NAME));
        }
        if !is_line(&self.fix) {
            return Err(wrong(&place(".fix"), LINE));
        }
        if !counts {
            return Err(wrong(&place(".counts"), "name at most 8, each differently, as you name kinds"));
        }
        let counts = self.counts.into_iter().map(Word::Owned).collect();
        let (name, fix, risk) = (Word::Owned(self.name), Word::Owned(self.fix), self.risk.unwrap_or(risk));
        Ok(SignKind { name, severity: self.severity, risk, fix, counts })
    }
}

impl WrittenParameter {
    fn check(self) -> Result<Parameter, ManifestError> {
        let place = format!("parameters.{}", shown(&self.name));
        let words = |words: Vec<String>| Kind::Choice(words.into_iter().map(Word::Owned).collect::<Vec<_>>().into());
        let kind = match (self.choice, self.count, self.text, self.time) {
            (Some(choice), None, None, None) if choice.iter().all(|word| is_line(word)) => words(choice),
            (None, Some((least, most)), None, None) => Kind::Count(least, most),
            (None, None, Some(most), None) if most <= TEXT => Kind::Text(most),
            (None, None, None, Some((least, most))) => Kind::Time(least, most),
            _ => return Err(wrong(&place, "say one of choice, count, text (at most 4096 bytes) and time")),
        };
        // `mode` is what the matrix itself says.
        if !is_name(&self.name, b'_') || self.name == "mode" {
            return Err(wrong(&place, NAME));
        }
        if !is_line(&self.doc) {
            return Err(wrong(&place, "say in doc what it changes, in one line"));
        }
        let (default, doc) = (Word::Owned(self.default), Word::Owned(self.doc));
        let parameter = Parameter { name: Word::Owned(self.name), kind, default, doc };
        let written = BTreeMap::from([(parameter.name.to_string(), parameter.default.to_string())]);
        let default = Parameters::read(std::slice::from_ref(&parameter), "", &written);
        default.map(|_| parameter).map_err(|_does_not_fit| wrong(&place, "give it a default that fits"))
    }
}

fn wrong(place: &str, mend: &'static str) -> ManifestError {
    ManifestError::Wrong { place: place.to_owned(), mend }
}

fn is_name(text: &str, extra: u8) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == extra;
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

fn is_line(text: &str) -> bool {
    (1..=200).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn differ<'n>(mut names: impl Iterator<Item = &'n str>) -> bool {
    let mut seen = BTreeSet::new();
    names.all(|name| seen.insert(name))
}

/// A name that may be no name.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

const NAME: &str =
    "use lower-case letters, digits and hyphens (in names of kinds, counts and parameters underscores), 64 at most";
const LINE: &str = "write one line of 1 to 200 bytes";
/// Bytes of a manifest.
const MOST: usize = 16 << 10;
const KINDS: usize = 32;
const COUNTS: usize = 8;
const PARAMETERS: usize = 32;
/// Bytes of a parameter that is a text.
const TEXT: u32 = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"abi": 1, "name": "pages", "version": "1.0.0", "title": "pages that are huge", "risk": "API4:2023",
        "kinds": [{"name": "huge_page", "severity": "medium", "fix": "bound pages", "counts": ["entries", "bound"]}],
        "parameters": [{"name": "page", "count": [10, 1000], "default": "500", "doc": "entries"},
                       {"name": "lasts", "time": [60, 3600], "default": "10m", "doc": "how long"},
                       {"name": "end", "choice": ["newer", "older"], "default": "newer", "doc": "which"},
                       {"name": "note", "text": 20, "default": "", "doc": "any"}]}"#;

    #[test]
    fn a_manifest_becomes_words_and_a_schema() {
        let manifest = Manifest::read(GOOD.as_bytes()).unwrap();
        assert_eq!((&*manifest.name, &*manifest.version, manifest.schema.len()), ("pages", "1.0.0", 4));
        let kind = manifest.kind("huge_page").unwrap();
        assert_eq!((kind.risk, kind.severity, kind.counts.len()), (Risk::ResourceConsumption, Severity::Medium, 2));
        assert_eq!(Parameters::defaults(&manifest.schema).time("lasts").as_secs(), 600);
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_place() {
        for (from, to, told) in [
            ("\"abi\": 1", "\"abi\": 2", "version 2"),
            ("\"pages\"", "\"Pages\"", "name of its manifest"),
            ("\"pages\"", "\"all\"", "name of its manifest"),
            ("\"1.0.0\"", "\"\"", "version of its manifest"),
            ("API4:2023", "API4:2019", "cannot be read"),
            ("\"bound\"]", "\"entries\"]", "kinds.huge_page.counts"),
            ("bound pages", "bound\\npages", "kinds.huge_page.fix"),
            ("\"500\"", "\"5000\"", "parameters.page"),
            ("\"end\"", "\"mode\"", "parameters.mode"),
            ("\"end\"", "\"page\"", "another name"),
            ("\"text\": 20", "\"text\": 20, \"time\": [1, 2]", "say one of"),
            ("\"title\"", "\"more\": 1, \"title\"", "unknown field"),
        ] {
            let error = Manifest::read(GOOD.replace(from, to).as_bytes()).unwrap_err().to_string();
            assert!(error.contains(told), "{from} -> {to}: {error}");
        }
        let long = format!("{GOOD}{}", " ".repeat(MOST));
        assert!(matches!(Manifest::read(long.as_bytes()), Err(ManifestError::Large { .. })));
    }
}
