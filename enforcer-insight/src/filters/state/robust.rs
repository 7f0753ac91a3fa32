//! The last few values of something, and what is usual among them. In: values. Out: median, and median absolute deviation. Never
//! here: means, which one odd value moves.

/// The last `N` values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recent<const N: usize> {
    values: [u32; N],
    next: u8,
    held: u8,
}

impl<const N: usize> Default for Recent<N> {
    fn default() -> Self {
        const { assert!(N > 0 && N < 256) };
        Self { values: [0; N], next: 0, held: 0 }
    }
}

impl<const N: usize> Recent<N> {
    /// Takes a value; the oldest gives way.
    pub fn push(&mut self, value: u32) {
        if let Some(place) = self.values.get_mut(usize::from(self.next)) {
            *place = value;
        }
        self.next = if usize::from(self.next) + 1 < N { self.next + 1 } else { 0 };
        self.held = self.held.saturating_add(1).min(u8::try_from(N).unwrap_or(u8::MAX));
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.held as usize
    }

    /// True when there are none.
    pub const fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// The one in the middle, and how far the one in the middle is from it; zeros while there are none.
    pub fn usual(&self) -> (u32, u32) {
        let mut values = self.values;
        let held = values.get_mut(..self.len()).unwrap_or_default();
        let median = middle(held);
        for value in held.iter_mut() {
            *value = value.abs_diff(median);
        }
        (median, middle(held))
    }

    /// The greatest; 0 while there are none.
    pub fn most(&self) -> u32 {
        self.values.iter().take(self.len()).copied().max().unwrap_or_default()
    }

    /// More than this is far from usual: the median, and `times` the deviation that normal values would have. Where values hardly
    /// differ, a third of the median takes the place of the deviation, so that one more is not far.
    pub fn bound(&self, times: u32) -> u32 {
        let (median, deviation) = self.usual();
        // 1.4826 times the median deviation is the standard deviation of normal values.
        let normal = u64::from(deviation) * 3 / 2;
        let spread = normal.max(u64::from(median) / 3).max(1);
        u32::try_from(u64::from(median) + spread * u64::from(times)).unwrap_or(u32::MAX)
    }
}

fn middle(values: &mut [u32]) -> u32 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_odd_value_moves_nothing() {
        let mut recent = Recent::<8>::default();
        assert_eq!(recent.usual(), (0, 0));
        for value in [10, 12, 11, 9, 100_000] {
            recent.push(value);
        }
        assert_eq!(recent.usual(), (11, 1));
        assert_eq!((recent.bound(5), recent.most()), (26, 100_000));
        (0..8).for_each(|_| recent.push(3));
        assert_eq!((recent.usual(), recent.len()), ((3, 0), 8));
    }
}
