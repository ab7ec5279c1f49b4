//! The ten faults of the reference, as its measurements number them: what this program does
//! instead.

pub mod hsm;
mod kills;
mod node;
