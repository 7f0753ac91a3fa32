//! Hosts: who they are by certificate, and what each last said of its kernel.
//!
//! In: enrolments and acknowledgements. Out: the hosts. Never here: whether a host does what it should (see `api/hosts.rs`).
use enforcer_policy::Moment;
use enforcer_policy::revision::Digest;
use rusqlite::{OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::{Enrolment, Store, StoreError, Writing, audit, moment, number, stored};
use crate::clock;

/// A host that has enrolled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its groups.
    pub groups: Vec<String>,
    /// When it enrolled.
    pub enrolled: Moment,
    /// It is no longer spoken to.
    pub revoked: bool,
    /// When it was last heard of.
    pub seen: Option<Moment>,
    /// What it last said.
    pub ack: Option<Ack>,
}

/// What a host says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ack {
    /// The revision it is at.
    pub number: u64,
    /// That revision's hash.
    pub hash: Digest,
    /// What its kernel holds of it.
    pub held: Held,
    /// Why it refused the last delivery, if it did.
    pub refused: Option<String>,
    /// Differences between kernel and policy that were mended since its start.
    #[serde(default)]
    pub repaired: u64,
    /// The agent's version.
    #[serde(default)]
    pub version: String,
    /// Addresses that its traffic depends on.
    #[serde(default)]
    pub gateways: Vec<std::net::IpAddr>,
    /// Its requests so far, when it was asked for them.
    #[serde(default)]
    pub traffic: Option<Traffic>,
}

/// What a host has seen since its counters began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// Requests, and packets dropped by their source.
    pub all: u64,
    /// Those that were refused.
    pub refused: u64,
}

/// What a host said, and by which certificate it is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// Its name.
    pub host: String,
    /// The certificate's fingerprint.
    pub certificate: String,
    /// What it said.
    pub ack: Ack,
}

/// What was read back from the maps.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// Decisions of the center in force.
    pub decisions: u64,
    /// Their digest.
    pub digest: Digest,
    /// Decisions that are not in force there, by reason.
    pub skipped: Skipped,
    /// Decisions made on the host itself.
    pub local: u64,
    /// Services and cells of the matrix that the host cannot carry out.
    #[serde(default)]
    pub left_out: u64,
}

/// Decisions that are not in force on a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// For other groups, or on services that this host does not have.
    pub elsewhere: u64,
    /// The host's own decision on the same subject stands.
    pub local: u64,
    /// Lifted on the host by hand.
    pub lifted: u64,
    /// Refused by the host: no room, or no meaning.
    pub failed: u64,
}

impl Traffic {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        let (all, refused) = (self.all.saturating_add(other.all), self.refused.saturating_add(other.refused));
        Self { all, refused }
    }

    /// What came since.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self { all: self.all.saturating_sub(other.all), refused: self.refused.saturating_sub(other.refused) }
    }

    /// The refused part in hundredths of a percent.
    pub fn share(self) -> u32 {
        let share = u128::from(self.refused) * 10_000 / u128::from(self.all.max(1));
        u32::try_from(share.min(10_000)).unwrap_or(10_000)
    }
}

impl Store {
    /// Makes a host of an invitation, which is then used up. False when somebody was faster.
    pub fn enrol(&mut self, id: &str, host: &Enrolment, fingerprint: &str) -> Result<bool, StoreError> {
        self.write(|transaction| {
            if transaction.execute("UPDATE enrolments SET used = 1 WHERE id = ? AND used = 0", params![id])? == 0 {
                return Ok(false);
            }
            transaction.execute(
                "INSERT INTO hosts (name, groups, fingerprint, enrolled) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO \
                 UPDATE SET groups = excluded.groups, fingerprint = excluded.fingerprint, enrolled = excluded.enrolled, \
                 revoked = 0, ack = NULL, next = NULL",
                params![host.host, host.groups.join(","), fingerprint, stored(clock::now().0)?],
            )?;
            audit::append(transaction, &host.host, "host enrolled", &format!("certificate {fingerprint}"))?;
            Ok(true)
        })
    }

