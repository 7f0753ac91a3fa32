//! A module at work on one service. In: calls, ticks, parameters. Out: signs, or why it cannot go on. Never here: other instances,
//! the system.
//!
//! Each call has its steps, and the memory its bound; both end a module that does not end by itself. After anything that is not as the
//! contract says, the instance is never entered again: what its memory holds then means nothing.
use std::fmt;
use std::sync::Arc;

use enforcer_insight::Answer;
use enforcer_insight::filters::{Filter, Out, Parameters, Seen, Stopped};
use enforcer_policy::Moment;
use wasmi::errors::{HostError, LinkerError};
use wasmi::{Caller, Engine, Error, Extern, Linker, Memory, ResourceLimiter, Store, TrapCode, TypedFunc};
use wasmi_core::LimiterError;

use crate::gauge::Gauge;
use crate::limits::{Limits, RAISE, RAISES, TABLE, TOGETHER};
use crate::manifest::Manifest;
use crate::module::Module;
use crate::raise::Raise;
use crate::record::Record;

/// A filter that is a module.
pub(crate) struct Instance {
    manifest: Arc<Manifest>,
    limits: Limits,
    gauge: Arc<Gauge>,
    record: Record,
    store: Store<State>,
    doors: Option<Doors>,
    halted: Option<Stopped>,
    /// Entries that are added up, and their steps.
    together: (u32, u64),
}

/// What of it is called.
struct Doors {
    memory: Memory,
    abi: TypedFunc<(), u32>,
    room: TypedFunc<u32, u32>,
    start: TypedFunc<(u32, u32), ()>,
    call: TypedFunc<(u32, u32), ()>,
    tick: Option<TypedFunc<u64, ()>>,
}

/// What belongs to an instance while it is inside.
pub(crate) struct State {
    manifest: Arc<Manifest>,
    memory: usize,
    /// Bytes that it asked for and did not get.
    refused: Option<usize>,
    raises: Vec<Raise>,
}

/// It broke the rules.
#[derive(Clone, Copy, Debug)]
enum Broken {
    /// It pointed outside of its memory, or said too much.
    Place,
    /// It said what its manifest does not name.
    Words,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Place => "it handed over a place outside of its memory, or raised too much",
            Self::Words => "it raised what is no sign, or what its manifest does not name",
        })
    }
}

impl HostError for Broken {}

impl ResourceLimiter for State {
    fn memory_growing(&mut self, _: usize, wanted: usize, _: Option<usize>) -> Result<bool, LimiterError> {
        if wanted > self.memory && self.refused.is_none() {
            self.refused = Some(wanted);
        }
        if self.refused.is_some() { Err(LimiterError::ResourceLimiterDeniedAllocation) } else { Ok(true) }
    }

    fn table_growing(&mut self, _: usize, wanted: usize, _: Option<usize>) -> Result<bool, LimiterError> {
        if wanted > TABLE { Err(LimiterError::ResourceLimiterDeniedAllocation) } else { Ok(true) }
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        4
    }

    fn memories(&self) -> usize {
        1
    }
}

/// The one function that a module may call.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<State>, LinkerError> {
    let mut linker = Linker::new(engine);
    linker.func_wrap("enforcer", "raise", raise)?;
    Ok(linker)
}

fn raise(mut caller: Caller<'_, State>, at: u32, length: u32) -> Result<(), Error> {
    let broken = |why: Broken| move || Error::host(why);
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else { return Err(Error::host(Broken::Place)) };
    let (bytes, state) = memory.data_and_store_mut(&mut caller);
    let (at, length) = (at as usize, length as usize);
    let text = at.checked_add(length).and_then(|end| bytes.get(at..end));
    let text = text.filter(|text| text.len() <= RAISE && state.raises.len() < RAISES);
    let text = text.ok_or_else(broken(Broken::Place))?;
    let said = Raise::read(text, &state.manifest).ok_or_else(broken(Broken::Words))?;
    state.raises.push(said);
    Ok(())
}

impl Instance {
    /// A new one; halted at once when it does not start.
    pub(crate) fn new(module: &Module, parameters: &Parameters, gauge: &Arc<Gauge>) -> Self {
        let (manifest, limits) = (Arc::clone(module.manifest()), *module.limits());
        let raises = Vec::new();
        let state = State { manifest: Arc::clone(&manifest), memory: limits.memory, refused: None, raises };
        let mut store = Store::new(&module.engine, state);
        store.limiter(|state| state);
        let (gauge, record) = (Arc::clone(gauge), Record::default());
        let mut instance = Self { manifest, limits, gauge, record, store, doors: None, halted: None, together: (0, 0) };
        instance.enter(limits.start, |own| {
            own.doors = Some(doors(module, &mut own.store)?);
            Ok(())
        });
        instance.start(parameters);
        instance
    }

    /// The version of the contract that its code says.
    pub(crate) fn abi(&mut self) -> Option<u32> {
        let mut found = None;
        self.enter(self.limits.call, |own| {
            let abi = own.doors()?.abi;
            found = abi.call(&mut own.store, ()).map(Some)?;
            Ok(())
        });
        found
    }

