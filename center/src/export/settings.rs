//! `exports.toml`: where events go.
//!
//! In: text. Out: exports, or what is wrong with it. Never here: the receivers themselves.
//!
//! ```toml
//! [export.archive]
//! to = "file"
//! path = "/var/log/enforcer/events.jsonl"
//!
//! [export.siem]
//! to = "syslog"
//! address = "10.0.0.9:6514"
//! authority = "/etc/ssl/siem.pem"     # with it, TLS; without, plain TCP
//! format = "cef"                      # ecs (the default), ocsf or cef
//! kinds = ["finding", "act"]          # without, all
//!
//! [export.splunk]
//! to = "hec"
//! url = "https://splunk.bank.example:8088"
//! token_file = "/etc/enforcer/hec-token"
//! authority = "/etc/ssl/splunk.pem"
//!
//! [export.crowdsec]
//! to = "crowdsec"                     # findings about addresses, as alerts
//! url = "http://10.0.0.9:8080"
//! machine = "enforcer"                # cscli machines add
//! password_file = "/etc/enforcer/crowdsec-password"
//! ban = "4h"                          # without: CrowdSec's profiles decide
//! ```
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use enforcer_crowdsec::Place;
use enforcer_policy::EventKind;
use serde::Deserialize;

use super::Format;
use crate::settings;

/// Where events go, and how.
#[derive(Clone, Debug)]
pub struct Export {
    /// Its name, which its cursor has for life.
    pub name: String,
    /// Where.
    pub target: Target,
    /// How they look there.
    pub format: Format,
    /// Which kinds; empty means all.
    pub kinds: Vec<EventKind>,
}

/// A receiver.
#[derive(Clone, Debug)]
pub enum Target {
    /// Alerts of a CrowdSec.
    CrowdSec(CrowdSecTarget),
    /// Lines of a file, which may be renamed at any time.
    File(PathBuf),
    /// Splunk's HTTP event collector.
    Hec(Hec),
    /// RFC 5424 over TCP, each message with its length before it.
    Syslog(Syslog),
}

/// Splunk's HTTP event collector.
#[derive(Clone)]
pub struct Hec {
    /// Host and port.
    pub address: String,
    /// The name in requests and certificates.
    pub host: String,
    /// The authority of its certificate, PEM; without it, plain HTTP.
    pub authority: Option<String>,
    /// The token; only ever sent.
    pub token: String,
}

impl std::fmt::Debug for Hec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.address)
    }
}

/// A CrowdSec that takes alerts.
#[derive(Clone)]
pub struct CrowdSecTarget {
    /// Where its local API is.
    pub place: Place,
    /// The name of the machine that this center is there.
    pub machine: String,
    /// Its password; only ever sent.
    pub password: String,
    /// How long the address of a finding is to be banned; without it, CrowdSec's profiles decide.
    pub ban: Option<String>,
}

impl std::fmt::Debug for CrowdSecTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{:?}", self.machine, self.place)
    }
}

/// A receiver of syslog.
#[derive(Clone, Debug)]
pub struct Syslog {
    /// Host and port.
    pub address: String,
    /// The authority of its certificate, PEM; without it, plain TCP.
    pub authority: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    export: BTreeMap<String, Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    to: To,
    format: Option<Format>,
    #[serde(default)]
    kinds: Vec<String>,
    path: Option<PathBuf>,
    address: Option<String>,
    url: Option<String>,
    authority: Option<PathBuf>,
    token_file: Option<PathBuf>,
    machine: Option<String>,
    password_file: Option<PathBuf>,
    ban: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum To {
    CrowdSec,
    File,
    Hec,
    Syslog,
}

/// Reads the file; none when it is not there.
pub fn read(path: &Path) -> anyhow::Result<Vec<Export>> {
    settings::read(path, parse)
}

fn parse(text: &str) -> anyhow::Result<Vec<Export>> {
    let file: File = toml::from_str(text)?;
    let export =
        |(name, written): (String, Written)| written.understood(&name).with_context(|| format!("export.{name}"));
    file.export.into_iter().map(export).collect()
}

impl Written {
    fn understood(self, name: &str) -> anyhow::Result<Export> {
        let kind = |word: &String| EventKind::named(word).with_context(|| format!("no kind of event is called {word}"));
        let mut kinds: Vec<EventKind> = self.kinds.iter().map(kind).collect::<anyhow::Result<_>>()?;
        let format = self.format.unwrap_or_default();
        let target = match self.to {
            To::CrowdSec => {
                kinds = vec![EventKind::Finding];
                Target::CrowdSec(self.crowdsec()?)
            }
            To::File => Target::File(self.path.clone().context("path is missing")?),
            To::Hec => Target::Hec(self.hec()?),
            To::Syslog => {
                let address = self.address.clone().context("address is missing, such as 10.0.0.9:6514")?;
                Target::Syslog(Syslog { address: with_port(&address)?, authority: self.authority()? })
            }
        };
        self.nothing_else()?;
        Ok(Export { name: name.to_owned(), target, format, kinds })
    }

    fn hec(&self) -> anyhow::Result<Hec> {
        let url = self.url.as_deref().context("url is missing, such as https://splunk.bank.example:8088")?;
        let authority = self.authority()?;
        let address = settings::address(url, authority.is_some())?;
        let address = with_port(address.trim_end_matches('/'))?;
        let host = host_of(&address).to_owned();
        let token = settings::secret(self.token_file.as_ref().context("token_file is missing")?)?;
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            bail!("the token file holds no token");
        }
        Ok(Hec { address, host, authority, token })
    }