    /// A renewed certificate. The old one counts until the new one is first seen: the host may never get it.
    pub fn renew(&mut self, name: &str, fingerprint: &str) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction.execute("UPDATE hosts SET next = ? WHERE name = ?", params![fingerprint, name])?;
            audit::append(transaction, name, "certificate renewed", fingerprint)
        })
    }

    /// The host of a certificate, unless it was revoked.
    pub fn host_of(&self, fingerprint: &str) -> Result<Option<Host>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached(&format!("{HOSTS} WHERE (fingerprint = ?1 OR next = ?1) AND revoked = 0"))?;
        Ok(statement.query_row([fingerprint], host).optional()?)
    }

    /// All hosts after a name, by name.
    pub fn hosts(&self, after: &str, limit: usize) -> Result<Vec<Host>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!("{HOSTS} WHERE name > ? ORDER BY name LIMIT ?"))?;
        let rows = statement.query_map(params![after, stored(limit as u64)?], host)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Ends a host's access; what it enforces stays. False when there is none.
    pub fn revoke_host(&mut self, name: &str, who: &str) -> Result<bool, StoreError> {
        self.write(|transaction| {
            let ended =
                transaction.execute("UPDATE hosts SET revoked = 1 WHERE name = ? AND revoked = 0", params![name])?;
            if ended > 0 {
                audit::append(transaction, who, "host revoked", name)?;
            }
            Ok(ended > 0)
        })
    }

    /// Keeps what hosts say, all in one step. A revision reached or refused is an audit entry; the rest is news of the moment.
    pub fn acknowledge(&mut self, said: &[Said]) -> Result<(), StoreError> {
        self.write(|transaction| said.iter().try_for_each(|one| one.keep(transaction)))
    }
}

impl Said {
    fn keep(&self, transaction: &Writing<'_>) -> Result<(), StoreError> {
        let Self { host, certificate, ack } = self;
        let text = serde_json::to_string(ack).map_err(|_unwritable| StoreError::Meaningless("an acknowledgement"))?;
        let before = said_before(transaction, host)?;
        let query = "UPDATE hosts SET ack = ?, seen = ? WHERE name = ?";
        transaction.execute(query, params![text, stored(clock::now().0)?, host])?;
        let query = "UPDATE hosts SET fingerprint = next, next = NULL WHERE name = ? AND next = ?";
        transaction.execute(query, params![host, certificate])?;
        if before.as_ref().is_none_or(|before| before.number != ack.number || before.held != ack.held) {
            let (number, held) = (ack.number, &ack.held);
            let detail = format!("revision {number}: {} decisions held, digest {}", held.decisions, held.digest);
            audit::append(transaction, host, "acknowledged", &detail)?;
        }
        if let Some(flaw) = &ack.refused
            && before.as_ref().is_none_or(|before| before.refused.as_ref() != Some(flaw))
        {
            audit::append(transaction, host, "refused", flaw)?;
        }
        Ok(())
    }
}

fn said_before(transaction: &Writing<'_>, host: &str) -> Result<Option<Ack>, StoreError> {
    let query = "SELECT ack FROM hosts WHERE name = ?";
    let text: Option<Option<String>> = transaction.one(query, params![host], |row| row.get(0))?;
    Ok(text.flatten().and_then(|text| serde_json::from_str(&text).ok()))
}

fn host(row: &rusqlite::Row<'_>) -> rusqlite::Result<Host> {
    let ack: Option<String> = row.get(5)?;
    Ok(Host {
        name: row.get(0)?,
        groups: split(&row.get::<_, String>(1)?),
        enrolled: moment(row, 2)?,
        revoked: number(row, 3)? != 0,
        seen: row.get::<_, Option<i64>>(4)?.map(|seen| Moment(u64::try_from(seen).unwrap_or(0))),
        ack: ack.and_then(|text| serde_json::from_str(&text).ok()),
    })
}

/// Groups as they lie in the table.
pub(super) fn split(groups: &str) -> Vec<String> {
    groups.split(',').filter(|group| !group.is_empty()).map(str::to_owned).collect()
}

const HOSTS: &str = "SELECT name, groups, enrolled, revoked, seen, ack FROM hosts";
