//! A token as one PKCS#11 URI (RFC 7512): `pkcs11:token=…;serial=…?module-path=…`.
//!
//! Only what names a token is taken. A PIN never comes this way, and an object is not the
//! operator's to choose.

use std::str::FromStr;

use crate::config_value::ConfigValueError;

/// What a PKCS#11 URI says of a token.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TokenUri {
    /// `module-path`.
    pub module_path: Option<String>,
    /// `token`.
    pub token_label: Option<String>,
    /// `serial`.
    pub serial: Option<String>,
}

impl FromStr for TokenUri {
    type Err = ConfigValueError;

    fn from_str(text: &str) -> Result<Self, ConfigValueError> {
        // The scheme of a URI is case-insensitive (RFC 3986, section 3.1).
        let rest = match text.split_at_checked("pkcs11:".len()) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("pkcs11:") => rest,
            _ => return Err(malformed("it does not start with pkcs11:")),
        };
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, query),
            None => (rest, ""),
        };
        let mut uri = Self::default();
        for attribute in path.split(';').filter(|part| !part.is_empty()) {
            uri.take(attribute, Part::Path)?;
        }
        for attribute in query.split('&').filter(|part| !part.is_empty()) {
            uri.take(attribute, Part::Query)?;
        }
        Ok(uri)
    }
}

#[derive(Clone, Copy)]
enum Part {
    Path,
    Query,
}

impl TokenUri {
    fn take(&mut self, attribute: &str, part: Part) -> Result<(), ConfigValueError> {
        // The value stays out of every message: it may be a PIN.
        let (name, value) = attribute
            .split_once('=')
            .ok_or_else(|| malformed("one of its attributes has no value"))?;
        let field = match (part, name) {
            (Part::Path, "token") => &mut self.token_label,
            (Part::Path, "serial") => &mut self.serial,
            (Part::Query, "module-path") => &mut self.module_path,
            (Part::Path | Part::Query, name) => return Err(refused(name)),
        };
        if field.is_some() {
            return Err(malformed(format!("it has {name} twice")));
        }
        let value = decode(value).ok_or_else(|| {
            malformed(format!(
                "the value of {name} is not percent-encoded UTF-8 text"
            ))
        })?;
        if value.is_empty() {
            return Err(malformed(format!("the value of {name} is empty")));
        }
        *field = Some(value);
        Ok(())
    }
}

fn malformed(why: impl Into<String>) -> ConfigValueError {
    ConfigValueError::Uri(why.into())
}

fn refused(name: &str) -> ConfigValueError {
    match name {
        "pin-value" | "pin-source" => ConfigValueError::PinInUri(name.to_owned()),
        "object" | "type" | "id" => ConfigValueError::ObjectInUri(name.to_owned()),
        // An attribute name is short ASCII; what is not stays out of the message.
        name if name.len() <= 32 && name.bytes().all(|b| b.is_ascii_graphic()) => {
            ConfigValueError::UnknownInUri(name.to_owned())
        }
        _ => ConfigValueError::UnknownInUri("(unprintable)".to_owned()),
    }
}

/// Percent-decoding (RFC 3986, section 2.1). `None` for a stray `%`, a character that a URI cannot
/// hold, a NUL, and bytes that are not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            byte if byte.is_ascii_graphic() => byte,
            _ => return None,
        };
        if byte == 0 {
            return None;
        }
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read() {
        let uri: TokenUri =
            "pkcs11:token=The%20Software%20Token;serial=4fd0?module-path=/usr/lib/m.so"
                .parse()
                .unwrap();
        assert_eq!(uri.token_label.as_deref(), Some("The Software Token"));
        assert_eq!(uri.serial.as_deref(), Some("4fd0"));
        assert_eq!(uri.module_path.as_deref(), Some("/usr/lib/m.so"));
        assert_eq!("pkcs11:".parse::<TokenUri>().unwrap(), TokenUri::default());
        let uri: TokenUri = "PKCS11:token=%C3%BC%3B".parse().unwrap();
        assert_eq!(uri.token_label.as_deref(), Some("ü;"));
    }

    #[test]
    fn what_is_no_token_uri_is_refused() {
        for (text, word) in [
            ("", "pkcs11:"),
            ("token=x", "pkcs11:"),
            ("pkcs1", "pkcs11:"),
            ("pkcs11:token", "no value"),
            ("pkcs11:token=", "empty"),
            ("pkcs11:token=a;token=b", "twice"),
            ("pkcs11:token=%", "percent-encoded"),
            ("pkcs11:token=%4", "percent-encoded"),
            ("pkcs11:token=%zz", "percent-encoded"),
            ("pkcs11:token=%ff", "percent-encoded"),
            ("pkcs11:token=%00", "percent-encoded"),
            ("pkcs11:token=a b", "percent-encoded"),
            ("pkcs11:token=ü", "percent-encoded"),
            ("pkcs11:module-path=/m.so", "module-path"),
            ("pkcs11:?token=x", "token"),
            ("pkcs11:object=trustpoint-kek", "object"),
            ("pkcs11:id=%01", "id"),
            ("pkcs11:slot-id=1", "slot-id"),
            ("pkcs11:?module-name=softhsm2", "module-name"),
        ] {
            let error = text.parse::<TokenUri>().unwrap_err();
            assert!(error.to_string().contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn c21_a_pin_in_a_uri_is_refused_and_not_repeated() {
        for text in [
            "pkcs11:token=x?pin-value=736352",
            "pkcs11:token=x?pin-source=file:736352",
            "pkcs11:pin-value=736352",
            "pkcs11:token=x?736352",
        ] {
            let error = text.parse::<TokenUri>().unwrap_err();
            let all = format!("{error} {error:?}");
            assert!(!all.contains("736352"), "{all}");
        }
    }
}
