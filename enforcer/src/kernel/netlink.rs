//! How the kernel's messages over netlink are read. In: bytes. Out: numbers and attributes, or nothing where the bytes end before. Never here:
//! sockets, what a message means.

/// Bytes of `struct nlmsghdr`; the kind of the message stands at [`KIND`].
pub(super) const HEADER: usize = 16;
pub(super) const KIND: usize = 4;
/// The kind of a message that holds an error, negative, or 0 where there was none.
pub(super) const ERROR: u16 = 2;
/// The bits of an attribute's kind that are no flags.
const ATTRIBUTE: u16 = 0x3fff;

/// The value of the first attribute of this kind.
pub(super) fn attribute(mut rest: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(half(rest, 0)?);
        let value = rest.get(4..length)?;
        if half(rest, 2)? & ATTRIBUTE == wanted {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

/// What an error says, as the system counts errors; 0 for none.
pub(super) fn error(body: &[u8]) -> Option<i32> {
    word(body, 0).map(|code| code.cast_signed().saturating_neg())
}

/// Four bytes, in the machine's own order.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

/// Two of them.
pub(super) fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}
