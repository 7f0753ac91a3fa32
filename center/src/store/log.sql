BEGIN IMMEDIATE;
-- One row where this file follows a log that it shares with other replicas: up to which record, that record's hash, and the last record
-- of somebody else that changed policy.
CREATE TABLE log (
    one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL, applied INTEGER NOT NULL, hash BLOB NOT NULL, others INTEGER NOT NULL
) STRICT;
PRAGMA user_version = 7;
COMMIT;
