//! Contract suites: each port's promises as tests that any implementation can be held to.
//!
//! A suite takes a factory, runs every case on a fresh value, and panics with the name of the
//! promise that was broken.

pub mod backups;
pub mod failed;
pub mod files;
mod history;
mod rig;
mod sealing;
pub mod store;
pub mod surroundings;
pub mod token;
