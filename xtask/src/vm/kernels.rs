//! The kernels that every release is tried on. In: nothing. Out: the list. Never here: how they are fetched.
//!
//! To add one: a line of [`KERNELS`]. Debian's cloud kernels are small, and have BPF, BTF, veth and clsact.

/// A line of kernels, of which the newest in the archive is taken.
pub(crate) struct Kernel {
    /// What its releases begin with.
    pub(crate) series: &'static str,
    /// What the names of its packages begin with, before the series.
    pub(crate) packages: &'static [&'static str],
}

/// Oldest first.
pub(crate) const KERNELS: [Kernel; 4] = [
    // The oldest that is promised. No tcx: classifiers hang on clsact.
    Kernel { series: "6.1", packages: &["linux-image-"] },
    Kernel { series: "6.12", packages: &["linux-image-"] },
    Kernel { series: "6.18", packages: &["linux-image-"] },
    // Since 7.0 the image and its modules are packages of their own.
    Kernel { series: "7.3", packages: &["linux-binary-", "linux-modules-"] },
    // Not here: 5.10 (Debian 11) lacks bpf_loop. 5.14 (RHEL 9), 5.15 and 6.8 (Ubuntu) and 6.6 are not in Debian's archive.
];

/// Where they are. Debian 13's kernels run beside Debian 12's programs: a guest has no other part of the system.
pub(crate) const ARCHIVES: [&str; 2] = [
    "http://deb.debian.org/debian-security bookworm-security main",
    "http://deb.debian.org/debian trixie-backports main",
];

/// What those kernels have as modules, and a guest needs: hooks and cables; lists of sockets; a firewall that tests put beside them.
pub(crate) const MODULES: [&str; 10] = [
    "cls_bpf",
    "crc32c_generic",
    "inet_diag",
    "libcrc32c",
    "nf_tables",
    "nfnetlink",
    "sch_ingress",
    "tcp_diag",
    "udp_diag",
    "veth",
];
