//! `cargo xtask book`: the pages of `docs/` as a book, with those of the top folder that belong to it.
//!
//! In: `docs/SUMMARY.md` and what it names. Out: pages for a browser in `target/book`. Never here: what is in a page, or whether its links
//! lead somewhere; `tests/lint` says that without mdBook. Debian 12 has no mdBook: it is installed into the cache, as bpf-linker is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use crate::steps::{self, execute, workspace};

/// Runs the task.
pub(crate) fn run() -> anyhow::Result<()> {
    let mdbook = mdbook()?;
    let (pages, book) = (steps::target()?.join("book-pages"), steps::target()?.join("book"));
    drop(fs::remove_dir_all(&pages));
    fs::create_dir_all(&pages).with_context(|| format!("failed to make {}", pages.display()))?;
    gather(&pages)?;
    execute(Command::new(mdbook).arg("build").arg(&pages).arg("--dest-dir").arg(&book))?;
    println!("the book begins at {}", book.join("index.html").display());
    Ok(())
}

/// All pages in one folder: a book knows nothing beside its own.
fn gather(pages: &Path) -> anyhow::Result<()> {
    let docs = fs::read_dir(workspace().join("docs")).context("docs")?.flatten().map(|entry| entry.path());
    for file in docs.chain(OF_THE_TOP.map(|name| workspace().join(name))) {
        let text = fs::read_to_string(&file).with_context(|| format!("failed to read {}", file.display()))?;
        let name = file.file_name().context("a file has a name")?;
        fs::write(pages.join(name), beside_each_other(&text)).context("failed to write a page")?;
    }
    Ok(())
}

/// Links between the two folders become links inside of one.
fn beside_each_other(text: &str) -> String {
    let from_docs = OF_THE_TOP
        .iter()
        .fold(text.to_owned(), |text, name| text.replace(&format!("](../{name}"), &format!("]({name}")));
    from_docs.replace("](docs/", "](")
}

/// The program in the cache, installed when it is not there.
fn mdbook() -> anyhow::Result<PathBuf> {
    let root = enforcer_ebpf_build::tools_root().context("neither ENFORCER_TOOLS, XDG_CACHE_HOME nor HOME is set")?;
    let place = root.join(format!("mdbook-{VERSION}"));
    let program = place.join("bin/mdbook");
    if !program.exists() {
        println!("== installing mdbook {VERSION} into {} (some minutes)", place.display());
        let mut cargo = Command::new("cargo");
        cargo.args([
            "install",
            "mdbook",
            "--version",
            VERSION,
            "--locked",
            "--no-default-features",
            "--features",
            "search",
        ]);
        execute(cargo.arg("--root").arg(&place).env_remove("CARGO_TARGET_DIR"))?;
    }
    Ok(program)
}

const VERSION: &str = "0.4.52";
/// Pages that forges look for in the top folder.
const OF_THE_TOP: [&str; 3] = ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];

#[cfg(test)]
mod tests {
    use super::beside_each_other;

    #[test]
    fn links_between_the_folders_stay_links() {
        let text = "[a](../SECURITY.md#b) [c](docs/FILTERS.md) [d](ABI.md) [e](../deploy/x)";
        assert_eq!(beside_each_other(text), "[a](SECURITY.md#b) [c](FILTERS.md) [d](ABI.md) [e](../deploy/x)");
    }
}
