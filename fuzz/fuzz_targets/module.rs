//! Modules: any file is refused or becomes a filter, and says the same of itself to a center, which runs nothing of it; and a filter of any code takes
//! every call, raises what its manifest names, or is stopped; nothing panics, and no signature is found where none was made.
#![no_main]

use std::sync::Arc;

use enforcer_insight::filters::{Budget, Catalogue, Runner, Seed, Tools, Wanted, WantedCell};
use enforcer_module::{Gauge, LARGEST, Label, Limits, Manifest, Module, samples, sign, verify};
use enforcer_policy::document::Mode;
use enforcer_policy::revision::Signer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    assert!(verify(data, &[Signer::from_seed(&[7; 32]).public()]).is_err());
    let _ = (Manifest::read(data), Label::read(data));
    let signed = sign(data, &Signer::from_seed(&[7; 32]));
    let label = Label::read(&signed);
    let Ok(module) = Module::read(data, Limits { call: 50_000, together: 500_000, tick: 50_000, start: 50_000, memory: 4 << 20 }) else { return };
    assert!(signed.len() > LARGEST || label.is_ok_and(|label| label.manifest == **module.manifest()));
    let entry = module.entry(&Arc::new(Gauge::default()));
    let mut wanted = Wanted::default();
    wanted.set("sample", &entry.name, WantedCell { mode: Mode::Observe, ..WantedCell::default() });
    let catalogue = Catalogue::default().with(entry);
    let mut runner = Runner::new(catalogue, Tools { seed: Seed::new([1, 2]) }, Budget::default());
    runner.apply(&wanted);
    for call in samples() {
        runner.on_call(&call, &mut || 0);
        runner.on_tick(call.time, &mut || 0);
    }
});
