//! Random bytes of the system.

use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};

/// The system gives no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes for the setup page")]
pub struct NoRandom;

/// So many of them.
pub fn bytes<const N: usize>(random: &SystemRandom) -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    random.fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}

/// A key for HMAC that nobody but this process knows.
pub fn key(random: &SystemRandom) -> Result<hmac::Key, NoRandom> {
    hmac::Key::generate(hmac::HMAC_SHA256, random).map_err(|_| NoRandom)
}
