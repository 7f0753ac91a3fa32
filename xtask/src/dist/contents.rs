//! What each package holds. In: built programs. Out: a tree as it will be installed. Never here: how a tree becomes a package.

use std::path::{Path, PathBuf};

use super::tree::Tree;

/// The programs that are handed out.
pub(crate) struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Those in a folder of cargo's.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// One of them.
    pub(super) fn get(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// A package.
pub(super) struct Package {
    /// Its name, and that of its program.
    pub(super) name: &'static str,
    /// One line about it.
    pub(super) summary: &'static str,
    /// More about it.
    pub(super) description: &'static str,
    /// What must be there besides the libraries of the program.
    pub(super) depends: &'static str,
    /// Files of the repository, and where they are installed.
    files: &'static [(&'static str, &'static str)],
    /// Files that are the administrator's once they are installed.
    pub(super) conffiles: &'static [&'static str],
}

/// All of them, the agent's first.
pub(super) const PACKAGES: [Package; 2] = [
    Package {
        name: "enforcer",
        summary: "refuses blocked API traffic in the kernel",
        description: "Programs in the kernel of the host that serves APIs drop packets of blocked addresses, and answer requests\n \
                      of blocked devices, sessions, users and keys with 403, while everything else goes on. No proxy, and no\n \
                      change to the application. Installing it enforces nothing.",
        depends: "systemd",
        files: &[
            ("deploy/systemd/enforcer.service", "usr/lib/systemd/system/enforcer.service"),
            ("deploy/systemd/run-bpf-enforcer.mount", "usr/lib/systemd/system/run-bpf-enforcer.mount"),
            ("deploy/sysusers.d/enforcer.conf", "usr/lib/sysusers.d/enforcer.conf"),
            ("deploy/grafana", "usr/share/enforcer/grafana"),
            ("deploy/prometheus", "usr/share/enforcer/prometheus"),
            ("docs", "usr/share/doc/enforcer/docs"),
            ("CHANGELOG.md", "usr/share/doc/enforcer/changelog.md"),
            ("README.md", "usr/share/doc/enforcer/README.md"),
            ("LICENSE", "usr/share/doc/enforcer/copyright"),
        ],
        conffiles: &["/etc/enforcer/enforcer.toml"],
    },
    Package {
        name: "enforcer-center",
        summary: "control center of a fleet of Enforcer hosts",
        description: "Holds the policy of a fleet, signs and numbers it, and brings it to every host that enforces it. Nothing that\n \
                      happens to the center touches the traffic.",
        depends: "systemd",
        files: &[
            ("deploy/systemd/enforcer-center.service", "usr/lib/systemd/system/enforcer-center.service"),
            ("deploy/sysusers.d/enforcer-center.conf", "usr/lib/sysusers.d/enforcer-center.conf"),
            ("docs/CENTER.md", "usr/share/doc/enforcer-center/CENTER.md"),
            ("LICENSE", "usr/share/doc/enforcer-center/copyright"),
        ],
        conffiles: &[],
    },
];

/// Where `run-bpf-enforcer.mount` puts it: /sys/fs/bpf is for root only, and the service is not root.
const BPFFS: &str = "/run/bpf/enforcer";

impl Package {
    /// Puts everything into the tree.
    pub(super) fn fill(&self, tree: &Tree, programs: &Programs) -> anyhow::Result<()> {
        let program = programs.get(self.name);
        tree.program(&program, &format!("usr/bin/{}", self.name))?;
        for (from, to) in self.files {
            tree.copy(from, to)?;
        }
        for script in ["postinst", "prerm", "postrm"] {
            tree.script(&format!("deploy/debian/{}/{script}", self.name), &format!("DEBIAN/{script}"))?;
        }
        if self.name == "enforcer" {
            tree.output(&program, &["config", "example", "--bpffs", BPFFS], "etc/enforcer/enforcer.toml")?;
        }
        manual(tree, &program, self.name)
    }
}

/// What the programs say of themselves.
fn manual(tree: &Tree, program: &Path, name: &str) -> anyhow::Result<()> {
    for (shell, place) in [
        ("bash", format!("usr/share/bash-completion/completions/{name}")),
        ("fish", format!("usr/share/fish/vendor_completions.d/{name}.fish")),
        ("zsh", format!("usr/share/zsh/vendor-completions/_{name}")),
    ] {
        tree.output(program, &["completions", shell], &place)?;
    }
    tree.pages(program, "usr/share/man/man1")
}
