//! What settings files have in common.
//!
//! In: files, and what is written in them. Out: settings; secrets that lie in files of their own; or what is wrong, and where. Never here: what
//! any of them means.
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, ensure};

/// Reads a file; what is usual when there is none.
pub(crate) fn read<T: Default>(path: &Path, parse: impl FnOnce(&str) -> anyhow::Result<T>) -> anyhow::Result<T> {
    match fs::read_to_string(path) {
        Ok(text) => parse(&text).with_context(|| path.display().to_string()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// What stands in a file of its own, without the blanks around it.
pub(crate) fn secret(path: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(text.trim().to_owned())
}

/// The rest of a URL, whose scheme agrees with whether somebody is named to vouch for its server.
pub(crate) fn address(url: &str, vouched: bool) -> anyhow::Result<&str> {
    let secure = url.strip_prefix("https://");
    let rest = secure.or_else(|| url.strip_prefix("http://"));
    let rest = rest.with_context(|| format!("{url} begins with neither https:// nor http://"))?;
    ensure!(
        secure.is_some() == vouched,
        "https needs authority, the file of the certificate to trust, and http can have none"
    );
    Ok(rest)
}

/// Groups of hosts, in order and each once.
pub(crate) fn groups(mut groups: Vec<String>) -> Vec<String> {
    groups.sort();
    groups.dedup();
    groups
}
