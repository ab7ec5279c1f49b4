//! Contract suites of the files.
