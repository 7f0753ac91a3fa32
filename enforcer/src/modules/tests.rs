//! The room with files that are there, changed, unsigned and missing.
use std::path::PathBuf;

use enforcer_insight::filters::Wanted;
use enforcer_policy::revision::Signer;

use super::*;

/// The least that is a module, of this version.
pub(super) fn module(version: &str) -> Vec<u8> {
    let manifest = format!(
        r#"{{"abi":1,"name":"pages","version":"{version}","title":"pages","risk":"API4:2023","kinds":[{{"name":"page","severity":"low","fix":"none"}}],"parameters":[{{"name":"page","count":[1,9],"default":"3","doc":"any"}}]}}"#
    );
    let manifest = manifest.replace('"', "\\\"");
    let functions =
        ["enforcer_start", "enforcer_call"].map(|name| format!("(func (export \"{name}\") (param i32 i32))"));
    let text = format!(
        "(module (memory (export \"memory\") 1) (func (export \"enforcer_abi\") (result i32) (i32.const 1))
         (func (export \"enforcer_room\") (param i32) (result i32) (i32.const 0)) {} (@custom \"enforcer.manifest\" \"{manifest}\"))",
        functions.concat()
    );
    wat::parse_str(text).unwrap()
}

struct Lab {
    _folder: tempfile::TempDir,
    file: PathBuf,
    signer: Signer,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pages.wasm");
        Self { _folder: folder, file, signer: Signer::from_seed(&[7; 32]) }
    }

    fn config(&self, more: &str) -> Config {
        let (file, key) = (self.file.display(), self.signer.public());
        let text = format!("[[module]]\nname = \"pages\"\nfile = \"{file}\"\nkeys = [\"{key}\"]\n{more}");
        Config::parse(&text).unwrap()
    }

    fn put(&self, bytes: &[u8]) {
        std::fs::write(&self.file, enforcer_module::sign(bytes, &self.signer)).unwrap();
    }
}

fn version(modules: &Modules) -> Option<String> {
    modules.catalogue().find("pages").and_then(|entry| entry.version.as_ref().map(ToString::to_string))
}

#[test]
fn a_file_becomes_a_filter_and_a_changed_one_another() {
    let lab = Lab::new();
    lab.put(&module("1.0.0"));
    let config = lab.config("[filters]\npages = {mode = \"enforce\", page = 5}\n");
    let (one, problems) = Modules::default().load(&config);
    assert!(problems.0.is_empty(), "{problems}");
    let (same, _) = one.load(&config);
    let make = |modules: &Modules| Arc::clone(&modules.catalogue().find("pages").unwrap().make);
    assert!(Arc::ptr_eq(&make(&one), &make(&same)), "what did not change stays as it is");
    lab.put(&module("1.0.1"));
    let (other, _) = one.load(&config);
    assert!(!Arc::ptr_eq(&make(&one), &make(&other)));
    assert_eq!((version(&one).as_deref(), version(&other).as_deref()), (Some("1.0.0"), Some("1.0.1")));
    assert_eq!(config.wanted_filters(&other.catalogue()), Wanted::default(), "there is no service");
}

#[test]
fn a_file_that_cannot_be_used_leaves_what_ran_before() {
    let lab = Lab::new();
    let config = lab.config("");
    let told = |before: &Modules| {
        let (modules, problems) = before.load(&config);
        assert_eq!(version(&modules), version(before));
        problems.to_string()
    };
    let none = Modules::default();
    assert!(told(&none).contains("cannot be read"), "{}", told(&none));
    lab.put(&module("1.0.0"));
    let (one, _) = none.load(&config);
    for (bytes, problem) in [
        (module("1.0.1"), "it is not signed\n"),
        (enforcer_module::sign(&module("1.0.1"), &Signer::from_seed(&[8; 32])), "not trusted here\n"),
        (enforcer_module::sign(b"none", &lab.signer), "no module that can be run"),
        (vec![0; 2 << 20], "bytes\n"),
    ] {
        std::fs::write(&lab.file, bytes).unwrap();
        let text = told(&one);
        assert!(text.contains(problem) && text.contains("line 1"), "{problem}: {text}");
    }
}

#[test]
fn what_is_written_of_a_module_must_fit_it() {
    let lab = Lab::new();
    lab.put(&module("1.0.0"));
    let (_, problems) = Modules::default().load(&lab.config("[filters]\npages = {page = 50, size = 1}\n"));
    let text = problems.to_string();
    assert!(text.contains("filters.pages.page") && text.contains("filters.pages.size"), "{text}");
    let other = Config::parse(&format!(
        "[[module]]\nname = \"leaves\"\nfile = \"{}\"\nkeys = [\"{}\"]\n",
        lab.file.display(),
        lab.signer.public()
    ));
    let (_, problems) = Modules::default().load(&other.unwrap());
    assert!(problems.to_string().contains("names itself pages"), "{problems}");
}
