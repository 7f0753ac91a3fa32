//! What can be asked of the loaded kernel: the verbs of map operations, and what the kernel says of itself.
use std::collections::BTreeMap;

use enforcer_common::{
    Action, AllowKey, AllowRule, Counter, FlowKey, IdentityKey, Notice, Outcome, Place, Prefix, Reason, Rule,
    ServiceCounters, ServiceKey, ServiceRule, Settings, SourceRule, SpillKey, SpillRule, SubjectKind, Watchlist,
    gate_mask, stratum_of,
};
use enforcer_policy::Observed;

use super::maps::{Fill, PlaceCell, Trie};
use super::sources::{Held, Placed};
use super::{Kernel, KernelError};

impl Kernel {
    /// Blocks (or observes) a network.
    pub fn put_source(&mut self, prefix: Prefix, rule: SourceRule) -> Result<(), KernelError> {
        let limits = self.maps.sizes.limits;
        let v4 = prefix.address().is_v4();
        let (used, limit, map, key) = if v4 {
            (self.maps.sources.used4, limits.addresses_v4, "sources_v4", "addresses_v4")
        } else {
            (self.maps.sources.used6, limits.addresses_v6, "sources_v6", "addresses_v6")
        };
        let spill = spill_key(prefix);
        let spilled = self.maps.spill.entries.contains_key(&spill);
        if used >= u64::from(limit) && !spilled && self.maps.sources.find(prefix).is_none() {
            return Err(KernelError::Full { map, limit: u64::from(limit), key });
        }
        self.open_stratum(prefix)?;
        self.grow_filter()?;
        if spilled || self.maps.sources.put(prefix, rule) == Placed::NoRoom {
            self.maps.sources.filter.mark(prefix);
            self.maps.spill.put(spill, SpillRule { rule: rule.raw(), bits: u32::from(prefix.length()) })?;
        }
        Ok(())
    }

    /// True when so many more sources certainly find room, whatever they are.
    pub fn has_room_for(&self, sources: usize) -> bool {
        let (limits, held) = (&self.maps.sizes.limits, &self.maps.sources);
        let fits = |used: u64, limit: u32| used + sources as u64 <= u64::from(limit);
        fits(held.used4, limits.addresses_v4) && fits(held.used6, limits.addresses_v6)
    }

    /// Gets ready for writing these networks soon: a few dozen at a time.
    pub fn warm_sources(&self, prefixes: &[Prefix]) {
        self.maps.sources.warm(prefixes);
    }

    /// Takes a network off; false when it was not there.
    pub fn remove_source(&mut self, prefix: Prefix) -> Result<bool, KernelError> {
        let removed = self.maps.sources.remove(prefix) || self.maps.spill.remove(spill_key(prefix))?;
        if removed {
            self.maps.sources.filter.stale();
        }
        Ok(removed)
    }

    /// What is installed for exactly this network.
    pub fn source(&self, prefix: Prefix) -> Option<SourceRule> {
        let spilled = || self.maps.spill.entries.get(&spill_key(prefix)).map(|held| SourceRule::from_raw(held.rule));
        self.maps.sources.find(prefix).map(|held| held.rule).or_else(spilled)
    }

    /// Takes out every source that `wanted` does not know; gives how many.
    ///
    /// IPv6 entries are digests, so they are told by their slot: `wanted` gets what [`Self::source_slot`] gives.
    pub fn retain_sources(&mut self, mut wanted: impl FnMut(&Held) -> bool) -> u64 {
        let mut surplus = Vec::new();
        self.maps.sources.each(|held| {
            if !wanted(&held) {
                surplus.push(held);
            }
        });
        for held in &surplus {
            self.maps.sources.free(*held);
        }
        surplus.len() as u64
    }

    /// Where exactly this network is installed, when it is in a bucket.
    pub fn source_slot(&self, prefix: Prefix) -> Option<Held> {
        self.maps.sources.find(prefix)
    }

    /// The networks that did not fit into a bucket.
    pub fn spilled(&self) -> Vec<Prefix> {
        let prefix = |key: &SpillKey| Prefix::new(key.address, u8::try_from(key.bits).unwrap_or(128));
        self.maps.spill.entries.keys().map(prefix).collect()
    }

