//! Published modules, and what hosts tell of them, in a file of their own.
//!
//! In: signed files with who published them; words of hosts, the last ones of each. Out: rows. Never here: what is in a module. Hosts that were not
//! heard of for a month are forgotten.
use std::path::Path;

use enforcer_module::{Listed, MOST_PUBLISHED, Told};
use enforcer_policy::Moment;
use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

use super::{MONTH, PATIENCE, StoreError, moment, stored};

/// The modules.
pub struct ModuleStore {
    connection: Connection,
}

/// A module, and who stands for it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Published {
    /// As hosts see it.
    #[serde(flatten)]
    pub listed: Listed,
    /// What it does, in one line.
    pub title: String,
    /// Which hosts get it; none: all.
    pub groups: Vec<String>,
    /// Who published it.
    pub author: String,
    /// With which token.
    pub token: String,
    /// Who stands for it besides.
    pub approved_by: Option<String>,
    /// Why.
    pub comment: String,
    /// Since when it is so.
    pub published: Moment,
}

/// What a host tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostTold {
    /// The host.
    pub host: String,
    /// When it told.
    pub received: Moment,
    /// How each module is there.
    pub said: Vec<Told>,
}

impl Published {
    /// Whether a host of these groups gets it.
    pub fn is_for(&self, groups: &[String]) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|group| groups.contains(group))
    }
}

