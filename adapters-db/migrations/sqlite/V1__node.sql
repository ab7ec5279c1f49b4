-- "TPCT": tells this project's databases from those of other applications.
PRAGMA application_id = 1414546260;

-- Singletons have id 1. Nothing here forbids what a person may have to repair by hand; what can
-- not be right is found when it is read.
CREATE TABLE installation (
    id INTEGER PRIMARY KEY,
    installation_id TEXT,
    setup_completed_at TEXT,
    created_at TEXT
);

-- In the migration, so that there is no moment with a schema and no identity.
INSERT INTO installation (id, installation_id, created_at)
VALUES (1, lower(hex(randomblob(16))), strftime('%Y-%m-%dT%H:%M:%SZ', 'now'));

CREATE TABLE app_version (
    id INTEGER PRIMARY KEY,
    version TEXT,
    container_id TEXT,
    last_updated TEXT
);

CREATE TABLE key_storage_config (
    id INTEGER PRIMARY KEY,
    storage_type TEXT CHECK (storage_type IN ('software', 'softhsm', 'physical_hsm')),
    last_updated TEXT
);
