//! The DEK under the backup password, and its check value (C17).
//!
//! Blob, 94 bytes, numbers big-endian: `TPBK`, version 1, KDF 1 (Argon2id v1.3), memory in KiB,
//! passes, lanes (4 bytes each), 16 bytes of salt, 12 bytes of nonce, then the DEK under
//! AES-256-GCM with its tag. All before the ciphertext is associated data.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use ports::{BackupWrappedDek, Cause, CryptoError, Dek, DekCrypto, SealedKey, Secret};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::{Zeroize, Zeroizing};

use crate::key_sealing::unseal;

const PREFIX: &[u8; 6] = b"TPBK\x01\x01";
const SALT_LEN: usize = 16;
const HEADER_LEN: usize = PREFIX.len() + 12 + SALT_LEN + NONCE_LEN;
const SEALED_LEN: usize = domain::DEK_EXPECTED_LENGTH + 16;
const CHECKED_TEXT: &[u8] = b"trustpoint dek check value v1";
const CHECK_VALUE_LEN: usize = 16;

/// What one derivation costs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    /// What this program makes.
    const MADE: Self = Self {
        memory_kib: 64 * 1024,
        passes: 3,
        lanes: 1,
    };
    /// What it follows at most: a blob must not be able to exhaust the machine.
    const MOST: Self = Self {
        memory_kib: 64 * 1024,
        passes: 10,
        lanes: 4,
    };

    fn is_within_limits(self) -> bool {
        (1..=Self::MOST.memory_kib).contains(&self.memory_kib)
            && (1..=Self::MOST.passes).contains(&self.passes)
            && (1..=Self::MOST.lanes).contains(&self.lanes)
    }
}

/// [`DekCrypto`] with Argon2id and AES-256-GCM.
#[derive(Clone, Copy, Debug, Default)]
pub struct RingDekCrypto;

impl DekCrypto for RingDekCrypto {
    fn check_value(&self, dek: &Dek) -> Vec<u8> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, dek.expose());
        let tag = hmac::sign(&key, CHECKED_TEXT);
        tag.as_ref().iter().take(CHECK_VALUE_LEN).copied().collect()
    }

    fn generate(&self) -> Result<Dek, CryptoError> {
        let mut bytes = Zeroizing::new([0; domain::DEK_EXPECTED_LENGTH]);
        random(bytes.as_mut_slice())?;
        Dek::from_bytes(bytes.as_slice()).ok_or_else(|| broken("generating a DEK", None))
    }

    fn wrap_with_password(
        &self,
        dek: &Dek,
        password: &Secret,
    ) -> Result<BackupWrappedDek, CryptoError> {
        wrap(dek, password, Cost::MADE)
    }

    fn examine(&self, blob: &BackupWrappedDek) -> Result<(), CryptoError> {
        Parts::parse(&blob.0)?.params().map(drop)
    }

    fn unwrap_with_password(
        &self,
        blob: &BackupWrappedDek,
        password: &Secret,
    ) -> Result<Dek, CryptoError> {
        let parts = Parts::parse(&blob.0)?;
        let params = parts.params()?;
        let cipher = derive(params, password, parts.salt)?;
        open(&cipher, &parts).ok_or(CryptoError::WrongPassword)
    }

    fn open_key(&self, dek: &Dek, key: &SealedKey) -> Result<Secret, CryptoError> {
        unseal(dek, key)
    }
}

fn wrap(dek: &Dek, password: &Secret, cost: Cost) -> Result<BackupWrappedDek, CryptoError> {
    let mut blob = Vec::with_capacity(HEADER_LEN + SEALED_LEN);
    blob.extend_from_slice(PREFIX);
    for number in [cost.memory_kib, cost.passes, cost.lanes] {
        blob.extend_from_slice(&number.to_be_bytes());
    }
    let mut salt_and_nonce = [0; SALT_LEN + NONCE_LEN];
    random(&mut salt_and_nonce)?;
    blob.extend_from_slice(&salt_and_nonce);
    let (salt, nonce) = salt_and_nonce.split_at(SALT_LEN);

    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32))
        .map_err(|error| broken("wrapping the DEK", Some(error.to_string().into())))?;
    let cipher = derive(params, password, salt)?;
    let mut sealed = Zeroizing::new(Vec::with_capacity(SEALED_LEN));
    sealed.extend_from_slice(dek.expose());
    Nonce::try_assume_unique_for_key(nonce)
        .and_then(|nonce| {
            cipher.seal_in_place_append_tag(nonce, Aad::from(blob.as_slice()), &mut *sealed)
        })
        .map_err(|_| broken("wrapping the DEK", None))?;
    blob.extend_from_slice(&sealed);

    let unwrapped = open(&cipher, &Parts::parse(&blob)?);
    if unwrapped.is_some_and(|unwrapped| unwrapped.is_same(dek)) {
        Ok(BackupWrappedDek(blob))
    } else {
        Err(broken("unwrapping the DEK that was just wrapped", None))
    }
}

