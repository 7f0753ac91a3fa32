//! Modules that a center publishes. In: a signed file; words of a center and of its hosts. Out: what a file says of itself, without any of it
//! being run; the forms of both sides' words, bounded. Never here: whom to trust (hosts do, by their own configuration), the network.
use std::collections::BTreeMap;

use enforcer_policy::Moment;
use enforcer_policy::document::Mode;
use enforcer_policy::revision::{Digest, KEY_ID};
use serde::{Deserialize, Serialize};

use crate::limits::LARGEST;
use crate::manifest::{MANIFEST, Manifest, ManifestError};
use crate::module::{ModuleError, digest};
use crate::signature::{SignatureError, body, signed_by};

/// Modules of one center.
pub const MOST_PUBLISHED: usize = 64;
/// Bytes of a reason that a host tells.
pub const WHY: usize = 1024;

/// What a signed file says of itself, whoever signed it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// Its manifest.
    pub manifest: Manifest,
    /// Of the bytes that were signed.
    pub digest: Digest,
    /// Which key it says has signed it.
    pub key: String,
}

/// A module as a center lists it for a host. Fields may be added.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Listed {
    /// Its name, as in its manifest.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// Of the bytes that were signed.
    pub digest: Digest,
    /// The id of the key that has signed it, in hexadecimal digits.
    pub key: String,
    /// Bytes of the file, with its signature.
    pub bytes: u64,
    /// What it may do where nobody says otherwise.
    pub mode: Mode,
    /// Its parameters where nobody says otherwise.
    pub parameters: BTreeMap<String, String>,
}

/// All that a center has for one host.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct List {
    /// Of the modules; of none it is zero.
    pub digest: Digest,
    /// By their names.
    pub modules: Vec<Listed>,
}

/// How a published module is on a host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is a filter like any other.
    Loaded,
    /// It is not used.
    Refused,
    /// It was stopped, on one service at least.
    Stopped,
}

/// What a host tells of one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Which.
    pub digest: Digest,
    /// How it is.
    pub state: State,
    /// Why it is not loaded.
    pub why: String,
    /// Since when, on that host.
    pub since: Moment,
}

impl Label {
    /// Reads a file as far as its manifest: its sections are walked through, and no code is looked at.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, ModuleError> {
        if bytes.len() > LARGEST {
            return Err(ModuleError::Large { bytes: bytes.len() });
        }
        let key = signed_by(bytes).ok_or(SignatureError::Missing)?;
        let body = body(bytes);
        let manifest = Manifest::read(section(body)?.ok_or(ManifestError::Missing)?)?;
        Ok(Self { manifest, digest: digest(body), key: key_name(key) })
    }
}

impl List {
    /// Of these, in the order of their names.
    pub fn of(mut modules: Vec<Listed>) -> Self {
        modules.sort_by(|one, other| one.name.cmp(&other.name));
        if modules.is_empty() {
            return Self::default();
        }
        // Text and numbers can be written.
        let written = serde_json::to_vec(&modules).unwrap_or_default();
        Self { digest: Digest::of("enforcer modules v1", &[&written]), modules }
    }
}

impl State {
    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Refused => "refused",
            Self::Stopped => "stopped",
        }
    }

    /// Every state.
    pub const ALL: [Self; 3] = [Self::Loaded, Self::Refused, Self::Stopped];
}

impl Told {
    /// Whether a center takes it.
    pub fn is_sound(&self) -> bool {
        let texts = [(&self.name, 64), (&self.version, 32), (&self.why, WHY)];
        texts.into_iter().all(|(text, most)| text.chars().count() <= most)
    }
}

/// The id of a key, as people see it.
pub fn key_name(id: &[u8; KEY_ID]) -> String {
    format!("{:016x}", u64::from_be_bytes(*id))
}

