//! What the adapter is told: module, daemon, deadline.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use camino::Utf8PathBuf;

use crate::config_value::ConfigValueError;

/// The port of a `tcp://` daemon that names none.
const DEFAULT_PORT: u16 = 5657;

/// What the adapter is told.
#[derive(Clone, Debug)]
pub struct HsmConfig {
    /// The PKCS#11 module, a shared library.
    pub module: Utf8PathBuf,
    /// The string that the module is given at C_Initialize; most take none.
    pub module_init: Option<String>,
    /// The daemon behind the module, which is reached first; none for a module that works in
    /// process.
    pub daemon: Option<Daemon>,
    /// How long any one call into the module may take.
    pub call_deadline: Duration,
}

/// Where a daemon listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Daemon {
    /// `tcp://host:port`.
    Tcp {
        /// Name or address, an IPv6 address without its brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// `unix:/path`.
    Unix(Utf8PathBuf),
}

impl FromStr for Daemon {
    type Err = ConfigValueError;

    fn from_str(text: &str) -> Result<Self, ConfigValueError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') && !path.contains('\0') {
                Ok(Self::Unix(path.into()))
            } else {
                Err(malformed(text, "the path of the socket must be absolute"))
            };
        }
        let Some(address) = text.strip_prefix("tcp://") else {
            return Err(malformed(text, "it starts with neither tcp:// nor unix:"));
        };
        let (host, port) = split(address).ok_or_else(|| malformed(text, "the host is not one"))?;
        let port = match port {
            None => DEFAULT_PORT,
            Some(digits) => parse_port(digits)
                .ok_or_else(|| malformed(text, "the port is not a number from 1 to 65535"))?,
        };
        Ok(Self::Tcp {
            host: host.into(),
            port,
        })
    }
}

impl fmt::Display for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

fn malformed(text: &str, why: &'static str) -> ConfigValueError {
    ConfigValueError::Daemon {
        text: text.to_owned(),
        why,
    }
}

/// Host and port; `None` where the host cannot be one.
fn split(address: &str) -> Option<(&str, Option<&str>)> {
    if let Some(bracketed) = address.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        return match rest {
            "" => Some((host, None)),
            rest => Some((host, Some(rest.strip_prefix(':')?))),
        };
    }
    let (host, port) = match address.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (address, None),
    };
    let is_name = !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    is_name.then_some((host, port))
}

fn parse_port(digits: &str) -> Option<u16> {
    // `u16::from_str` alone would take "+80".
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Daemon {
        Daemon::Tcp {
            host: host.into(),
            port,
        }
    }

    #[test]
    fn addresses_are_read() {
        for (text, expected) in [
            ("tcp://softhsm", tcp("softhsm", 5657)),
            ("tcp://softhsm:1234", tcp("softhsm", 1234)),
            ("tcp://10.0.0.1:1", tcp("10.0.0.1", 1)),
            ("tcp://[::1]", tcp("::1", 5657)),
            ("tcp://[2001:db8::7]:65535", tcp("2001:db8::7", 65535)),
            (
                "unix:/run/p11-kit/pkcs11",
                Daemon::Unix("/run/p11-kit/pkcs11".into()),
            ),
        ] {
            let daemon: Daemon = text.parse().unwrap();
            assert_eq!(daemon, expected, "{text}");
            assert_eq!(
                daemon.to_string().parse::<Daemon>().unwrap(),
                daemon,
                "{text}"
            );
        }
    }

    #[test]
    fn a_malformed_address_is_refused_and_named() {
        for text in [
            "",
            "softhsm",
            "softhsm:5657",
            "http://softhsm",
            "tcp:softhsm",
            "tcp://",
            "tcp://:5657",
            "tcp://host:",
            "tcp://host:0",
            "tcp://host:+80",
            "tcp://host:65536",
            "tcp://host:banana",
            "tcp://host:1:2",
            "tcp://ho st",
            "tcp://host/path",
            "tcp://::1",
            "tcp://[::1",
            "tcp://[::1]x",
            "tcp://[banana]",
            "unix:",
            "unix:relative",
        ] {
            let error = text.parse::<Daemon>().unwrap_err();
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }
}
