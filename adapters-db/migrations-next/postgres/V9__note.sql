-- For tests alone: what an upgrade of the schema brings.
CREATE TABLE note (
    id BIGINT PRIMARY KEY,
    text TEXT
);