/// A blob in its parts, none of which was trusted yet.
struct Parts<'a> {
    header: &'a [u8],
    cost: Cost,
    salt: &'a [u8],
    nonce: &'a [u8],
    sealed: &'a [u8],
}

impl<'a> Parts<'a> {
    fn parse(blob: &'a [u8]) -> Result<Self, CryptoError> {
        Self::split(blob).ok_or_else(|| CryptoError::WrongBlob {
            why: "is cut short or of an unknown format".to_owned(),
            source: None,
        })
    }

    fn split(blob: &'a [u8]) -> Option<Self> {
        let (header, sealed) = blob.split_at_checked(HEADER_LEN)?;
        let rest = header.strip_prefix(PREFIX)?;
        let (memory, rest) = rest.split_first_chunk::<4>()?;
        let (passes, rest) = rest.split_first_chunk::<4>()?;
        let (lanes, rest) = rest.split_first_chunk::<4>()?;
        let (salt, nonce) = rest.split_at_checked(SALT_LEN)?;
        (sealed.len() == SEALED_LEN).then_some(Self {
            header,
            cost: Cost {
                memory_kib: u32::from_be_bytes(*memory),
                passes: u32::from_be_bytes(*passes),
                lanes: u32::from_be_bytes(*lanes),
            },
            salt,
            nonce,
            sealed,
        })
    }

    /// Refused before any derivation.
    fn params(&self) -> Result<Params, CryptoError> {
        let Cost {
            memory_kib,
            passes,
            lanes,
        } = self.cost;
        let wrong = |source: Option<Cause>| CryptoError::WrongBlob {
            why: format!(
                "asks for Argon2id with {memory_kib} KiB, {passes} passes and {lanes} lanes, which \
                 this program does not make"
            ),
            source,
        };
        if !self.cost.is_within_limits() {
            return Err(wrong(None));
        }
        Params::new(memory_kib, passes, lanes, Some(32))
            .map_err(|error| wrong(Some(error.to_string().into())))
    }
}

/// One derivation. The memory is ours, so that it can be zeroed.
fn derive(params: Params, password: &Secret, salt: &[u8]) -> Result<LessSafeKey, CryptoError> {
    let failed = |why: Option<Cause>| broken("deriving a key from the backup password", why);
    let mut memory: Zeroizing<Vec<Block>> = Zeroizing::new(Vec::new());
    memory
        .try_reserve_exact(params.block_count())
        .map_err(|error| failed(Some(error.to_string().into())))?;
    memory.resize(params.block_count(), Block::new());
    let mut key = Zeroizing::new([0; 32]);
    let derived = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(
            password.expose(),
            salt,
            key.as_mut_slice(),
            memory.as_mut_slice(),
        );
    memory.zeroize();
    derived.map_err(|error| failed(Some(error.to_string().into())))?;
    UnboundKey::new(&AES_256_GCM, key.as_slice())
        .map(LessSafeKey::new)
        .map_err(|_| failed(None))
}

fn open(cipher: &LessSafeKey, parts: &Parts<'_>) -> Option<Dek> {
    let mut buffer = Zeroizing::new(parts.sealed.to_vec());
    let nonce = Nonce::try_assume_unique_for_key(parts.nonce).ok()?;
    let plain = cipher
        .open_in_place(nonce, Aad::from(parts.header), buffer.as_mut_slice())
        .ok()?;
    Dek::from_bytes(plain)
}

fn random(bytes: &mut [u8]) -> Result<(), CryptoError> {
    SystemRandom::new()
        .fill(bytes)
        .map_err(|_| broken("asking the system's random generator", None))
}

fn broken(doing: &'static str, source: Option<Cause>) -> CryptoError {
    CryptoError::Failed { doing, source }
}

#[cfg(test)]
mod tests {
    use ports::FaultKind;

    use super::*;

    const CHEAP: Cost = Cost {
        memory_kib: 32,
        passes: 1,
        lanes: 1,
    };

    fn password(text: &str) -> Secret {
        Secret::from(text.to_owned())
    }

    fn dek() -> Dek {
        Dek::from_bytes(&[7; 32]).unwrap()
    }

    fn kind_of(blob: Vec<u8>) -> FaultKind {
        RingDekCrypto
            .unwrap_with_password(&BackupWrappedDek(blob), &password("correct horse"))
            .unwrap_err()
            .kind()
    }

