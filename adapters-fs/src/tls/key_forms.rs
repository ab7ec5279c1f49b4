//! The forms in which an operator may bring a private key: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017)
//! and SEC1 (RFC 5915). The last two are wrapped into PKCS#8; no byte of the key is changed.

use ports::{Fault, FaultKind, Secret};
use zeroize::Zeroizing;

use super::der::{INTEGER, OCTET_STRING, SEQUENCE, element};
use super::private_key::{decode_block, supported};

const PKCS8: &str = "PRIVATE KEY";
const PKCS1: &str = "RSA PRIVATE KEY";
const SEC1: &str = "EC PRIVATE KEY";
const FORMS: [&str; 3] = [PKCS8, PKCS1, SEC1];

/// `parameters [0]` of an ECPrivateKey.
const PARAMETERS: u8 = 0xa0;

const RSA_ENCRYPTION: &[u8] = &[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];
const EC_PUBLIC_KEY: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// The key as PKCS#8 DER, where it is of a kind that is supported.
pub(super) fn to_pkcs8(pem: &Secret) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let text = pem.expose_text().ok_or_else(no_pem)?;
    refuse_encrypted(text)?;
    let present: Vec<_> = FORMS
        .into_iter()
        .flat_map(|form| std::iter::repeat_n(form, text.matches(&begin(form)).count()))
        .collect();
    let form = match present.as_slice() {
        [] => return Err(no_pem()),
        [form] => *form,
        several => {
            return Err(unusable(
                format!("the file holds {} private keys, not one", several.len()),
                "keep the key of the certificate in a file of its own",
            ));
        }
    };
    let der = decode_block(text, form).map_err(does_not_parse)?;
    let pkcs8 = match form {
        PKCS1 => pkcs8(&[RSA_ENCRYPTION], &der),
        SEC1 => {
            let curve = curve(&der).ok_or_else(|| {
                does_not_parse("the key of the form `EC PRIVATE KEY` names no curve".to_owned())
            })?;
            pkcs8(&[EC_PUBLIC_KEY, curve], &der)
        }
        _ => der,
    };
    supported(&pkcs8).map_err(does_not_parse)?;
    Ok(pkcs8)
}

fn begin(form: &str) -> String {
    format!("-----BEGIN {form}-----")
}

fn refuse_encrypted(text: &str) -> Result<(), Fault> {
    // The second is of the old form: a header inside a PKCS#1 or SEC1 block.
    if text.contains(&begin("ENCRYPTED PRIVATE KEY")) || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(unusable(
            "the private key is encrypted, and its password is not asked for".to_owned(),
            "import it without a clear copy on a disk, in bash: --key <(openssl pkcs8 -topk8 \
             -nocrypt -in FILE)",
        ));
    }
    Ok(())
}

fn no_pem() -> Fault {
    unusable(
        "the file holds no private key that can be read: neither PKCS#8, nor PKCS#1, nor SEC1, \
         as PEM"
            .to_owned(),
        "convert it with `openssl pkcs8 -topk8 -nocrypt -in FILE -out KEY.pem` (with -inform DER \
         for a binary file; `openssl pkcs12 -nocerts -noenc` for a .p12)",
    )
}

fn does_not_parse(why: String) -> Fault {
    unusable(
        why,
        "check it with `openssl pkey -in FILE -noout -check`, and make a key of a kind that is \
         supported where it is none",
    )
}

fn unusable(message: String, hint: &str) -> Fault {
    Fault::new(FaultKind::DataCorrupt, message, hint)
}

/// The named curve of an ECPrivateKey, as the object identifier's whole encoding.
fn curve(sec1: &[u8]) -> Option<&[u8]> {
    let (SEQUENCE, body, []) = element(sec1)? else {
        return None;
    };
    let (INTEGER, _, rest) = element(body)? else {
        return None;
    };
    let (OCTET_STRING, _, rest) = element(rest)? else {
        return None;
    };
    match element(rest)? {
        (PARAMETERS, curve, _) => Some(curve),
        _ => None,
    }
}

/// PrivateKeyInfo: version 0, the algorithm's parts, the key.
fn pkcs8(algorithm: &[&[u8]], key: &[u8]) -> Zeroizing<Vec<u8>> {
    const VERSION: &[u8] = &[INTEGER, 1, 0];
    let algorithm_length = algorithm.iter().map(|part| part.len()).sum();
    let length = VERSION.len() + whole(algorithm_length) + whole(key.len());
    // The exact capacity: a buffer that grows leaves a copy behind.
    let mut der = Zeroizing::new(Vec::with_capacity(whole(length)));
    put_header(&mut der, SEQUENCE, length);
    der.extend_from_slice(VERSION);
    put_header(&mut der, SEQUENCE, algorithm_length);
    for part in algorithm {
        der.extend_from_slice(part);
    }
    put_header(&mut der, OCTET_STRING, key.len());
    der.extend_from_slice(key);
    der
}

/// Length of an element with a content of this length.
fn whole(content: usize) -> usize {
    let extra = length_bytes(content).count();
    2 + content + if content < 0x80 { 0 } else { extra }
}

fn put_header(der: &mut Vec<u8>, tag: u8, length: usize) {
    der.push(tag);
    if length < 0x80 {
        der.extend(u8::try_from(length));
    } else {
        der.extend(u8::try_from(0x80 | length_bytes(length).count()));
        der.extend(length_bytes(length));
    }
}

/// Big-endian, without leading zeros.
fn length_bytes(length: usize) -> impl Iterator<Item = u8> {
    length
        .to_be_bytes()
        .into_iter()
        .skip_while(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_reads_back_at_every_width_of_its_length() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let content = vec![7; length];
            let mut der = Vec::new();
            put_header(&mut der, OCTET_STRING, length);
            der.extend_from_slice(&content);
            assert_eq!(der.len(), whole(length));
            der.push(9);
            let (tag, read, rest) = element(&der).unwrap();
            assert_eq!(
                (tag, read, rest),
                (OCTET_STRING, content.as_slice(), &[9][..])
            );
            assert!(element(&der[..der.len() - 2]).is_none() || length == 0);
        }
    }

    #[test]
    fn c21_what_is_refused_is_not_repeated() {
        for text in [
            "hunter2",
            "-----BEGIN EC PRIVATE KEY-----\naHVudGVyMg==\n-----END EC PRIVATE KEY-----\n",
            "-----BEGIN RSA PRIVATE KEY-----\naHVudGVyMg==\n-----END RSA PRIVATE KEY-----\n",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\naHVudGVyMg==\n",
        ] {
            let fault = to_pkcs8(&Secret::from(text.to_owned())).unwrap_err();
            let said = format!("{fault} {} {:?}", fault.hint(), fault.causes());
            assert!(
                !said.contains("hunter2") && !said.contains("aHVud"),
                "{said}"
            );
        }
    }
}
