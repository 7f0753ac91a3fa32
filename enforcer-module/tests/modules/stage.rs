//! What the tests stand on. In: text of WebAssembly, calls. Out: modules, a runner with them. Never here: assertions.
use std::collections::BTreeMap;
use std::sync::Arc;

use enforcer_insight::Call;
use enforcer_insight::filters::{Budget, Catalogue, Raised, Runner, Seed, Tools, Wanted, WantedCell};
use enforcer_module::{Gauge, Limits, Module};
use enforcer_policy::document::Mode;

/// A module that raises `call` with a count for each call and remembers how many there were; `room`, `start`, `call` are put into its
/// functions, `more` beside them.
pub(crate) struct Text {
    pub(crate) name: &'static str,
    pub(crate) memory: &'static str,
    pub(crate) abi: &'static str,
    pub(crate) room: &'static str,
    pub(crate) start: &'static str,
    pub(crate) call: &'static str,
    pub(crate) more: &'static str,
}

impl Text {
    pub(crate) const fn new(name: &'static str, call: &'static str) -> Self {
        let (memory, abi, room) = ("(memory (export \"memory\") 2)", "(i32.const 1)", "(i32.const 65536)");
        Self { name, memory, abi, room, start: "", call, more: "" }
    }

    pub(crate) fn manifest(&self) -> String {
        format!(
            r#"{{"abi":1,"name":"{}","version":"1.0.0","title":"a test","risk":"API4:2023","kinds":[{{"name":"call","severity":"low","fix":"nothing","counts":["calls"]}}],"parameters":[{{"name":"at","count":[1,9],"default":"3","doc":"any"}}]}}"#,
            self.name
        )
    }

    pub(crate) fn wat(&self) -> String {
        let Self { memory, abi, room, start, call, more, .. } = self;
        let manifest = self.manifest().replace('"', "\\\"");
        format!(
            r#"(module
                (import "enforcer" "raise" (func $raise (param i32 i32)))
                {memory}
                (data (i32.const 0) "{SIGN}")
                (global $calls (mut i32) (i32.const 0))
                (func (export "enforcer_abi") (result i32) {abi})
                (func (export "enforcer_room") (param i32) (result i32) {room})
                (func (export "enforcer_start") (param i32 i32) {start})
                (func $say (call $raise (i32.const 0) (i32.const {LENGTH})))
                (func (export "enforcer_call") (param i32 i32)
                    (global.set $calls (i32.add (global.get $calls) (i32.const 1))) {call})
                {more}
                (@custom "enforcer.manifest" "{manifest}"))"#,
            LENGTH = SIGN.replace('\\', "").len(),
        )
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        wat::parse_str(self.wat()).unwrap()
    }

    pub(crate) fn module(&self) -> Module {
        Module::read(&self.bytes(), Limits::default()).unwrap()
    }
}

/// What `$say` raises.
const SIGN: &str = r#"{\"kind\":\"call\",\"confidence\":50,\"who\":\"consumer\",\"counts\":[[\"calls\",1]]}"#;

/// A runner with these modules beside all built-in filters, all on the service of `samples`.
pub(crate) fn runner(modules: Vec<Module>) -> (Runner, Vec<Arc<Gauge>>) {
    let (mut catalogue, mut gauges) = (Catalogue::built_in(), Vec::new());
    for module in modules {
        let gauge = Arc::new(Gauge::default());
        catalogue = catalogue.with(module.entry(&gauge));
        gauges.push(gauge);
    }
    let mut runner = Runner::new(catalogue.clone(), Tools { seed: Seed::new([1, 2]) }, Budget::default());
    runner.apply(&wanted(&catalogue));
    (runner, gauges)
}

pub(crate) fn wanted(catalogue: &Catalogue) -> Wanted {
    let mut wanted = Wanted::default();
    for entry in catalogue.iter() {
        wanted.set("sample", &entry.name, WantedCell { mode: Mode::Observe, parameters: BTreeMap::new() });
    }
    wanted
}

/// Shows calls; time stands still.
pub(crate) fn show(runner: &mut Runner, calls: &[Call]) -> Vec<Raised> {
    calls.iter().flat_map(|call| runner.on_call(call, &mut || 0)).collect()
}
