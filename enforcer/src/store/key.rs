//! The secret that identities are digested with.
//!
//! In: a path. Out: the key that is there, or a new one that is safely there. Never here: digests. The file holds 32
//! hexadecimal digits, so that people can copy it from host to host.
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use enforcer_common::SipKey;

use super::StoreError;
use super::tape::sync_directory;

/// Reads the key at `path`, or makes one there; refuses a file that others than its owner can read.
pub fn identity_key(path: &Path) -> Result<SipKey, StoreError> {
    match File::open(path) {
        Ok(file) => read(path, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(path),
        Err(error) => Err(StoreError::io("open", path)(error)),
    }
}

fn read(path: &Path, file: File) -> Result<SipKey, StoreError> {
    let mode = file.metadata().map_err(StoreError::io("examine", path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(StoreError::KeyExposed { path: path.to_owned(), mode });
    }
    let mut text = Vec::new();
    // One byte more than a key with its line end, so that a longer file is not taken for one.
    file.take(DIGITS + 2).read_to_end(&mut text).map_err(StoreError::io("read", path))?;
    parse(&text).ok_or_else(|| StoreError::KeyMalformed { path: path.to_owned() })
}

/// Makes the file complete under another name first: a crash leaves a key or none, never a part of one.
fn create(path: &Path) -> Result<SipKey, StoreError> {
    let new = beside(path);
    // Left over from a crash; whoever else is at it now fails below, and nothing is lost.
    let _ = fs::remove_file(&new);
    let text = random_digits()?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .map_err(StoreError::io("create", &new))?;
    let linked = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(StoreError::io("write", &new))
        // Unlike a rename, a link never replaces a key that came to be meanwhile.
        .and_then(|()| fs::hard_link(&new, path).map_err(StoreError::io("create", path)));
    let _ = fs::remove_file(&new);
    linked?;
    sync_directory(path.parent().unwrap_or_else(|| Path::new("/")))?;
    identity_key(path)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

fn random_digits() -> Result<String, StoreError> {
    let mut bytes = [0; 16];
    let source = Path::new("/dev/urandom");
    File::open(source).and_then(|mut file| file.read_exact(&mut bytes)).map_err(StoreError::io("read", source))?;
    let mut text = String::new();
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\n');
    Ok(text)
}

/// The key as its digits say, first byte first; none when it is not one, or nobody has drawn it.
fn parse(text: &[u8]) -> Option<SipKey> {
    let digits = text.strip_suffix(b"\n").unwrap_or(text);
    if digits.len() as u64 != DIGITS || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let bytes = u128::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?.to_be_bytes();
    let (low, high) = bytes.split_at(8);
    let half = |half: &[u8]| half.try_into().map(u64::from_le_bytes).ok();
    let key = [half(low)?, half(high)?];
    (key != [0, 0]).then_some(SipKey(key))
}

const DIGITS: u64 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str, mode: u32) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_key_is_made_once_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.key");
        let key = identity_key(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(identity_key(&path).unwrap() == key);
        assert!(identity_key(&dir.path().join("other.key")).unwrap() != key);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn the_digits_are_the_bytes_of_the_key_in_order() {
        let key = parse(b"000102030405060708090a0b0c0d0e0f\n").unwrap();
        assert!(key == SipKey([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]));
        assert!(parse(b"000102030405060708090A0B0C0D0E0F").unwrap() == key);
    }

    #[test]
    fn an_exposed_key_is_refused_with_the_mend() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.key");
        for mode in [0o640, 0o604, 0o660, 0o644] {
            write(&path, "000102030405060708090a0b0c0d0e0f\n", mode);
            let Err(error) = identity_key(&path) else { panic!("mode {mode:o}") };
            let text = error.to_string();
            assert!(matches!(error, StoreError::KeyExposed { .. }), "{text}");
            assert!(text.contains(&format!("chmod 600 {}", path.display())), "{text}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.key");
        let zeros = "0".repeat(32);
        let long = "1".repeat(33);
        for text in ["", "abc", "+00102030405060708090a0b0c0d0e0f", "zz0102030405060708090a0b0c0d0e0f", &zeros, &long] {
            write(&path, text, 0o600);
            assert!(matches!(identity_key(&path), Err(StoreError::KeyMalformed { .. })), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_missing_directory_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let Err(error) = identity_key(&dir.path().join("gone/identity.key")) else { panic!("a key") };
        assert!(error.to_string().contains("gone/identity.key.new"), "{error}");
    }

    #[test]
    fn a_crash_while_making_it_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.key");
        write(&dir.path().join("identity.key.new"), "0001", 0o600);
        identity_key(&path).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