    fn crowdsec(&self) -> anyhow::Result<CrowdSecTarget> {
        let url = self.url.as_deref().context("url is missing, such as http://10.0.0.9:8080")?;
        settings::address(url, self.authority.is_some())?;
        let place = Place::new(url, self.authority.as_deref(), crate::sources::AGENT)?;
        let machine = self.machine.clone().context("machine is missing: cscli machines add")?;
        let password = settings::secret(self.password_file.as_ref().context("password_file is missing")?)?;
        if password.is_empty() {
            bail!("the password file holds no password");
        }
        if let Some(ban) = self.ban.as_ref().filter(|ban| !is_time(ban)) {
            bail!("ban is a number with h, m or s, such as 4h, not {ban}");
        }
        Ok(CrowdSecTarget { place, machine, password, ban: self.ban.clone() })
    }

    fn authority(&self) -> anyhow::Result<Option<String>> {
        let Some(path) = &self.authority else { return Ok(None) };
        Ok(Some(fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?))
    }

    /// A key that belongs to another kind of receiver was meant to do something.
    fn nothing_else(&self) -> anyhow::Result<()> {
        let to = |to: To| self.to == to;
        let (crowdsec, file, hec, syslog) = (to(To::CrowdSec), to(To::File), to(To::Hec), to(To::Syslog));
        let keys = [
            ("path", self.path.is_some(), file),
            ("address", self.address.is_some(), syslog),
            ("url", self.url.is_some(), hec || crowdsec),
            ("token_file", self.token_file.is_some(), hec),
            ("authority", self.authority.is_some(), hec || syslog || crowdsec),
            ("machine", self.machine.is_some(), crowdsec),
            ("password_file", self.password_file.is_some(), crowdsec),
            ("ban", self.ban.is_some(), crowdsec),
            ("format", self.format.is_some(), !crowdsec),
            ("kinds", !self.kinds.is_empty(), !crowdsec),
        ];
        match keys.iter().find(|(_, given, fits)| *given && !fits) {
            Some((key, ..)) => bail!("{key} does not belong to this kind of export"),
            None => Ok(()),
        }
    }
}

/// A time as CrowdSec reads it: a number and a unit, some time long.
fn is_time(text: &str) -> bool {
    let number = text.strip_suffix(['h', 'm', 's']).unwrap_or_default();
    number.bytes().all(|byte| byte.is_ascii_digit()) && number.parse::<u32>().is_ok_and(|number| number > 0)
}

fn with_port(address: &str) -> anyhow::Result<String> {
    let (host, port) = address.rsplit_once(':').with_context(|| format!("{address} has no port"))?;
    port.parse::<u16>().with_context(|| format!("{port} is no port"))?;
    let plain = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
    if !plain {
        bail!("{address} is no host and port");
    }
    Ok(address.to_owned())
}

/// The host of an address with a port.
pub(super) fn host_of(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        fs::write(&token, "secret-token\n").unwrap();
        let text = format!(
            "[export.a]\nto = \"file\"\npath = \"/x\"\n[export.b]\nto = \"syslog\"\naddress = \"[::1]:514\"\nformat = \"cef\"\n\
             kinds = [\"act\"]\n[export.c]\nto = \"hec\"\nurl = \"http://h:8088/\"\ntoken_file = \"{}\"\nformat = \"ocsf\"\n",
            token.display()
        );
        let exports = parse(&text).unwrap();
        let names: Vec<_> = exports.iter().map(|one| (one.name.as_str(), one.format)).collect();
        assert_eq!(names, [("a", Format::Ecs), ("b", Format::Cef), ("c", Format::Ocsf)]);
        assert_eq!(exports[1].kinds, [EventKind::Act]);
        let Target::Hec(hec) = &exports[2].target else { panic!("{exports:?}") };
        assert_eq!((hec.address.as_str(), hec.host.as_str(), hec.token.as_str()), ("h:8088", "h", "secret-token"));
        assert!(!format!("{exports:?}").contains("secret"));
        let text = format!(
            "[export.d]\nto = \"crowdsec\"\nurl = \"http://h:8080\"\nmachine = \"m\"\nban = \"4h\"\npassword_file = \"{}\"\n",
            token.display()
        );
        let exports = parse(&text).unwrap();
        let Target::CrowdSec(crowdsec) = &exports[0].target else { panic!("{exports:?}") };
        assert_eq!((crowdsec.password.as_str(), crowdsec.ban.as_deref()), ("secret-token", Some("4h")));
        assert_eq!(exports[0].kinds, [EventKind::Finding]);
        assert!(!format!("{exports:?}").contains("secret"));
        assert!(read(&folder.path().join("none")).unwrap().is_empty());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, word) in [
            ("[export.a]\nto = \"pigeon\"", "pigeon"),
            ("[export.a]\nto = \"file\"", "path is missing"),
            ("[export.a]\nto = \"file\"\npath = \"/x\"\nurl = \"y\"", "url does not belong"),
            ("[export.a]\nto = \"syslog\"\naddress = \"here\"", "no port"),
            ("[export.a]\nto = \"hec\"\nurl = \"https://h:1\"", "https needs authority"),
            ("[export.a]\nto = \"file\"\npath = \"/x\"\nkinds = [\"nonsense\"]", "nonsense"),
            ("[export.a]\nto = \"file\"\npath = \"/x\"\nban = \"4h\"", "ban does not belong"),
            ("[export.a]\nto = \"crowdsec\"", "url is missing"),
            ("[export.a]\nto = \"crowdsec\"\nurl = \"http://h\"", "machine is missing"),
            ("[export.a]\nto = \"crowdsec\"\nurl = \"https://h\"\nmachine = \"m\"", "https needs authority"),
            ("[exports.a]\nto = \"file\"", "exports"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
