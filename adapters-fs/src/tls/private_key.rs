//! Private keys as PEM, without a copy that is not zeroed (C21).
//!
//! General PEM and base64 functions return plain strings and buffers; a key must not pass through
//! them.

use data_encoding::BASE64;
use ports::Secret;
use rcgen::{KeyPair, PKCS_RSA_SHA256, SigningKey as _};
use zeroize::{Zeroize as _, Zeroizing};

use super::{labels, rsa};

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// RFC 7468 has lines of 64 characters.
const LINE: usize = 64;

/// What is wrong with a key that does not parse.
pub(super) const UNSUPPORTED: &str = "the private key does not parse as PKCS#8 of a kind that is \
                                      supported (ECDSA P-256 or P-384, RSA of 2048 to 4096 bits, \
                                      Ed25519)";

/// PKCS#8 as PEM.
pub(super) fn to_pem(der: &[u8]) -> Secret {
    let mut body = Zeroizing::new(vec![0; BASE64.encode_len(der.len())]);
    BASE64.encode_mut(der, &mut body);
    // The exact capacity: a buffer that grows leaves a copy behind.
    let lines = body.len().div_ceil(LINE);
    let mut pem = Vec::with_capacity(BEGIN.len() + END.len() + body.len() + lines + 2);
    pem.extend_from_slice(BEGIN.as_bytes());
    pem.push(b'\n');
    for line in body.chunks(LINE) {
        pem.extend_from_slice(line);
        pem.push(b'\n');
    }
    pem.extend_from_slice(END.as_bytes());
    pem.push(b'\n');
    Secret::new(pem)
}

/// Reads the PKCS#8 key of a PEM file; the error says why not, without any of the key's bytes.
pub(super) fn from_pem(pem: &Secret) -> Result<Zeroizing<KeyPair>, String> {
    let text = pem
        .expose_text()
        .ok_or("the private key is not a text file")?;
    if labels::count(text).is_none() {
        return Err(
            "the private key has characters, or a line of hyphens, that no PEM file has".to_owned(),
        );
    }
    if !text.contains(BEGIN) {
        return Err(not_pkcs8(text));
    }
    supported(&decode_block(text, "PRIVATE KEY")?)
}

/// The key pair of a PKCS#8 key.
pub(super) fn supported(pkcs8: &[u8]) -> Result<Zeroizing<KeyPair>, String> {
    // rcgen's error says no more than that it could not.
    let key = KeyPair::try_from(pkcs8)
        .map(Zeroizing::new)
        .map_err(|_| UNSUPPORTED.to_owned())?;
    // The parser leaves out whether the parts of an RSA key belong together. Its signatures are
    // checked where they are made.
    let is_rsa = key.algorithm() == &PKCS_RSA_SHA256;
    if is_rsa && !(rsa::is_sound(pkcs8) && key.sign(b"a trial").is_ok()) {
        return Err("the parts of the private RSA key do not belong together".to_owned());
    }
    Ok(key)
}

/// The bytes of the first PEM block with this label.
pub(super) fn decode_block(text: &str, label: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let body = text
        .split_once(&format!("-----BEGIN {label}-----"))
        .and_then(|(_, rest)| rest.split_once(&format!("-----END {label}-----")))
        .map(|(body, _)| body)
        .ok_or_else(|| format!("the PEM block `{label}` has no end"))?;
    let mut base64 = Zeroizing::new(Vec::with_capacity(body.len()));
    base64.extend(body.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    let cut = || "the base64 of the private key does not parse".to_owned();
    let length = BASE64.decode_len(base64.len()).map_err(|_| cut())?;
    let mut der = Zeroizing::new(vec![0; length]);
    match BASE64.decode_mut(&base64, &mut der) {
        Ok(length) => {
            der.truncate(length);
            Ok(der)
        }
        Err(_) => {
            der.zeroize();
            Err(cut())
        }
    }
}

fn not_pkcs8(text: &str) -> String {
    let other = [
        "ENCRYPTED PRIVATE KEY",
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
    ]
    .into_iter()
    .find(|kind| text.contains(&format!("-----BEGIN {kind}-----")));
    match other {
        Some(kind) => format!(
            "the private key is of the form `{kind}`, not PKCS#8 (`openssl pkcs8 -topk8 -nocrypt` \
             converts it)"
        ),
        None => "there is no PKCS#8 private key in the file".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back() {
        let key = KeyPair::generate().unwrap();
        let pem = to_pem(key.serialized_der());
        assert_eq!(
            pem.expose_text().unwrap(),
            key.serialize_pem().replace("\r\n", "\n")
        );
        assert_eq!(
            from_pem(&pem).unwrap().serialized_der(),
            key.serialized_der()
        );
    }

    #[test]
    fn c21_what_does_not_parse_is_not_repeated_in_the_error() {
        for text in [
            "",
            "hunter2",
            "-----BEGIN EC PRIVATE KEY-----\nhunter2\n-----END EC PRIVATE KEY-----\n",
            "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n",
            "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n",
            "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n",
        ] {
            let error = from_pem(&Secret::from(text.to_owned())).unwrap_err();
            assert!(
                !error.contains("hunter2") && !error.contains("aHVud"),
                "{error}"
            );
        }
    }
}
