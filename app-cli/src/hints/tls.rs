//! Hints for the TLS credential and the web server.

use super::files;
use ports::TlsError;

use super::common::DEFECT;

/// For a credential.
pub(super) fn tls(error: &TlsError) -> String {
    match error {
        TlsError::File(error) => return files::file(error),
        TlsError::Name { .. } => {
            "correct `tls.san`: host names such as `pki.example.org` or `*.example.org`, and IP \
             addresses such as `192.0.2.1` or `2001:db8::1`"
        }
        TlsError::NoName => {
            "set `tls.san` to the names and addresses that clients use for this node"
        }
        TlsError::Date(_) => "set the system's clock",
        TlsError::Making { .. } => DEFECT,
        TlsError::Unusable(_) => {
            "`tls renew` makes a new self-signed credential, `tls import` brings one of your CA, \
             `tls activate` an earlier one, `backup restore` an older database"
        }
        TlsError::EncryptedKey => {
            "import it without a clear copy on a disk, in bash: `--key <(openssl pkcs8 -topk8 \
             -nocrypt -in FILE)`"
        }
        TlsError::NoKey => {
            "convert it with `openssl pkcs8 -topk8 -nocrypt -in FILE -out KEY.pem` (with -inform \
             DER for a binary file; `openssl pkcs12 -nocerts -noenc` for a .p12)"
        }
        TlsError::SeveralKeys(_) => "keep the key of the certificate in a file of its own",
        TlsError::Key(_) => {
            "check it with `openssl pkey -in FILE -noout -check`, and make a key of a kind that is \
             supported where it is none"
        }
        TlsError::NoCertificate(_) => {
            "convert a binary one with `openssl x509 -inform DER -in FILE -out CERT.pem`, a .p7b \
             with `openssl pkcs7 -print_certs`"
        }
        TlsError::Certificate(_) => "check the file with `openssl x509 -noout -text -in FILE`",
        TlsError::OtherKey { .. } => {
            "bring the key that the certificate was requested with; `openssl pkey -pubout -in KEY` \
             and `openssl x509 -pubkey -noout -in CERT` print the same where they match"
        }
        TlsError::Stray { .. } => {
            "give the intermediate certificates that the issuer sent with the certificate, all of \
             them and no others"
        }
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_credential_that_is_damaged_has_every_way_out() {
        let hint = tls(&TlsError::Unusable(String::new()));
        for way in ["tls renew", "tls activate", "backup restore"] {
            assert!(hint.contains(way), "{hint}");
        }
    }
}
