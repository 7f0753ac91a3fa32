BEGIN IMMEDIATE;
-- Modules: those that hosts get, and those that wait for a second person.
CREATE TABLE modules (
    name TEXT NOT NULL, waits INTEGER NOT NULL, about TEXT NOT NULL, file BLOB NOT NULL, PRIMARY KEY (name, waits)
) STRICT;
-- What each host tells of them.
CREATE TABLE told (host TEXT PRIMARY KEY, received INTEGER NOT NULL, said TEXT NOT NULL) STRICT;
PRAGMA user_version = 1;
COMMIT;
