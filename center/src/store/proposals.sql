BEGIN IMMEDIATE;
-- Changes that wait for a second person. What became of one stands in the audit log.
CREATE TABLE proposals (
    id INTEGER PRIMARY KEY AUTOINCREMENT, author TEXT NOT NULL, token TEXT NOT NULL, comment TEXT NOT NULL, kind TEXT NOT NULL,
    classes TEXT NOT NULL, detail TEXT NOT NULL, forced INTEGER NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL,
    until INTEGER NOT NULL, forward BLOB NOT NULL, forward_plain INTEGER NOT NULL, before BLOB NOT NULL,
    before_plain INTEGER NOT NULL
) STRICT;
-- Who stands for a policy on trial besides the one who began it.
ALTER TABLE trial ADD COLUMN approver TEXT;
PRAGMA user_version = 5;
COMMIT;