impl ModuleStore {
    /// Opens the file; makes it when it is not there.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match found {
            0 => connection.execute_batch(include_str!("modules.sql"))?,
            VERSION => {}
            found => return Err(StoreError::Version { found, ours: VERSION }),
        }
        Ok(Self { connection })
    }

    /// Publishes a module, or lets it wait, in place of the one of its name; false when there are too many.
    pub fn put(&mut self, module: &Published, waits: bool, file: &[u8]) -> Result<bool, StoreError> {
        let changed = self.connection.execute(
            "INSERT INTO modules (name, waits, about, file) SELECT ?1, ?2, ?3, ?4 \
             WHERE (SELECT count(*) FROM modules WHERE waits = ?2 AND name <> ?1) < ?5 \
             ON CONFLICT (name, waits) DO UPDATE SET about = excluded.about, file = excluded.file",
            params![module.listed.name, waits, written(module)?, file, stored(MOST_PUBLISHED as u64)?],
        )?;
        Ok(changed > 0)
    }

    /// One that waited is published, with what is known of it now; false when just that one does not wait, or there are too many.
    pub fn take_up(&mut self, waiting: &Published, module: &Published) -> Result<bool, StoreError> {
        let name = &module.listed.name;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let changed = transaction.execute(
            "INSERT OR REPLACE INTO modules (name, waits, about, file) SELECT name, 0, ?2, file FROM modules \
             WHERE name = ?1 AND waits = 1 AND about = ?4 AND (SELECT count(*) FROM modules WHERE waits = 0 AND name <> ?1) < ?3",
            params![name, written(module)?, stored(MOST_PUBLISHED as u64)?, written(waiting)?],
        )?;
        if changed > 0 {
            transaction.execute("DELETE FROM modules WHERE name = ? AND waits = 1", [name])?;
        }
        transaction.commit()?;
        Ok(changed > 0)
    }

    /// Those that hosts get, or those that wait, by their names.
    pub fn all(&self, waits: bool) -> Result<Vec<Published>, StoreError> {
        let query = "SELECT about FROM modules WHERE waits = ? ORDER BY name";
        let mut statement = self.connection.prepare_cached(query)?;
        let rows = statement.query_map([waits], |row| row.get::<_, String>(0))?;
        rows.map(|row| read(&row?)).collect()
    }

    /// The signed file of one that hosts get.
    pub fn file(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let query = "SELECT file FROM modules WHERE name = ? AND waits = 0";
        Ok(self.connection.query_row(query, [name], |row| row.get(0)).optional()?)
    }

    /// Takes one away; `published`: also from hosts. False when there was none.
    pub fn remove(&mut self, name: &str, published: bool) -> Result<bool, StoreError> {
        let query = "DELETE FROM modules WHERE name = ? AND (waits = 1 OR ?)";
        Ok(self.connection.execute(query, params![name, published])? > 0)
    }

    /// A host tells how its modules are, in place of what it told before.
    pub fn hear(&mut self, told: &HostTold) -> Result<(), StoreError> {
        let said = serde_json::to_string(&told.said).map_err(|_unwritable| StoreError::Meaningless(ROW))?;
        self.connection.execute(
            "INSERT INTO told (host, received, said) VALUES (?, ?, ?) \
             ON CONFLICT (host) DO UPDATE SET received = excluded.received, said = excluded.said",
            params![told.host, stored(told.received.0)?, said],
        )?;
        let past = stored(told.received.0.saturating_sub(MONTH))?;
        self.connection.execute("DELETE FROM told WHERE received < ?", [past])?;
        Ok(())
    }

    /// A host is none of ours any more.
    pub fn forget(&mut self, host: &str) -> Result<(), StoreError> {
        self.connection.execute("DELETE FROM told WHERE host = ?", [host])?;
        Ok(())
    }

    /// What all hosts have told last.
    pub fn told(&self) -> Result<Vec<HostTold>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT host, received, said FROM told ORDER BY host")?;
        let rows = statement.query_map([], |row: &Row<'_>| {
            let said = serde_json::from_str(&row.get::<_, String>(2)?).unwrap_or_default();
            Ok(HostTold { host: row.get(0)?, received: moment(row, 1)?, said })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn written(module: &Published) -> Result<String, StoreError> {
    serde_json::to_string(module).map_err(|_unwritable| StoreError::Meaningless(ROW))
}

fn read(text: &str) -> Result<Published, StoreError> {
    serde_json::from_str(text).map_err(|_unreadable| StoreError::Meaningless(ROW))
}

const ROW: &str = "a module";
const VERSION: i64 = 1;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use enforcer_module::State;
    use enforcer_policy::document::Mode;
    use enforcer_policy::revision::Digest;

    use super::*;

    fn module(name: &str, version: &str) -> Published {
        let listed = Listed {
            name: name.to_owned(),
            version: version.to_owned(),
            digest: Digest::default(),
            key: "00".repeat(8),
            bytes: 3,
            mode: Mode::Observe,
            parameters: BTreeMap::from([("page".to_owned(), "5".to_owned())]),
        };
        Published {
            listed,
            title: "pages".to_owned(),
            groups: vec!["edge".to_owned()],
            author: "ada".to_owned(),
            token: "1".to_owned(),
            approved_by: None,
            comment: String::new(),
            published: Moment(7),
        }
    }

    #[test]
    fn modules_wait_are_published_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = ModuleStore::open(&folder.path().join("modules.db")).unwrap();
        assert!(store.put(&module("a", "1"), false, b"one").unwrap());
        assert!(store.put(&module("a", "2"), true, b"two").unwrap());
        let mut store = ModuleStore::open(&folder.path().join("modules.db")).unwrap();
        assert_eq!(store.all(false).unwrap(), [module("a", "1")]);
        assert_eq!(store.file("a").unwrap().as_deref(), Some(&b"one"[..]), "what waits is nobody's");
        let approved = Published { approved_by: Some("bea".to_owned()), ..module("a", "2") };
        let waiting = module("a", "2");
        assert!(!store.take_up(&module("a", "3"), &approved).unwrap(), "another one waits");
        assert!(store.take_up(&waiting, &approved).unwrap() && !store.take_up(&waiting, &approved).unwrap());
        assert_eq!((store.all(false).unwrap(), store.all(true).unwrap()), (vec![approved], Vec::new()));
        assert_eq!(store.file("a").unwrap().as_deref(), Some(&b"two"[..]));
        assert!(!store.remove("a", false).unwrap() && store.remove("a", true).unwrap());
        assert!(!store.remove("a", true).unwrap() && store.file("a").unwrap().is_none());
    }

    #[test]
    fn there_are_not_more_than_so_many() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = ModuleStore::open(&folder.path().join("modules.db")).unwrap();
        for number in 0..MOST_PUBLISHED {
            assert!(store.put(&module(&format!("m{number}"), "1"), false, b"").unwrap());
        }
        assert!(!store.put(&module("more", "1"), false, b"").unwrap());
        assert!(store.put(&module("m1", "2"), false, b"").unwrap(), "in place of one");
        let more = module("more", "1");
        assert!(store.put(&more, true, b"").unwrap() && !store.take_up(&more, &more).unwrap());
    }

    #[test]
    fn the_last_word_of_a_host_counts() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = ModuleStore::open(&folder.path().join("modules.db")).unwrap();
        let told = |host: &str, received, state| {
            let (name, version) = ("a".to_owned(), "1".to_owned());
            let said = Told { name, version, digest: Digest::default(), state, why: String::new(), since: Moment(1) };
            HostTold { host: host.to_owned(), received: Moment(received), said: vec![said] }
        };
        store.hear(&told("edge-1", 5, State::Loaded)).unwrap();
        store.hear(&told("edge-1", 6, State::Stopped)).unwrap();
        store.hear(&told("edge-2", 7, State::Loaded)).unwrap();
        store.forget("edge-2").unwrap();
        assert_eq!(store.told().unwrap(), [told("edge-1", 6, State::Stopped)]);
        store.hear(&told("edge-3", 7 + MONTH, State::Loaded)).unwrap();
        assert_eq!(store.told().unwrap().len(), 1, "a month is over");
    }
}