    /// Counts the sources anew, as they are now: someone else may have written there.
    pub fn recount_sources(&mut self) -> Result<(), KernelError> {
        self.maps.sources.recount();
        self.maps.spill.reread()
    }

    /// The same for everything else that is counted.
    pub fn recount_small(&mut self) -> Result<(), KernelError> {
        self.maps.flows.recount()?;
        let mut wanted = self.maps.named.nothing();
        self.maps.identities.recount_with(|key| wanted.mark(key.digest()))?;
        self.maps.named.replace(&wanted);
        self.maps.services.recount()?;
        self.maps.allow.reread()
    }

    /// Entries in the source tables, the spilled ones included.
    pub fn sources_installed(&self) -> u64 {
        self.maps.sources.used4 + self.maps.sources.used6 + self.maps.spill.entries.len() as u64
    }

    /// Clears what the filter holds in vain, if it does; `prefixes` are all that is installed.
    pub fn sweep_filter(&mut self, prefixes: impl Iterator<Item = Prefix>) {
        if self.maps.sources.filter.is_stale() {
            self.maps.sources.filter.sweep(prefixes);
        }
    }

    /// What one installed rule means now.
    pub fn meaning(rule: SourceRule, monotonic: u64) -> Outcome {
        rule.outcome(u32::try_from((monotonic / 1_000_000_000) & 0xffff_ffff).unwrap_or(0))
    }

    /// Blocks a flow.
    pub fn put_flow(&mut self, key: FlowKey, rule: Rule) -> Result<(), KernelError> {
        self.maps.flows.put(key, rule)?;
        self.tell_flows()
    }

    /// Takes a flow off; false when it was not there.
    pub fn remove_flow(&mut self, key: &FlowKey) -> Result<bool, KernelError> {
        let removed = self.maps.flows.remove(key)?;
        self.tell_flows()?;
        Ok(removed)
    }

    /// What is installed for a flow.
    pub fn flow(&self, key: &FlowKey) -> Result<Option<Rule>, KernelError> {
        self.maps.flows.read(key)
    }

    /// Sets a decision on an identity. Another rate begins with a full bucket.
    pub fn put_identity(&mut self, key: IdentityKey, rule: Rule) -> Result<(), KernelError> {
        let limits = rule.action() == Action::Limit;
        let other_rate = limits && self.identity(&key)?.is_none_or(|held| held.rate() != rule.rate());
        // Marked before it is filled: an entry must count from its first instant.
        self.maps.named.mark(key.digest());
        self.maps.identities.put(key, rule)?;
        if other_rate {
            self.forget_bucket(&key);
        }
        Ok(())
    }

    /// Where there is no bucket, the next request makes one.
    fn forget_bucket(&mut self, key: &IdentityKey) {
        let _ = self.maps.buckets.remove(key);
    }

    /// Takes a decision on an identity off; false when it was not there.
    pub fn remove_identity(&mut self, key: &IdentityKey) -> Result<bool, KernelError> {
        let removed = self.maps.identities.remove(key)?;
        self.forget_bucket(key);
        Ok(removed)
    }

    /// Notes whose session it is. The oldest is forgotten when there is no room.
    pub fn put_session_user(&mut self, session: u64, user: u64) -> Result<(), KernelError> {
        let put = self.maps.session_users.insert(session, user, 0);
        put.map_err(|error| KernelError::Map { map: "SESSION_USERS", reason: error.to_string() })
    }

    /// What is installed for an identity.
    pub fn identity(&self, key: &IdentityKey) -> Result<Option<Rule>, KernelError> {
        self.maps.identities.read(key)
    }

    /// Puts a network on the allowlist.
    pub fn put_allow(&mut self, key: AllowKey, rule: AllowRule) -> Result<(), KernelError> {
        // Asked before it is filled: an entry must count from its first instant.
        self.change_settings(|settings| settings.allow = 1)?;
        self.maps.allow.put(SpillKey { bits: key.bits, address: key.address }, rule)
    }

    /// Takes a network off the allowlist; false when it was not there.
    pub fn remove_allow(&mut self, key: AllowKey) -> Result<bool, KernelError> {
        let removed = self.maps.allow.remove(SpillKey { bits: key.bits, address: key.address })?;
        self.tell_allowlist()?;
        Ok(removed)
    }

