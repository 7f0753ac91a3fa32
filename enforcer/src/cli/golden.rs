//! Texts that were reviewed once and are compared ever after.
//!
//! In: a name and a text. Out: nothing, or a failed test that says how to accept the new text. Never here: anything but tests.
use std::path::PathBuf;

/// Compares `text` with `tests/golden/<name>` of this crate; `UPDATE=1` writes it instead.
pub(crate) fn golden(name: &str, text: &str) {
    same(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name), text);
}

/// Compares `text` with a file; `UPDATE=1` writes it instead.
pub(crate) fn same(path: &std::path::Path, text: &str) {
    // Blanks at line ends say nothing and do not survive editors.
    let text: String = text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &text).unwrap();
    }
    let reviewed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(reviewed == text, "{} differs; UPDATE=1 cargo test accepts this:\n{text}", path.display());
}
