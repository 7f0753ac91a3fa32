//! Classifiers: tcx where the kernel has it, clsact otherwise; on the way in and on the way out.
use aya::programs::links::FdLink;
use aya::programs::tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle, qdisc_add_clsact};
use aya::programs::{LinkOrder, SchedClassifier};

use super::super::object::program;
use super::super::{Kernel, KernelError, bpffs};
use super::asked::{Place, program_at};
use super::pins::pin_path;
use super::refused::Refused;
use super::{Hook, HookKind, failure};

const PRIORITY: u16 = 50;
const NUMBER: u16 = 1;
const HANDLE: TcHandle = TcHandle::new(0, NUMBER);

impl Kernel {
    /// Puts this agent's program into the link that a former one left.
    pub(super) fn replace_tcx(&mut self, hook: &Hook, link: FdLink) -> Result<(), KernelError> {
        let failed = |reason: String| failure(hook, reason);
        let tc = self.classifier(hook)?;
        let link = SchedClassifierLink::try_from(link).map_err(|error| failed(error.to_string()))?;
        let id = tc.attach_to_link(link).map_err(|error| failed(error.to_string()))?;
        drop(tc.take_link(id).map_err(|error| failed(error.to_string()))?);
        Ok(())
    }

    fn classifier(&mut self, hook: &Hook) -> Result<&mut SchedClassifier, KernelError> {
        program(&mut self.ebpf, hook.kind.classifier().0)
    }

    pub(super) fn replace_clsact(&mut self, hook: &Hook) -> Result<(), KernelError> {
        let link = clsact_link(hook)?;
        let tc = self.classifier(hook)?;
        let id = tc.attach_to_link(link).map_err(|error| failure(hook, error.to_string()))?;
        keep(tc.take_link(id).map_err(|error| failure(hook, error.to_string()))?);
        self.note_clsact(hook)
    }

    /// Whether our program is at its place on clsact, or the kernel cannot tell: there is no link that would keep `tc` from taking it off.
    pub(super) fn hangs_on_clsact(&self, hook: &Hook) -> bool {
        let egress = hook.kind == HookKind::Egress;
        let place = Place { ifindex: hook.ifindex, egress, priority: PRIORITY, handle: NUMBER.into() };
        match (program_at(place), self.classifier_id(hook)) {
            (Ok(there), Some(ours)) => there == Some(ours),
            _ => true,
        }
    }

    fn classifier_id(&self, hook: &Hook) -> Option<u32> {
        let program: &SchedClassifier = self.ebpf.program(hook.kind.classifier().0)?.try_into().ok()?;
        Some(program.info().ok()?.id())
    }

    /// The note holds its program, and with it that program's maps: an old one must not outlive the replacement.
    fn note_clsact(&mut self, hook: &Hook) -> Result<(), KernelError> {
        let path = pin_path(&self.bpffs, hook, "clsact");
        bpffs::unpin(&path)?;
        self.classifier(hook)?.pin(&path).map_err(|error| failure(hook, error.to_string()))
    }

    pub(super) fn attach_tc(&mut self, hook: &Hook) -> Result<&'static str, KernelError> {
        match self.try_tcx(hook) {
            Ok(()) => Ok("tcx"),
            // Anything else (no memory, not permitted, a foreign program in the way) clsact would only hide.
            Err(refused) if refused.lacks_tcx() => self.try_clsact(hook).map(|()| "clsact"),
            Err(refused) => Err(failure(hook, refused.reason)),
        }
    }

    fn try_tcx(&mut self, hook: &Hook) -> Result<(), Refused> {
        let path = pin_path(&self.bpffs, hook, "tcx");
        let tc = self.classifier(hook)?;
        let options = TcAttachOptions::TcxOrder(LinkOrder::default());
        let id = tc.attach_with_options(&hook.interface, hook.kind.classifier().1, options)?;
        let link = FdLink::try_from(tc.take_link(id)?)?;
        self.keep_link(hook, link, path)
    }

    fn try_clsact(&mut self, hook: &Hook) -> Result<(), KernelError> {
        // Already there is as good as added.
        let _ = qdisc_add_clsact(&hook.interface);
        let tc = self.classifier(hook)?;
        let options = NlOptions { priority: PRIORITY, handle: HANDLE, classid: None };
        let id = tc.attach_with_options(&hook.interface, hook.kind.classifier().1, TcAttachOptions::Netlink(options));
        match id {
            Ok(id) => keep(tc.take_link(id).map_err(|error| failure(hook, error.to_string()))?),
            // Left by an agent that died before it wrote the note.
            Err(_) => return self.replace_clsact(hook),
        }
        self.note_clsact(hook)
    }
}

pub(super) fn clsact_link(hook: &Hook) -> Result<SchedClassifierLink, KernelError> {
    SchedClassifierLink::attached(&hook.interface, hook.kind.classifier().1, PRIORITY, HANDLE, None)
        .map_err(|error| failure(hook, error.to_string()))
}

/// The classifier must stay when the agent goes; dropping its link would take it off.
fn keep(link: SchedClassifierLink) {
    std::mem::forget(link);
}
