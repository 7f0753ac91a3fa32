BEGIN IMMEDIATE;
-- A thousand hosts that ask at once are each found by either of their certificates, not by reading all hosts.
CREATE INDEX hosts_next ON hosts (next);
-- The snapshot is a file of its own now: writing it here kept everybody else from writing.
DROP TABLE snapshot;
PRAGMA user_version = 4;
COMMIT;
