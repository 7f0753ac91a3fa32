BEGIN IMMEDIATE;
-- One row at most: the rollout that is on, or the last one; its change as long as it is on.
CREATE TABLE rollout (
    one INTEGER PRIMARY KEY CHECK (one = 1), state TEXT NOT NULL, forward BLOB NOT NULL, forward_plain INTEGER NOT NULL,
    before BLOB NOT NULL, before_plain INTEGER NOT NULL
) STRICT;
PRAGMA user_version = 6;
COMMIT;
