//! The agent's program behind something that changes what it meets: another clock, another kernel.
//!
//! In: a folder, what comes before. Out: a program to start in place of the agent ([`crate::Agent::become_program`]). Never here: what it
//! is to show.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// The program that a shell script stands before: `before` runs in place of the agent, with the agent's own command line.
pub fn wrapped(folder: &Path, name: &str, before: &str) -> PathBuf {
    let path = folder.join(name);
    let agent = crate::program().display();
    // Only the agent itself is meant, not its command line.
    let text = format!("#!/bin/sh\nif [ \"$1\" = run ]; then {before} {agent} \"$@\"; fi\nexec {agent} \"$@\"\n");
    fs::write(&path, text).expect("a script can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode can be set");
    path
}

/// An agent to which the kernel refuses new links, as one does that has no tcx: its classifiers go to clsact.
pub fn without_links(folder: &Path) -> PathBuf {
    let script = folder.join("no-links.py");
    fs::write(&script, NO_LINKS).expect("a script can be written");
    wrapped(folder, "no-tcx", &format!("exec python3 {}", script.display()))
}

/// A seccomp filter that answers EINVAL to `bpf(BPF_LINK_CREATE)`, and then the program itself.
const NO_LINKS: &str = r#"
import ctypes, os, platform, struct, sys
call = {"x86_64": 321, "aarch64": 280}[platform.machine()]
steps = [(0x20, 0, 0, 0), (0x15, 0, 3, call), (0x20, 0, 0, 16), (0x15, 0, 1, 28), (0x06, 0, 0, 0x50016), (0x06, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
filter = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(22, 2, ctypes.c_ulong(ctypes.addressof(filter)), 0, 0) == 0, os.strerror(ctypes.get_errno())
os.execv(sys.argv[1], sys.argv[1:])
"#;
