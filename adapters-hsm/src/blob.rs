//! The stored form of a wrapped DEK (C16).
//!
//! ```text
//! "TPDK"  version 1  format  length of the KEK id  KEK id  [IV, 12 bytes]  ciphertext
//! ```
//!
//! Format 1 is CKM_AES_KEY_WRAP (40 bytes: RFC 3394 adds 8), format 2 is CKM_AES_GCM (48 bytes: a
//! tag of 16 follows the 32), format 4 is CKM_AES_KEY_WRAP_KWP (40 bytes: RFC 5649 adds 8). All
//! before the IV is the associated data of GCM; for the key wraps, which have none, every field of it
//! has one right value alone: the numbers are two bits apart, so that one flipped bit makes none of
//! another.

use domain::{DEK_EXPECTED_LENGTH, KekId};
use ports::{DekBlobs, TokenError, WrapFormat, WrappedDek};

const MAGIC: &[u8] = b"TPDK";
const VERSION: u8 = 1;
/// Length of what either key wrap makes of a DEK.
pub(crate) const KEY_WRAP_LENGTH: usize = DEK_EXPECTED_LENGTH + 8;
/// Length of what AES-GCM makes of a DEK.
pub(crate) const GCM_LENGTH: usize = DEK_EXPECTED_LENGTH + 16;

/// Length of the IV of AES-GCM.
pub(crate) const IV_LENGTH: usize = 12;

/// A wrapped DEK in its parts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Blob {
    /// The associated data.
    pub(crate) header: Vec<u8>,
    /// The rest.
    pub(crate) body: Body,
}

/// What the token made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Body {
    /// Of CKM_AES_KEY_WRAP.
    KeyWrap(Vec<u8>),
    /// Of CKM_AES_KEY_WRAP_KWP.
    KeyWrapKwp(Vec<u8>),
    /// Of CKM_AES_GCM.
    Gcm {
        /// Random: made here, or by a token that takes none from others.
        iv: [u8; IV_LENGTH],
        /// With the tag.
        ciphertext: Vec<u8>,
    },
}

const fn code(format: WrapFormat) -> u8 {
    match format {
        WrapFormat::AesKeyWrap => 1,
        WrapFormat::AesGcm => 2,
        WrapFormat::AesKeyWrapKwp => 4,
    }
}

const fn named(code: u8) -> Option<WrapFormat> {
    match code {
        1 => Some(WrapFormat::AesKeyWrap),
        2 => Some(WrapFormat::AesGcm),
        4 => Some(WrapFormat::AesKeyWrapKwp),
        _ => None,
    }
}

/// What a stored form says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Pkcs11Blobs;

impl DekBlobs for Pkcs11Blobs {
    fn wrap_format_of(&self, blob: &WrappedDek) -> Option<WrapFormat> {
        match blob.0.strip_prefix(MAGIC)? {
            [VERSION, code, ..] => named(*code),
            _ => None,
        }
    }

    fn kek_of(&self, blob: &WrappedDek) -> Option<KekId> {
        self.wrap_format_of(blob)?;
        let (length, rest) = blob.0.get(MAGIC.len() + 2..)?.split_first()?;
        KekId::new(rest.get(..usize::from(*length))?).ok()
    }
}

/// All that stands before the IV.
pub(crate) fn header(format: WrapFormat, kek: &KekId) -> Vec<u8> {
    let id = kek.as_bytes();
    // An id has 64 bytes at the most.
    let [length, ..] = id.len().to_le_bytes();
    let mut header = MAGIC.to_vec();
    header.extend([VERSION, code(format), length]);
    header.extend(id);
    header
}

impl Blob {
    /// How it is wrapped.
    pub(crate) const fn format(&self) -> WrapFormat {
        match self.body {
            Body::KeyWrap(_) => WrapFormat::AesKeyWrap,
            Body::KeyWrapKwp(_) => WrapFormat::AesKeyWrapKwp,
            Body::Gcm { .. } => WrapFormat::AesGcm,
        }
    }

    /// The stored form.
    pub(crate) fn to_stored(&self) -> WrappedDek {
        let mut bytes = self.header.clone();
        match &self.body {
            Body::KeyWrap(wrapped) | Body::KeyWrapKwp(wrapped) => bytes.extend(wrapped),
            Body::Gcm { iv, ciphertext } => {
                bytes.extend(iv);
                bytes.extend(ciphertext);
            }
        }
        WrappedDek(bytes)
    }

    /// The same with one flipped bit.
    pub(crate) fn altered(&self) -> Self {
        let mut altered = self.clone();
        let (Body::KeyWrap(bytes)
        | Body::KeyWrapKwp(bytes)
        | Body::Gcm {
            ciphertext: bytes, ..
        }) = &mut altered.body;
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        altered
    }

    /// Reads the stored form, which must name `kek`.
    pub(crate) fn parse(stored: &WrappedDek, kek: &KekId) -> Result<Self, TokenError> {
        let bytes = stored.0.as_slice();
        if bytes.is_empty() {
            return Err(damaged("it is empty"));
        }
        let cut = || damaged(&format!("it is cut short, to {} bytes", bytes.len()));
        let (magic, rest) = bytes.split_at_checked(MAGIC.len()).ok_or_else(cut)?;
        if magic != MAGIC {
            return Err(damaged("it does not start with TPDK"));
        }
        let [version, format, length, rest @ ..] = rest else {
            return Err(cut());
        };
        if *version != VERSION {
            return Err(damaged(&format!("its version is {version}, not {VERSION}")));
        }
        let format =
            named(*format).ok_or_else(|| damaged(&format!("its format {format} is unknown")))?;
        let (id, rest) = rest
            .split_at_checked(usize::from(*length))
            .ok_or_else(cut)?;
        ensure_names(id, kek)?;
        Ok(Self {
            header: header(format, kek),
            body: body(format, rest)?,
        })
    }
}

