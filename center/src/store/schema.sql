BEGIN IMMEDIATE;
-- Immutable: the triggers below refuse changes even to a program that has gone wrong.
CREATE TABLE revisions (number INTEGER PRIMARY KEY, head BLOB NOT NULL, delta BLOB NOT NULL, plain INTEGER NOT NULL) STRICT;
CREATE TABLE audit (
    number INTEGER PRIMARY KEY, time INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE TRIGGER revisions_stay BEFORE UPDATE ON revisions BEGIN SELECT RAISE(ABORT, 'revisions are immutable'); END;
CREATE TRIGGER revisions_remain BEFORE DELETE ON revisions BEGIN SELECT RAISE(ABORT, 'revisions are immutable'); END;
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_remains BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- One row: the latest whole content, so that a start needs few deltas.
CREATE TABLE snapshot (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL, body BLOB NOT NULL, plain INTEGER NOT NULL) STRICT;
CREATE TABLE tokens (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, digest TEXT NOT NULL, created INTEGER NOT NULL,
    until INTEGER, revoked INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE enrolments (
    id TEXT PRIMARY KEY, host TEXT NOT NULL, groups TEXT NOT NULL, digest TEXT NOT NULL, until INTEGER NOT NULL,
    used INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE hosts (
    name TEXT PRIMARY KEY, groups TEXT NOT NULL, fingerprint TEXT NOT NULL UNIQUE, next TEXT, enrolled INTEGER NOT NULL,
    revoked INTEGER NOT NULL DEFAULT 0, seen INTEGER, ack TEXT
) STRICT;
CREATE TABLE replies (
    who TEXT NOT NULL, key TEXT NOT NULL, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
    time INTEGER NOT NULL, PRIMARY KEY (who, key)
) STRICT;
PRAGMA user_version = 1;
COMMIT;
