//! Attaching: one link per interface and hook, pinned by interface index and mode, replaced inside and never hung twice.
//!
//! XDP and tcx hang in links that bpffs keeps. Kernels without tcx (before 6.6) get a classifier on clsact with a fixed
//! priority and handle, so that a new agent finds the one a dead agent left, and replaces it in place; its pin is only a note.
mod asked;
mod classifier;
mod kept;
mod pins;
mod refused;
mod unlink;

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::path::Path;

use aya::programs::TcAttachType;
use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::xdp::{XdpLink, XdpMode};

use super::object::{EGRESS, TC, packet_program};
use super::{Kernel, KernelError, bpffs};
use crate::config::Mode;
pub(super) use kept::Kept;
use pins::{find_pin, parse_pin, pin_path};
pub(super) use refused::Refused;

/// Where a program can hang.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum HookKind {
    /// Every packet, in the driver or before the stack.
    Xdp,
    /// Every segment, before the stack's network layer.
    Tc,
    /// Every segment that leaves.
    Egress,
}

impl HookKind {
    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Egress => "egress",
            Self::Tc => "tc",
            Self::Xdp => "xdp",
        }
    }

    /// The classifier that hangs here, and on which way.
    const fn classifier(self) -> (&'static str, TcAttachType) {
        match self {
            Self::Egress => (EGRESS, TcAttachType::Egress),
            Self::Tc | Self::Xdp => (TC, TcAttachType::Ingress),
        }
    }
}

/// A wish: this program on this interface.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Hook {
    /// The interface.
    pub interface: String,
    /// Its index.
    pub ifindex: u32,
    /// Which program.
    pub kind: HookKind,
}

/// A hook with its program in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Attached {
    pub(super) hook: Hook,
    pub(super) mode: &'static str,
}

/// The interfaces of this network namespace, by name.
pub fn interfaces() -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    // SAFETY: the list is freed below; it ends with an entry whose index is zero.
    let list = unsafe { libc::if_nameindex() };
    let mut at = list;
    // SAFETY: not null, and not beyond the ending entry.
    while let Some(entry) = unsafe { at.as_ref() }.filter(|entry| entry.if_index != 0) {
        // SAFETY: a terminated name for as long as the list lives.
        let name = unsafe { CStr::from_ptr(entry.if_name) };
        found.insert(name.to_string_lossy().into_owned(), entry.if_index);
        // SAFETY: the entry was not the last.
        at = unsafe { at.add(1) };
    }
    if !list.is_null() {
        // SAFETY: what `if_nameindex` gave.
        unsafe { libc::if_freenameindex(list) };
    }
    found
}

impl Kernel {
    /// Hangs the program of `hook`, or replaces the one that a former agent left in its link.
    pub fn attach(&mut self, hook: &Hook, mode: Mode) -> Result<(), KernelError> {
        if self.attached.iter().any(|held| held.hook == *hook) {
            return Ok(());
        }
        let mode = match self.adopt(hook)? {
            Some(mode) => mode,
            None if hook.kind == HookKind::Xdp => self.attach_xdp(hook, mode)?,
            None => self.attach_tc(hook)?,
        };
        self.attached.retain(|held| (&held.hook.interface, held.hook.kind) != (&hook.interface, hook.kind));
        self.attached.push(Attached { hook: hook.clone(), mode });
        Ok(())
    }

    /// Takes a program off an interface.
    pub fn detach(&mut self, hook: &Hook) -> Result<(), KernelError> {
        if let Some((path, mode)) = find_pin(&self.bpffs, hook) {
            unhang(hook, &path, mode)?;
            bpffs::unpin(&path)?;
        }
        self.let_go(hook);
        self.attached.retain(|held| held.hook != *hook);
        Ok(())
    }

    /// The programs that hang, with their modes.
    pub fn attachments(&self) -> impl Iterator<Item = (&Hook, &'static str)> {
        self.attached.iter().map(|held| (&held.hook, held.mode))
    }

    /// Packet programs that hang in another mode than `wanted`: left by an agent that was told otherwise.
    pub fn in_other_mode(&self, wanted: Mode) -> impl Iterator<Item = (&Hook, &'static str)> {
        self.attachments().filter(move |(hook, held)| hook.kind == HookKind::Xdp && differs(wanted, held))
    }

    /// Hooks whose pin has vanished, whose link hangs nowhere, or whose place on clsact is another's: someone took the program off behind
    /// our back.
    pub fn lost_hooks(&self) -> Vec<Hook> {
        let lost = self.attached.iter().filter(|held| !self.hangs(&held.hook));
        lost.map(|held| held.hook.clone()).collect()
    }

    /// Forgets a hook, so that it is attached anew.
    pub fn forget(&mut self, hook: &Hook) {
        self.attached.retain(|held| held.hook != *hook);
    }

    /// Takes off what hangs (or hung) where nothing is wanted any more: an interface that left the configuration while no
    /// agent ran, or that is gone. Gives what was taken off.
    pub fn sweep_strays(&self, interfaces: &BTreeMap<String, u32>) -> Vec<Hook> {
        let links = self.bpffs.join("links");
        let strays = bpffs::pins(&links).into_iter().filter_map(|pin| {
            let (kind, ifindex, mode) = parse_pin(&pin)?;
            let tended = self.attached.iter().any(|held| (held.hook.kind, held.hook.ifindex) == (kind, ifindex));
            let interface = interfaces.iter().find(|(_, index)| **index == ifindex).map(|(name, _)| name.clone());
            (!tended).then_some((
                links.join(pin),
                Hook { interface: interface.unwrap_or_default(), ifindex, kind },
                mode,
            ))
        });
        let taken_off = strays.filter_map(|(path, hook, mode)| {
            if !hook.interface.is_empty() {
                unhang(&hook, &path, mode).ok()?;
            }
            bpffs::unpin(&path).ok().map(|()| hook)
        });
        taken_off.collect()
    }

