//! Names and addresses of a subjectAltName (RFC 5280, section 4.2.1.6).

use std::net::IpAddr;

use ports::{Fault, FaultKind};
use yasna::Tag;

/// One entry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Name {
    /// An IP address.
    Address(IpAddr),
    /// A host name, lower case, perhaps with a wildcard as its first label.
    Host(String),
}

/// Reads the configured entries, each once.
pub(super) fn parse(entries: &[String]) -> Result<Vec<Name>, Fault> {
    let mut names = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = parse_entry(entry).map_err(|why| {
            Fault::new(
                FaultKind::Config,
                format!("{entry:?} cannot be in a certificate: {why}"),
                "correct `tls.san`: host names such as `pki.example.org` or `*.example.org`, and \
                 IP addresses such as `192.0.2.1` or `2001:db8::1`",
            )
        })?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return Err(Fault::new(
            FaultKind::Config,
            "there is no name and no address for the TLS certificate",
            "set `tls.san` to the names and addresses that clients use for this node",
        ));
    }
    Ok(names)
}

/// The DER of the extension's value.
pub(super) fn to_der(names: &[Name]) -> Vec<u8> {
    yasna::construct_der(|writer| {
        writer.write_sequence(|writer| {
            for name in names {
                match name {
                    Name::Host(host) => {
                        writer
                            .next()
                            .write_tagged_implicit(Tag::context(2), |writer| {
                                writer.write_ia5_string(host);
                            })
                    }
                    Name::Address(address) => {
                        writer
                            .next()
                            .write_tagged_implicit(Tag::context(7), |writer| match address {
                                IpAddr::V4(address) => writer.write_bytes(&address.octets()),
                                IpAddr::V6(address) => writer.write_bytes(&address.octets()),
                            })
                    }
                }
            }
        });
    })
}

fn parse_entry(entry: &str) -> Result<Name, &'static str> {
    if let Ok(address) = entry.parse() {
        return Ok(Name::Address(address));
    }
    check_host(entry)?;
    Ok(Name::Host(entry.to_ascii_lowercase()))
}

fn check_host(host: &str) -> Result<(), &'static str> {
    if host.is_empty() {
        return Err("it is empty");
    }
    if !host.is_ascii() {
        return Err("a name in other letters is written in its `xn--` form");
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

    fn one(entry: &str) -> Result<Vec<Name>, Fault> {
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
    fn what_cannot_be_a_name_is_a_config_fault_that_names_it() {
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
            let fault = one(entry).unwrap_err();
            assert_eq!(fault.kind(), FaultKind::Config, "{entry}");
            assert!(fault.to_string().contains(&format!("{entry:?}")), "{fault}");
        }
    }

    #[test]
    fn no_name_at_all_is_a_config_fault() {
        assert_eq!(parse(&[]).unwrap_err().kind(), FaultKind::Config);
    }

    #[test]
    fn a_name_that_is_given_twice_stands_there_once() {
        let names = parse(&["A.example".to_owned(), "a.example".to_owned()]).unwrap();
        assert_eq!(names, [Name::Host("a.example".to_owned())]);
    }
}
