-- What every table has in common with its twin for SQLite: names and order of columns, and rows that
-- are the same word for word, so that a database can move in either direction.

-- Singletons have id 1. Nothing here forbids what a person may have to repair by hand; what can
-- not be right is found when it is read.
CREATE TABLE installation (
    id BIGINT PRIMARY KEY,
    installation_id TEXT,
    setup_completed_at TEXT,
    created_at TEXT
);

-- In the migration, so that there is no moment with a schema and no identity.
INSERT INTO installation (id, installation_id, created_at)
VALUES (
    1,
    replace(gen_random_uuid()::text, '-', ''),
    to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
);

CREATE TABLE app_version (
    id BIGINT PRIMARY KEY,
    version TEXT,
    container_id TEXT,
    last_updated TEXT
);

CREATE TABLE key_storage_config (
    id BIGINT PRIMARY KEY,
    storage_type TEXT CHECK (storage_type IN ('software', 'softhsm', 'physical_hsm')),
    last_updated TEXT
);
