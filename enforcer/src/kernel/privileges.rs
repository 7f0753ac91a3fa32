//! Keeps only what the agent needs: three capabilities, no new ones, and a check of who speaks on the socket.
use std::fs;

use super::KernelError;

/// `CAP_NET_ADMIN`, `CAP_PERFMON`, `CAP_BPF`: attach, be believed by the verifier, load.
const NEEDED: u64 = 1 << 12 | 1 << 38 | 1 << 39;
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Drops every capability but the needed ones, for good: from here on even root only opens what its uid may.
pub fn keep_only_needed() -> Result<(), KernelError> {
    let held = effective()?;
    let missing = NEEDED & !held;
    if missing != 0 {
        return Err(KernelError::System {
            step: "start: the agent needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON (run as root, or grant them)",
            source: std::io::Error::from_raw_os_error(libc::EPERM),
        });
    }
    // SAFETY: plain arguments.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(KernelError::last("give up new privileges"));
    }
    drop_bounding();
    set(NEEDED)
}

/// The capabilities in force.
pub(super) fn effective() -> Result<u64, KernelError> {
    let status = fs::read_to_string("/proc/self/status")
        .map_err(|source| KernelError::System { step: "read /proc/self/status", source })?;
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    Ok(line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0))
}

/// True for a peer that may speak on the agent's socket: root, or the agent's own user; others only when the socket's
/// group lets them open it, which the file's mode has decided already.
pub fn peer_is_trusted(uid: u32, group_is_configured: bool) -> bool {
    // SAFETY: takes nothing, cannot fail.
    uid == 0 || uid == unsafe { libc::geteuid() } || group_is_configured
}

/// Without `CAP_SETPCAP` the bounding set stays, which no-new-privileges makes harmless.
fn drop_bounding() {
    for capability in 0..64 {
        if NEEDED >> capability & 1 == 0 {
            // SAFETY: plain arguments.
            unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
        }
    }
}

fn set(capabilities: u64) -> Result<(), KernelError> {
    let half = |bits: u64| {
        let bits = u32::try_from(bits & 0xffff_ffff).unwrap_or(0);
        Half { effective: bits, permitted: bits, inheritable: 0 }
    };
    let data = [half(capabilities), half(capabilities >> 32)];
    let header = Header { version: CAPABILITY_VERSION_3, pid: 0 };
    // SAFETY: the structs are laid out as the kernel wants version 3: a header and two halves.
    let done = unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) };
    if done == 0 { Ok(()) } else { Err(KernelError::last("drop capabilities")) }
}