    #[test]
    fn c17_the_contract_is_kept() {
        ports::contract::surroundings::dek_crypto(&RingDekCrypto);
    }

    #[test]
    fn c17_a_dek_comes_back_with_its_password_alone() {
        let blob = RingDekCrypto
            .wrap_with_password(&dek(), &password("correct horse"))
            .unwrap();
        let made = Parts::parse(&blob.0).unwrap().cost;
        assert_eq!(
            made,
            Cost {
                memory_kib: 65536,
                passes: 3,
                lanes: 1
            }
        );
        let unwrapped = RingDekCrypto
            .unwrap_with_password(&blob, &password("correct horse"))
            .unwrap();
        assert!(unwrapped.is_same(&dek()));
        let fault = RingDekCrypto
            .unwrap_with_password(&blob, &password("wrong horse"))
            .unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Denied);
    }

    #[test]
    fn c17_salt_and_nonce_are_new_each_time() {
        let first = wrap(&dek(), &password("x"), CHEAP).unwrap().0;
        let second = wrap(&dek(), &password("x"), CHEAP).unwrap().0;
        let parts = |blob: &[u8]| {
            let parts = Parts::parse(blob).unwrap();
            (parts.salt.to_vec(), parts.nonce.to_vec())
        };
        assert_ne!(parts(&first).0, parts(&second).0);
        assert_ne!(parts(&first).1, parts(&second).1);
    }

    #[test]
    fn c17_the_derivation_is_argon2id_of_version_19() {
        // Independent of `derive`: the key as the crate gives it, the cipher by hand.
        let blob = wrap(&dek(), &password("x"), CHEAP).unwrap().0;
        let mut key = [0; 32];
        Argon2::new(
            Algorithm::Argon2id,
            Version::V0x13,
            Params::new(32, 1, 1, None).unwrap(),
        )
        .hash_password_into(b"x", &blob[18..34], &mut key)
        .unwrap();
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
        let mut sealed = blob[46..].to_vec();
        let nonce = Nonce::try_assume_unique_for_key(&blob[34..46]).unwrap();
        let plain = cipher
            .open_in_place(nonce, Aad::from(&blob[..46]), &mut sealed)
            .unwrap();
        assert_eq!(plain, dek().expose());
    }

    #[test]
    fn c17_a_blob_that_is_cut_or_of_another_format_is_corrupt() {
        let blob = wrap(&dek(), &password("correct horse"), CHEAP).unwrap().0;
        assert_eq!(blob.len(), 94);
        for length in 0..blob.len() {
            assert_eq!(kind_of(blob[..length].to_vec()), FaultKind::DataCorrupt);
        }
        let mut longer = blob.clone();
        longer.push(0);
        assert_eq!(kind_of(longer), FaultKind::DataCorrupt);
        for byte in 0..6 {
            let mut altered = blob.clone();
            altered[byte] ^= 1;
            assert_eq!(kind_of(altered), FaultKind::DataCorrupt, "byte {byte}");
        }
    }

    #[test]
    fn c17_unbearable_parameters_are_refused_before_a_derivation() {
        let blob = wrap(&dek(), &password("x"), CHEAP).unwrap().0;
        for (place, value) in [
            (6, 0),
            (6, 7),
            (6, 65537),
            (6, u32::MAX),
            (10, 0),
            (10, 11),
            (10, u32::MAX),
            (14, 0),
            (14, 5),
            (14, u32::MAX),
        ] {
            let mut altered = blob.clone();
            altered[place..place + 4].copy_from_slice(&value.to_be_bytes());
            let params = Parts::parse(&altered).unwrap().params();
            assert_eq!(
                params.unwrap_err().kind(),
                FaultKind::DataCorrupt,
                "{place} {value}"
            );
        }
    }

    #[test]
    fn c17_an_altered_header_or_ciphertext_does_not_open() {
        let blob = wrap(&dek(), &password("correct horse"), CHEAP).unwrap().0;
        for byte in [9, 20, 40, 50, 93] {
            let mut altered = blob.clone();
            altered[byte] ^= 1;
            assert_eq!(kind_of(altered), FaultKind::Denied, "byte {byte}");
        }
    }

    #[test]
    fn a_check_value_is_of_one_dek() {
        let value = RingDekCrypto.check_value(&dek());
        assert_eq!(value.len(), 16);
        assert_eq!(value, RingDekCrypto.check_value(&dek()));
        assert_ne!(
            value,
            RingDekCrypto.check_value(&RingDekCrypto.generate().unwrap())
        );
    }

    #[test]
    fn generated_deks_differ() {
        let first = RingDekCrypto.generate().unwrap();
        assert!(!first.is_same(&RingDekCrypto.generate().unwrap()));
    }
}
