//! What the agent takes of the machine, sampled while it is under traffic.
//!
//! In: a ground's agent, by its configuration and its pins. Out: samples. Never here: a judgement, or the agent's own word: memory, threads
//! and descriptors are read from `/proc`, entries from the maps.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use aya::maps::{HashMap, Map, MapData};
use enforcer_common::{Denied, FlowKey, IdentityKey, Rule};
use enforcer_tests::Agent;

/// One look at the agent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Which process it was.
    pub(crate) process: u32,
    /// Resident memory in KiB.
    pub(crate) memory: u64,
    pub(crate) descriptors: u64,
    pub(crate) threads: u64,
    /// Entries for devices and flows: what is decided.
    pub(crate) decided: u64,
    /// Entries for connections that were refused: what the kernel remembers by itself.
    pub(crate) remembered: u64,
}

/// A thread that looks every few seconds.
pub(crate) struct Watch {
    samples: Arc<Mutex<Vec<Sample>>>,
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Watch {
    /// Begins.
    pub(crate) fn start(agent: &Agent) -> Self {
        let place =
            Place { configuration: agent.state().with_file_name("enforcer.toml"), maps: agent.pins().join("maps") };
        let samples = Arc::new(Mutex::new(Vec::new()));
        let (taken, (stop, stopped)) = (Arc::clone(&samples), mpsc::channel());
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                // None while no agent runs, or none of its maps is pinned.
                taken.lock().unwrap_or_else(PoisonError::into_inner).extend(place.look());
            }
        });
        Self { samples, stop, thread }
    }

    /// All samples so far.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends.
    pub(crate) fn stop(self) -> Vec<Sample> {
        // It may have ended already.
        let _sent = self.stop.send(());
        self.thread.join().expect("the watch does not panic");
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Place {
    configuration: PathBuf,
    maps: PathBuf,
}

impl Place {
    fn look(&self) -> Option<Sample> {
        let process = self.process()?;
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Sample {
            process,
            memory: of("VmRSS:")?,
            descriptors: fs::read_dir(format!("/proc/{process}/fd")).ok()?.count() as u64,
            threads: of("Threads:")?,
            decided: self.entries::<IdentityKey, Rule>("IDENTITIES")? + self.entries::<FlowKey, Rule>("FLOWS")?,
            remembered: self.entries::<FlowKey, Denied>("DENIED")?,
        })
    }

    /// The one that runs with this configuration: not a command of its command line, nor what stands before its start.
    fn process(&self) -> Option<u32> {
        let ids = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.into_iter().find(|id| self.runs(*id))
    }

    fn runs(&self, process: u32) -> bool {
        let command = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let mut words = command.split(|byte| *byte == 0);
        let begins = words.next().is_some_and(|word| word == enforcer_tests::program().as_os_str().as_encoded_bytes());
        let configuration = self.configuration.as_os_str().as_encoded_bytes();
        begins && words.next() == Some(b"run") && words.any(|word| word == configuration)
    }

    fn entries<K: aya::Pod, V: aya::Pod>(&self, name: &str) -> Option<u64> {
        count::<K, V>(&self.maps.join(name))
    }
}

/// A map under change can be walked for ever.
fn count<K: aya::Pod, V: aya::Pod>(pin: &Path) -> Option<u64> {
    let map: HashMap<MapData, K, V> = Map::from_map_data(MapData::from_pin(pin).ok()?).ok()?.try_into().ok()?;
    Some(map.keys().take(MOST).count() as u64)
}

/// The pace of the samples.
const EVERY: Duration = Duration::from_secs(2);
/// More entries than these maps have room for.
const MOST: usize = 200_000;
