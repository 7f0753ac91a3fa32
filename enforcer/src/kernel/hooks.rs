//! Attaching: one link per interface and hook, pinned by interface index and mode, replaced inside and never hung twice.
//!
//! XDP and tcx hang in links that bpffs keeps. Kernels without tcx (before 6.6) get a classifier on clsact with a fixed
//! priority and handle, so that a new agent finds the one a dead agent left, and replaces it in place; its pin is only a note.
use std::collections::BTreeMap;
use std::ffi::CStr;
use std::path::{Path, PathBuf};

use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle, qdisc_add_clsact};
use aya::programs::xdp::{XdpLink, XdpMode};
use aya::programs::{LinkOrder, SchedClassifier, TcAttachType};

use super::object::{TC, packet_program, program};
use super::{Kernel, KernelError, bpffs};
use crate::config::Mode;

const PRIORITY: u16 = 50;
const HANDLE: TcHandle = TcHandle::new(0, 1);

/// Where a program can hang.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum HookKind {
    /// Every packet, in the driver or before the stack.
    Xdp,
    /// Every segment, before the stack's network layer.
    Tc,
}

impl HookKind {
    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tc => "tc",
            Self::Xdp => "xdp",
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
        let mode = match self.adopt(hook) {
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
            unhang(hook, mode)?;
            bpffs::unpin(&path)?;
        }
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

    /// Hooks whose pin has vanished: someone took the program off behind our back.
    pub fn lost_hooks(&self) -> Vec<Hook> {
        let lost = self.attached.iter().filter(|held| find_pin(&self.bpffs, &held.hook).is_none());
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
                unhang(&hook, mode).ok()?;
            }
            bpffs::unpin(&path).ok().map(|()| hook)
        });
        taken_off.collect()
    }

    /// Puts this agent's program into the link a former one left. A link that is defunct (its interface is gone) is removed.
    fn adopt(&mut self, hook: &Hook) -> Option<&'static str> {
        let (path, mode) = find_pin(&self.bpffs, hook)?;
        let adopted = match mode {
            "clsact" => self.replace_clsact(hook),
            _ => self.replace_in_link(hook, &path, mode),
        };
        if adopted.is_ok() {
            return Some(mode);
        }
        // The wish is served by a fresh link; a defunct one must not stand in its way.
        let _ = bpffs::unpin(&path);
        None
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
            HookKind::Tc => {
                let tc: &mut SchedClassifier = program(&mut self.ebpf, TC)?;
                let link = SchedClassifierLink::try_from(link).map_err(|error| failed(error.to_string()))?;
                let id = tc.attach_to_link(link).map_err(|error| failed(error.to_string()))?;
                drop(tc.take_link(id).map_err(|error| failed(error.to_string()))?);
            }
        }
        Ok(())
    }

    fn replace_clsact(&mut self, hook: &Hook) -> Result<(), KernelError> {
        let link = clsact_link(hook)?;
        let tc: &mut SchedClassifier = program(&mut self.ebpf, TC)?;
        let id = tc.attach_to_link(link).map_err(|error| failure(hook, error.to_string()))?;
        keep(tc.take_link(id).map_err(|error| failure(hook, error.to_string()))?);
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
        link.pin(&path)?;
        Ok(())
    }

    fn attach_tc(&mut self, hook: &Hook) -> Result<&'static str, KernelError> {
        match self.try_tcx(hook) {
            Ok(()) => Ok("tcx"),
            // Anything else (no memory, not permitted, a foreign program in the way) clsact would only hide.
            Err(refused) if refused.lacks_tcx() => self.try_clsact(hook).map(|()| "clsact"),
            Err(refused) => Err(failure(hook, refused.reason)),
        }
    }

    fn try_tcx(&mut self, hook: &Hook) -> Result<(), Refused> {
        let path = pin_path(&self.bpffs, hook, "tcx");
        let tc: &mut SchedClassifier = program(&mut self.ebpf, TC)?;
        let options = TcAttachOptions::TcxOrder(LinkOrder::default());
        let id = tc.attach_with_options(&hook.interface, TcAttachType::Ingress, options)?;
        let link = FdLink::try_from(tc.take_link(id)?)?;
        link.pin(&path)?;
        Ok(())
    }

    fn try_clsact(&mut self, hook: &Hook) -> Result<(), KernelError> {
        // Already there is as good as added.
        let _ = qdisc_add_clsact(&hook.interface);
        let path = pin_path(&self.bpffs, hook, "clsact");
        let tc: &mut SchedClassifier = program(&mut self.ebpf, TC)?;
        let options = NlOptions { priority: PRIORITY, handle: HANDLE, classid: None };
        let id = tc.attach_with_options(&hook.interface, TcAttachType::Ingress, TcAttachOptions::Netlink(options));
        match id {
            Ok(id) => keep(tc.take_link(id).map_err(|error| failure(hook, error.to_string()))?),
            // Left by an agent that died before it wrote the note.
            Err(_) => self.replace_clsact(hook)?,
        }
        let tc: &mut SchedClassifier = program(&mut self.ebpf, TC)?;
        tc.pin(&path).map_err(|error| failure(hook, error.to_string()))
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
            unhang(&hook, mode)?;
        }
        bpffs::unpin(&links.join(&pin))?;
        done.push(format!("{} {} ({mode})", kind.name(), interface));
    }
    for maps in ["maps", "maps-new", "maps-old"] {
        bpffs::remove(&folder.join(maps))?;
    }
    Ok(done)
}

