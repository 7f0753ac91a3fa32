//! The socket's frames: any bytes are a value or an error, and a value goes back into the bytes it would be sent as.
#![no_main]

use enforcer::wire::{Hello, Reply, Request, decode, encode, read_frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut stream = data;
    while let Ok(Some(_)) = read_frame::<Request>(&mut stream) {}
    let _ = decode::<Hello>(data);
    if let Ok(request) = decode::<Request>(data) {
        let frame = encode(&request).expect("what was read can be written");
        assert_eq!(read_frame::<Request>(&mut &frame[..]).ok().flatten(), Some(request));
    }
    if let Ok(reply) = decode::<Reply>(data) {
        assert!(encode(&reply).is_ok());
    }
});
