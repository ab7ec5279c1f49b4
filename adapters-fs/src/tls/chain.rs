//! Whether certificates are a chain: each signed by the next.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::{
    OID_KEY_TYPE_EC_PUBLIC_KEY, OID_PKCS1_RSAENCRYPTION, OID_SIG_ED25519,
};

/// Checks every signature of a chain that begins with the server's certificate. The last one is
/// signed by itself, or its issuer is not among them. One that signs itself has nothing above it.
pub(super) fn check(chain: &[X509Certificate<'_>]) -> Result<(), String> {
    for pair in chain.windows(2) {
        if let [below, above] = pair
            && (is_self_issued(below) || !is_signed_by(below, above))
        {
            return Err(format!(
                "the certificate \"{}\" is not signed by the next one of its chain, \"{}\"",
                below.subject(),
                above.subject()
            ));
        }
    }
    match chain.last() {
        Some(last) if is_self_issued(last) && !is_signed_by(last, last) => Err(format!(
            "the signature of the self-signed certificate \"{}\" is wrong",
            last.subject()
        )),
        Some(_) | None => Ok(()),
    }
}

/// Whether the one was issued under the name and with the key of the other.
pub(super) fn is_signed_by(
    certificate: &X509Certificate<'_>,
    issuer: &X509Certificate<'_>,
) -> bool {
    certificate.issuer() == issuer.subject()
        && is_known(issuer)
        && certificate
            .verify_signature(Some(issuer.public_key()))
            .is_ok()
}

/// The verification does not ask what kind of key it is given.
fn is_known(issuer: &X509Certificate<'_>) -> bool {
    let kind = &issuer.public_key().algorithm.algorithm;
    [
        OID_PKCS1_RSAENCRYPTION,
        OID_KEY_TYPE_EC_PUBLIC_KEY,
        OID_SIG_ED25519,
    ]
    .contains(kind)
}

/// Whether a certificate says that it signs itself: by the names, or by the identifiers of the keys
/// where one of the names is damaged.
fn is_self_issued(certificate: &X509Certificate<'_>) -> bool {
    let (mut own, mut issuers) = (None, None);
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(key) => own = Some(key.0),
            ParsedExtension::AuthorityKeyIdentifier(authority) => {
                issuers = authority.key_identifier.as_ref().map(|key| key.0);
            }
            _ => {}
        }
    }
    certificate.issuer() == certificate.subject() || (own.is_some() && own == issuers)
}
