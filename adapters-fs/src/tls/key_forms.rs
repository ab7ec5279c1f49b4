//! The forms in which an operator may bring a private key: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017)
//! and SEC1 (RFC 5915). The last two are wrapped into PKCS#8; no byte of the key is changed.

use pkcs8::PrivateKeyInfoRef;
use pkcs8::der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use pkcs8::der::{self, Decode as _, Encode as _};
use pkcs8::spki::AlgorithmIdentifierRef;
use ports::{Secret, TlsError};
use rcgen::KeyPair;
use sec1::EcPrivateKey;
use zeroize::Zeroizing;

use super::private_key::{UNSUPPORTED, decode_block, supported};

const PKCS8: &str = "PRIVATE KEY";
const PKCS1: &str = "RSA PRIVATE KEY";
const SEC1: &str = "EC PRIVATE KEY";
const FORMS: [&str; 3] = [PKCS8, PKCS1, SEC1];

/// `id-ecPublicKey` (RFC 5480, section 2.1.1).
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// The one key of a file, where it is of a kind that is supported.
pub(super) fn read(pem: &Secret) -> Result<Zeroizing<KeyPair>, TlsError> {
    let text = pem.expose_text().ok_or(TlsError::NoKey)?;
    // The second is of the old form: a header inside a PKCS#1 or SEC1 block.
    if text.contains(&begin("ENCRYPTED PRIVATE KEY")) || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(TlsError::EncryptedKey);
    }
    let present: Vec<_> = FORMS
        .into_iter()
        .flat_map(|form| std::iter::repeat_n(form, text.matches(&begin(form)).count()))
        .collect();
    match present.as_slice() {
        [] => Err(TlsError::NoKey),
        [form] => read_form(text, form).map_err(TlsError::Key),
        several => Err(TlsError::SeveralKeys(several.len())),
    }
}

fn read_form(text: &str, form: &str) -> Result<Zeroizing<KeyPair>, String> {
    let der = decode_block(text, form)?;
    let pkcs8 = match form {
        PKCS1 => wrap(pkcs1::ALGORITHM_ID, &der)?,
        SEC1 => {
            let key = EcPrivateKey::from_der(&der).map_err(|_| UNSUPPORTED)?;
            let curve = key
                .parameters
                .as_ref()
                .ok_or("the key of the form `EC PRIVATE KEY` names no curve")?;
            let algorithm = AlgorithmIdentifierRef {
                oid: EC_PUBLIC_KEY,
                parameters: Some(AnyRef::from(curve)),
            };
            wrap(algorithm, &der)?
        }
        _ => der,
    };
    supported(&pkcs8)
}

fn wrap(algorithm: AlgorithmIdentifierRef<'_>, key: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    let encode = || -> der::Result<_> {
        let info = PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(key)?);
        // It gets its whole length at once: a buffer that grows leaves a copy behind.
        let mut der = Zeroizing::new(Vec::new());
        info.encode_to_vec(&mut der)?;
        Ok(der)
    };
    encode().map_err(|_| UNSUPPORTED.to_owned())
}

fn begin(form: &str) -> String {
    format!("-----BEGIN {form}-----")
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn c21_what_is_refused_is_not_repeated() {
        for text in [
            "hunter2",
            "-----BEGIN EC PRIVATE KEY-----\naHVudGVyMg==\n-----END EC PRIVATE KEY-----\n",
            "-----BEGIN RSA PRIVATE KEY-----\naHVudGVyMg==\n-----END RSA PRIVATE KEY-----\n",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\naHVudGVyMg==\n",
        ] {
            let error = read(&Secret::from(text.to_owned())).err().unwrap();
            let said = format!("{error} {error:?} {:?}", error.source());
            assert!(
                !said.contains("hunter2") && !said.contains("aHVud"),
                "{said}"
            );
        }
    }
}
