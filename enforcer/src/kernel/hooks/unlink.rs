//! Taking a pinned link off its hook at once. A link whose pin is removed goes off some time later, when the kernel comes to it,
//! and until then its program is in the way of the next.
use std::ffi::CString;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Commands of the system call, as in the kernel's `bpf.h`.
const OBJ_GET: libc::c_long = 7;
const LINK_DETACH: libc::c_long = 34;

/// What `OBJ_GET` reads.
#[repr(C)]
struct Named {
    path: u64,
    unused: [u32; 2],
}

/// Takes off what is pinned at `path`. What cannot be taken off so (its interface is gone, the kernel is older) goes with its pin.
pub(super) fn take_off(path: &Path) {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return };
    let named = Named { path: path.as_ptr() as u64, unused: [0; 2] };
    let Some(link) = bpf(OBJ_GET, &named).and_then(|number| RawFd::try_from(number).ok()) else { return };
    // SAFETY: the kernel has just made it, for us alone.
    let link = unsafe { OwnedFd::from_raw_fd(link) };
    // Nothing follows from a failure: see above.
    let _ = bpf(LINK_DETACH, &link.as_raw_fd());
}

/// Calls the kernel; nothing when it refuses.
fn bpf<T>(command: libc::c_long, attributes: &T) -> Option<libc::c_long> {
    let size = size_of::<T>();
    // SAFETY: the attributes live through the call, and the kernel reads as many bytes as it is told.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size) };
    (result >= 0).then_some(result)
}
