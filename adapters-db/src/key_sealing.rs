//! Private keys sealed under the DEK: AES-256-GCM (NIST SP 800-38D) with a random nonce, bound to
//! the installation and to the credential's row.
//!
//! Blob: `TPSK`, version 1, 12 bytes of nonce, ciphertext with its 16-byte tag.

use domain::InstallationId;
use ports::{CryptoError, Dek, SealedKey, Secret};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

const HEADER: &[u8; 5] = b"TPSK\x01";
const DOMAIN: &[u8] = b"trustpoint/credential/private-key/v1";

/// Seals the private key of the credential with this fingerprint.
pub(crate) fn seal(
    dek: &Dek,
    installation: &InstallationId,
    fingerprint: &str,
    key: &Secret,
) -> Result<Vec<u8>, CryptoError> {
    let bound_to = associated_data(installation, fingerprint);
    seal_bytes(dek, bound_to, key.expose()).map_err(|Unspecified| CryptoError::SealingFailed {
        fingerprint: fingerprint.to_owned(),
    })
}

/// Opens.
pub(crate) fn unseal(dek: &Dek, key: &SealedKey) -> Result<Secret, CryptoError> {
    unseal_bytes(dek, key).map_err(|Unspecified| CryptoError::KeyDoesNotOpen {
        fingerprint: key.fingerprint.clone(),
    })
}

/// Whether the key opens.
pub(crate) fn opens(dek: &Dek, key: &SealedKey) -> bool {
    unseal_bytes(dek, key).is_ok()
}

/// Where a sealed key belongs; it opens nowhere else. Each part ends with a byte that it cannot
/// contain itself.
fn associated_data(installation: &InstallationId, fingerprint: &str) -> Vec<u8> {
    [
        HEADER.as_slice(),
        DOMAIN,
        installation.as_str().as_bytes(),
        fingerprint.as_bytes(),
    ]
    .join(&0)
}

fn seal_bytes(dek: &Dek, bound_to: Vec<u8>, key: &[u8]) -> Result<Vec<u8>, Unspecified> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce)?;
    let tag_length = AES_256_GCM.tag_len();
    // Room for the tag from the start: a buffer that grows would leave a copy of the key behind.
    let mut buffer = Zeroizing::new(Vec::with_capacity(key.len() + tag_length));
    buffer.extend_from_slice(key);
    cipher(dek)?.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(bound_to),
        &mut *buffer,
    )?;
    Ok([HEADER.as_slice(), &nonce, &buffer].concat())
}

fn unseal_bytes(dek: &Dek, key: &SealedKey) -> Result<Secret, Unspecified> {
    let body = key.blob.strip_prefix(HEADER).ok_or(Unspecified)?;
    let (nonce, sealed) = body.split_at_checked(NONCE_LEN).ok_or(Unspecified)?;
    let mut buffer = Zeroizing::new(sealed.to_vec());
    let key = cipher(dek)?.open_in_place(
        Nonce::try_assume_unique_for_key(nonce)?,
        Aad::from(associated_data(&key.installation, &key.fingerprint)),
        &mut buffer,
    )?;
    Ok(Secret::new(key.to_vec()))
}

fn cipher(dek: &Dek) -> Result<LessSafeKey, Unspecified> {
    UnboundKey::new(&AES_256_GCM, dek.expose()).map(LessSafeKey::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dek(byte: u8) -> Dek {
        Dek::from_bytes(&[byte; 32]).unwrap()
    }

    fn sealed(blob: Vec<u8>) -> SealedKey {
        SealedKey {
            blob,
            installation: InstallationId::from_random([1; 16]),
            fingerprint: "AA".to_owned(),
        }
    }

    fn seal_key() -> (Secret, SealedKey) {
        let key = Secret::from("key".to_owned());
        let installation = InstallationId::from_random([1; 16]);
        let blob = seal(&dek(1), &installation, "AA", &key).unwrap();
        (key, sealed(blob))
    }

    #[test]
    fn a_sealed_key_opens_in_its_place_alone() {
        let (key, sealed) = seal_key();
        assert!(sealed.blob.starts_with(b"TPSK\x01"));
        assert_eq!(unseal(&dek(1), &sealed).unwrap(), key);
        assert_ne!(sealed.blob, seal_key().1.blob, "random nonce");

        assert!(!opens(&dek(2), &sealed));
        let mut moved = sealed.clone();
        moved.fingerprint = "AB".to_owned();
        assert!(!opens(&dek(1), &moved));
        let mut moved = sealed;
        moved.installation = InstallationId::from_random([2; 16]);
        assert!(!opens(&dek(1), &moved));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let blob = seal_key().1.blob;
        for bit in 0..blob.len() * 8 {
            let mut altered = blob.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(!opens(&dek(1), &sealed(altered)), "bit {bit}");
        }
        for length in 0..blob.len() {
            let error = unseal(&dek(1), &sealed(blob[..length].to_vec())).unwrap_err();
            assert!(matches!(error, CryptoError::KeyDoesNotOpen { .. }));
        }
    }
}
