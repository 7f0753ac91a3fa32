//! `lists.toml`: which lists are followed, and how far each is believed.
//!
//! In: text. Out: settings, or what is wrong with it. Never here: the lists themselves.
//!
//! ```toml
//! [list.drop]
//! url = "https://www.spamhaus.org/drop/drop_v4.json"   # http:// or https://, or file = "/path"
//! authority = "/etc/ssl/bank-ca.pem"     # for https://; without, the system's authorities
//! format = "spamhaus"                    # csv, firehol, ipset, plain or spamhaus; without, as the first line shows
//! every = "1h"                           # how often it is read
//! lasts = "1d"                           # until when each decision holds, once it can no longer be read
//! stale = "7d"                           # a list that is older is not believed
//! action = "drop"                        # or observe
//! groups = ["edge"]                      # none: on all hosts
//! most = 200000                          # networks
//! most_addresses = 134217728             # IPv4 addresses in them
//! widest_v4 = 10                         # wider networks are removed
//! widest_v6 = 20
//! shrink = 30                            # percent, from one reading to the next
//! grow = 100
//! again = 3                              # readings after which a greater change is believed
//! ```
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use enforcer_policy::lists::{Bounds, Format, Rules};
use enforcer_policy::{Action, parse_duration};
use serde::Deserialize;

use super::place::{Place, Web};
use crate::settings;

/// A list that is followed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListSettings {
    /// Its name among sources.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// How it is written; none is told by the list itself.
    pub format: Option<Format>,
    /// How often it is read.
    pub every: Duration,
    /// How long what it says holds after it was read.
    pub lasts: Duration,
    /// The age at which it is not believed.
    pub stale: Duration,
    /// What happens to whom it names.
    pub action: Action,
    /// Groups of hosts, in order and each once; none means every host.
    pub groups: Vec<String>,
    /// Networks at most.
    pub most: u64,
    /// IPv4 addresses at most.
    pub most_addresses: u64,
    /// The widest IPv4 network that is taken.
    pub widest_v4: u8,
    /// The widest IPv6 network that is taken.
    pub widest_v6: u8,
    /// How much it may change from one reading to the next.
    pub bounds: Bounds,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    list: BTreeMap<String, Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    file: Option<PathBuf>,
    url: Option<String>,
    authority: Option<PathBuf>,
    format: Option<String>,
    every: Option<String>,
    lasts: Option<String>,
    stale: Option<String>,
    action: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
    most: Option<u64>,
    most_addresses: Option<u64>,
    widest_v4: Option<u8>,
    widest_v6: Option<u8>,
    shrink: Option<u32>,
    grow: Option<u32>,
    again: Option<u32>,
}

/// Reads the file; none when it is not there.
pub fn read(path: &Path) -> anyhow::Result<Vec<ListSettings>> {
    settings::read(path, parse)
}

fn parse(text: &str) -> anyhow::Result<Vec<ListSettings>> {
    let file: File = toml::from_str(text)?;
    ensure!(
        file.list.len() <= MOST_LISTS,
        "there are {} lists, and at most {MOST_LISTS} are followed",
        file.list.len()
    );
    let list = |(name, written): (String, Written)| written.understood(&name).with_context(|| format!("list.{name}"));
    file.list.into_iter().map(list).collect()
}

impl Written {
    fn understood(self, name: &str) -> anyhow::Result<ListSettings> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let sound = (1..=32).contains(&name.len()) && name.chars().all(plain);
        ensure!(sound, "a name is 1 to 32 letters, digits, - and _");
        let place = self.place()?;
        let format = self.format.as_deref().map(format).transpose()?;
        let every = duration(self.every.as_deref(), HOUR, "every")?;
        let lasts = duration(self.lasts.as_deref(), DAY, "lasts")?;
        let stale = duration(self.stale.as_deref(), DAY * 7, "stale")?;
        ensure!(every >= SOONEST, "every is at least {} s: publishers shut out who asks more often", SOONEST.as_secs());
        ensure!(lasts >= every * 4, "lasts is at least four times every, or one failed reading could end everything");
        let action = action(self.action.as_deref())?;
        let (rules, bounds) = (Rules::default(), self.bounds()?);
        let within = |value: Option<u64>, usual: u64, most: u64, key: &str| {
            let value = value.unwrap_or(usual);
            ensure!((1..=most).contains(&value), "{key} is 1 to {most}, not {value}");
            Ok(value)
        };
        let length = |value: Option<u8>, usual: u8, most: u8, key: &str| {
            let value = within(value.map(u64::from), u64::from(usual), u64::from(most), key)?;
            u8::try_from(value).with_context(|| key.to_owned())
        };
        Ok(ListSettings {
            name: format!("list:{name}"),
            place,
            format,
            every,
            lasts,
            stale,
            action,
            groups: settings::groups(self.groups),
            most: within(self.most, 200_000, MOST_NETWORKS, "most")?,
            most_addresses: within(self.most_addresses, rules.most_addresses, 1 << 32, "most_addresses")?,
            widest_v4: length(self.widest_v4, rules.widest_v4, 32, "widest_v4")?,
            widest_v6: length(self.widest_v6, rules.widest_v6, 128, "widest_v6")?,
            bounds,
        })
    }

    fn place(&self) -> anyhow::Result<Place> {
        match (&self.file, &self.url) {
            (Some(file), None) => {
                ensure!(self.authority.is_none(), "authority is for https://");
                ensure!(file.is_absolute(), "file is a whole path, such as /var/lib/lists/drop.json");
                Ok(Place::File(file.clone()))
            }
            (None, Some(url)) => Ok(Place::Web(Web::parse(url, self.authority.clone())?)),
            _ => anyhow::bail!("give file or url, one of them"),
        }
    }

    fn bounds(&self) -> anyhow::Result<Bounds> {
        let usual = Bounds::default();
        let (shrink, grow) = (self.shrink.unwrap_or(usual.shrink), self.grow.unwrap_or(usual.grow));
        let again = self.again.unwrap_or(usual.again);
        ensure!(shrink <= 100, "shrink is percent, up to 100");
        ensure!((1..=1000).contains(&again), "again is 1 to 1000");
        Ok(Bounds { shrink, grow, again, ..usual })
    }
}

