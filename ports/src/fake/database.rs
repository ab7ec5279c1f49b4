//! Fakes of the database.
