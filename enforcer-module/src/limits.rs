//! What a module may cost. Out: numbers, each with its reason. Never here: measuring.

/// The version of the contract between agent and module.
pub const ABI: u32 = 1;

/// Bytes of a module's file: what is compiled on the agent's thread must be compiled in a moment.
pub const LARGEST: usize = 1 << 20;

/// What one instance, on one service, may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Steps of one call, about one for each instruction: a few milliseconds.
    pub call: u64,
    /// Steps of 1,000 calls and ticks in a row: who only just keeps to the bound of a call would make others wait.
    pub together: u64,
    /// Steps of a tick, once a second.
    pub tick: u64,
    /// Steps of a start, in which tables are made.
    pub start: u64,
    /// Bytes of memory.
    pub memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { call: 2_000_000, together: 100_000_000, tick: 4_000_000, start: 20_000_000, memory: 16 << 20 }
    }
}

/// Calls and ticks whose steps are added up.
pub(crate) const TOGETHER: u32 = 1_000;
/// Elements of a module's tables.
pub(crate) const TABLE: usize = 65_536;
/// Bytes of one record: a head is 8 KiB at most, and bodies are known by their first bytes.
pub(crate) const RECORD: usize = 64 << 10;
/// Bytes of a raise.
pub(crate) const RAISE: usize = 4 << 10;
/// Raises of one call; of those, the first few are heard.
pub(crate) const RAISES: usize = 32;
