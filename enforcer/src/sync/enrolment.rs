//! How a host becomes one of a center's, once.
//!
//! In: a one-time token, which names the center's authority, so that even the first connection is to the right one. Out: files:
//! a key that was made here and stays here, a certificate, and the key that signs revisions. Never here: later connections.
use std::fs::{self, DirBuilder, OpenOptions};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use enforcer_policy::Moment;
use enforcer_policy::revision::Verifier;
use hyper::Method;
use serde::{Deserialize, Serialize};

use super::{Https, Server, SyncError};

/// A one-time token: `eht_ID_SECRET_FINGERPRINT`.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    id: String,
    secret: String,
    fingerprint: String,
}

/// What a host knows of its center.
#[derive(Clone)]
pub struct Enrolment {
    /// The center's address.
    pub url: String,
    /// This host's name there.
    pub name: String,
    /// Its groups.
    pub groups: Vec<String>,
    /// What revisions must be signed with.
    pub key: Verifier,
    /// When to ask for the next certificate.
    pub renew_at: Moment,
    authority: String,
    /// Certificate and key, in one file, so that they always fit each other.
    own: String,
}

/// `center.json`.
#[derive(Serialize, Deserialize)]
struct Card {
    url: String,
    name: String,
    groups: Vec<String>,
    signing_key: String,
    renew_at: Moment,
}

/// What the center answers.
#[derive(Deserialize)]
struct Enrolled {
    name: String,
    groups: Vec<String>,
    certificate: String,
    authority: String,
    signing_key: String,
    identity_key: String,
    lifetime_seconds: u64,
}

/// What the center answers later.
#[derive(Deserialize)]
struct Renewed {
    certificate: String,
    lifetime_seconds: u64,
}

#[derive(Serialize)]
struct Again {
    request: String,
}

#[derive(Serialize)]
struct Asking<'a> {
    id: &'a str,
    secret: &'a str,
    request: String,
}

impl Invitation {
    /// Reads a token.
    pub fn parse(text: &str) -> Result<Self, SyncError> {
        let parts: Vec<&str> = text.trim().split('_').collect();
        let ["eht", id, secret, fingerprint] = parts[..] else {
            return Err(SyncError::Meaningless("the one-time token (enforcer-center hosts invite prints it)"));
        };
        let (id, secret, fingerprint) = (id.to_owned(), secret.to_owned(), fingerprint.to_owned());
        Ok(Self { id, secret, fingerprint })
    }
}

/// Enrols: gives the enrolment, not yet kept, and the fleet's identity key.
pub async fn enrol(url: &str, invitation: &Invitation, now: Moment) -> Result<(Enrolment, String), SyncError> {
    let (private, request) = fresh()?;
    let asking = Asking { id: &invitation.id, secret: &invitation.secret, request };
    let body = serde_json::to_vec(&asking).map_err(SyncError::line)?;
    let mut https = Server::fingerprinted(url, &invitation.fingerprint)?.connect().await?;
    let (_, answer) = https.ask(Method::POST, "/v1/enrol", body, PATIENCE).await?;
    let answer: Enrolled = serde_json::from_slice(&answer).map_err(SyncError::line)?;
    let enrolment = Enrolment {
        url: url.to_owned(),
        name: answer.name,
        groups: answer.groups,
        key: Verifier::parse(&answer.signing_key).ok_or(SyncError::Meaningless("the center's signing key"))?,
        authority: answer.authority,
        own: [answer.certificate, private].concat(),
        renew_at: later(now, answer.lifetime_seconds),
    };
    Ok((enrolment, answer.identity_key))
}

/// A key that was made here, and a request for its certificate.
fn fresh() -> Result<(String, String), SyncError> {
    let made = |_failed| SyncError::Meaningless("a fresh key");
    let key = rcgen::KeyPair::generate().map_err(made)?;
    let request = rcgen::CertificateParams::default().serialize_request(&key).and_then(|one| one.pem());
    Ok((key.serialize_pem(), request.map_err(made)?))
}

/// From a half to three quarters of a lifetime on, so that a fleet does not renew all at once.
fn later(now: Moment, lifetime: u64) -> Moment {
    let part = RandomState::new().hash_one(now) % 1000;
    now.plus(Duration::from_secs(lifetime / 2 + lifetime / 4 * part / 1000))
}

