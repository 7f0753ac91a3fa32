//! `filter new`: a crate to begin with. In: a name. Out: a folder that builds without a network. Never here: the filter it holds; that
//! lies in `modules/template`, where it is compiled with everything else.
use std::fs;
use std::io;
use std::path::Path;

use enforcer_insight::filters::Catalogue;

use super::{Failure, Out};
use crate::wire::Exit;

/// Writes it into a folder of its name, which must not be there.
pub(super) fn new(name: &str, into: &Path, out: &mut Out) -> Result<Exit, Failure> {
    let usage = |message: String, hint| Failure::Usage { message, hint };
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = name.starts_with(|first: char| first.is_ascii_lowercase()) && name.len() <= 64;
    if !fits || !name.bytes().all(plain) {
        let hint = "begin with a lower-case letter; letters, digits and hyphens may follow";
        return Err(usage(format!("{name:?} cannot be the name of a filter"), hint));
    }
    if Catalogue::built_in().find(name).is_some() || matches!(name, "all" | "enforcer-filter") {
        return Err(usage(format!("there is a filter {name} already"), "choose another name"));
    }
    let folder = into.join(name);
    fs::create_dir(&folder).map_err(|source| Failure::file("make", &folder, source))?;
    for (path, text) in FILES {
        let text = text.replace("NAME", name).replace("UNDER", &name.replace('-', "_"));
        let path = folder.join(path);
        write(&path, &text).map_err(|source| Failure::file("write", &path, source))?;
    }
    let next = format!(
        "{name}/ is a filter: build it with\n  cargo build --release --target wasm32-unknown-unknown\n{name}/README.md says how it goes on"
    );
    out.report(&serde_json::json!({ "folder": folder }), |_| next)?;
    Ok(Exit::Done)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or_else(|| Path::new(".")))?;
    fs::write(path, text)
}

const FILES: [(&str, &str); 13] = [
    (".gitignore", "/target\n"),
    ("Cargo.toml", include_str!("package.txt")),
    ("README.md", include_str!("readme.txt")),
    ("manifest.json", include_str!("../../../../modules/template/manifest.json")),
    ("rustfmt.toml", include_str!("../../../../rustfmt.toml")),
    ("src/lib.rs", include_str!("../../../../modules/template/src/lib.rs")),
    ("enforcer-filter/Cargo.toml", include_str!("package-of-sdk.txt")),
    ("enforcer-filter/src/lib.rs", include_str!("../../../../enforcer-filter/src/lib.rs")),
    ("enforcer-filter/src/door.rs", include_str!("../../../../enforcer-filter/src/door.rs")),
    ("enforcer-filter/src/record.rs", include_str!("../../../../enforcer-filter/src/record.rs")),
    ("enforcer-filter/src/sign.rs", include_str!("../../../../enforcer-filter/src/sign.rs")),
    ("enforcer-filter/src/state.rs", include_str!("../../../../enforcer-filter/src/state.rs")),
    ("enforcer-filter/src/tests.rs", include_str!("../../../../enforcer-filter/src/tests.rs")),
];
