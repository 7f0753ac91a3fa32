//! `filter key` and `filter sign`: who made a module. In: files. Out: a secret key, a signed module. Never here: whom hosts trust; their
//! configuration says so.
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use enforcer_module::key_name;
use enforcer_policy::revision::{Digest, Signer};

use super::{Failure, Out, read};
use crate::wire::Exit;

/// `filter key`: a key in the form of a center's, whose own signs modules, too.
pub(super) fn key(path: &Path, out: &mut Out) -> Result<Exit, Failure> {
    let signer = if path.exists() { signer(path)? } else { make(path)? };
    let (public, id) = (signer.public().to_string(), key_name(&signer.public().id()));
    let report = serde_json::json!({ "file": path, "public": public, "id": id });
    let text = format!(
        "{public}\nis the public key, called {id} in lists; hosts name it in keys of [[module]] and [published]"
    );
    out.report(&report, |_| text)?;
    Ok(Exit::Done)
}

/// `filter sign`: what no host would take is not signed.
pub(super) fn sign(path: &Path, key: &Path, out: &mut Out) -> Result<Exit, Failure> {
    let signer = signer(key)?;
    let (bytes, module) = read(path)?;
    let new = path.with_extension("new");
    let written = fs::write(&new, enforcer_module::sign(&bytes, &signer)).and_then(|()| fs::rename(&new, path));
    written.map_err(|source| Failure::file("write", path, source))?;
    let manifest = module.manifest();
    let public = signer.public().to_string();
    let report = serde_json::json!({ "file": path, "name": manifest.name, "version": manifest.version, "key": public });
    out.report(&report, |_| format!("{} {} is signed with {public}", manifest.name, manifest.version))?;
    Ok(Exit::Done)
}

fn make(path: &Path) -> Result<Signer, Failure> {
    let mut seed = [0; 32];
    let urandom = Path::new("/dev/urandom");
    let drawn = File::open(urandom).and_then(|mut source| source.read_exact(&mut seed));
    drawn.map_err(|source| Failure::file("read", urandom, source))?;
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = opened.and_then(|mut file| {
        writeln!(file, "{}", Digest(seed))?;
        file.sync_all()
    });
    written.map_err(|source| Failure::file("write", path, source))?;
    Ok(Signer::from_seed(&seed))
}

/// The key in a file that only its owner can read.
fn signer(path: &Path) -> Result<Signer, Failure> {
    let refuse = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let read = || {
        let file = File::open(path)?;
        if file.metadata()?.mode() & 0o077 != 0 {
            return Err(refuse("others can read this secret; chmod 600 it"));
        }
        let mut text = String::new();
        file.take(LONGEST).read_to_string(&mut text)?;
        let seed: Digest =
            text.trim().parse().map_err(|_no_digits| refuse("it is no key; enforcer filter key makes one"))?;
        Ok(Signer::from_seed(&seed.0))
    };
    read().map_err(|source| Failure::file("use", path, source))
}

/// Bytes of a key's file, with some blanks.
const LONGEST: u64 = 128;
