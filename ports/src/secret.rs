//! Bytes that are zeroed when they are dropped and never printed (C21).

use std::fmt;

use domain::DEK_EXPECTED_LENGTH;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A PIN, a password or a private key.
#[derive(Clone, Eq, PartialEq, Zeroize, ZeroizeOnDrop)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes the bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text, where they are UTF-8.
    #[must_use]
    pub fn expose_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The plain data-encryption key: 32 bytes on the heap, so that a move leaves no copy behind.
#[derive(Clone)]
pub struct Dek(Box<Zeroizing<[u8; DEK_EXPECTED_LENGTH]>>);

impl Dek {
    /// Takes the bytes, where there are exactly 32; the caller's buffer is the caller's to zero.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != DEK_EXPECTED_LENGTH {
            return None;
        }
        let mut key = Box::new(Zeroizing::new([0; DEK_EXPECTED_LENGTH]));
        key.copy_from_slice(bytes);
        Some(Self(key))
    }

    /// The bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8; DEK_EXPECTED_LENGTH] {
        &self.0
    }

    /// Whether both are the same key, in a time that does not depend on where they differ.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.0
            .iter()
            .zip(other.0.iter())
            .fold(0, |difference, (a, b)| difference | (a ^ b))
            == 0
    }
}

impl fmt::Debug for Dek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dek(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c21_a_secret_is_never_printed() {
        let secret = Secret::from("hunter2".to_owned());
        assert!(!format!("{secret:?} {:?}", Some(&secret)).contains("hunter2"));
        let dek = Dek::from_bytes(&[0x41; 32]).unwrap();
        assert_eq!(format!("{dek:?}"), "Dek(…)");
    }

    #[test]
    fn a_dek_has_32_bytes() {
        assert!(Dek::from_bytes(&[0; 31]).is_none());
        assert!(Dek::from_bytes(&[0; 33]).is_none());
    }

    #[test]
    fn same_means_every_byte() {
        let mut bytes = [7; 32];
        let dek = Dek::from_bytes(&bytes).unwrap();
        assert!(dek.is_same(&dek.clone()));
        bytes[31] ^= 1;
        assert!(!dek.is_same(&Dek::from_bytes(&bytes).unwrap()));
    }
}
