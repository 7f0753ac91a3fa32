//! The center's folder: keys and the store.
//!
//! In: a path. Out: files whose secrets only their owner can read. Never here: what is in the store.
//!
//! ```text
//! center.db       revisions, audit log, hosts, digests of tokens      server.pem, server.key   who the center is to hosts
//! events.db       events of hosts, cursors of exports                 exports.toml             where events go
//! signing.key     signs revisions                                     ca.pem, ca.key           issues the hosts' certificates
//! identity.key    digests identities, the same on every host      approvals.toml           which changes need two people
//! apis.db         what hosts know of APIs, marks of people         modules.db               published modules, how they are on hosts
//! sources.toml    where decisions come from                           lists.toml               which lists are followed
//! snapshot        the latest whole policy: may be missing, then a start takes longer
//! ```
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use enforcer_common::SipKey;
use enforcer_policy::revision::{Digest, Signer};

use crate::secret;

/// The folder.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// At a path, whether it is there or not.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Makes it, with fresh keys; refuses a folder that has some.
    pub fn create(&self) -> anyhow::Result<()> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0);
        made.with_context(|| format!("making {}", self.0.display()))?;
        if self.path(SIGNING).exists() || self.store().exists() {
            bail!("{} holds a center already; name another folder, or run the one that is there", self.0.display());
        }
        self.write(SIGNING, &secret::hex(&secret::random::<32>()?))?;
        self.write(IDENTITY, &secret::hex(&secret::random::<16>()?))
    }

    /// The SQLite file.
    pub fn store(&self) -> PathBuf {
        self.path("center.db")
    }

    /// The SQLite file of events.
    pub fn events(&self) -> PathBuf {
        self.path("events.db")
    }

    /// The SQLite file of inventories, and of what people said of APIs.
    pub fn apis(&self) -> PathBuf {
        self.path("apis.db")
    }

    /// The SQLite file of published modules.
    pub fn modules(&self) -> PathBuf {
        self.path("modules.db")
    }

    /// Where events go; there need not be one.
    pub fn exports(&self) -> PathBuf {
        self.path("exports.toml")
    }

    /// Where decisions come from that nobody makes by hand; there need not be one.
    pub fn sources(&self) -> PathBuf {
        self.path("sources.toml")
    }

    /// Which lists are followed; there need not be one.
    pub fn lists(&self) -> PathBuf {
        self.path("lists.toml")
    }

    /// Which changes need a second person; there need not be one.
    pub fn approvals(&self) -> PathBuf {
        self.path("approvals.toml")
    }

    /// What signs revisions.
    pub fn signer(&self) -> anyhow::Result<Signer> {
        let seed: Digest = self.read(SIGNING)?.trim().parse().context("signing.key is damaged")?;
        Ok(Signer::from_seed(&seed.0))
    }

    /// The fleet's key, as hosts keep it: 32 hexadecimal digits, first byte first.
    pub fn identity_key(&self) -> anyhow::Result<(SipKey, String)> {
        let text = self.read(IDENTITY)?.trim().to_owned();
        let half = |at: usize| {
            let bytes = text.get(at * 16..at * 16 + 16).and_then(|half| u64::from_str_radix(half, 16).ok());
            bytes.map(u64::swap_bytes).context("identity.key is damaged")
        };
        let key = SipKey([half(0)?, half(1)?]);
        Ok((key, text))
    }

    /// The secrets that all centers of one store have, without blanks around them: a copy may have been made by hand.
    pub fn shared_secrets(&self) -> anyhow::Result<Vec<String>> {
        [SIGNING, IDENTITY, "ca.key"].into_iter().map(|name| Ok(self.read(name)?.trim().to_owned())).collect()
    }

    /// A file's text; a secret that others can read is refused.
    pub fn read(&self, name: &str) -> anyhow::Result<String> {
        let path = self.path(name);
        let file = fs::File::open(&path).with_context(|| format!("opening {}", path.display()))?;
        let mode = file.metadata()?.permissions().mode();
        if Path::new(name).extension().is_some_and(|end| end == "key") && mode & 0o077 != 0 {
            bail!("{} can be read by others than its owner: chmod 600 it", path.display());
        }
        let mut text = String::new();
        file.take(LONGEST).read_to_string(&mut text).with_context(|| format!("reading {}", path.display()))?;
        Ok(text)
    }

    /// Writes a file of its own, complete or not at all.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let (path, new) = (self.path(name), self.path(&format!("{name}.new")));
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        write().with_context(|| format!("writing {}", path.display()))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

const SIGNING: &str = "signing.key";
const IDENTITY: &str = "identity.key";
/// Bytes of a file here.
const LONGEST: u64 = 1 << 16;
