//! Where a list is, and whether it is still the one that was read.
//!
//! In: a path or a URL; what was known of the last reading. Out: bytes, their age, and what to know next time; or that nothing has changed.
//! Never here: what the bytes say.
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use enforcer_policy::Moment;
use hyper::Uri;

use super::fetch;

/// Where a list is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// A file that somebody else puts there.
    File(PathBuf),
    /// A web server.
    Web(Web),
}

/// A list on a web server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Web {
    /// Host and port.
    pub(super) address: String,
    /// The name in requests and certificates.
    pub(super) host: String,
    /// What stands behind the host.
    pub(super) path: String,
    /// Over TLS.
    pub(super) secure: bool,
    /// Who is trusted instead of the system's authorities.
    pub(super) authority: Option<PathBuf>,
}

/// What is known of a list that was read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Mark {
    /// Of a file: its identity, length and time of change.
    pub(super) file: Option<(u64, u64, i64, i64)>,
    /// Of a web server: its `ETag`, and `Last-Modified`.
    pub(super) tag: Option<String>,
    pub(super) modified: Option<String>,
}

/// A reading.
#[derive(Debug)]
pub(super) enum Reading {
    /// As it was.
    Same,
    /// These bytes.
    New {
        bytes: Vec<u8>,
        mark: Mark,
        /// When its author last changed it, if that is known.
        modified: Option<Moment>,
    },
}

impl Place {
    /// Reads it, unless it is the one of this mark.
    pub(super) async fn read(&self, known: &Mark, most: usize) -> anyhow::Result<Reading> {
        match self {
            Self::File(path) => {
                let (path, known) = (path.clone(), known.clone());
                tokio::task::spawn_blocking(move || read_file(&path, &known, most)).await?
            }
            Self::Web(web) => fetch::get(web, known, most).await,
        }
    }
}

impl Web {
    /// Reads a URL.
    pub(super) fn parse(url: &str, authority: Option<PathBuf>) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("{url} is no URL"))?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => anyhow::bail!("{url} begins with neither https:// nor http://"),
        };
        ensure!(secure || authority.is_none(), "authority is for https://");
        let whole = uri.authority().context("the URL names no host")?;
        ensure!(!whole.as_str().contains('@'), "a URL with a password would stand in logs: use a list that needs none");
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        // An IPv6 address has brackets in a URL, and none in a certificate.
        let host = whole.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { address: format!("{}:{port}", whole.host()), host, path, secure, authority })
    }

    /// For errors.
    pub(super) fn shown(&self) -> String {
        format!("{}://{}{}", if self.secure { "https" } else { "http" }, self.address, self.path)
    }
}

/// Reads a file, up to one byte past the bound.
fn read_file(path: &Path, known: &Mark, most: usize) -> anyhow::Result<Reading> {
    let shown = || format!("reading {}", path.display());
    let file = File::open(path).with_context(shown)?;
    let metadata = file.metadata().with_context(shown)?;
    ensure!(metadata.is_file(), "{} is no file", path.display());
    let identity = (metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec());
    if known.file == Some(identity) {
        return Ok(Reading::Same);
    }
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes).with_context(shown)?;
    let modified = u64::try_from(metadata.mtime()).ok().map(|seconds| Moment(seconds.saturating_mul(1000)));
    Ok(Reading::New { bytes, mark: Mark { file: Some(identity), ..Mark::default() }, modified })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let web = Web::parse("https://lists.bank.example/a/b.json?c=1", None).unwrap();
        assert_eq!((web.address.as_str(), web.host.as_str()), ("lists.bank.example:443", "lists.bank.example"));
        assert_eq!((web.path.as_str(), web.secure), ("/a/b.json?c=1", true));
        let web = Web::parse("http://[2001:db8::1]:8080", None).unwrap();
        assert_eq!(
            (web.address.as_str(), web.host.as_str(), web.path.as_str()),
            ("[2001:db8::1]:8080", "2001:db8::1", "/")
        );
    }

    #[test]
    fn a_file_is_read_when_it_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        std::fs::write(&path, "20.0.0.1\n").unwrap();
        let Reading::New { bytes, mark, modified } = read_file(&path, &Mark::default(), 100).unwrap() else {
            panic!("not read")
        };
        assert_eq!((bytes.as_slice(), modified.is_some()), (&b"20.0.0.1\n"[..], true));
        assert!(matches!(read_file(&path, &mark, 100).unwrap(), Reading::Same));
        std::fs::write(&path, "20.0.0.1\n20.0.0.2\n").unwrap();
        let Reading::New { bytes, .. } = read_file(&path, &mark, 3).unwrap() else { panic!("not read again") };
        assert_eq!(bytes.len(), 4, "one past the bound, so that the bound is seen");
        assert!(read_file(folder.path(), &mark, 3).unwrap_err().to_string().contains("no file"));
        assert!(format!("{:#}", read_file(&folder.path().join("x"), &mark, 3).unwrap_err()).contains("No such file"));
    }
}