/// The content of the manifest's section, if there is one.
fn section(module: &[u8]) -> Result<Option<&[u8]>, ModuleError> {
    let broken = || ModuleError::Wasm { why: "its sections do not follow one another".to_owned() };
    let mut rest = module.strip_prefix(b"\0asm\x01\0\0\0").ok_or_else(broken)?;
    while let Some((kind, after)) = rest.split_first() {
        let (content, after) = counted(after).ok_or_else(broken)?;
        if *kind == 0 {
            let (name, content) = counted(content).ok_or_else(broken)?;
            if name == MANIFEST.as_bytes() {
                return Ok(Some(content));
            }
        }
        rest = after;
    }
    Ok(None)
}

/// So many bytes as a number before them says, and what follows them.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut length, mut rest) = (0_u64, bytes);
    // A number of 32 bits has five bytes at most, seven bits in each.
    for shift in [0_u32, 7, 14, 21, 28] {
        let (byte, after) = rest.split_first()?;
        rest = after;
        length |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return rest.split_at_checked(usize::try_from(length).ok()?);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use enforcer_policy::revision::Signer;

    use super::*;
    use crate::signature::sign;

    const MANIFEST: &str = r#"{"abi":1,"name":"pages","version":"1.0.0","title":"pages","risk":"API4:2023","kinds":[{"name":"page","severity":"low","fix":"none"}]}"#;

    fn module(manifest: &str) -> Vec<u8> {
        let text = format!(
            "(module (func (export \"f\")) (@custom \"other\" \"x\") (@custom \"enforcer.manifest\" \"{}\"))",
            manifest.replace('"', "\\\"")
        );
        wat::parse_str(text).unwrap()
    }

    fn signed(manifest: &str) -> Vec<u8> {
        sign(&module(manifest), &Signer::from_seed(&[7; 32]))
    }

    #[test]
    fn a_file_says_what_it_is_without_being_run() {
        let label = Label::read(&signed(MANIFEST)).unwrap();
        assert_eq!((&*label.manifest.name, &*label.manifest.version), ("pages", "1.0.0"));
        assert_eq!(label.digest, digest(&module(MANIFEST)));
        assert_eq!(label.key, key_name(&Signer::from_seed(&[7; 32]).public().id()));
    }

    #[test]
    fn what_no_host_could_use_is_told() {
        let signer = Signer::from_seed(&[7; 32]);
        for (bytes, told) in [
            (module(MANIFEST), "not signed"),
            (signed(&MANIFEST.replace("\"abi\":1", "\"abi\":9")), "version 9"),
            (sign(b"\0asm\x01\0\0\0", &signer), "no section"),
            (sign(b"none", &signer), "sections"),
            (sign(b"\0asm\x01\0\0\0\x00\xff\xff\xff\xff\xff\x01", &signer), "sections"),
            (sign(b"\0asm\x01\0\0\0\x00\x7f", &signer), "sections"),
            (vec![0; LARGEST + 1], "bytes"),
        ] {
            let error = Label::read(&bytes).unwrap_err().to_string();
            assert!(error.contains(told), "{told}: {error}");
        }
        let whole = signed(MANIFEST);
        for at in 0..whole.len() {
            assert!(Label::read(&whole[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_list_is_known_by_what_is_in_it() {
        let listed = |name: &str, mode| Listed {
            name: name.to_owned(),
            version: "1".to_owned(),
            digest: Digest::default(),
            key: String::new(),
            bytes: 1,
            mode,
            parameters: BTreeMap::new(),
        };
        let list = List::of(vec![listed("b", Mode::Off), listed("a", Mode::Off)]);
        assert_eq!(list, List::of(vec![listed("a", Mode::Off), listed("b", Mode::Off)]));
        assert_ne!(list.digest, List::of(vec![listed("a", Mode::Off), listed("b", Mode::Observe)]).digest);
        assert_eq!(List::of(Vec::new()).digest, Digest::default());
        let text = serde_json::to_string(&list).unwrap();
        assert_eq!(serde_json::from_str::<List>(&text.replace("\"name\"", "\"more\":1,\"name\"")).unwrap(), list);
    }
}