    /// Puts this agent's program into the link a former one left. A link that is defunct (its interface is gone) is removed; one that
    /// hangs stays when that fails: the program in it enforces, and the next try may do.
    fn adopt(&mut self, hook: &Hook) -> Result<Option<&'static str>, KernelError> {
        let Some((path, mode)) = find_pin(&self.bpffs, hook) else { return Ok(None) };
        let adopted = match mode {
            "clsact" => self.replace_clsact(hook),
            _ => self.replace_in_link(hook, &path, mode),
        };
        match adopted {
            Ok(()) => Ok(Some(mode)),
            Err(error) if mode != "clsact" && self.hangs(hook) => Err(error),
            // The wish is served by a fresh link; a defunct one must not stand in its way.
            Err(_) => bpffs::unpin(&path).map(|()| None),
        }
    }

    fn replace_in_link(&mut self, hook: &Hook, path: &Path, mode: &str) -> Result<(), KernelError> {
        let failed = |reason: String| failure(hook, reason);
        let link = FdLink::from(PinnedLink::from_pin(path).map_err(|error| failed(error.to_string()))?);
        match hook.kind {
            HookKind::Xdp => {
                let xdp = packet_program(&mut self.ebpf, mode)?;
                let link = XdpLink::try_from(link).map_err(|error| failed(error.to_string()))?;
                let id = xdp.attach_to_link(link).map_err(|error| failed(error.to_string()))?;
                // Only the pin may hold it: who removes the pin takes the program off, and that must be seen and mended.
                drop(xdp.take_link(id).map_err(|error| failed(error.to_string()))?);
            }
            HookKind::Tc | HookKind::Egress => self.replace_tcx(hook, link)?,
        }
        Ok(())
    }

    fn attach_xdp(&mut self, hook: &Hook, mode: Mode) -> Result<&'static str, KernelError> {
        let tries: &[(XdpMode, &'static str)] = match mode {
            Mode::Auto => &[(XdpMode::Driver, "native"), (XdpMode::Skb, "generic")],
            Mode::Generic => &[(XdpMode::Skb, "generic")],
            Mode::Native => &[(XdpMode::Driver, "native")],
        };
        let mut last = String::new();
        for (mode, name) in tries {
            match self.try_xdp(hook, *mode, name) {
                Ok(()) => return Ok(name),
                // The driver could, but another program hangs there (or is about to go): no reason for the slower mode.
                Err(refused) if refused.busy() => return Err(failure(hook, refused.reason)),
                Err(refused) => last = refused.reason,
            }
        }
        Err(failure(hook, last))
    }

    fn try_xdp(&mut self, hook: &Hook, mode: XdpMode, name: &str) -> Result<(), Refused> {
        let path = pin_path(&self.bpffs, hook, name);
        let xdp = packet_program(&mut self.ebpf, name)?;
        let id = xdp.attach_to_if_index(hook.ifindex, mode)?;
        let link = xdp.take_link(id)?;
        let link = FdLink::try_from(link)?;
        self.keep_link(hook, link, path)
    }
}

/// Takes everything off: links, notes and maps, whoever made them.
pub fn detach_all(folder: &Path) -> Result<Vec<String>, KernelError> {
    let names: BTreeMap<u32, String> = interfaces().into_iter().map(|(name, index)| (index, name)).collect();
    let links = folder.join("links");
    let mut done = Vec::new();
    for pin in bpffs::pins(&links) {
        let Some((kind, ifindex, mode)) = parse_pin(&pin) else { continue };
        let interface = names.get(&ifindex).cloned().unwrap_or_else(|| format!("interface {ifindex} (gone)"));
        let hook = Hook { interface: interface.clone(), ifindex, kind };
        if names.contains_key(&ifindex) {
            unhang(&hook, &links.join(&pin), mode)?;
        }
        bpffs::unpin(&links.join(&pin))?;
        done.push(format!("{} {} ({mode})", kind.name(), interface));
    }
    for maps in ["maps", "maps-new", "maps-old"] {
        bpffs::remove(&folder.join(maps))?;
    }
    Ok(done)
}

/// Takes off what the pin stands for: a link, or a classifier on clsact.
fn unhang(hook: &Hook, pin: &Path, mode: &str) -> Result<(), KernelError> {
    if mode == "clsact" {
        use aya::programs::links::Link as _;
        // Its place went with the interface; what is left is the note.
        if interfaces().values().all(|index| *index != hook.ifindex) {
            return Ok(());
        }
        return classifier::clsact_link(hook)?.detach().map_err(|error| failure(hook, error.to_string()));
    }
    unlink::take_off(pin);
    Ok(())
}

fn failure(hook: &Hook, reason: String) -> KernelError {
    KernelError::Attach { hook: hook.kind.name(), interface: hook.interface.clone(), reason }
}

/// True when an operator who asked for `wanted` does not get it from a program that hangs in `held`.
fn differs(wanted: Mode, held: &str) -> bool {
    matches!((wanted, held), (Mode::Native, "generic") | (Mode::Generic, "native"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_that_was_asked_for_is_told_from_the_one_that_hangs() {
        assert!(differs(Mode::Native, "generic") && differs(Mode::Generic, "native"));
        assert!(!differs(Mode::Auto, "generic") && !differs(Mode::Native, "native") && !differs(Mode::Generic, "tcx"));
    }
}
