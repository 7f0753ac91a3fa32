//! Who may speak to the center: tokens of people and programs, and the one-time tokens of hosts to be.
//!
//! In: digests of secrets. Out: whom a secret belongs to. Never here: the secrets.
use enforcer_policy::revision::Digest;
use enforcer_policy::{Moment, SOURCE};
use rusqlite::{OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, audit, moment, number, stored};
use crate::{clock, secret};

/// What the owner of a token may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub enum Role {
    /// Read.
    Viewer,
    /// Read, and change policy.
    Operator,
    /// Read, and stand for changes of others.
    Approver,
}

impl Role {
    /// The word used everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
        }
    }

    fn named(word: &str) -> Option<Self> {
        [Self::Viewer, Self::Operator, Self::Approver].into_iter().find(|role| role.name() == word)
    }
}

/// A token, without its secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Token {
    /// The part before the secret.
    pub id: String,
    /// Whose.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created: Moment,
    /// When it ends.
    pub until: Option<Moment>,
    /// It no longer counts.
    pub revoked: bool,
    #[serde(skip)]
    digest: Digest,
}

/// Whether a name would be taken for that of a source.
pub fn is_source(name: &str) -> bool {
    name.trim_start().get(..SOURCE.len()).is_some_and(|start| start.eq_ignore_ascii_case(SOURCE))
}

impl Token {
    fn counts(&self) -> bool {
        !self.revoked && self.until.is_none_or(|until| until > clock::now())
    }
}

/// A host that may enrol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Enrolment {
    /// Its name.
    pub host: String,
    /// Its groups.
    pub groups: Vec<String>,
}

impl Store {
    /// Makes a token; the text is shown once.
    pub fn add_token(&mut self, name: &str, role: Role, until: Option<Moment>, who: &str) -> anyhow::Result<String> {
        anyhow::ensure!(
            !is_source(name),
            "{name} would be taken for a source: names of people do not begin with {SOURCE}"
        );
        let (id, key) = (secret::hex(&secret::random::<4>()?), secret::text()?);
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO tokens (id, name, role, digest, created, until) VALUES (?, ?, ?, ?, ?, ?)",
                params![
                    id,
                    name,
                    role.name(),
                    secret::digest(&key).to_string(),
                    stored(clock::now().0)?,
                    until.map(|until| stored(until.0)).transpose()?
                ],
            )?;
            audit::append(transaction, who, "token added", &format!("{id} for {name}, {}", role.name()))
        })?;
        Ok(format!("ect_{id}_{key}"))
    }

    /// All tokens, oldest first.
    pub fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        let mut statement = self.connection.prepare(&format!("{TOKENS} ORDER BY created"))?;
        let rows = statement.query_map([], token)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whose this text is, if it still counts.
    pub fn token(&self, text: &str) -> Result<Option<Token>, StoreError> {
        let Some((id, key)) = text.strip_prefix("ect_").and_then(|rest| rest.split_once('_')) else { return Ok(None) };
        let mut statement = self.connection.prepare_cached(&format!("{TOKENS} WHERE id = ?"))?;
        let found = statement.query_row([id], token).optional()?;
        // Compared even where there is none, so that both take the same time.
        let kept = found.as_ref().map_or_else(Digest::default, |token| token.digest);
        let right = secret::is(key, &kept);
        Ok(found.filter(|token| right && token.counts()))
    }

    /// Whether the token of this id counts.
    pub fn token_counts(&self, id: &str) -> Result<bool, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!("{TOKENS} WHERE id = ?"))?;
        Ok(statement.query_row([id], token).optional()?.is_some_and(|token| token.counts()))
    }

    /// Ends a token; false when there is none.
    pub fn revoke_token(&mut self, id: &str, who: &str) -> Result<bool, StoreError> {
        self.write(|transaction| {
            let ended =
                transaction.execute("UPDATE tokens SET revoked = 1 WHERE id = ? AND revoked = 0", params![id])?;
            if ended > 0 {
                audit::append(transaction, who, "token revoked", id)?;
            }
            Ok(ended > 0)
        })
    }

    /// Lets a host enrol once, until then; gives id and secret.
    pub fn invite(&mut self, invited: &Enrolment, until: Moment, who: &str) -> anyhow::Result<(String, String)> {
        let (id, key) = (secret::hex(&secret::random::<4>()?), secret::text()?);
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO enrolments (id, host, groups, digest, until) VALUES (?, ?, ?, ?, ?)",
                params![id, invited.host, invited.groups.join(","), secret::digest(&key).to_string(), stored(until.0)?],
            )?;
            audit::append(transaction, who, "host invited", &invited.host)
        })?;
        Ok((id, key))
    }

    /// The invitation of this secret, if it is open. It stays open: see [`Store::enrol`].
    pub fn invitation(&self, id: &str, key: &str) -> Result<Option<Enrolment>, StoreError> {
        let query = "SELECT host, groups, digest, until, used FROM enrolments WHERE id = ?";
        let found = self.connection.query_row(query, [id], |row| {
            let digest: String = row.get(2)?;
            let groups = super::hosts::split(&row.get::<_, String>(1)?);
            Ok((Enrolment { host: row.get(0)?, groups }, digest, moment(row, 3)?, number(row, 4)?))
        });
        let found = found.optional()?;
        let kept = found.as_ref().and_then(|found| found.1.parse().ok()).unwrap_or_default();
        let right = secret::is(key, &kept);
        Ok(found.filter(|found| right && found.2 > clock::now() && found.3 == 0).map(|found| found.0))
    }
}

fn token(row: &rusqlite::Row<'_>) -> rusqlite::Result<Token> {
    let (role, digest): (String, String) = (row.get(2)?, row.get(3)?);
    Ok(Token {
        id: row.get(0)?,
        name: row.get(1)?,
        role: Role::named(&role).unwrap_or(Role::Viewer),
        digest: digest.parse().unwrap_or_default(),
        created: moment(row, 4)?,
        until: row.get::<_, Option<i64>>(5)?.map(|until| Moment(u64::try_from(until).unwrap_or(0))),
        revoked: number(row, 6)? != 0,
    })
}

const TOKENS: &str = "SELECT id, name, role, digest, created, until, revoked FROM tokens";