    /// What is installed for exactly this network of the allowlist.
    pub fn allowed(&self, key: AllowKey) -> Option<AllowRule> {
        self.maps.allow.entries.get(&SpillKey { bits: key.bits, address: key.address }).copied()
    }

    /// Sets a service on a port; its counters begin at zero when it is new.
    pub fn put_service(&mut self, key: ServiceKey, rule: ServiceRule) -> Result<(), KernelError> {
        let counters = &mut self.maps.service_counters;
        if counters.get(&rule.id, 0).is_err() {
            let zero = vec![ServiceCounters::default(); aya::util::nr_cpus().unwrap_or(1)];
            let values = aya::maps::PerCpuValues::try_from(zero)
                .map_err(|source| KernelError::System { step: "make room for a service's counters", source })?;
            let made = counters.insert(rule.id, values, 0);
            made.map_err(|error| KernelError::Map { map: "SERVICE_COUNTERS", reason: error.to_string() })?;
        }
        self.maps.services.put(key, rule)
    }

    /// Takes a service off a port; false when it was not there.
    pub fn remove_service(&mut self, key: &ServiceKey) -> Result<bool, KernelError> {
        self.maps.services.remove(key)
    }

    /// What is installed for a port.
    pub fn service(&self, key: &ServiceKey) -> Result<Option<ServiceRule>, KernelError> {
        self.maps.services.read(key)
    }

    /// Replaces a refusal.
    pub fn put_notice(&mut self, index: u8, notice: &Notice) -> Result<(), KernelError> {
        let put = self.maps.notices.set(u32::from(index), notice, 0);
        put.map_err(|error| KernelError::Map { map: "NOTICES", reason: error.to_string() })
    }

    /// Replaces one side of the watched headers.
    pub fn put_watchlist(&mut self, index: u8, watchlist: &Watchlist) -> Result<(), KernelError> {
        let put = self.maps.watchlists.set(u32::from(index), watchlist, 0);
        put.map_err(|error| KernelError::Map { map: "WATCHLISTS", reason: error.to_string() })
    }

    /// Replaces a place.
    pub fn put_place(&mut self, index: u16, place: &Place) -> Result<(), KernelError> {
        let put = self.maps.places.set(u32::from(index), PlaceCell(*place), 0);
        put.map_err(|error| KernelError::Map { map: "PLACES", reason: error.to_string() })
    }

    /// A place, as the kernel holds it now.
    pub fn place(&self, index: u16) -> Option<Place> {
        self.maps.places.get(&u32::from(index), 0).ok().map(|cell| cell.0)
    }

    /// Switches enforcement off or on.
    pub fn set_bypass(&mut self, bypass: bool) -> Result<(), KernelError> {
        self.change_settings(|settings| settings.bypass = u32::from(bypass))
    }

    /// True when enforcement is off.
    pub fn bypass(&self) -> Result<bool, KernelError> {
        Ok(self.settings()?.bypass != 0)
    }

    /// Nanoseconds without a heartbeat after which everything passes; 0 for never.
    pub fn lease(&self) -> Result<u64, KernelError> {
        Ok(self.settings()?.lease)
    }

    /// Sets the lease.
    pub fn set_lease(&mut self, lease: u64) -> Result<(), KernelError> {
        self.change_settings(|settings| settings.lease = lease)
    }

    /// What the small maps hold.
    pub fn observed(&self) -> Result<Observed, KernelError> {
        Ok(Observed {
            allow: Trie::rules(self.maps.allow.all()?),
            flows: self.maps.flows.all()?,
            identities: self.maps.identities.all()?,
            services: self.maps.services.all()?,
        })
    }

    /// Entries on subjects of one kind.
    pub fn installed(&self, kind: SubjectKind) -> u64 {
        match kind {
            SubjectKind::Ip => self.sources_installed(),
            SubjectKind::Flow => self.maps.flows.used,
            SubjectKind::Device | SubjectKind::Session | SubjectKind::User | SubjectKind::ApiKey => {
                self.maps.identities.used_by_class.get(kind as usize).copied().unwrap_or(0)
            }
        }
    }

    /// How full each map is.
    pub fn fill(&self) -> Vec<Fill> {
        self.maps.fill()
    }

