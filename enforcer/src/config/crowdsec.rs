//! `[crowdsec]`: a CrowdSec local API whose decisions hold here, too. In: the section. Out: where it is. Never here: asking it.
use std::path::PathBuf;
use std::time::Duration;

use super::reader::{Report, Section, shown};
use super::{format_duration, parse_duration};

/// A CrowdSec local API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CrowdSec {
    /// `http://HOST:PORT`, or `https://` with an authority.
    pub url: String,
    /// The file with the key of this bouncer; each host has its own.
    pub key_file: PathBuf,
    /// The certificate of the authority, for `https://`.
    pub authority: Option<PathBuf>,
    /// How often it is asked.
    pub interval: Duration,
    /// Decisions that are taken from it.
    pub most: u32,
}

/// Reads it; incomplete is none, and told.
pub(super) fn crowdsec(mut section: Section<'_>, report: &mut Report) -> Option<CrowdSec> {
    let url = section.need(report, "url", "\"http://127.0.0.1:8080\"").and_then(|value| {
        let text = value.text(report)?;
        let sound = text.starts_with("http://") || text.starts_with("https://");
        if !sound {
            value.refuse(
                report,
                format!("{} is no address", shown(text)),
                "write one such as \"http://127.0.0.1:8080\"",
            );
        }
        sound.then(|| text.to_owned())
    });
    let key_file = section.need(report, "key_file", "\"/etc/enforcer/crowdsec.key\"");
    let key_file = key_file.and_then(|value| value.text(report)).map(PathBuf::from);
    let authority = section.find(report, "authority").and_then(|value| value.text(report)).map(PathBuf::from);
    let secure = url.as_ref().is_some_and(|url| url.starts_with("https://"));
    if url.is_some() && secure != authority.is_some() {
        section.refuse(
            report,
            "https needs an authority, and http can have none",
            "add authority = \"/path/ca.pem\" with https",
        );
    }
    let interval = section.find(report, "interval").and_then(|value| {
        let text = value.text(report)?;
        let time = parse_duration(text).ok().filter(|time| (SHORTEST..=LONGEST).contains(time));
        if time.is_none() {
            let (low, high) = (format_duration(SHORTEST), format_duration(LONGEST));
            value.refuse(report, format!("{} is out of range", shown(text)), format!("write {low} to {high}"));
        }
        time
    });
    let most = section.find(report, "most").and_then(|value| value.integer(report, 1..=2_000_000));
    section.finish(report);
    let (interval, most) = (interval.unwrap_or(USUAL), most.unwrap_or(MOST));
    Some(CrowdSec { url: url?, key_file: key_file?, authority, interval, most })
}

const USUAL: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(1);
const MOST: u32 = 200_000;
