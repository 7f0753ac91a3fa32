//! The kernel's reader of chunks: wherever the text is cut, it comes to the same.
#![no_main]

use enforcer_kernel_rooms::read_chunks;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let whole = read_chunks(data, data.len());
    for piece in [1, 2, 3, 7] {
        assert_eq!(read_chunks(data, piece), whole, "pieces of {piece}");
    }
});
