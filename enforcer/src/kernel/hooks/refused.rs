//! Why a program does not hang where it was tried. In: aya's errors. Out: what can be done about it.
use std::error::Error;

/// Why a program does not hang where it was tried.
pub(in crate::kernel) struct Refused {
    pub(in crate::kernel) errno: Option<i32>,
    pub(in crate::kernel) reason: String,
}

/// The kernel's own "not supported", which never should reach user space and does.
const ENOTSUPP: i32 = 524;

impl Refused {
    /// Something else hangs there.
    pub(super) fn busy(&self) -> bool {
        matches!(self.errno, Some(libc::EBUSY | libc::EEXIST))
    }

    /// The kernel is older than the hook.
    pub(in crate::kernel) fn lacks_tcx(&self) -> bool {
        matches!(self.errno, Some(libc::EINVAL | libc::EOPNOTSUPP | ENOTSUPP)) || self.reason.contains("not supported")
    }
}

impl<E: Error + 'static> From<E> for Refused {
    fn from(error: E) -> Self {
        Self { errno: errno(&error), reason: chain(&error) }
    }
}

/// The error of the system call behind an error.
fn errno(error: &(dyn Error + 'static)) -> Option<i32> {
    match error.downcast_ref::<std::io::Error>() {
        Some(system) => system.raw_os_error(),
        None => errno(error.source()?),
    }
}

/// An error with its causes, each said once.
fn chain(error: &dyn Error) -> String {
    let text = error.to_string();
    match error.source().map(chain) {
        Some(causes) if !text.contains(&causes) => format!("{text}: {causes}"),
        Some(_) | None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::KernelError;
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
}
