//! Contract suites of the hsm.
