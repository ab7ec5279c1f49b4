//! Whether certificates are a chain: each signed by the next.

use x509_parser::certificate::X509Certificate;

/// Checks every signature of a chain that begins with the server's certificate. The last one is
/// signed by itself, or its issuer is not among them.
pub(super) fn check(chain: &[X509Certificate<'_>]) -> Result<(), String> {
    for pair in chain.windows(2) {
        if let [below, above] = pair
            && !is_signed_by(below, above)
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
pub(super) fn is_signed_by(certificate: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    certificate.issuer() == issuer.subject()
        && certificate
            .verify_signature(Some(issuer.public_key()))
            .is_ok()
}

fn is_self_issued(certificate: &X509Certificate<'_>) -> bool {
    certificate.issuer() == certificate.subject()
}
