//! Random bytes that are no secret: salts and IVs.

use ports::TokenError;
use ring::rand::{SecureRandom, SystemRandom};

/// From the system's generator.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], TokenError> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| TokenError::NoRandomBytes)?;
    Ok(bytes)
}
