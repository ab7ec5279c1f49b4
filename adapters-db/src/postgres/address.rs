//! Where a server is: `postgresql://USER@HOST[:PORT][,HOST…]/NAME`, and how it is spoken to.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// What a URL or a schema may not be. A password that it may hold is not shown.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ServerAddressError {
    /// It is no such URL.
    #[error("it is no postgresql:// URL: {0}")]
    Malformed(String),
    /// It lacks what has no default.
    #[error("it names no {0}")]
    Missing(&'static str),
    /// A password stands in it.
    #[error("there is a password in it: it would show in every list of processes and settings")]
    Password,
    /// A parameter that is not taken.
    #[error("its parameter {0} is none of host, sslmode, sslrootcert, sslcert and sslkey")]
    Parameter(String),
    /// A TLS mode that is not known.
    #[error("its sslmode {0:?} is none of verify-full, verify-ca, require and disable")]
    Mode(String),
    /// A certificate without its key, or the other way round.
    #[error("it names one of sslcert and sslkey, and not the other")]
    HalfClient,
    /// The name of a schema.
    #[error(
        "{0:?} cannot be the name of the schema: it takes a-z, 0-9 and _, begins with a letter, not \
         with pg_, and has 63 letters at most"
    )]
    Schema(String),
}

/// How much of a server's certificate is checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TlsMode {
    /// No TLS.
    Disable,
    /// TLS with whoever answers.
    Require,
    /// A certificate that is trusted.
    VerifyCa,
    /// One that is trusted, and of this name.
    VerifyFull,
}

/// Files of the TLS client, as PEM.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct TlsFiles {
    /// The certificates that are trusted.
    pub(crate) roots: Option<PathBuf>,
    /// This client's certificate and its key.
    pub(crate) client: Option<(PathBuf, PathBuf)>,
}

/// One of the hosts, each tried by itself.
#[derive(Clone, Debug)]
pub(crate) struct ServerHost {
    pub(crate) name: String,
    pub(crate) config: Config,
    pub(crate) mode: TlsMode,
}

/// The address of a server: hosts, user, database, and how TLS is spoken.
#[derive(Clone, Debug)]
pub struct ServerAddress {
    pub(crate) hosts: Vec<ServerHost>,
    pub(crate) files: TlsFiles,
    pub(crate) user: String,
    pub(crate) database: String,
}

impl fmt::Display for ServerAddress {
    /// As people know it: without parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<&str> = self.hosts.iter().map(|host| host.name.as_str()).collect();
        let (user, database) = (&self.user, &self.database);
        write!(f, "postgresql://{user}@{}/{database}", hosts.join(","))
    }
}

impl FromStr for ServerAddress {
    type Err = ServerAddressError;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        if !(place.starts_with("postgresql://") || place.starts_with("postgres://")) {
            return Err(ServerAddressError::Malformed("it begins otherwise".into()));
        }
        let query = Query::parse(query)?;
        let place = match &query.host {
            Some(host) => format!("{place}?host={host}"),
            None => place.to_owned(),
        };
        let config: Config = place.parse().map_err(|error: tokio_postgres::Error| {
            ServerAddressError::Malformed(ports::in_full(&error))
        })?;
        if config.get_password().is_some() {
            return Err(ServerAddressError::Password);
        }
        let given = |name: Option<&str>, what| match name {
            Some(name) if !name.is_empty() => Ok(name.to_owned()),
            Some(_) | None => Err(ServerAddressError::Missing(what)),
        };
        let hosts = hosts(&config, query.mode);
        if hosts.is_empty() {
            return Err(ServerAddressError::Missing("host"));
        }
        Ok(Self {
            hosts,
            files: query.files,
            user: given(config.get_user(), "user")?,
            database: given(config.get_dbname(), "database")?,
        })
    }
}

/// What stands after the question mark.
#[derive(Default)]
struct Query {
    host: Option<String>,
    mode: Option<TlsMode>,
    files: TlsFiles,
}

impl Query {
    fn parse(text: &str) -> Result<Self, ServerAddressError> {
        let mut query = Self::default();
        let (mut certificate, mut key) = (None, None);
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, raw) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(raw).decode_utf8_lossy().into_owned();
            match name {
                "host" => query.host = Some(raw.to_owned()),
                "sslmode" => query.mode = Some(mode(&value)?),
                "sslrootcert" => query.files.roots = Some(value.into()),
                "sslcert" => certificate = Some(value.into()),
                "sslkey" => key = Some(value.into()),
                "password" => return Err(ServerAddressError::Password),
                other => return Err(ServerAddressError::Parameter(other.to_owned())),
            }
        }
        query.files.client = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(ServerAddressError::HalfClient),
        };
        Ok(query)
    }
}

fn mode(text: &str) -> Result<TlsMode, ServerAddressError> {
    Ok(match text {
        "disable" => TlsMode::Disable,
        "require" => TlsMode::Require,
        "verify-ca" => TlsMode::VerifyCa,
        "verify-full" => TlsMode::VerifyFull,
        other => return Err(ServerAddressError::Mode(other.to_owned())),
    })
}

