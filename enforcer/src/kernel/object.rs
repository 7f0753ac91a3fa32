//! Loads the programs: with the maps that are pinned where they fit, with a new set where they do not.
use std::path::Path;

use aya::maps::{Array, Map, MapData, MapInfo};
use aya::programs::{SchedClassifier, Xdp};
use aya::{Ebpf, EbpfLoader, VerifierLogLevel};
use enforcer_common::{ABI_VERSION, Geometry, Settings, SipKey, WIDE_WORDS, gate_mask, named_words};

use super::hooks::Kept;
use super::maps::{Maps, PINNED};
use super::ring::Left;
use super::{Kernel, KernelError, Setup, bpffs, filter, monotonic};
use crate::config::Limits;

/// The kernel programs, compiled by `build.rs`.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("ENFORCER_BPF_OBJECT"));

pub(super) const XDP: &str = "enforcer_xdp";
/// The same for the generic mode; loaded only where that is needed.
pub(super) const XDP_GENERIC: &str = "enforcer_joined";
pub(super) const TC: &str = "enforcer_tc";
pub(super) const EGRESS: &str = "enforcer_egress";

/// What opening found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opened {
    /// The pinned maps fit: they are in use, as they are.
    Adopted,
    /// Nothing was pinned.
    Fresh,
    /// The pinned maps do not fit, for this reason. They go on enforcing until the new set is published.
    Migrating(String),
}

/// The shape of a set of maps.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) limits: Limits,
    pub(super) buckets4: u32,
    pub(super) buckets6: u32,
    /// Words of the filter for cells, at most.
    pub(super) filter: u32,
    /// Words of the filter of identities.
    pub(super) named: u32,
    pub(super) geometry: Geometry,
}

impl Sizes {
    /// At least a third of the slots (IPv6, whose buckets are smaller: nearly half) stay free, so that buckets seldom overflow.
    fn new(limits: Limits, key: SipKey) -> Self {
        let buckets4 = (limits.addresses_v4.saturating_mul(3) / 2 / 8).next_power_of_two().max(2);
        let buckets6 = (limits.addresses_v6.saturating_mul(15) / 8 / 4).next_power_of_two().max(2);
        let filter = filter::words(limits.addresses_v4.saturating_add(limits.addresses_v6));
        let (named, geometry) = (named_words(limits.identities), Geometry::new(key, buckets4, buckets6));
        Self { limits, buckets4, buckets6, filter, named, geometry }
    }

    /// Words of the gate, at most.
    pub(super) fn gate(&self) -> u32 {
        gate_mask(self.filter - 1) + 1
    }

    /// The maps whose size is configured.
    fn configured(&self) -> [(&'static str, u32); 16] {
        let limits = &self.limits;
        [
            ("ALLOW", limits.allow),
            ("BUCKETS", limits.buckets),
            ("DENIED", limits.refused_connections),
            ("EVENTS", limits.ring_bytes),
            ("FILTER", WIDE_WORDS + self.filter),
            ("FLOWS", limits.flows),
            ("GATE", self.gate()),
            ("HEADS", limits.heads),
            ("IDENTITIES", limits.identities),
            ("SAMPLES", limits.sample_bytes),
            ("NAMED", self.named),
            ("SESSION_USERS", limits.session_users),
            ("SOURCES4", self.buckets4),
            ("SOURCES6", self.buckets6),
            ("SPILL", limits.spill),
            ("STREAMS", limits.streams),
        ]
    }
}

impl Kernel {
    /// Loads the programs. Nothing is attached yet; what was attached before goes on as it was.
    pub fn open(setup: &Setup, table_key: SipKey) -> Result<(Self, Opened), KernelError> {
        bpffs::prepare(&setup.bpffs)?;
        let pinned = Pinned::read(&setup.bpffs);
        let wanted = Sizes::new(setup.limits, table_key);
        let (opened, sizes) = match pinned {
            Pinned::Nothing => (Opened::Fresh, wanted),
            Pinned::Unfit(why) => (Opened::Migrating(why), wanted),
            Pinned::Fit(settings) => match misfit(&setup.bpffs, &settings, &wanted, setup.identity_key) {
                Some(why) => (Opened::Migrating(why), wanted),
                None => (Opened::Adopted, Sizes { geometry: settings.geometry, ..wanted }),
            },
        };
        let folder = match opened {
            Opened::Adopted => bpffs::maps(&setup.bpffs),
            Opened::Fresh | Opened::Migrating(_) => bpffs::fresh_maps(&setup.bpffs)?,
        };
        let left = match &opened {
            Opened::Migrating(_) => Some(Left::open(&bpffs::maps(&setup.bpffs))),
            Opened::Adopted | Opened::Fresh => None,
        };
        let mut ebpf = load(&sizes, &folder)?;
        let kept = Kept::new(&folder);
        let verified = load_programs(&mut ebpf)?;
        let maps = Maps::take(&mut ebpf, sizes)?;
        let unpinned = opened != Opened::Adopted;
        let mut kernel =
            Self { ebpf, maps, bpffs: setup.bpffs.clone(), attached: Vec::new(), unpinned, verified, left, kept };
        if unpinned {
            kernel.write_settings(&first_settings(setup, &sizes))?;
        }
        kernel.maps.sources.recount();
        kernel.tell_allowlist()?;
        kernel.heartbeat()?;
        Ok((kernel, opened))
    }

    /// Instructions the verifier followed for the packet program, the one for requests and the one for answers.
    pub fn verified_instructions(&self) -> [u32; 3] {
        self.verified
    }

    /// Makes the maps the pinned ones, once the programs that use them hang in every link.
    pub fn publish(&mut self) -> Result<(), KernelError> {
        if self.unpinned {
            bpffs::swap_maps(&self.bpffs)?;
            self.unpinned = false;
        }
        Ok(())
    }

