-- For tests alone: what an upgrade of the schema brings.
CREATE TABLE note (
    id INTEGER PRIMARY KEY,
    text TEXT
);
