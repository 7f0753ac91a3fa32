//! Files that are refused, each with what to do; and bytes of all kinds, which are refused and nothing else.
use enforcer_module::{LARGEST, Limits, Module, sign};
use enforcer_policy::revision::Signer;
use proptest::prelude::*;

use super::stage::Text;

fn refused(text: &Text) -> String {
    Module::read(&text.bytes(), Limits::default()).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn files_that_cannot_be_filters_are_refused_with_a_mend() {
    let plain = || Text::new("plain", "");
    assert_eq!(refused(&plain()), "");
    for (text, told) in [
        (Text { abi: "(i32.const 2)", ..plain() }, "version 2 of the contract"),
        (Text { memory: "(memory 2)", ..plain() }, "does not export memory"),
        (Text { memory: "(memory (export \"memory\") 2000)", ..plain() }, "it asked for 131072000 bytes"),
        (Text { start: "unreachable", ..plain() }, "it trapped"),
        (Text { start: "(loop $on (br $on))", ..plain() }, "it did more than the"),
        (Text { room: "(i32.const 900000)", ..plain() }, "outside of its memory"),
        (Text { more: "(func $begin) (start $begin)", ..plain() }, "disallows start functions"),
        (Text { more: "(func (export \"enforcer_tick\") (param i32))", ..plain() }, "does not export enforcer_tick"),
        (Text { name: "Plain", ..plain() }, "name of its manifest"),
    ] {
        let error = refused(&text);
        assert!(error.contains(told), "{told}: {error}");
    }
}

#[test]
fn nothing_of_the_system_can_be_imported() {
    let wat = Text::new("reads", "").wat();
    let import = "(import \"wasi_snapshot_preview1\" \"fd_read\" (func $read (param i32 i32 i32 i32) (result i32)))";
    let at = wat.find("(import").unwrap();
    let bytes = wat::parse_str(format!("{}{import}{}", &wat[..at], &wat[at..])).unwrap();
    let error = Module::read(&bytes, Limits::default()).err().unwrap().to_string();
    assert!(error.contains("wasi_snapshot_preview1.fd_read") && error.contains("wasm32-unknown-unknown"), "{error}");
    let bytes = wat::parse_str(wat.replace("enforcer_abi", "enforcer_abj")).unwrap();
    let error = Module::read(&bytes, Limits::default()).err().unwrap().to_string();
    assert!(error.contains("does not export enforcer_abi"), "{error}");
    let bytes = wat::parse_str("(module)").unwrap();
    assert!(Module::read(&bytes, Limits::default()).err().unwrap().to_string().contains("enforcer.manifest"));
    let large = Module::read(&vec![0; 2 << 20], Limits::default()).err().unwrap().to_string();
    assert!(large.contains("2097152 bytes"), "{large}");
}

#[test]
fn only_signed_modules_are_opened() {
    let (own, other) = (Signer::from_seed(&[1; 32]), Signer::from_seed(&[2; 32]));
    let bytes = Text::new("plain", "").bytes();
    let signed = sign(&bytes, &own);
    assert_eq!(&*Module::open(&signed, &[own.public()]).ok().unwrap().manifest().name, "plain");
    assert_eq!(&*Module::read(&signed, Limits::default()).ok().unwrap().manifest().name, "plain", "still a module");
    for (bytes, keys, told) in [
        (&bytes, [own.public()], "it is not signed"),
        (&signed, [other.public()], "not trusted here"),
        (&sign(b"no module", &own), [own.public()], "no module that can be run"),
    ] {
        let error = Module::open(bytes, &keys).err().unwrap().to_string();
        assert!(error.contains(told), "{error}");
    }
}

/// Files are read on the agent's thread: the largest that there may be is read in a moment.
#[test]
fn the_largest_file_is_read_in_a_moment() {
    let body = "(local.set 0 (i32.add (i32.mul (local.get 0) (i32.const 77777)) (i32.const 99999)))".repeat(8);
    let functions = format!("(func (param i32) (result i32) {body} (local.get 0))").repeat(8_600);
    let text = Text::new("large", "").wat().replace("(@custom", &format!("{functions}(@custom"));
    let bytes = wat::parse_str(text).unwrap();
    assert!(bytes.len() > LARGEST * 9 / 10, "{}", bytes.len());
    let begin = std::time::Instant::now();
    let read = Module::read(&bytes, Limits::default());
    println!("{} bytes were read in {:?}", bytes.len(), begin.elapsed());
    assert!(read.is_ok() && begin.elapsed() < std::time::Duration::from_secs(2), "{:?}", begin.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever the bytes are, they are refused or run: nothing panics.
    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Module::read(&bytes, Limits::default()).is_err());
    }

    /// So are modules in which a few bytes were changed; those that still load stop or go on like any other.
    #[test]
    fn changed_modules_do_no_harm(at in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = Text::new("plain", "(call $say)").bytes();
        for (index, byte) in at {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        if let Ok(module) = Module::read(&bytes, Limits::default()) {
            let (mut runner, _) = super::stage::runner(vec![module]);
            super::stage::show(&mut runner, &enforcer_module::samples());
        }
    }
}
