//! What a namespace's own network stack has counted.
//!
//! In: the name of a counter of `nstat`. Out: its value since the namespace was made. Never here: counters of the agent.

use crate::namespace::Namespace;

impl Namespace {
    /// Segments that its TCP has sent again. On a busy machine that happens, and each is judged again.
    pub fn repeated_segments(&self) -> u64 {
        self.counter("TcpRetransSegs")
    }

    /// Segments that its TCP has thrown away because of a wrong checksum.
    pub fn wrong_checksums(&self) -> u64 {
        self.counter("TcpInCsumErrors")
    }

    fn counter(&self, name: &str) -> u64 {
        let printed = self.exec(&format!("nstat --ignore --noupdate --zeros {name}"));
        let line = printed.lines().find_map(|line| line.strip_prefix(name));
        let value = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        value.unwrap_or_else(|| panic!("no counter {name} in:\n{printed}"))
    }
}
