BEGIN IMMEDIATE;
-- Up to where the acts of each host's events stand in the audit log, so that what is told twice stands there once.
CREATE TABLE reported (
    host TEXT NOT NULL, spool TEXT NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (host, spool)
) STRICT;
PRAGMA user_version = 3;
COMMIT;
