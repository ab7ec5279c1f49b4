//! Contract suites of the clock, the output and the cryptography with a DEK.

use time::{OffsetDateTime, UtcOffset};

use crate::{BackupWrappedDek, Clock, CryptoError, Dek, DekCrypto, Output, Secret};

/// The time is UTC, is no time before this program was written, and does not run backwards between
/// two looks.
pub fn clock(clock: &dyn Clock) {
    let first = clock.now();
    assert_eq!(first.offset(), UtcOffset::UTC);
    let written = OffsetDateTime::from_unix_timestamp(1_790_000_000).unwrap();
    assert!(first > written, "{first}");
    assert!(clock.now() >= first);
}

/// Every line comes back to the caller, whatever is in it and whether it can be written or not.
pub fn output(output: &dyn Output) {
    for line in ["a line", "", "two\nlines", "\u{1b}[31m and \0", "ümläut"] {
        output.debug(line);
        output.info(line);
        output.warning(line);
    }
}

/// What wraps unwraps, with this password alone; no two blobs and no two DEKs are the same; a check
/// value belongs to one DEK (C17).
pub fn dek_crypto(crypto: &dyn DekCrypto) {
    let (one, two) = (crypto.generate().unwrap(), crypto.generate().unwrap());
    assert!(!one.is_same(&two));
    assert_eq!(crypto.check_value(&one), crypto.check_value(&one.clone()));
    assert_ne!(crypto.check_value(&one), crypto.check_value(&two));
    assert!(!holds(&crypto.check_value(&one), &one));

    let password = Secret::from("correct horse battery".to_owned());
    let blob = crypto.wrap_with_password(&one, &password).unwrap();
    assert!(
        crypto
            .unwrap_with_password(&blob, &password)
            .unwrap()
            .is_same(&one)
    );
    assert_ne!(blob, crypto.wrap_with_password(&one, &password).unwrap());

    let wrong = Secret::from("correct horse batterz".to_owned());
    assert!(matches!(
        crypto.unwrap_with_password(&blob, &wrong),
        Err(CryptoError::WrongPassword)
    ));
    crypto.examine(&blob).unwrap();
    for length in [0, 1, 20] {
        let cut = BackupWrappedDek(blob.0[..length].to_vec());
        let refused = [
            crypto.examine(&cut).unwrap_err(),
            crypto.unwrap_with_password(&cut, &password).unwrap_err(),
        ];
        for error in refused {
            let is_right = matches!(error, CryptoError::WrongBlob { .. });
            assert!(is_right, "{length} bytes: {error}");
        }
    }
}

fn holds(bytes: &[u8], dek: &Dek) -> bool {
    bytes
        .windows(8)
        .any(|window| dek.expose().windows(8).any(|part| part == window))
}
