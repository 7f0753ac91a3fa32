//! What this host can do. In: a configuration. Out: checks, each looked at and not guessed. Needs no agent, changes nothing.
use std::collections::BTreeSet;

use crate::config::Config;
use crate::kernel::{Finding, interfaces, probe};
use crate::wire::{Check, CheckState, DoctorReport};

/// Looks at everything.
pub fn doctor(config: &Config) -> DoctorReport {
    let mut checks: Vec<Check> = probe(&config.agent.bpffs).into_iter().map(check).collect();
    checks.extend(wanted_interfaces(config));
    checks.push(memory(config));
    DoctorReport { checks }
}

fn check(finding: Finding) -> Check {
    let name = finding.name.to_owned();
    match finding.outcome {
        Ok(detail) => Check { name, state: CheckState::Ok, detail, mend: None },
        Err((detail, mend, fatal)) => {
            let state = if fatal { CheckState::Missing } else { CheckState::Degraded };
            Check { name, state, detail, mend: Some(mend.to_owned()) }
        }
    }
}

fn wanted_interfaces(config: &Config) -> Vec<Check> {
    let there = interfaces();
    let services = config.services.iter().flat_map(|service| &service.interfaces);
    let wanted: BTreeSet<&String> = config.fastpath.interfaces.iter().chain(services).collect();
    let check = |name: &String| match there.get(name) {
        Some(index) => Check {
            name: format!("interface {name}"),
            state: CheckState::Ok,
            detail: format!("index {index}"),
            mend: None,
        },
        None => Check {
            name: format!("interface {name}"),
            state: CheckState::Degraded,
            detail: "does not exist".to_owned(),
            mend: Some("the agent attaches when it appears; ip link shows the names there are".to_owned()),
        },
    };
    wanted.into_iter().map(check).collect()
}

/// What the maps will take, from the sizes in the configuration.
fn memory(config: &Config) -> Check {
    let limits = &config.limits;
    let buckets = |entries: u32, per_bucket: u32| {
        u64::from((entries.saturating_mul(3) / 2 / per_bucket).next_power_of_two()) * 64
    };
    let small = u64::from(limits.identities) * 100
        + u64::from(limits.flows) * 130
        + u64::from(limits.refused_connections) * 130
        + u64::from(limits.streams) * 180
        + u64::from(limits.heads) * 8400
        + u64::from(limits.buckets) * 90
        + u64::from(limits.session_users) * 80;
    let bytes = (4 << 20)
        + buckets(limits.addresses_v4, 8)
        + buckets(limits.addresses_v6, 3)
        + small
        + u64::from(limits.ring_bytes);
    let detail = format!("about {} MiB of kernel memory for the maps", bytes >> 20);
    Check { name: "memory".to_owned(), state: CheckState::Ok, detail, mend: None }
}
