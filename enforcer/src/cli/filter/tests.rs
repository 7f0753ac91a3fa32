//! The life of a module on the command line: a new crate is built without a network, tried, signed, and taken by a host.
use std::path::Path;
use std::process::Command;

use clap::FromArgMatches as _;
use enforcer_module::{Module, SignatureError, verify};
use enforcer_policy::revision::Verifier;

use super::*;
use crate::cli::{Cli, Command as Asked, Format, command};

/// What a command says, as JSON.
fn json(words: &[&str]) -> Result<serde_json::Value, String> {
    let (results, notes) = (Shared::default(), Shared::default());
    let mut out = Out::to(Box::new(results.clone()), Box::new(notes.clone()), Format::Json);
    let words = ["enforcer", "filter"].iter().chain(words);
    let cli = Cli::from_arg_matches(&command().try_get_matches_from(words).unwrap()).unwrap();
    let Asked::Filter(asked) = &cli.command else { panic!("another command") };
    filter(asked, &cli.globals, &mut out).map_err(|failure| failure.to_string())?;
    out.flush().unwrap();
    Ok(serde_json::from_slice(&results.0.lock().unwrap()).unwrap())
}

#[derive(Clone, Default)]
struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_new_filter_is_built_tried_signed_and_taken() {
    let folder = tempfile::tempdir().unwrap();
    let mut out = Out::to(Box::new(Shared::default()), Box::new(Shared::default()), Format::Json);
    new::new("my-pages", folder.path(), &mut out).unwrap();
    let again = new::new("my-pages", folder.path(), &mut out).unwrap_err().to_string();
    assert!(again.contains("my-pages"), "what is there is not written over: {again}");
    let root = folder.path().join("my-pages");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(&root).args(["build", "--quiet", "--release", "--offline"]);
    cargo.args(["--target", "wasm32-unknown-unknown", "--target-dir", "target"]);
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("RUSTC_WORKSPACE_WRAPPER");
    assert!(cargo.status().unwrap().success(), "cargo xtask setup installs what a module is built with");
    let file = root.join("target/wasm32-unknown-unknown/release/my_pages.wasm");

    let trial = json(&["test", shown(&file)]).unwrap();
    assert_eq!((&trial["name"], &trial["stopped"]), (&"my-pages".into(), &serde_json::Value::Null), "{trial:#}");
    assert_eq!(trial["findings"][0]["kind"], "huge_page");
    assert!(trial["findings"].as_array().unwrap().len() == 1 && trial["steps_most"].as_u64() > Some(100), "{trial:#}");
    let wide = json(&["test", shown(&file), "--set", "page=1000000"]).unwrap();
    assert_eq!(wide["findings"], serde_json::json!([]));
    assert!(json(&["test", shown(&file), "--set", "size=1"]).unwrap_err().contains("no such parameter"));

    let key = folder.path().join("filters.key");
    let public = json(&["key", shown(&key)]).unwrap()["public"].as_str().unwrap().to_owned();
    assert_eq!(json(&["key", shown(&key)]).unwrap()["public"], *public, "the same again");
    let trusted = [Verifier::parse(&public).unwrap()];
    assert_eq!(verify(&std::fs::read(&file).unwrap(), &trusted), Err(SignatureError::Missing));
    json(&["sign", shown(&file), "--key", shown(&key)]).unwrap();
    let taken = Module::open(&std::fs::read(&file).unwrap(), &trusted).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(&*taken.manifest().name, "my-pages");
}

#[test]
fn what_cannot_be_a_filter_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut out = Out::to(Box::new(Shared::default()), Box::new(Shared::default()), Format::Json);
    for name in ["", "Pages", "../pages", "9", "tokens", "all"] {
        assert!(new::new(name, folder.path(), &mut out).is_err(), "{name}");
    }
    let (key, file) = (folder.path().join("key"), folder.path().join("none.wasm"));
    json(&["key", shown(&key)]).unwrap();
    std::fs::write(&file, b"no module").unwrap();
    for words in [&["test", shown(&file)][..], &["sign", shown(&file), "--key", shown(&key)]] {
        let error = json(words).unwrap_err();
        assert!(error.contains("no module that can be run"), "{error}");
    }
    let mut open = std::fs::metadata(&key).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut open, 0o644);
    std::fs::set_permissions(&key, open).unwrap();
    assert!(json(&["key", shown(&key)]).unwrap_err().contains("chmod 600"));
}
