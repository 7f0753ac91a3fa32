//! What a filter says. In: names of the manifest, counts. Out: JSON, as the agent reads it. Never here: anything of the traffic but
//! counts: the agent stops a module that says other words than its manifest's.
use std::fmt::Write as _;

/// A sign of something wrong.
#[derive(Clone, Debug)]
pub struct Sign {
    text: String,
    counts: String,
}

impl Sign {
    /// Of a kind that the manifest names, with a confidence from 0 to 100.
    #[must_use]
    pub fn new(kind: &str, confidence: u8) -> Self {
        Self { text: format!("{{\"kind\":\"{kind}\",\"confidence\":{confidence}"), counts: String::new() }
    }

    /// About whoever the call is for.
    #[must_use]
    pub fn by_consumer(self) -> Self {
        self.by("consumer")
    }

    /// About the `user`, `session`, `device`, `apikey` or `address` of the call.
    #[must_use]
    pub fn by(self, who: &str) -> Self {
        self.with(format_args!(",\"who\":\"{who}\""))
    }

    /// About the endpoint of the call, too.
    #[must_use]
    pub fn at_endpoint(self) -> Self {
        self.with(format_args!(",\"endpoint\":true"))
    }

    /// With a count that the manifest names for this kind.
    #[must_use]
    pub fn count(mut self, name: &str, count: u64) -> Self {
        let comma = if self.counts.is_empty() { "" } else { "," };
        // Writing to a text cannot fail.
        let _ = write!(self.counts, "{comma}[\"{name}\",{count}]");
        self
    }

    /// Suggests to refuse who it is about, in the `service` or at the `endpoint`.
    #[must_use]
    pub fn suggest_deny(self, scope: &str, seconds: u64) -> Self {
        self.with(format_args!(",\"suggest\":{{\"action\":\"deny\",\"scope\":\"{scope}\",\"seconds\":{seconds}}}"))
    }

    /// Suggests to let who it is about have a rate only.
    #[must_use]
    pub fn suggest_limit(self, scope: &str, per_minute: u32, seconds: u64) -> Self {
        let rate = format_args!("\"scope\":\"{scope}\",\"per_minute\":{per_minute},\"seconds\":{seconds}");
        self.with(format_args!(",\"suggest\":{{\"action\":\"limit\",{rate}}}"))
    }

    fn with(mut self, more: std::fmt::Arguments<'_>) -> Self {
        let _ = self.text.write_fmt(more);
        self
    }

    /// As the agent reads it.
    pub fn json(&self) -> String {
        format!("{},\"counts\":[{}]}}", self.text, self.counts)
    }
}

/// Takes signs. The agent hears the first few of a call.
#[derive(Debug, Default)]
pub struct Out(Vec<String>);

impl Out {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Says it.
    pub fn raise(&mut self, sign: &Sign) {
        if self.0.len() < SIGNS {
            self.0.push(sign.json());
        }
    }

    /// What was said, for tests of filters.
    pub fn said(&self) -> &[String] {
        &self.0
    }

    pub(crate) fn hand_over(&mut self, mut to: impl FnMut(&str)) {
        self.0.drain(..).for_each(|sign| to(&sign));
    }
}

/// Signs of one call; the agent stops a module that raises much more.
const SIGNS: usize = 8;
