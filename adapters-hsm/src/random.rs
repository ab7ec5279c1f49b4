//! Random bytes that are no secret: ids and IVs.

use ports::{Fault, FaultKind};
use ring::rand::{SecureRandom, SystemRandom};

/// From the system's generator.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| {
        Fault::new(
            FaultKind::Internal,
            "the system's random generator failed",
            "start again; if it stays, check the kernel's random device",
        )
    })?;
    Ok(bytes)
}
