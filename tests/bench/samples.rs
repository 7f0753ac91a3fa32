//! Numbers of several rounds: the middle, the range, and nothing else.

/// Numbers in ascending order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    /// Sorts them; what is not a number is left out.
    pub(crate) fn new(mut values: Vec<f64>) -> Self {
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// The one in the middle.
    pub(crate) fn median(&self) -> f64 {
        self.at(50)
    }

    /// The one that so many of a hundred do not exceed; with fewer than a hundred, the 99th is the greatest.
    pub(crate) fn at(&self, percent: usize) -> f64 {
        let place = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(place).copied().unwrap_or(f64::NAN)
    }

    /// The least.
    pub(crate) fn least(&self) -> f64 {
        self.at(0)
    }

    /// The greatest.
    pub(crate) fn greatest(&self) -> f64 {
        self.at(100)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// An integer for arithmetic: counts here stay far below the 52 bits that a float keeps.
#[expect(clippy::cast_precision_loss, reason = "counts of packets and nanoseconds of one run")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}
