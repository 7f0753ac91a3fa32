//! Owns `FLOWS`: blocked connections, by their five-tuple.
use aya_ebpf::{btf_maps::HashMap, macros::btf_map};
use enforcer_common::{FlowKey, Rule};

#[btf_map]
static FLOWS: HashMap<FlowKey, Rule, 65_536> = HashMap::new();

/// What was decided about this flow.
#[inline(always)]
pub fn rule(key: &FlowKey) -> Option<Rule> {
    // SAFETY: values are replaced whole by the agent; a torn read could only mix two decisions on the same flow.
    unsafe { FLOWS.get(key) }.copied()
}