    fn start(&mut self, parameters: &Parameters) {
        self.record.parameters(&self.manifest.schema, parameters);
        self.enter(self.limits.start, |own| {
            let start = own.doors()?.start;
            own.hand_over(start)
        });
        // Nothing has happened yet that could be told of.
        self.store.data_mut().raises.clear();
    }

    fn call(&mut self, seen: &Seen<'_>, answer: Option<&Answer>, out: &mut Out) {
        if self.halted.is_some() {
            return;
        }
        self.record.call(seen, answer);
        self.enter(self.limits.call, |own| {
            let call = own.doors()?.call;
            own.hand_over(call)
        });
        self.speak(Some(seen), out);
    }

    /// Writes the record where the module wants it, and calls it.
    fn hand_over(&mut self, door: TypedFunc<(u32, u32), ()>) -> Result<(), Error> {
        let bytes = self.record.bytes();
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let (room, memory) = self.doors().map(|doors| (doors.room, doors.memory))?;
        let at = room.call(&mut self.store, length)?;
        memory
            .write(&mut self.store, at as usize, self.record.bytes())
            .map_err(|_outside| Error::host(Broken::Place))?;
        door.call(&mut self.store, (at, length))
    }

    fn doors(&self) -> Result<&Doors, Error> {
        self.doors.as_ref().ok_or_else(|| Error::host(Broken::Place))
    }

    /// Does something inside with so many steps; it is the last time when that goes wrong.
    fn enter(&mut self, steps: u64, inside: impl FnOnce(&mut Self) -> Result<(), Error>) {
        if self.halted.is_some() {
            return;
        }
        let done = self.store.set_fuel(steps).and_then(|()| inside(self));
        let left = self.store.get_fuel().unwrap_or_default();
        let used = steps.saturating_sub(left);
        self.gauge.count(used);
        self.gauge.hold(self.held());
        if let Err(error) = done {
            let why = self.why(&error, steps);
            self.gauge.halt(format!("{why}: {error}"));
            self.halted = Some(why);
            self.store.data_mut().raises.clear();
        }
        self.add_up(used);
    }

    /// Halts what takes too much over many calls.
    fn add_up(&mut self, used: u64) {
        self.together = (self.together.0 + 1, self.together.1 + used);
        if self.together.1 > self.limits.together && self.halted.is_none() {
            let why = Stopped::OutOfSteps { steps: self.limits.together };
            self.gauge.halt(format!("{why}: together, within {TOGETHER} calls"));
            self.halted = Some(why);
            self.store.data_mut().raises.clear();
        }
        if self.together.0 >= TOGETHER {
            self.together = (0, 0);
        }
    }

    fn why(&self, error: &Error, steps: u64) -> Stopped {
        if let Some(bytes) = self.store.data().refused {
            Stopped::OutOfMemory { bytes }
        } else if error.downcast_ref::<Broken>().is_some() {
            Stopped::Misspoke
        } else if error.as_trap_code() == Some(TrapCode::OutOfFuel) {
            Stopped::OutOfSteps { steps }
        } else {
            Stopped::Trapped
        }
    }

    /// Tells what it raised.
    fn speak(&mut self, seen: Option<&Seen<'_>>, out: &mut Out) {
        for raise in std::mem::take(&mut self.store.data_mut().raises) {
            if let Some(sign) = raise.sign(&self.manifest, seen) {
                out.raise(sign);
            } else {
                self.gauge.halt(Broken::Words.to_string());
                self.halted = Some(Stopped::Misspoke);
            }
        }
    }

    fn held(&self) -> usize {
        self.doors.as_ref().map_or(0, |doors| doors.memory.data_size(&self.store))
    }
}

impl Filter for Instance {
    fn on_request(&mut self, seen: &Seen<'_>, out: &mut Out) {
        // With an answer, the call is shown once, with it.
        if seen.call.answer.is_none() {
            self.call(seen, None, out);
        }
    }

    fn on_response(&mut self, seen: &Seen<'_>, answer: &Answer, out: &mut Out) {
        self.call(seen, Some(answer), out);
    }

    fn on_tick(&mut self, now: Moment, out: &mut Out) {
        self.enter(self.limits.tick, |own| match own.doors()?.tick {
            Some(tick) => tick.call(&mut own.store, now.0),
            None => Ok(()),
        });
        self.speak(None, out);
    }

    fn retune(&mut self, parameters: &Parameters) {
        self.start(parameters);
    }

    fn held_bytes(&self) -> usize {
        self.held()
    }

    fn halted(&self) -> Option<Stopped> {
        self.halted
    }
}

fn doors(module: &Module, store: &mut Store<State>) -> Result<Doors, Error> {
    let instance = module.linker.instantiate_and_start(&mut *store, &module.code)?;
    let memory = instance.get_memory(&*store, "memory").ok_or_else(|| Error::host(Broken::Place))?;
    Ok(Doors {
        memory,
        abi: instance.get_typed_func(&*store, "enforcer_abi")?,
        room: instance.get_typed_func(&*store, "enforcer_room")?,
        start: instance.get_typed_func(&*store, "enforcer_start")?,
        call: instance.get_typed_func(&*store, "enforcer_call")?,
        tick: instance.get_typed_func(&*store, "enforcer_tick").ok(),
    })
}
