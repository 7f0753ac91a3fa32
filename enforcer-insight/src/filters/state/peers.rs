//! How much others do: a distribution in a fixed number of counters. In: values. Out: what a share of them stays under. Never
//! here: whose values they were.
//!
//! Four counters for each doubling: a quantile is right to a quarter. Old values fade: when there are many, all counters are
//! halved.

/// A distribution of values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peers {
    counts: [u32; CELLS],
    total: u32,
}

impl Default for Peers {
    fn default() -> Self {
        Self { counts: [0; CELLS], total: 0 }
    }
}

impl Peers {
    /// Takes a value.
    pub fn add(&mut self, value: u64) {
        if self.total >= FADES {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.total = self.counts.iter().sum();
        }
        if let Some(count) = self.counts.get_mut(cell(value)) {
            *count += 1;
            self.total += 1;
        }
    }

    /// A value that is still growing went from one to another; 0 is none. So those of now count, too, before they are over.
    pub fn grow(&mut self, from: u64, to: u64) {
        if from > 0
            && let Some(count) = self.counts.get_mut(cell(from)).filter(|count| **count > 0)
        {
            *count -= 1;
            self.total -= 1;
        }
        if to > 0 {
            self.add(to);
        }
    }

    /// How many values there were, old ones faded.
    pub const fn total(&self) -> u32 {
        self.total
    }

    /// What `percent` of the values do not pass, rounded up; 0 while there are none.
    pub fn quantile(&self, percent: u32) -> u64 {
        let wanted = (u64::from(self.total) * u64::from(percent)).div_ceil(100);
        let mut sum = 0;
        let reached = self.counts.iter().position(|count| {
            sum += u64::from(*count);
            sum >= wanted && sum > 0
        });
        reached.map_or(0, most)
    }
}

/// The counter of a value.
fn cell(value: u64) -> usize {
    if value < 4 {
        return usize::try_from(value).unwrap_or_default();
    }
    let octave = value.ilog2();
    let quarter = value >> (octave - 2) & 3;
    usize::try_from(u64::from(octave - 1) * 4 + quarter).unwrap_or(CELLS - 1)
}

/// The greatest value of a counter.
fn most(cell: usize) -> u64 {
    let cell = cell as u64;
    if cell < 4 {
        return cell;
    }
    let (octave, quarter) = (cell / 4 + 1, cell % 4);
    let width = 1_u64 << (octave - 2);
    ((4 + quarter) * width).saturating_add(width - 1)
}

/// Enough for all of 64 bits.
const CELLS: usize = 252;
/// More values than this, and the old ones fade.
const FADES: u32 = 20_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_quantile_is_what_most_stay_under() {
        let mut peers = Peers::default();
        assert_eq!(peers.quantile(99), 0);
        (1..=100).for_each(|value| peers.add(value));
        assert!((50..=63).contains(&peers.quantile(50)), "{}", peers.quantile(50));
        assert!((99..=127).contains(&peers.quantile(99)), "{}", peers.quantile(99));
        peers.add(u64::MAX);
        assert_eq!(peers.quantile(100), u64::MAX);
    }

    #[test]
    fn a_growing_value_counts_once() {
        let mut peers = Peers::default();
        (0..1000).for_each(|value| peers.grow(value, value + 1));
        assert_eq!((peers.total(), peers.quantile(50)), (1, 1023));
        peers.grow(1000, 0);
        assert_eq!((peers.total(), peers.quantile(50)), (0, 0));
        peers.grow(7, 8);
        assert_eq!(peers.total(), 1, "what was faded away is not taken away again");
    }

    #[test]
    fn old_values_fade() {
        let mut peers = Peers::default();
        (0..FADES).for_each(|_| peers.add(1000));
        (0..4 * FADES).for_each(|_| peers.add(10));
        assert!(peers.quantile(90) <= 11 && peers.total() <= FADES);
    }

    proptest! {
        #[test]
        fn a_counter_holds_values_of_a_quarter(value in any::<u64>()) {
            let upper = most(cell(value));
            prop_assert!(upper >= value && upper - value <= value / 4);
        }
    }
}
