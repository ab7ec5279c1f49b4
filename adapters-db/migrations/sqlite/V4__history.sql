-- Equal starts in a row share one row.
CREATE TABLE startup_history (
    id INTEGER PRIMARY KEY,
    first_at TEXT,
    last_at TEXT,
    starts INTEGER,
    version TEXT,
    container_id TEXT,
    startup_scenario TEXT,
    restore_scenario TEXT,
    outcome TEXT,
    changes TEXT
);
