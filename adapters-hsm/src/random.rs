//! Random bytes of the system: salts and IVs, and all of them where the token has no generator.

use ports::TokenError;
use ring::rand::{SecureRandom, SystemRandom};

/// From the system's generator.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], TokenError> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// The same into a buffer.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), TokenError> {
    SystemRandom::new()
        .fill(bytes)
        .map_err(|_| TokenError::NoRandomBytes)
}
