//! What this host can do for the programs, each thing looked at and not guessed from a version number.
use std::fs;
use std::path::Path;

use aya::programs::{SchedClassifier, TcAttachType};

use super::hooks::Refused;
use super::privileges;

/// One thing that was looked at.
pub struct Finding {
    /// What.
    pub name: &'static str,
    /// `Ok(detail)`, or `Err((detail, mend, fatal))`.
    pub outcome: Result<String, (String, &'static str, bool)>,
}

/// Looks at everything that does not need the programs.
pub fn probe(bpffs: &Path) -> Vec<Finding> {
    vec![release(), capabilities(), btf(), jit(), bpffs_mounted(bpffs), lockdown(), tcx()]
}

fn release() -> Finding {
    let release = read("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version: Vec<u32> = release.split(['.', '-']).take(2).filter_map(|part| part.parse().ok()).collect();
    let outcome = match version[..] {
        [major, minor] if (major, minor) >= (6, 1) => Ok(release),
        [major, minor] if (major, minor) >= (5, 17) => {
            Err((release, "tested from 6.1 on; the programs may load, and `enforcer run` says if they do not", false))
        }
        _ => Err((release, "a kernel from 6.1 on is needed (bpf_loop came with 5.17)", true)),
    };
    Finding { name: "kernel", outcome }
}

fn capabilities() -> Finding {
    const NAMES: [(u32, &str); 3] = [(39, "CAP_BPF"), (12, "CAP_NET_ADMIN"), (38, "CAP_PERFMON")];
    let held = privileges::effective().unwrap_or(0);
    let missing: Vec<&str> = NAMES.iter().filter(|(bit, _)| held >> bit & 1 == 0).map(|(_, name)| *name).collect();
    let outcome = if missing.is_empty() {
        Ok("CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON".to_owned())
    } else {
        Err((format!("missing {}", missing.join(", ")), "run as root, or grant them with AmbientCapabilities=", true))
    };
    Finding { name: "capabilities", outcome }
}

fn btf() -> Finding {
    let there = Path::new("/sys/kernel/btf/vmlinux").exists();
    let mend = "use a kernel built with CONFIG_DEBUG_INFO_BTF: the maps carry type information";
    Finding {
        name: "BTF",
        outcome: if there { Ok("/sys/kernel/btf/vmlinux".to_owned()) } else { Err(("absent".to_owned(), mend, true)) },
    }
}

fn jit() -> Finding {
    let mend = "sysctl net.core.bpf_jit_enable=1: without it every packet costs several times as much";
    let outcome = match read("/proc/sys/net/core/bpf_jit_enable").as_deref() {
        Some("0") => Err(("off".to_owned(), mend, false)),
        Some(_) => Ok("on".to_owned()),
        None => Ok("always on".to_owned()),
    };
    Finding { name: "BPF JIT", outcome }
}

fn bpffs_mounted(path: &Path) -> Finding {
    let there = path.ancestors().find(|folder| folder.exists()).unwrap_or(path);
    let outcome = match super::bpffs::is_bpffs(there) {
        Ok(true) => Ok(path.display().to_string()),
        Ok(false) if privileges::effective().is_ok_and(|held| held >> CAP_SYS_ADMIN & 1 == 1) => {
            Ok(format!("{} (enforcer run mounts it there)", path.display()))
        }
        Ok(false) => Err(format!("{} is not on a bpf file system", path.display())),
        Err(error) => Err(error.to_string()),
    };
    let mend = "mount -t bpf bpf /sys/fs/bpf, or set agent.bpffs to a folder this user may use";
    Finding { name: "bpffs", outcome: outcome.map_err(|detail| (detail, mend, true)) }
}

const CAP_SYS_ADMIN: u32 = 21;

fn lockdown() -> Finding {
    let text = read("/sys/kernel/security/lockdown").unwrap_or_else(|| "none".to_owned());
    let mode = text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("none", |(mode, _)| mode);
    let mend = "lockdown=confidentiality forbids BPF to read kernel memory; integrity is fine";
    let outcome = if mode == "confidentiality" { Err((mode.to_owned(), mend, true)) } else { Ok(mode.to_owned()) };
    Finding { name: "lockdown", outcome }
}

/// Asked of an interface that every namespace has; a kernel without the hook does not know the question.
fn tcx() -> Finding {
    let asked = SchedClassifier::query_tcx("lo", TcAttachType::Ingress).map_err(Refused::from);
    let outcome = match asked {
        Ok(_) => Ok("links on the tcx hook".to_owned()),
        Err(refused) if refused.lacks_tcx() => Err((
            "not in this kernel (it came with 6.6)".to_owned(),
            "nothing to do: the classifiers hang on clsact, and an agent finds its own again there; but whoever removes the \
             qdisc (tc qdisc del dev ... clsact) takes them off until the agent looks, within a second; tcx would have kept them",
            false,
        )),
        Err(refused) => Err((refused.reason, "run doctor with the agent's privileges to know", false)),
    };
    Finding { name: "tcx", outcome }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}
