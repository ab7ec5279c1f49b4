//! The identifiers that tie a database to its token.

use std::fmt;
use std::fmt::Write as _;

/// The text or bytes can not be the identifier they should be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum IdentityError {
    /// An installation id is 32 lower-case hexadecimal digits.
    #[error("an installation id is 32 hexadecimal digits, this one is {0:?}")]
    Installation(String),
    /// A CKA_ID of this project has 1 to 64 bytes.
    #[error("a KEK id has 1 to 64 bytes, this one has {0}")]
    Kek(usize),
}

/// Random id of one installation; the database and the token's marker carry the same one (C23).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct InstallationId(String);

impl InstallationId {
    /// Makes the id from 16 random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(hex(&bytes))
    }

    /// Reads the id as [`InstallationId::as_str`] gives it.
    ///
    /// # Errors
    /// The text is not 32 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let right = text.len() == 32
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if right {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdentityError::Installation(text.into()))
        }
    }

    /// The 32 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstallationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// CKA_ID of a key-encryption key (PKCS#11 v3.1, section 4.7): random, so that another KEK under
/// the same label is never taken for ours.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct KekId(Vec<u8>);

impl KekId {
    /// Takes the bytes of a CKA_ID.
    ///
    /// # Errors
    /// The id is empty or longer than 64 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, IdentityError> {
        if bytes.is_empty() || bytes.len() > 64 {
            return Err(IdentityError::Kek(bytes.len()));
        }
        Ok(Self(bytes.to_vec()))
    }

    /// The bytes of the CKA_ID.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KekId({self})")
    }
}

/// Bytes as they are shown: two lower-case digits each.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_id_reads_back() {
        let id = InstallationId::from_random([0xA5; 16]);
        assert_eq!(InstallationId::parse(id.as_str()).unwrap(), id);
    }

    #[test]
    fn other_texts_are_no_installation_id() {
        for text in [
            "",
            "a5",
            &"A5".repeat(16),
            &"g5".repeat(16),
            &"a5".repeat(17),
        ] {
            assert!(InstallationId::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_kek_id_has_one_to_sixty_four_bytes() {
        assert!(KekId::new(&[]).is_err());
        assert!(KekId::new(&[0; 65]).is_err());
        assert_eq!(KekId::new(&[1, 0xAB]).unwrap().to_string(), "01ab");
    }
}
