//! Fakes of the hsm.