/// What a pin's name says.
fn parse_pin(pin: &str) -> Option<(HookKind, u32, &'static str)> {
    let mut parts = pin.split('-');
    let kind = match parts.next()? {
        "xdp" => HookKind::Xdp,
        "tc" => HookKind::Tc,
        _ => return None,
    };
    let ifindex = parts.next()?.parse().ok()?;
    let mode = parts.next()?;
    MODES.iter().find(|known| **known == mode).map(|mode| (kind, ifindex, *mode))
}

const MODES: [&str; 4] = ["native", "generic", "tcx", "clsact"];

fn find_pin(folder: &Path, hook: &Hook) -> Option<(PathBuf, &'static str)> {
    MODES.iter().map(|mode| (pin_path(folder, hook, mode), *mode)).find(|(path, _)| path.exists())
}

fn pin_path(folder: &Path, hook: &Hook, mode: &str) -> PathBuf {
    folder.join("links").join(format!("{}-{}-{mode}", hook.kind.name(), hook.ifindex))
}

/// Links go with their pin; a classifier on clsact has to be taken off.
fn unhang(hook: &Hook, mode: &str) -> Result<(), KernelError> {
    if mode == "clsact" {
        use aya::programs::links::Link as _;
        clsact_link(hook)?.detach().map_err(|error| failure(hook, error.to_string()))?;
    }
    Ok(())
}

fn clsact_link(hook: &Hook) -> Result<SchedClassifierLink, KernelError> {
    SchedClassifierLink::attached(&hook.interface, TcAttachType::Ingress, PRIORITY, HANDLE, None)
        .map_err(|error| failure(hook, error.to_string()))
}

/// The classifier must stay when the agent goes; dropping its link would take it off.
fn keep(link: SchedClassifierLink) {
    std::mem::forget(link);
}

fn failure(hook: &Hook, reason: String) -> KernelError {
    KernelError::Attach { hook: hook.kind.name(), interface: hook.interface.clone(), reason }
}

/// Why a program does not hang where it was tried.
struct Refused {
    errno: Option<i32>,
    reason: String,
}

/// The kernel's own "not supported", which never should reach user space and does.
const ENOTSUPP: i32 = 524;

impl Refused {
    /// Something else hangs there.
    fn busy(&self) -> bool {
        matches!(self.errno, Some(libc::EBUSY | libc::EEXIST))
    }

    /// The kernel is older than the hook.
    fn lacks_tcx(&self) -> bool {
        matches!(self.errno, Some(libc::EINVAL | libc::EOPNOTSUPP | ENOTSUPP)) || self.reason.contains("not supported")
    }
}

impl<E: std::error::Error + 'static> From<E> for Refused {
    fn from(error: E) -> Self {
        Self { errno: errno(&error), reason: chain(&error) }
    }
}

/// True when an operator who asked for `wanted` does not get it from a program that hangs in `held`.
fn differs(wanted: Mode, held: &str) -> bool {
    matches!((wanted, held), (Mode::Native, "generic") | (Mode::Generic, "native"))
}

/// The error of the system call behind an error.
fn errno(error: &(dyn std::error::Error + 'static)) -> Option<i32> {
    match error.downcast_ref::<std::io::Error>() {
        Some(system) => system.raw_os_error(),
        None => errno(error.source()?),
    }
}

/// An error with its causes, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    match error.source().map(chain) {
        Some(causes) if !text.contains(&causes) => format!("{text}: {causes}"),
        Some(_) | None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(errno: i32) -> Refused {
        let source = std::io::Error::from_raw_os_error(errno);
        KernelError::System { step: "attach", source }.into()
    }

    #[test]
    fn only_a_kernel_without_tcx_is_taken_for_one() {
        for errno in [libc::EINVAL, libc::EOPNOTSUPP, ENOTSUPP] {
            assert!(refused(errno).lacks_tcx(), "{errno}");
        }
        for errno in [libc::EPERM, libc::EBUSY, libc::EEXIST, libc::ENODEV, libc::ENOMEM] {
            assert!(!refused(errno).lacks_tcx(), "{errno}");
        }
        assert!(refused(libc::EBUSY).busy() && !refused(libc::EINVAL).busy());
    }

    #[test]
    fn a_mode_that_was_asked_for_is_told_from_the_one_that_hangs() {
        assert!(differs(Mode::Native, "generic") && differs(Mode::Generic, "native"));
        assert!(!differs(Mode::Auto, "generic") && !differs(Mode::Native, "native") && !differs(Mode::Generic, "tcx"));
    }
}
