//! A module, ready to run. In: the bytes of a file, keys that are trusted. Out: an entry of the catalogue, or what is wrong with the
//! file and how to mend it. Never here: files, calls.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use enforcer_insight::filters::{Entry, Filter, Make, Parameters, Tools};
use enforcer_policy::revision::{Digest, Verifier};
use wasmi::{Config, EnforcedLimits, Engine, ExternType, FuncType, Linker, ValType};

use crate::gauge::Gauge;
use crate::instance::{Instance, State, linker};
use crate::limits::{ABI, LARGEST, Limits};
use crate::manifest::{MANIFEST, Manifest, ManifestError};
use crate::signature::{SignatureError, verify};

/// Code with its manifest: instances are made of it, one for each service.
pub struct Module {
    manifest: Arc<Manifest>,
    limits: Limits,
    digest: Digest,
    pub(crate) engine: Engine,
    pub(crate) code: wasmi::Module,
    pub(crate) linker: Linker<State>,
}

/// What is wrong with a file.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ModuleError {
    /// Its code says another version than its manifest.
    #[error("its code is made for version {found} of the contract: build it for version {ABI}")]
    Abi {
        /// Which.
        found: u32,
    },
    /// It does not offer what the agent calls.
    #[error("it does not export {name} as the contract says: build it with the crate of enforcer filter new")]
    Export {
        /// What is missing, or other than it should be.
        name: &'static str,
    },
    /// It wants more than a filter may have.
    #[error(
        "it imports {name}, and a filter may import nothing but enforcer.raise: build it for wasm32-unknown-unknown"
    )]
    Import {
        /// What.
        name: String,
    },
    /// It is too large.
    #[error("it has {bytes} bytes: make it smaller than {LARGEST}, by a release build for instance")]
    Large {
        /// How many.
        bytes: usize,
    },
    /// Its manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Its signature.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// It did not start with its default parameters.
    #[error("it does not start ({why}): mend its enforcer_start")]
    Start {
        /// In the words of the interpreter.
        why: String,
    },
    /// It is no module.
    #[error("it is no module that can be run ({why}): build it with the crate of enforcer filter new")]
    Wasm {
        /// In the words of the interpreter.
        why: String,
    },
}

impl Module {
    /// Reads a signed file. Nothing in it is looked at before its signature.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(bytes: &[u8], keys: &[Verifier]) -> Result<Self, ModuleError> {
        bounded(bytes)?;
        Self::read(verify(bytes, keys)?, Limits::default())
    }

    /// Reads a file, whoever made it: for those who write modules. The agent opens.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(bytes: &[u8], limits: Limits) -> Result<Self, ModuleError> {
        bounded(bytes)?;
        // A mistake of the interpreter's would otherwise end whoever reads.
        let read = catch_unwind(AssertUnwindSafe(|| Self::compile(bytes, limits)));
        let module = read.unwrap_or_else(|_told| Err(ModuleError::Wasm { why: "it panicked".to_owned() }))?;
        module.try_out().map(|()| module)
    }

    fn compile(bytes: &[u8], limits: Limits) -> Result<Self, ModuleError> {
        let engine = Engine::new(&config());
        let wasm = |error: &dyn std::fmt::Display| ModuleError::Wasm { why: error.to_string() };
        let code = wasmi::Module::new(&engine, bytes).map_err(|error| wasm(&error))?;
        let mut sections = code.custom_sections().filter(|section| section.name() == MANIFEST);
        let manifest = Manifest::read(sections.next().ok_or(ManifestError::Missing)?.data())?;
        imports(&code)?;
        exports(&code)?;
        let linker = linker(&engine).map_err(|error| wasm(&error))?;
        let digest = digest(bytes);
        Ok(Self { manifest: Arc::new(manifest), limits, digest, engine, code, linker })
    }

    /// Starts it once: what cannot start anywhere is better told now.
    fn try_out(&self) -> Result<(), ModuleError> {
        let gauge = Arc::new(Gauge::default());
        let mut instance = Instance::new(self, &Parameters::defaults(&self.manifest.schema), &gauge);
        match instance.abi() {
            Some(ABI) if instance.halted().is_none() => Ok(()),
            Some(found) if found != ABI => Err(ModuleError::Abi { found }),
            _ => Err(ModuleError::Start { why: gauge.read().halted.unwrap_or_else(|| "it halts".to_owned()) }),
        }
    }

    /// What it says of itself.
    pub const fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// What an instance may cost.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Of the bytes that were signed.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The filter, for a catalogue. What all its instances use is shown by the gauge.
    pub fn entry(self, gauge: &Arc<Gauge>) -> Entry {
        let manifest = Arc::clone(&self.manifest);
        let (module, gauge) = (Arc::new(self), Arc::clone(gauge));
        let make: Arc<Make> = Arc::new(move |parameters: &Parameters, _: &Tools| {
            Box::new(Instance::new(&module, parameters, &gauge)) as Box<dyn Filter>
        });
        let Manifest { name, version, title, risk, schema, .. } = &*manifest;
        let (name, version, title) = (name.clone(), Some(version.clone()), title.clone());
        Entry { name, version, title, risk: *risk, schema: Arc::clone(schema), make }
    }
}

/// What a file is known by: of its bytes without the signature.
pub fn digest(body: &[u8]) -> Digest {
    Digest::of("enforcer module v1", &[body])
}

fn bounded(bytes: &[u8]) -> Result<(), ModuleError> {
    if bytes.len() > LARGEST { Err(ModuleError::Large { bytes: bytes.len() }) } else { Ok(()) }
}

/// Compiled when it is read and not at its first call; counted in steps; without what filters do not need.
fn config() -> Config {
    let mut config = Config::default();
    config.consume_fuel(true).compilation_mode(wasmi::CompilationMode::Eager).allow_start_fn(false);
    config.enforced_limits(EnforcedLimits::strict());
    config.wasm_multi_memory(false).wasm_tail_call(false);
    config
}

/// Nothing of the system, and nothing of the agent but the one function.
fn imports(code: &wasmi::Module) -> Result<(), ModuleError> {
    let raise = FuncType::new([ValType::I32, ValType::I32], []);
    let known = |one: &wasmi::ImportType<'_>| {
        (one.module(), one.name()) == ("enforcer", "raise") && one.ty().func() == Some(&raise)
    };
    let name = |one: &wasmi::ImportType<'_>| format!("{}.{}", one.module(), one.name());
    let foreign = code.imports().find(|one| !known(one));
    foreign.map_or(Ok(()), |one| Err(ModuleError::Import { name: name(&one).chars().take(SHOWN).collect() }))
}

fn exports(code: &wasmi::Module) -> Result<(), ModuleError> {
    use ValType::{I32, I64};
    let function =
        |inputs: &[ValType], outputs: &[ValType]| FuncType::new(inputs.iter().copied(), outputs.iter().copied());
    for (name, needed, ty) in [
        ("enforcer_abi", true, function(&[], &[I32])),
        ("enforcer_room", true, function(&[I32], &[I32])),
        ("enforcer_start", true, function(&[I32, I32], &[])),
        ("enforcer_call", true, function(&[I32, I32], &[])),
        ("enforcer_tick", false, function(&[I64], &[])),
    ] {
        let found = code.get_export(name);
        if found.as_ref().map_or(needed, |found| found.func() != Some(&ty)) {
            return Err(ModuleError::Export { name });
        }
    }
    let memory = matches!(code.get_export("memory"), Some(ExternType::Memory(_)));
    if memory { Ok(()) } else { Err(ModuleError::Export { name: "memory" }) }
}

/// Characters of a foreign import that are shown.
const SHOWN: usize = 100;
