//! Names and addresses of a subjectAltName (RFC 5280, section 4.2.1.6).

use std::net::IpAddr;

use ports::TlsError;
use x509_cert::der::asn1::Ia5String;
use x509_cert::ext::pkix::name::GeneralName;

/// Reads the configured entries, each once.
pub(super) fn parse(entries: &[String]) -> Result<Vec<GeneralName>, TlsError> {
    let mut names = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = parse_entry(entry).map_err(|why| TlsError::Name {
            entry: entry.clone(),
            why,
        })?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return Err(TlsError::NoName);
    }
    Ok(names)
}

/// An IP address, or a host name in lower case, perhaps with a wildcard as its first label.
fn parse_entry(entry: &str) -> Result<GeneralName, &'static str> {
    if let Ok(address) = entry.parse::<IpAddr>() {
        return Ok(GeneralName::from(address));
    }
    let host = Ia5String::new(&entry.to_ascii_lowercase())
        .map_err(|_| "a name in other letters is written in its `xn--` form")?;
    ensure_host(host.as_str())?;
    Ok(GeneralName::DnsName(host))
}

fn ensure_host(host: &str) -> Result<(), &'static str> {
    if host.is_empty() {
        return Err("it is empty");
    }
    if host.len() > 253 {
        return Err("a host name has at most 253 characters");
    }
    let (wildcard, rest) = match host.strip_prefix("*.") {
        Some(rest) => (true, rest),
        None => (false, host),
    };
    let labels: Vec<&str> = rest.split('.').collect();
    if wildcard && labels.len() < 2 {
        return Err("a wildcard stands in front of at least two labels");
    }
    if labels.iter().any(|label| !is_label(label)) {
        return Err(
            "a label of a host name has 1 to 63 letters, digits, hyphens or underscores, with no \
             hyphen at its ends; a wildcard is the whole first label",
        );
    }
    let is_number = |label: &&str| label.bytes().all(|byte| byte.is_ascii_digit());
    if labels.last().is_some_and(is_number) {
        return Err("it looks like an IP address and is none");
    }
    Ok(())
}

/// An underscore is no part of a host name, but container networks have them.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(entry: &str) -> Result<Vec<GeneralName>, TlsError> {
        parse(&[entry.to_owned()])
    }

    #[test]
    fn names_and_addresses_parse() {
        for entry in [
            "localhost",
            "pki.example.org",
            "*.example.org",
            "xn--bcher-kva.example",
            "trustpoint_web",
            "3com.example",
            "127.0.0.1",
            "::1",
            "2001:db8::1",
        ] {
            assert_eq!(one(entry).unwrap().len(), 1, "{entry}");
        }
    }

    #[test]
    fn what_cannot_be_a_name_is_refused_by_name() {
        for entry in [
            "",
            " ",
            "a b",
            "a..b",
            ".a",
            "a.",
            "-a.example",
            "a-.example",
            "*",
            "*.org",
            "a.*.org",
            "w*.example.org",
            "bücher.example",
            "256.1.1.1",
            "1.2.3",
            "[::1]",
            "https://a.example",
            "a.example:443",
            "10.0.0.0/8",
            "a\0b",
            &"a".repeat(64),
            &["abcdefg"; 32].join("."),
        ] {
            let error = one(entry).unwrap_err();
            assert!(matches!(error, TlsError::Name { .. }), "{entry}");
            assert!(error.to_string().contains(&format!("{entry:?}")), "{error}");
        }
    }

    #[test]
    fn no_name_at_all_is_refused() {
        assert!(matches!(parse(&[]), Err(TlsError::NoName)));
    }

    #[test]
    fn a_name_that_is_given_twice_stands_there_once() {
        let names = parse(&["A.example".to_owned(), "a.example".to_owned()]).unwrap();
        assert_eq!(names, one("a.example").unwrap());
    }
}
