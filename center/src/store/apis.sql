BEGIN IMMEDIATE;
-- What each host knows of APIs, packed.
CREATE TABLE inventories (host TEXT PRIMARY KEY, received INTEGER NOT NULL, packed BLOB NOT NULL) STRICT;
-- What people said of endpoints, and how these looked then.
CREATE TABLE marks (
    service TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, mark TEXT NOT NULL, author TEXT NOT NULL,
    time INTEGER NOT NULL, comment TEXT NOT NULL, likeness TEXT NOT NULL, PRIMARY KEY (service, method, path)
) STRICT;
PRAGMA user_version = 1;
COMMIT;
