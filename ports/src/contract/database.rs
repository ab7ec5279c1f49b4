//! Contract suites of the database.
