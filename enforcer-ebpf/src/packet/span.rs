//! Bounds-checked windows on a frame: the only unsafe pointer code of the packet readers.

/// Something headers can be read from.
pub trait Frame {
    /// A checked view of `N` bytes.
    type View: Window;

    /// The `N` bytes at `offset`, or nothing when the frame ends before.
    fn window<const N: usize>(&self, offset: usize) -> Option<Self::View>;
}

/// A checked view; `O` must lie inside it. Multi-byte reads turn network order into host order.
pub trait Window {
    /// One byte.
    fn u8<const O: usize>(&self) -> u8;
    /// Two bytes.
    fn u16<const O: usize>(&self) -> u16;
    /// Four bytes.
    fn u32<const O: usize>(&self) -> u32;
    /// Eight bytes.
    fn u64<const O: usize>(&self) -> u64;
}

#[cfg(target_arch = "bpf")]
mod bpf {
    //! Direct packet access. The loads are written in assembly because packets are not aligned, and the compiler would
    //! otherwise read them byte by byte.
    use core::arch::asm;

    use super::{Frame, Window};

    /// The linear part of a packet, as the kernel shows it.
    #[derive(Clone, Copy)]
    pub struct Span {
        start: usize,
        end: usize,
    }

    impl Span {
        /// From the context's `data` and `data_end`.
        #[inline(always)]
        pub fn new(start: usize, end: usize) -> Self {
            Self { start, end }
        }

        /// Bytes of the linear part. Written in assembly: the compiler would subtract halves of pointers.
        #[inline(always)]
        pub fn length(&self) -> u64 {
            let mut length = self.end as u64;
            // SAFETY: arithmetic on registers.
            unsafe { asm!("{0} -= {1}", inout(reg) length, in(reg) self.start, options(pure, nomem, nostack)) };
            length
        }
    }

    /// The same offset, in a way that every verifier believes: kernel 6.1 loses sight of what was multiplied and added.
    #[inline(always)]
    pub fn near(mut offset: usize) -> usize {
        // SAFETY: arithmetic on one register. Eight extension headers end before 32 KiB.
        unsafe { asm!("{0} &= 0x7fff", inout(reg) offset, options(pure, nomem, nostack)) };
        offset
    }

    /// A checked pointer.
    #[derive(Clone, Copy)]
    pub struct View(usize);

    impl Frame for Span {
        type View = View;

        #[inline(always)]
        fn window<const N: usize>(&self, offset: usize) -> Option<View> {
            let at = self.start + offset;
            if at + N > self.end { None } else { Some(View(at)) }
        }
    }

    macro_rules! load {
        ($name:ident, $type:ty, $text:literal) => {
            #[inline(always)]
            fn $name<const O: usize>(&self) -> $type {
                let value: u64;
                // SAFETY: `window` compared this pointer plus its size with the end of the packet; the verifier checks it
                // again. Reads only.
                unsafe {
                    asm!(
                        concat!("{value} = *(", $text, " *)({at} + {offset})"),
                        value = out(reg) value,
                        at = in(reg) self.0,
                        offset = const O,
                        options(pure, readonly, nostack, preserves_flags),
                    );
                }
                <$type>::from_be(value as $type)
            }
        };
    }

    impl Window for View {
        load!(u8, u8, "u8");
        load!(u16, u16, "u16");
        load!(u32, u32, "u32");
        load!(u64, u64, "u64");
    }
}

#[cfg(target_arch = "bpf")]
pub use bpf::{Span, near};
#[cfg(not(target_arch = "bpf"))]
pub use host::near;

#[cfg(not(target_arch = "bpf"))]
mod host {
    //! The same on a byte slice, for tests and fuzzing.
    use super::{Frame, Window};

    impl<'a> Frame for &'a [u8] {
        type View = &'a [u8];

        fn window<const N: usize>(&self, offset: usize) -> Option<&'a [u8]> {
            self.get(offset..offset.checked_add(N)?)
        }
    }

    /// The same offset.
    pub fn near(offset: usize) -> usize {
        offset
    }

    fn bytes<const N: usize>(view: &[u8], offset: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&view[offset..offset + N]);
        bytes
    }

    impl Window for &[u8] {
        fn u8<const O: usize>(&self) -> u8 {
            self[O]
        }

        fn u16<const O: usize>(&self) -> u16 {
            u16::from_be_bytes(bytes(self, O))
        }

        fn u32<const O: usize>(&self) -> u32 {
            u32::from_be_bytes(bytes(self, O))
        }

        fn u64<const O: usize>(&self) -> u64 {
            u64::from_be_bytes(bytes(self, O))
        }
    }
}
