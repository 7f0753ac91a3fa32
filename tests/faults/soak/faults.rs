//! Which faults a soak has, and when. In: a seed, how long it is. Out: a fault for each minute. Never here: a fault.
//!
//! What is compared at the end must be one life of the agent: in the first third it may die, from then on it is to survive.

use crate::table::{self, Fault};

/// The fault of each minute.
pub(crate) fn faults(minutes: usize, seed: u64) -> Vec<Fault> {
    let mut dice = Dice(seed);
    let deadly = minutes / 3;
    let mut chosen = dice.chosen(&DEADLY, deadly);
    chosen.extend(dice.chosen(&SURVIVED, minutes - deadly));
    chosen
}

/// The same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % most
    }

    /// So many of these: all of them once in some order, then again in another.
    fn chosen(&mut self, names: &[&str], count: usize) -> Vec<Fault> {
        let (known, mut chosen) = (table::faults(), Vec::new());
        while chosen.len() < count {
            let mut left = names.to_vec();
            while !left.is_empty() {
                let name = left.swap_remove(self.below(left.len()));
                chosen.extend(known.iter().find(|fault| fault.name == name));
            }
        }
        chosen.truncate(count);
        chosen
    }
}

const DEADLY: [&str; 7] =
    ["agent-kill", "agent-kill-starting", "agent-upgrade", "attach-half", "bpf-enomem", "bpffs-none", "journal-cut"];
const SURVIVED: [&str; 13] = [
    "agent-stop",
    "bad-config",
    "center-cut",
    "center-hang",
    "center-kill",
    "detach-offline",
    "link-down",
    "link-gone",
    "link-moved",
    "link-renamed",
    "links-detached",
    "pins-links",
    "slow-follower",
];
