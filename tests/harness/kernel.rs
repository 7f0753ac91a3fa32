//! What the kernel itself holds: programs on interfaces, pinned maps and links. A second witness beside the agent's own word.
//!
//! In: root. Out: ids, and maps to read or to tamper with. Never here: the agent's code.

use std::{collections::BTreeSet, fs, path::Path};

use aya::{
    maps::{Map, MapData, MapInfo, loaded_maps},
    programs::{
        ProgramInfo, SchedClassifier, TcAttachType,
        links::{FdLink, PinnedLink},
        loaded_links, loaded_programs,
    },
};
use serde_json::Value;

use crate::{agent::Agent, namespace::Namespace};

/// Kernel objects by their ids, which are not given twice.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Objects {
    /// Maps.
    pub maps: BTreeSet<u32>,
    /// Links.
    pub links: BTreeSet<u32>,
    /// Programs.
    pub programs: BTreeSet<u32>,
}

impl Objects {
    /// Those that exist still.
    #[must_use]
    pub fn alive(&self) -> Self {
        let maps: BTreeSet<u32> = loaded_maps().flatten().map(|map| map.id()).collect();
        let links: BTreeSet<u32> = loaded_links().flatten().map(|link| link.id()).collect();
        let programs: BTreeSet<u32> = loaded_programs().flatten().map(|program| program.id()).collect();
        Self { maps: &self.maps & &maps, links: &self.links & &links, programs: &self.programs & &programs }
    }
}

impl Agent {
    /// A pinned map.
    #[track_caller]
    pub fn pinned(&self, name: &str) -> Map {
        let pin = self.pins().join("maps").join(name);
        let data = MapData::from_pin(&pin).unwrap_or_else(|error| panic!("failed to open {}: {error}", pin.display()));
        Map::from_map_data(data).unwrap_or_else(|error| panic!("{name} is of an unknown type: {error}"))
    }

    /// Everything pinned, and the programs in the links. What goes while it is looked at is not among them.
    pub fn objects(&self) -> Objects {
        let maps = pins(&self.pins().join("maps"));
        let maps = maps.iter().filter_map(|name| {
            let pin = self.pins().join("maps").join(name);
            MapInfo::from_pin(pin).ok().map(|map| map.id())
        });
        let mut objects = Objects { maps: maps.collect(), ..Objects::default() };
        for name in self.pinned_links() {
            let pin = self.pins().join("links").join(&name);
            // There is no link: what is pinned is the program.
            if name.ends_with("-clsact") {
                objects.programs.extend(ProgramInfo::from_pin(pin).ok().map(|program| program.id()));
                continue;
            }
            let Ok(pinned) = PinnedLink::from_pin(pin) else { continue };
            let link = FdLink::from(pinned);
            let info = link.info().expect("a link has an id");
            objects.links.insert(info.id());
            objects.programs.insert(info.program_id());
        }
        objects
    }

    /// The names of the pinned links.
    pub fn pinned_links(&self) -> Vec<String> {
        pins(&self.pins().join("links"))
    }
}

/// The XDP programs on an interface: `ip` tells of all modes.
pub fn xdp_programs(space: &Namespace, interface: &str) -> Vec<u32> {
    let printed = space.exec(&format!("ip -json -details link show dev {interface}"));
    let links: Value = serde_json::from_str(&printed).expect("ip prints JSON");
    programs(&links[0]["xdp"])
}

/// The classifiers on an interface, inwards and outwards: on its tcx hooks, or on clsact where the kernel has no tcx.
pub fn classifiers(space: &Namespace, interface: &str) -> Vec<u32> {
    let query = |way| space.inside(|| SchedClassifier::query_tcx(interface, way));
    match [TcAttachType::Ingress, TcAttachType::Egress].map(query) {
        [Ok((_, inwards)), Ok((_, outwards))] => inwards.iter().chain(&outwards).map(ProgramInfo::id).collect(),
        _ => ["ingress", "egress"].iter().flat_map(|way| on_clsact(space, interface, way)).collect(),
    }
}

/// In what `tc` says of each: `... bpf chain 0 handle 0x1 enforcer_tc direct-action not_in_hw id 87 name ...`.
fn on_clsact(space: &Namespace, interface: &str, way: &str) -> Vec<u32> {
    let shown = space.exec(&format!("tc filter show dev {interface} {way}"));
    let ids = shown.split(" id ").skip(1).filter_map(|rest| rest.split_whitespace().next());
    ids.map(|id| id.parse().expect("a program has a number")).collect()
}

/// Whether this kernel has no tcx (before 6.6), which is said: a test of what only tcx has ends there, and `cargo xtask vm --suite` counts it as skipped.
pub fn lacks_tcx(space: &Namespace) -> bool {
    let lacks = space.inside(|| SchedClassifier::query_tcx("lo", TcAttachType::Ingress)).is_err();
    if lacks {
        eprintln!("skipped: no tcx, classifiers hang on clsact");
    }
    lacks
}

/// The ids in what `ip` says of XDP: of each mode in use, or of the only one.
fn programs(xdp: &Value) -> Vec<u32> {
    let id = |one: &Value| u32::try_from(one["prog"]["id"].as_u64()?).ok();
    match xdp["attached"].as_array() {
        Some(modes) => modes.iter().filter_map(id).collect(),
        None => id(xdp).into_iter().collect(),
    }
}

fn pins(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}
