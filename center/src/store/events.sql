BEGIN IMMEDIATE;
-- Numbers are never used twice, also when the oldest go.
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT, host TEXT NOT NULL, spool TEXT NOT NULL, sequence INTEGER,
    received INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_once ON events (host, spool, sequence);
CREATE INDEX events_kind ON events (kind, number);
-- Up to where each host's events were counted.
CREATE TABLE spools (
    host TEXT NOT NULL, spool TEXT NOT NULL, last INTEGER NOT NULL, seen INTEGER NOT NULL, PRIMARY KEY (host, spool)
) STRICT;
-- Up to where each export has brought them.
CREATE TABLE cursors (export TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT;
PRAGMA user_version = 1;
COMMIT;