impl Enrolment {
    /// Asks for the next certificate over the connection of the present one. Whatever fails, the present one stays.
    pub async fn renewed(&self, https: &mut Https, now: Moment) -> Result<Self, SyncError> {
        let (private, request) = fresh()?;
        let body = serde_json::to_vec(&Again { request }).map_err(SyncError::line)?;
        let (_, answer) = https.ask(Method::POST, "/v1/agent/renew", body, PATIENCE).await?;
        let answer: Renewed = serde_json::from_slice(&answer).map_err(SyncError::line)?;
        let renew_at = later(now, answer.lifetime_seconds);
        Ok(Self { own: [answer.certificate, private].concat(), renew_at, ..self.clone() })
    }

    /// The file in that folder with the services that were carried out last.
    pub const SERVICES: &str = "services.toml";

    /// The file in that folder with the list of the center's modules.
    pub const MODULES: &str = "modules.json";

    /// The folder below a state folder.
    pub fn folder(state: &Path) -> PathBuf {
        state.join("center")
    }

    /// The one of this host; none when it never enrolled.
    pub fn load(state: &Path) -> Result<Option<Self>, SyncError> {
        let folder = Self::folder(state);
        if !folder.join(CARD).exists() {
            return Ok(None);
        }
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path).map_err(SyncError::file("read", &path))
        };
        let card: Card = serde_json::from_str(&read(CARD)?).map_err(|_form| SyncError::Meaningless("center.json"))?;
        Ok(Some(Self {
            url: card.url,
            name: card.name,
            groups: card.groups,
            renew_at: card.renew_at,
            key: Verifier::parse(&card.signing_key).ok_or(SyncError::Meaningless("the signing key in center.json"))?,
            authority: read("authority.pem")?,
            own: read("host.pem")?,
        }))
    }

    /// Keeps it; the card comes last, so that half an enrolment is none. What came from another center goes.
    pub fn save(&self, state: &Path) -> Result<(), SyncError> {
        let folder = Self::folder(state);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.and_then(|()| as_its_folder(&folder)).map_err(SyncError::file("make", &folder))?;
        let old = Self::load(state).ok().flatten();
        let (other_center, other_groups) =
            old.map_or((true, true), |old| (old.key != self.key, old.groups != self.groups));
        for (stale, is_so) in [
            ("deliveries", other_center),
            ("lifted", other_center),
            (Self::MODULES, other_center || other_groups),
            (Self::SERVICES, other_center || other_groups),
        ] {
            if is_so {
                // Mostly there is none.
                let _ = fs::remove_file(folder.join(stale));
            }
        }
        let card = Card {
            url: self.url.clone(),
            name: self.name.clone(),
            groups: self.groups.clone(),
            signing_key: self.key.to_string(),
            renew_at: self.renew_at,
        };
        let card = serde_json::to_string_pretty(&card).map_err(SyncError::line)?;
        let files = [("authority.pem", &self.authority), ("host.pem", &self.own), (CARD, &card)];
        files.iter().try_for_each(|(name, text)| keep_secret(&folder.join(name), text.as_bytes()))
    }

    /// The center, as this host knows it and is known.
    pub fn server(&self) -> Result<Server, SyncError> {
        Server::pinned(&self.url, &self.authority, Some(&self.own))
    }
}

/// Writes a file that only its owner can read, complete or not at all.
pub fn keep_secret(path: &Path, bytes: &[u8]) -> Result<(), SyncError> {
    let new = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        as_its_folder(&new)?;
        fs::rename(&new, path)
    };
    write().map_err(SyncError::file("write", path))
}

/// Gives it to the owner of its folder: what root writes, the agent must be able to read as its own user.
fn as_its_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("/")).metadata()?;
    let own = path.metadata()?;
    if (own.uid(), own.gid()) == (folder.uid(), folder.gid()) {
        return Ok(());
    }
    match chown(path, Some(folder.uid()), Some(folder.gid())) {
        // Only root may; anybody else keeps what is theirs.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

const CARD: &str = "center.json";
const PATIENCE: Duration = Duration::from_secs(30);
