//! Taking a pinned link off its hook at once, and seeing whether it hangs. A link whose pin is removed goes off some time later, when the
//! kernel comes to it, and until then its program is in the way of the next; one that somebody detached keeps its pin.
use std::ffi::CString;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Commands of the system call, as in the kernel's `bpf.h`.
const OBJ_GET: libc::c_long = 7;
const OBJ_GET_INFO: libc::c_long = 15;
const LINK_DETACH: libc::c_long = 34;

/// What `OBJ_GET` reads.
#[repr(C)]
struct Named {
    path: u64,
    unused: [u32; 2],
}

/// What `OBJ_GET_INFO` reads.
#[repr(C)]
struct Asked {
    link: u32,
    length: u32,
    facts: u64,
}

/// The beginning of what it writes: type, id, program, nothing, and for our kinds of links the interface; zero when it hangs nowhere.
type Facts = [u32; 8];

/// True when the link that is pinned at `path` hangs somewhere, or cannot tell.
pub(super) fn is_attached(path: &Path) -> bool {
    let Some(link) = open(path) else { return false };
    let Ok(number) = u32::try_from(link.as_raw_fd()) else { return true };
    let mut facts: Facts = [0; 8];
    let length = u32::try_from(size_of::<Facts>()).unwrap_or(0);
    let asked = Asked { link: number, length, facts: (&raw mut facts) as u64 };
    bpf(OBJ_GET_INFO, &asked).is_none() || facts[4] != 0
}

/// Takes off what is pinned at `path`. What cannot be taken off so (its interface is gone, the kernel is older) goes with its pin.
pub(super) fn take_off(path: &Path) {
    let Some(link) = open(path) else { return };
    // Nothing follows from a failure: see above.
    let _ = bpf(LINK_DETACH, &link.as_raw_fd());
}

/// The link that is pinned at `path`.
fn open(path: &Path) -> Option<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let named = Named { path: path.as_ptr() as u64, unused: [0; 2] };
    let link = RawFd::try_from(bpf(OBJ_GET, &named)?).ok()?;
    // SAFETY: the kernel has just made it, for us alone.
    Some(unsafe { OwnedFd::from_raw_fd(link) })
}

/// Calls the kernel; nothing when it refuses.
fn bpf<T>(command: libc::c_long, attributes: &T) -> Option<libc::c_long> {
    let size = size_of::<T>();
    // SAFETY: the attributes live through the call, and the kernel reads as many bytes as it is told.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size) };
    (result >= 0).then_some(result)
}