    /// Writes the sign of life.
    pub fn heartbeat(&mut self) -> Result<(), KernelError> {
        let beat = self.maps.heartbeat.set(0, monotonic(), 0);
        beat.map_err(|error| KernelError::Map { map: "HEARTBEAT", reason: error.to_string() })
    }
}

/// What lies in the folder of maps.
enum Pinned {
    Fit(Box<Settings>),
    Nothing,
    Unfit(String),
}

impl Pinned {
    fn read(folder: &Path) -> Self {
        let folder = bpffs::maps(folder);
        let pins = bpffs::pins(&folder);
        if pins.is_empty() {
            return Self::Nothing;
        }
        if let Some(name) = PINNED.iter().find(|name| !pins.iter().any(|pin| pin == *name)) {
            return Self::Unfit(format!("the pinned map {name} is missing"));
        }
        match settings(&folder) {
            Some(settings) if settings.abi == ABI_VERSION => Self::Fit(Box::new(settings)),
            Some(settings) => Self::Unfit(format!("map layout {}, this agent has {ABI_VERSION}", settings.abi)),
            None => Self::Unfit("the pinned settings cannot be read".to_owned()),
        }
    }
}

/// What a pinned set of maps says of itself.
pub(super) fn settings(folder: &Path) -> Option<Settings> {
    let path = folder.join("SETTINGS");
    if MapInfo::from_pin(&path).ok()?.value_size() as usize != size_of::<Settings>() {
        return None;
    }
    let map = Map::from_map_data(MapData::from_pin(&path).ok()?).ok()?;
    let array: Array<MapData, Settings> = map.try_into().ok()?;
    array.get(&0, 0).ok()
}

/// Why pinned maps of the right layout cannot be used all the same.
fn misfit(folder: &Path, settings: &Settings, wanted: &Sizes, identity_key: SipKey) -> Option<String> {
    if settings.identity_key != identity_key {
        return Some("the identity key has changed".to_owned());
    }
    let changed = wanted.configured().into_iter().find_map(|(name, size)| {
        let held = MapInfo::from_pin(bpffs::maps(folder).join(name)).map(|info| info.max_entries());
        match held {
            Ok(held) if held == size => None,
            Ok(held) => Some(format!("the size of {name} changes from {held} to {size}")),
            Err(error) => Some(format!("the pinned map {name} cannot be read: {error}")),
        }
    });
    let shape = [settings.geometry.mask4, settings.geometry.mask6] != [wanted.geometry.mask4, wanted.geometry.mask6];
    changed.or_else(|| shape.then(|| "the shape of the source tables changes".to_owned()))
}

fn load(sizes: &Sizes, folder: &Path) -> Result<Ebpf, KernelError> {
    let mut loader = EbpfLoader::new();
    loader.verifier_log_level(VerifierLogLevel::STATS);
    for (name, size) in sizes.configured() {
        loader.map_max_entries(name, size);
    }
    for name in PINNED {
        loader.map_pin_path(name, folder.join(name));
    }
    loader.load(OBJECT).map_err(|error| KernelError::Load(Box::new(error)))
}

fn load_programs(ebpf: &mut Ebpf) -> Result<[u32; 3], KernelError> {
    let failed =
        |program| move |error: aya::programs::ProgramError| KernelError::Program { program, reason: tail(&error) };
    let xdp: &mut Xdp = program(ebpf, XDP)?;
    xdp.load().map_err(failed(XDP))?;
    let first = xdp.info().ok().and_then(|info| info.verified_instruction_count()).unwrap_or(0);
    let mut classifier = |name| {
        let tc: &mut SchedClassifier = program(ebpf, name)?;
        tc.load().map_err(failed(name))?;
        Ok(tc.info().ok().and_then(|info| info.verified_instruction_count()).unwrap_or(0))
    };
    Ok([first, classifier(TC)?, classifier(EGRESS)?])
}

/// One of the object's programs, by name.
pub(super) fn program<'a, P>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut P, KernelError>
where
    &'a mut P: TryFrom<&'a mut aya::programs::Program>,
{
    let missing = || KernelError::Program { program: name, reason: "the object does not have it".to_owned() };
    ebpf.program_mut(name).ok_or_else(missing)?.try_into().map_err(|_unfit| missing())
}

/// The packet program for a mode, loaded.
pub(super) fn packet_program<'a>(ebpf: &'a mut Ebpf, mode: &str) -> Result<&'a mut Xdp, KernelError> {
    let name = if mode == "generic" { XDP_GENERIC } else { XDP };
    let xdp: &mut Xdp = program(ebpf, name)?;
    if xdp.fd().is_err() {
        xdp.load().map_err(|error| KernelError::Program { program: name, reason: tail(&error) })?;
    }
    Ok(xdp)
}

/// The end of an error's text: verifier logs are long, and what matters comes last.
fn tail(error: &aya::programs::ProgramError) -> String {
    const KEEP: usize = 2000;
    let text = error.to_string();
    let start = text.ceil_char_boundary(text.len().saturating_sub(KEEP));
    text[start..].to_owned()
}

fn first_settings(setup: &Setup, sizes: &Sizes) -> Settings {
    Settings {
        abi: ABI_VERSION,
        bypass: 0,
        lease: 0,
        event_gap: 1_000_000_000 / u64::from(setup.limits.events_per_second.max(1)),
        identity_key: setup.identity_key,
        geometry: sizes.geometry,
        strata4: 0,
        strata6: 0,
        flows: 0,
        allow: 0,
        filter: filter::FIRST - 1,
        heads: setup.limits.heads,
        named: sizes.named - 1,
        gate: gate_mask(filter::FIRST - 1),
    }
}
