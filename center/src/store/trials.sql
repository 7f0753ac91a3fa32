BEGIN IMMEDIATE;
-- One row at most: the policy that is on trial, and how that ends.
CREATE TABLE trial (
    one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL, until INTEGER NOT NULL,
    confirm BLOB NOT NULL, confirm_plain INTEGER NOT NULL, undo BLOB NOT NULL, undo_plain INTEGER NOT NULL, who TEXT NOT NULL
) STRICT;
PRAGMA user_version = 2;
COMMIT;
