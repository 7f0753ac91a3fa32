//! Where the log is, and how one gets in.
//!
//! In: `--store`, `--store-credentials`, `--store-authority`. Out: what to connect with. Never here: a secret from a command line, or one
//! that is shown.
use std::path::{Path, PathBuf};

use async_nats::ConnectOptions;
use serde::Deserialize;

use super::LogError;

/// Where a log is.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) servers: Vec<String>,
    pub(super) name: String,
    tls: bool,
    credentials: Option<PathBuf>,
    authority: Option<PathBuf>,
}

/// A file with a user and a password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    user: String,
    password: String,
}

impl Settings {
    /// `nats://HOST:PORT,HOST:PORT,.../NAME`, or `tls://`; the name may be left out.
    pub fn parse(text: &str, credentials: Option<&Path>, authority: Option<&Path>) -> Result<Self, LogError> {
        let wrong = |what: &str| LogError::Settings(format!("--store {what}"));
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| wrong("is not nats://HOST:PORT,HOST:PORT,... or tls://"))?;
        let tls = match scheme {
            "nats" => false,
            "tls" => true,
            _ => return Err(wrong("begins with neither nats:// nor tls://")),
        };
        let (hosts, name) = rest.split_once('/').unwrap_or((rest, NAME));
        // Not shown: there is a password in it.
        if hosts.contains('@') {
            return Err(wrong("names a user: that belongs into the file of --store-credentials"));
        }
        let named = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if name.is_empty() || name.len() > 64 || !named(name) {
            return Err(wrong("ends with a name of other than letters, digits, - and _"));
        }
        let servers: Vec<String> = hosts.split(',').map(|host| format!("{scheme}://{}", host.trim())).collect();
        if hosts.split(',').any(|host| host.trim().is_empty()) {
            return Err(wrong("names no server"));
        }
        let (credentials, authority) = (credentials.map(Path::to_owned), authority.map(Path::to_owned));
        Ok(Self { servers, name: name.to_owned(), tls, credentials, authority })
    }

    /// How to connect.
    pub(super) fn options(&self) -> Result<ConnectOptions, LogError> {
        let mut options = ConnectOptions::new().name("enforcer-center").require_tls(self.tls);
        if let Some(authority) = &self.authority {
            options = options.add_root_certificates(authority.clone());
        }
        let Some(path) = &self.credentials else { return Ok(options) };
        let wrong = |what: String| LogError::Settings(format!("{}: {what}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        if text.contains("BEGIN NATS USER JWT") {
            return options.credentials(&text).map_err(|_secret| wrong("these are no credentials of NATS".to_owned()));
        }
        // The words of the parser would show the line.
        let account: Account = toml::from_str(&text)
            .map_err(|_secret| wrong("write user = \"...\" and password = \"...\", or a .creds file".to_owned()))?;
        Ok(options.user_and_password(account.user, account.password))
    }
}

/// Of a log that has no other.
const NAME: &str = "ENFORCER";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_a_name_are_read_and_secrets_refused() {
        let read = |text| Settings::parse(text, None, None);
        let settings = read("nats://a:4222,b:4222,[::1]:4222/CENTER-1").unwrap();
        assert_eq!(settings.servers, ["nats://a:4222", "nats://b:4222", "nats://[::1]:4222"]);
        assert_eq!((settings.name.as_str(), settings.tls), ("CENTER-1", false));
        assert_eq!(read("tls://a:4222").unwrap().name, "ENFORCER");
        for wrong in ["a:4222", "http://a", "nats://", "nats://a,,b", "nats://a/x.y", "nats://a/"] {
            assert!(matches!(read(wrong), Err(LogError::Settings(_))), "{wrong}");
        }
        let told = read("nats://ada:hunter2@a:4222").unwrap_err().to_string();
        assert!(told.contains("--store-credentials") && !told.contains("hunter2"), "{told}");
    }

    #[test]
    fn what_is_wrong_with_credentials_is_told_without_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nats");
        let told = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Settings::parse("nats://a", Some(&path), None).unwrap().options().map(drop)
        };
        told("user = \"center\"\npassword = \"hunter2\"\n").unwrap();
        for text in ["user = \"center\"\npasword = \"hunter2\"", "hunter2", "-----BEGIN NATS USER JWT-----\nhunter2"] {
            let error = told(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
