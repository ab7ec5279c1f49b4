//! Whether a certificate is DER and nothing else. A lenient parser takes more than that, and then
//! OpenSSL cannot load what it took.

use x509_cert::Certificate;
use x509_cert::attr::AttributeValue;
use x509_cert::der::asn1::{Any, BmpString, Null, ObjectIdentifier};
use x509_cert::der::{Decode as _, Encode as _, Tag, Tagged as _};
use x509_cert::name::Name;

/// Checks that the certificate, encoded anew, is what it was, and that OpenSSL can read what the
/// encoding leaves open.
pub(super) fn check(der: &[u8]) -> Result<(), String> {
    let wrong = |error| format!("the TLS certificate is not encoded as DER ({error})");
    let certificate = Certificate::from_der(der).map_err(wrong)?;
    if certificate.to_der().map_err(wrong)? != der {
        return Err("the TLS certificate is not encoded as DER".to_owned());
    }
    let signed = certificate.tbs_certificate();
    let key = signed.subject_public_key_info();
    if certificate.signature_algorithm() != signed.signature() {
        return Err("the TLS certificate names two algorithms for its signature".to_owned());
    }
    let is_whole = |bits: Option<&[u8]>| bits.is_some();
    if !is_whole(certificate.signature().as_bytes()) || !is_whole(key.subject_public_key.as_bytes())
    {
        return Err("a key or signature in the TLS certificate has a part of a byte".to_owned());
    }
    let parameters = [&signed.signature().parameters, &key.algorithm.parameters];
    if !parameters.into_iter().flatten().all(are_parameters) {
        return Err("the TLS certificate has parameters that do not parse".to_owned());
    }
    if !(is_text(signed.issuer()) && is_text(signed.subject())) {
        return Err("the TLS certificate has a name that is no text".to_owned());
    }
    Ok(())
}

fn are_parameters(parameters: &Any) -> bool {
    match parameters.tag() {
        Tag::Null => parameters.decode_as::<Null>().is_ok(),
        Tag::ObjectIdentifier => parameters.decode_as::<ObjectIdentifier>().is_ok(),
        // Of RSASSA-PSS.
        tag => tag == Tag::Sequence,
    }
}

fn is_text(name: &Name) -> bool {
    name.iter().all(|attribute| is_string(&attribute.value))
}

/// Which characters the older kinds of strings may have is not asked: neither does OpenSSL.
fn is_string(value: &AttributeValue) -> bool {
    match value.tag() {
        Tag::Utf8String => std::str::from_utf8(value.value()).is_ok(),
        Tag::BmpString => value.decode_as::<BmpString>().is_ok(),
        Tag::PrintableString | Tag::Ia5String | Tag::TeletexString | Tag::NumericString => true,
        _ => false,
    }
}