/// Each host with a configuration of its own. Whatever leaves the machine is checked in full, unless
/// the URL says otherwise.
fn hosts(config: &Config, mode: Option<TlsMode>) -> Vec<ServerHost> {
    let ports = config.get_ports();
    let with_port = |(number, host): (usize, &Host)| {
        let port = ports.get(number).or(ports.first()).copied().unwrap_or(5432);
        let mut own = Config::new();
        let (name, is_near) = match host {
            Host::Tcp(name) => {
                own.host(name);
                (format!("{name}:{port}"), is_loopback(name))
            }
            Host::Unix(directory) => {
                own.host_path(directory);
                (format!("{}:{port}", directory.display()), true)
            }
        };
        own.port(port);
        let default = if is_near {
            TlsMode::Disable
        } else {
            TlsMode::VerifyFull
        };
        // TLS is not spoken through a socket of this machine.
        let mode = match host {
            Host::Unix(_) => TlsMode::Disable,
            Host::Tcp(_) => mode.unwrap_or(default),
        };
        ServerHost {
            name,
            config: own,
            mode,
        }
    };
    config
        .get_hosts()
        .iter()
        .enumerate()
        .map(with_port)
        .collect()
}

fn is_loopback(name: &str) -> bool {
    name == "localhost"
        || name
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

/// The name of the schema that the tables stand in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SchemaName(String);

impl SchemaName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it is named in a statement: it may be a word of SQL, like `user`.
    pub(super) fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

impl FromStr for SchemaName {
    type Err = ServerAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let begins = text.starts_with(|c: char| c.is_ascii_lowercase()) && !text.starts_with("pg_");
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if begins && text.len() <= 63 && text.chars().all(is_plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(ServerAddressError::Schema(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<ServerAddress, ServerAddressError> {
        url.parse()
    }

    fn modes(url: &str) -> Vec<TlsMode> {
        let address = parse(url).unwrap();
        address.hosts.iter().map(|host| host.mode).collect()
    }

    #[test]
    fn what_leaves_the_machine_is_checked_in_full() {
        use TlsMode::{Disable, VerifyFull};
        assert_eq!(modes("postgresql://tp@db.example.org/tp"), [VerifyFull]);
        assert_eq!(
            modes("postgresql://tp@127.0.0.1,[::1]:5433,db,localhost/tp"),
            [Disable, Disable, VerifyFull, Disable]
        );
        assert_eq!(modes("postgresql://tp@%2Frun%2Fpostgresql/tp"), [Disable]);
        assert_eq!(modes("postgresql://tp@/tp?host=/run/postgresql"), [Disable]);
    }

    #[test]
    fn the_url_may_say_otherwise() {
        let with = |mode: &str| modes(&format!("postgresql://tp@db,127.0.0.1/tp?sslmode={mode}"));
        assert_eq!(with("require"), [TlsMode::Require; 2]);
        assert_eq!(with("disable"), [TlsMode::Disable; 2]);
        let files = parse(
            "postgres://tp@db/tp?sslrootcert=%2Fca.pem&sslcert=/c.pem&sslkey=/k.pem&sslmode=verify-ca",
        );
        let files = files.unwrap().files;
        assert_eq!(files.roots, Some("/ca.pem".into()));
        assert_eq!(files.client, Some(("/c.pem".into(), "/k.pem".into())));
    }

    #[test]
    fn it_is_shown_with_its_ports_and_without_its_parameters() {
        let address = parse("postgresql://tp@a,b:5433/keys?sslmode=require").unwrap();
        assert_eq!(address.to_string(), "postgresql://tp@a:5432,b:5433/keys");
    }

    #[test]
    fn what_cannot_be_right_is_refused() {
        use ServerAddressError as E;
        for (url, expected) in [
            ("postgresql://tp:secret@db/tp", E::Password),
            ("postgresql://tp@db/tp?password=secret", E::Password),
            ("postgresql://tp@db", E::Missing("database")),
            ("postgresql://db/tp", E::Missing("user")),
            ("postgresql://tp@/tp", E::Missing("host")),
            (
                "postgresql://tp@db/tp?options=-c",
                E::Parameter("options".into()),
            ),
            (
                "postgresql://tp@db/tp?sslmode=prefer",
                E::Mode("prefer".into()),
            ),
            ("postgresql://tp@db/tp?sslkey=/k", E::HalfClient),
        ] {
            let error = parse(url).unwrap_err();
            assert_eq!(error, expected, "{url}");
            assert!(!error.to_string().contains("secret"));
        }
        assert!(matches!(parse("/var/lib/x.db"), Err(E::Malformed(_))));
        assert!(matches!(
            parse("postgresql://tp@db:x/tp"),
            Err(E::Malformed(_))
        ));
    }

    #[test]
    fn a_schema_has_a_plain_name() {
        for name in ["trustpointctl", "a", "tp_2"] {
            assert_eq!(name.parse::<SchemaName>().unwrap().as_str(), name);
        }
        for name in ["", "2a", "pg_own", "a-b", "A", "a\"b", &"a".repeat(64)] {
            assert!(name.parse::<SchemaName>().is_err(), "{name}");
        }
    }
}