fn format(name: &str) -> anyhow::Result<Format> {
    Format::named(name)
        .with_context(|| format!("no format is called {name}: {}", Format::ALL.map(Format::name).join(", ")))
}

fn action(word: Option<&str>) -> anyhow::Result<Action> {
    match word {
        None | Some("drop") => Ok(Action::Drop),
        Some("observe") => Ok(Action::Observe),
        Some(other) => anyhow::bail!("addresses of a list can be drop or observe, not {other}"),
    }
}

fn duration(text: Option<&str>, usual: Duration, key: &str) -> anyhow::Result<Duration> {
    let Some(text) = text else { return Ok(usual) };
    let read = parse_duration(text).with_context(|| key.to_owned())?;
    ensure!(read <= LONGEST, "{key} is at most a year, not {text}");
    Ok(read)
}

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const SOONEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(366 * 24);
const MOST_LISTS: usize = 64;
/// Half of what a center may hold.
const MOST_NETWORKS: u64 = enforcer_policy::revision::MOST_DECISIONS as u64 / 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read() {
        let text = "[list.drop]\nurl = \"https://h/drop.json\"\nformat = \"spamhaus\"\nevery = \"2h\"\ngroups = [\"b\", \"a\", \"b\"]\n\
                    [list.own]\nfile = \"/x\"\naction = \"observe\"\nwidest_v4 = 24\nshrink = 5\n";
        let lists = parse(text).unwrap();
        let [drop, own] = &lists[..] else { panic!("{lists:?}") };
        assert_eq!((drop.name.as_str(), drop.format, drop.every), ("list:drop", Some(Format::Spamhaus), HOUR * 2));
        assert_eq!((drop.lasts, drop.action, drop.groups.len()), (DAY, Action::Drop, 2));
        assert_eq!((own.action, own.widest_v4, own.bounds.shrink), (Action::Observe, 24, 5));
        assert_eq!(own.place, Place::File("/x".into()));
        assert_eq!(parse("").unwrap(), []);
        assert_eq!(read(Path::new("/nonexistent/lists.toml")).unwrap(), []);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, word) in [
            ("", "file or url"),
            ("file = \"/x\"\nurl = \"http://h/\"", "file or url"),
            ("file = \"x\"", "whole path"),
            ("file = \"/x\"\nauthority = \"/y\"", "authority"),
            ("url = \"ftp://h/\"", "http://"),
            ("url = \"https://ada:secret@h/\"", "password"),
            ("file = \"/x\"\nformat = \"xml\"", "xml"),
            ("file = \"/x\"\nevery = \"1 hour\"", "every"),
            ("file = \"/x\"\nevery = \"12h\"\nlasts = \"1d\"", "four times"),
            ("file = \"/x\"\naction = \"deny\"", "deny"),
            ("file = \"/x\"\nmost = 0", "most"),
            ("file = \"/x\"\nwidest_v4 = 33", "widest_v4"),
            ("file = \"/x\"\nshrink = 101", "shrink"),
            ("file = \"/x\"\nagain = 0", "again"),
            ("file = \"/x\"\ncolour = 1", "colour"),
        ] {
            let error = format!("{:#}", parse(&format!("[list.a]\n{text}\n")).unwrap_err());
            assert!(error.contains(word), "{text}: {error}");
        }
        assert!(parse("[list.\"a b\"]\nfile = \"/x\"\n").is_err());
    }
}