fn body(format: WrapFormat, rest: &[u8]) -> Result<Body, TokenError> {
    let (expected, body) = match format {
        WrapFormat::AesKeyWrap => (KEY_WRAP_LENGTH, Some(Body::KeyWrap(rest.to_vec()))),
        WrapFormat::AesKeyWrapKwp => (KEY_WRAP_LENGTH, Some(Body::KeyWrapKwp(rest.to_vec()))),
        WrapFormat::AesGcm => (
            IV_LENGTH + GCM_LENGTH,
            rest.split_first_chunk().map(|(iv, ciphertext)| Body::Gcm {
                iv: *iv,
                ciphertext: ciphertext.to_vec(),
            }),
        ),
    };
    let actual = rest.len();
    body.filter(|_| actual == expected).ok_or_else(|| {
        let how = if actual < expected {
            "it is cut short"
        } else {
            "bytes trail it"
        };
        damaged(&format!(
            "{how}: {} takes {expected} bytes, there are {actual}",
            format.name()
        ))
    })
}

fn ensure_names(id: &[u8], kek: &KekId) -> Result<(), TokenError> {
    if id == kek.as_bytes() {
        return Ok(());
    }
    let named = KekId::new(id).map_or_else(|_| "(no id)".to_owned(), |named| named.to_string());
    Err(damaged(&format!(
        "it names the KEK {named}, and the database names {kek}"
    )))
}

/// A blob that cannot be right.
pub(crate) fn damaged(why: &str) -> TokenError {
    TokenError::WrappedDekDamaged(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kek() -> KekId {
        KekId::new(&[0xAB; 16]).unwrap()
    }

    fn blobs() -> [Blob; 3] {
        [
            Blob {
                header: header(WrapFormat::AesKeyWrap, &kek()),
                body: Body::KeyWrap(vec![7; 40]),
            },
            Blob {
                header: header(WrapFormat::AesKeyWrapKwp, &kek()),
                body: Body::KeyWrapKwp(vec![7; 40]),
            },
            Blob {
                header: header(WrapFormat::AesGcm, &kek()),
                body: Body::Gcm {
                    iv: [9; 12],
                    ciphertext: vec![7; 48],
                },
            },
        ]
    }

    fn refusal(bytes: &[u8]) -> String {
        let fault = Blob::parse(&WrappedDek(bytes.to_vec()), &kek()).unwrap_err();
        assert!(matches!(fault, TokenError::WrappedDekDamaged(_)));
        fault.to_string()
    }

    #[test]
    fn c16_a_blob_reads_back_and_names_format_and_kek() {
        for blob in blobs() {
            let stored = blob.to_stored();
            assert_eq!(&stored.0[..5], b"TPDK\x01");
            assert_eq!(stored.0[6], 16);
            assert_eq!(&stored.0[7..23], kek().as_bytes());
            assert_eq!(Blob::parse(&stored, &kek()).unwrap(), blob);
            assert_eq!(Pkcs11Blobs.kek_of(&stored), Some(kek()));
            for length in 0..23 {
                let cut = WrappedDek(stored.0[..length].to_vec());
                assert_eq!(Pkcs11Blobs.kek_of(&cut), None, "{length}");
            }
        }
    }

    #[test]
    fn c16_every_cut_and_every_trailing_byte_is_refused() {
        for blob in blobs() {
            let mut bytes = blob.to_stored().0;
            for length in 0..bytes.len() {
                let why = refusal(&bytes[..length]);
                let word = if length == 0 { "empty" } else { "cut short" };
                assert!(why.contains(word), "{length}: {why}");
            }
            bytes.push(0);
            assert!(refusal(&bytes).contains("trail"));
        }
    }

    #[test]
    fn c16_every_field_of_the_header_has_one_right_value() {
        for blob in blobs() {
            let bytes = blob.to_stored().0;
            for (at, word) in [(0, "TPDK"), (3, "TPDK"), (4, "version"), (5, "format")] {
                for bit in 0..8 {
                    let mut wrong = bytes.clone();
                    wrong[at] ^= 1 << bit;
                    let why = refusal(&wrong);
                    assert!(why.contains(word), "{at}/{bit}: {why}");
                }
            }
            for at in 6..23 {
                for bit in 0..8 {
                    let mut wrong = bytes.clone();
                    wrong[at] ^= 1 << bit;
                    refusal(&wrong);
                }
            }
        }
    }

    #[test]
    fn c16_a_blob_of_another_kek_says_so() {
        let other = KekId::new(&[1; 16]).unwrap();
        for blob in blobs() {
            let fault = Blob::parse(&blob.to_stored(), &other).unwrap_err();
            assert!(fault.to_string().contains(&other.to_string()), "{fault}");
            assert!(fault.to_string().contains(&kek().to_string()), "{fault}");
        }
    }
}