    /// Every counter by reason, summed over the processors.
    pub fn counters(&self) -> Result<Vec<(Reason, Counter)>, KernelError> {
        let failed = |error: aya::maps::MapError| KernelError::Map { map: "COUNTERS", reason: error.to_string() };
        let sum = |(index, reason): (u32, &Reason)| {
            let values = self.maps.counters.get(&index, 0).map_err(failed)?;
            let total = values
                .iter()
                .fold(Counter::default(), |a, b| Counter { count: a.count + b.count, bytes: a.bytes + b.bytes });
            Ok((*reason, total))
        };
        (0_u32..).zip(Reason::ALL).map(sum).collect()
    }

    /// Requests by service id, summed over the processors.
    pub fn service_counters(&self) -> BTreeMap<u32, ServiceCounters> {
        let sum = |values: aya::maps::PerCpuValues<ServiceCounters>| {
            let mut total = ServiceCounters::default();
            for one in values.iter() {
                total.add(one);
            }
            total
        };
        self.maps.service_counters.iter().flatten().map(|(id, values)| (id, sum(values))).collect()
    }

    /// Events told, lost for want of room in the ring, and left out by sampling; samples told and lost.
    pub fn event_counts(&self) -> [u64; 5] {
        [0, 1, 2, 3, 4].map(|index| self.maps.event_counts.get(&index, 0).map_or(0, |values| values.iter().sum()))
    }

    /// Refused connections that are still remembered.
    pub fn refused_connections(&self) -> u64 {
        self.maps.denied.keys().flatten().count() as u64
    }

    /// The last sign of life, monotonic nanoseconds.
    pub fn last_heartbeat(&self) -> Option<u64> {
        self.maps.heartbeat.get(&0, 0).ok()
    }

    pub(super) fn settings(&self) -> Result<Settings, KernelError> {
        let read = self.maps.settings.get(&0, 0);
        read.map_err(|error| KernelError::Map { map: "SETTINGS", reason: error.to_string() })
    }

    pub(super) fn write_settings(&mut self, settings: &Settings) -> Result<(), KernelError> {
        let written = self.maps.settings.set(0, settings, 0);
        written.map_err(|error| KernelError::Map { map: "SETTINGS", reason: error.to_string() })
    }

    fn change_settings(&mut self, change: impl FnOnce(&mut Settings)) -> Result<(), KernelError> {
        let before = self.settings()?;
        let mut after = before;
        change(&mut after);
        if after == before { Ok(()) } else { self.write_settings(&after) }
    }

    /// Lets the data path skip the flow lookup while there are none.
    fn tell_flows(&mut self) -> Result<(), KernelError> {
        let any = u32::from(self.maps.flows.used != 0);
        self.change_settings(|settings| settings.flows = any)
    }

    /// Lets the data path skip the allowlist while it is empty.
    pub(super) fn tell_allowlist(&mut self) -> Result<(), KernelError> {
        let any = u32::from(!self.maps.allow.entries.is_empty());
        self.change_settings(|settings| settings.allow = any)
    }

    /// Keeps the filter as small as it can be, and no smaller.
    fn grow_filter(&mut self) -> Result<(), KernelError> {
        let Some(mask) = self.maps.sources.filter.grown() else { return Ok(()) };
        self.change_settings(|settings| (settings.filter, settings.gate) = (mask, gate_mask(mask)))?;
        self.maps.sources.filter.follow(mask);
        Ok(())
    }

    /// Makes readers probe the stratum of `prefix`, before anything lies in it.
    fn open_stratum(&mut self, prefix: Prefix) -> Result<(), KernelError> {
        let stratum = stratum_of(prefix);
        if stratum == enforcer_common::HOST || self.strata_open(prefix.address().is_v4()) >> stratum & 1 == 1 {
            return Ok(());
        }
        let v4 = prefix.address().is_v4();
        self.change_settings(|settings| {
            let strata = if v4 { &mut settings.strata4 } else { &mut settings.strata6 };
            *strata |= 1 << stratum;
        })?;
        let settings = self.settings()?;
        self.maps.strata = [settings.strata4, settings.strata6];
        Ok(())
    }

    fn strata_open(&self, v4: bool) -> u32 {
        self.maps.strata[usize::from(!v4)]
    }
}

fn spill_key(prefix: Prefix) -> SpillKey {
    SpillKey { bits: u32::from(prefix.length()), address: prefix.address() }
}
