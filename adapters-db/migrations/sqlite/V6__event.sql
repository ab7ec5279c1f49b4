-- What commands did. 'after_start' is the newest start then: it tells the order of both, whatever
-- the clock did.
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    after_start INTEGER,
    at TEXT,
    version TEXT,
    container_id TEXT,
    user_id INTEGER,
    event TEXT,
    detail TEXT
);

-- Who ran it: NULL in rows from before.
ALTER TABLE startup_history ADD COLUMN user_id INTEGER;
