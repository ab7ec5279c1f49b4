-- Which of the nodes that share a database it was: NULL in rows from before.
ALTER TABLE startup_history ADD COLUMN node TEXT;
ALTER TABLE event ADD COLUMN node TEXT;
