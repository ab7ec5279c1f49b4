//! Fakes of the files.
