//! Text that nobody can guess.

use data_encoding::HEXLOWER;
use ports::{Fault, FaultKind};
use ring::rand::{SecureRandom as _, SystemRandom};

/// So many bytes of the system's generator, in hexadecimal.
pub(crate) fn hex<const BYTES: usize>() -> Result<String, Fault> {
    let mut bytes = [0; BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| {
        Fault::new(
            FaultKind::Internal,
            "the system's random generator gave nothing",
            "report this with the kernel version",
        )
    })?;
    Ok(HEXLOWER.encode(&bytes))
}
