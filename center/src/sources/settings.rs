//! `sources.toml`: where decisions come from that no person makes one by one.
//!
//! In: text. Out: settings, or what is wrong with it. Never here: asking anybody; the keys that it names.
//!
//! ```toml
//! [crowdsec]
//! url = "http://127.0.0.1:8080"                  # or https:// with authority = "/path/ca.pem"
//! key_file = "/etc/enforcer/crowdsec.key"        # of a bouncer that nobody else is
//! interval_seconds = 10
//! most = 200000                                  # decisions that are taken from it
//! groups = ["edge"]                              # none: on all hosts
//! ```
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::settings;

/// A CrowdSec local API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CrowdSecSettings {
    /// `http://HOST:PORT`, or `https://` with an authority.
    pub url: String,
    /// The file with the key of this bouncer; each center has its own.
    pub key_file: PathBuf,
    /// The certificate of the authority, for `https://`.
    pub authority: Option<PathBuf>,
    /// How often it is asked.
    pub interval: Duration,
    /// Decisions that are taken from it.
    pub most: usize,
    /// Groups of hosts, in order and each once; none means every host.
    pub groups: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    crowdsec: Option<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    url: String,
    key_file: PathBuf,
    authority: Option<PathBuf>,
    #[serde(default = "usual_interval")]
    interval_seconds: u64,
    #[serde(default = "usual_most")]
    most: usize,
    #[serde(default)]
    groups: Vec<String>,
}

/// Reads the file; none when it is not there, or names none.
pub fn read(path: &Path) -> anyhow::Result<Option<CrowdSecSettings>> {
    settings::read(path, parse)
}

fn parse(text: &str) -> anyhow::Result<Option<CrowdSecSettings>> {
    let file: File = toml::from_str(text)?;
    file.crowdsec.map(Written::understood).transpose().context("crowdsec")
}

impl Written {
    fn understood(self) -> anyhow::Result<CrowdSecSettings> {
        let Self { url, key_file, authority, interval_seconds, most, groups } = self;
        settings::address(&url, authority.is_some())?;
        ensure!((1..=3600).contains(&interval_seconds), "interval_seconds is 1 to 3600, not {interval_seconds}");
        ensure!((1..=MOST).contains(&most), "most is 1 to {MOST}, not {most}");
        let (interval, groups) = (Duration::from_secs(interval_seconds), settings::groups(groups));
        Ok(CrowdSecSettings { url, key_file, authority, interval, most, groups })
    }
}

const fn usual_interval() -> u64 {
    10
}

const fn usual_most() -> usize {
    200_000
}

/// Half of what a center may hold.
const MOST: usize = enforcer_policy::revision::MOST_DECISIONS / 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read() {
        let text = "[crowdsec]\nurl = \"http://h:8080\"\nkey_file = \"/k\"\ngroups = [\"b\", \"a\", \"b\"]\n";
        let settings = parse(text).unwrap().unwrap();
        assert_eq!((settings.interval, settings.most), (Duration::from_secs(10), 200_000));
        assert_eq!(settings.groups, ["a", "b"]);
        assert_eq!(parse("").unwrap(), None);
        assert_eq!(read(Path::new("/nonexistent/sources.toml")).unwrap(), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let with = |more: &str| format!("[crowdsec]\nkey_file = \"/k\"\n{more}");
        for (text, word) in [
            (with("url = \"h:8080\""), "neither"),
            (with("url = \"https://h\""), "https needs authority"),
            (with("url = \"http://h\"\nauthority = \"/x\""), "http can have none"),
            (with("url = \"http://h\"\ninterval_seconds = 0"), "interval_seconds"),
            (with("url = \"http://h\"\nmost = 0"), "most"),
            (with("url = \"http://h\"\nlists = 1"), "lists"),
            (with(""), "url"),
        ] {
            let error = format!("{:#}", parse(&text).unwrap_err());
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
