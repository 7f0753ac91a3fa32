//! The names of pinned links: `KIND-IFINDEX-MODE`.
use std::path::{Path, PathBuf};

use super::{Hook, HookKind};

/// What a pin's name says.
pub(super) fn parse_pin(pin: &str) -> Option<(HookKind, u32, &'static str)> {
    let mut parts = pin.split('-');
    let kind = match parts.next()? {
        "xdp" => HookKind::Xdp,
        "tc" => HookKind::Tc,
        "egress" => HookKind::Egress,
        _ => return None,
    };
    let ifindex = parts.next()?.parse().ok()?;
    let mode = parts.next()?;
    MODES.iter().find(|known| **known == mode).map(|mode| (kind, ifindex, *mode))
}

const MODES: [&str; 4] = ["native", "generic", "tcx", "clsact"];

pub(super) fn find_pin(folder: &Path, hook: &Hook) -> Option<(PathBuf, &'static str)> {
    MODES.iter().map(|mode| (pin_path(folder, hook, mode), *mode)).find(|(path, _)| path.exists())
}

pub(super) fn pin_path(folder: &Path, hook: &Hook, mode: &str) -> PathBuf {
    folder.join("links").join(format!("{}-{}-{mode}", hook.kind.name(), hook.ifindex))
}
