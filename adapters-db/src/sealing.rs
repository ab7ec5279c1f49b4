//! Private keys sealed under the DEK: AES-256-GCM (NIST SP 800-38D) with a random nonce, bound to
//! the installation and to the credential's row.
//!
//! Blob: `TPSK`, version 1, 12 bytes of nonce, ciphertext with its 16-byte tag.

use domain::InstallationId;
use ports::{Dek, Fault, FaultKind, Secret};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

const HEADER: &[u8; 5] = b"TPSK\x01";
const DOMAIN: &[u8] = b"trustpoint/credential/private-key/v1";

/// Where a sealed key belongs; it opens nowhere else.
pub(crate) struct Place<'a> {
    /// The installation.
    pub(crate) installation: &'a InstallationId,
    /// The fingerprint that the credential is stored under.
    pub(crate) fingerprint: &'a str,
}

impl Place<'_> {
    /// Each part with a terminator that it cannot contain itself.
    fn associated_data(&self) -> Vec<u8> {
        [
            HEADER.as_slice(),
            DOMAIN,
            self.installation.as_str().as_bytes(),
            self.fingerprint.as_bytes(),
        ]
        .join(&0)
    }
}

/// Seals.
pub(crate) fn seal(dek: &Dek, place: &Place<'_>, key: &Secret) -> Result<Vec<u8>, Fault> {
    seal_bytes(dek, place, key.expose()).map_err(|Unspecified| {
        Fault::new(
            FaultKind::Internal,
            format!("sealing the private key of {} failed", place.fingerprint),
            "this is a defect of the program or of the system's random generator; report it",
        )
    })
}

/// Opens.
pub(crate) fn unseal(dek: &Dek, place: &Place<'_>, blob: &[u8]) -> Result<Secret, Fault> {
    unseal_bytes(dek, place, blob).map_err(|Unspecified| {
        Fault::new(
            FaultKind::DataCorrupt,
            format!(
                "the sealed private key of the TLS credential {} does not open under this node's \
                 DEK: it was altered, moved from another row, or sealed under another DEK",
                place.fingerprint
            ),
            "make a new credential with `tls renew`, or bring the database back with \
             `backup restore`",
        )
    })
}

/// Whether the blob opens here.
pub(crate) fn opens(dek: &Dek, place: &Place<'_>, blob: &[u8]) -> bool {
    unseal_bytes(dek, place, blob).is_ok()
}

fn seal_bytes(dek: &Dek, place: &Place<'_>, key: &[u8]) -> Result<Vec<u8>, Unspecified> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce)?;
    let tag_length = AES_256_GCM.tag_len();
    // Room for the tag from the start: a buffer that grows would leave a copy of the key behind.
    let mut buffer = Zeroizing::new(Vec::with_capacity(key.len() + tag_length));
    buffer.extend_from_slice(key);
    cipher(dek)?.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(place.associated_data()),
        &mut *buffer,
    )?;
    Ok([HEADER.as_slice(), &nonce, &buffer].concat())
}

fn unseal_bytes(dek: &Dek, place: &Place<'_>, blob: &[u8]) -> Result<Secret, Unspecified> {
    let body = blob.strip_prefix(HEADER).ok_or(Unspecified)?;
    let (nonce, sealed) = body.split_at_checked(NONCE_LEN).ok_or(Unspecified)?;
    let mut buffer = Zeroizing::new(sealed.to_vec());
    let key = cipher(dek)?.open_in_place(
        Nonce::try_assume_unique_for_key(nonce)?,
        Aad::from(place.associated_data()),
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

    #[test]
    fn a_sealed_key_opens_in_its_place_alone() {
        let here = InstallationId::from_random([1; 16]);
        let elsewhere = InstallationId::from_random([2; 16]);
        let place = Place {
            installation: &here,
            fingerprint: "AA",
        };
        let key = Secret::from("key".to_owned());
        let blob = seal(&dek(1), &place, &key).unwrap();
        assert!(blob.starts_with(b"TPSK\x01"));
        assert_eq!(unseal(&dek(1), &place, &blob).unwrap(), key);
        assert_ne!(blob, seal(&dek(1), &place, &key).unwrap(), "random nonce");

        assert!(!opens(&dek(2), &place, &blob));
        for other in [
            Place {
                installation: &elsewhere,
                fingerprint: "AA",
            },
            Place {
                installation: &here,
                fingerprint: "AB",
            },
        ] {
            assert!(!opens(&dek(1), &other, &blob));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let installation = InstallationId::from_random([1; 16]);
        let place = Place {
            installation: &installation,
            fingerprint: "AA",
        };
        let blob = seal(&dek(1), &place, &Secret::from("key".to_owned())).unwrap();
        for bit in 0..blob.len() * 8 {
            let mut altered = blob.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(!opens(&dek(1), &place, &altered), "bit {bit}");
        }
        for length in 0..blob.len() {
            let fault = unseal(&dek(1), &place, &blob[..length]).unwrap_err();
            assert_eq!(fault.kind(), FaultKind::DataCorrupt);
            assert!(fault.hint().contains("tls renew"), "{}", fault.hint());
        }
    }
}
