//! What an error of a server means to a start: every SQLSTATE is classed here and nowhere else.

use std::error::Error as _;
use std::fmt;
use std::io;

use ports::{Cause, DatabaseTrouble, ServerTrouble, StoreError};
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use super::target::Target;
use super::tls::TlsFailure;

/// What went wrong with a statement or a connection.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server says so, or the way to it.
    Server(Error),
    /// TLS, before anything was sent.
    Tls(TlsFailure),
    /// It was silent for too long.
    Silent,
    /// It was cut again and again.
    Cut,
    /// It cannot be used, whatever is tried: a standby, or one that is too old.
    Unfit(ServerTrouble, String),
}

/// What to do about a failure.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Class {
    /// It may be over in a moment: tried again.
    Passing,
    /// It stays.
    Server(ServerTrouble),
    /// The database itself, or what was asked of it.
    Database(DatabaseTrouble),
    /// A pooler that has no session for each of its clients.
    NoSession,
}

/// What a failure leaves of its connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Health {
    Well,
    /// It is gone; a new one may be had.
    Cut,
    /// It is gone, and was waited for in full.
    Silent,
}

impl Failure {
    /// What is left of the connection.
    pub(super) fn health(&self, target: &Target) -> Health {
        match self {
            Self::Silent => Health::Silent,
            // Of two transactions that waited for each other this one was given up, for the other's sake.
            Self::Server(error) if error.code().is_some_and(is_given_up) => Health::Cut,
            _ if self.class(target) == Class::Passing => Health::Cut,
            _ => Health::Well,
        }
    }

    pub(super) fn class(&self, target: &Target) -> Class {
        match self {
            Self::Silent | Self::Cut => Class::Passing,
            Self::Unfit(trouble, _) => Class::Server(trouble.clone()),
            Self::Tls(failure) => of_tls(failure),
            Self::Server(error) => match error.code() {
                _ if is_between_statements(error) => Class::NoSession,
                Some(code) => of_code(code.code(), target),
                None => of_way(error),
            },
        }
    }

    /// The same where the server was asked for a connection and nothing else.
    pub(super) fn class_on_connecting(&self, target: &Target) -> Class {
        let class = self.class(target);
        let Some(code) = self.code() else {
            return class;
        };
        match (code, class) {
            ("55000", _) => Class::Server(ServerTrouble::Closed {
                name: target.address.database.clone(),
            }),
            // It gives up a login that takes long, and a database that is being copied.
            (_, Class::Database(DatabaseTrouble::InUse)) => Class::Passing,
            (_, Class::Database(DatabaseTrouble::Defect)) => Class::Server(ServerTrouble::Refusing),
            // The value of a setting, and none of ours.
            (code, _) if code.starts_with("22") => Class::Server(ServerTrouble::Refusing),
            (_, class) => class,
        }
    }

    /// The SQLSTATE, where the server has said something.
    fn code(&self) -> Option<&str> {
        match self {
            Self::Server(error) => error.code().map(SqlState::code),
            _ => None,
        }
    }

    /// Whether the server asks for a password, and there is none.
    pub(super) fn wants_password(&self) -> bool {
        let Self::Server(error) = self else {
            return false;
        };
        // It has no other name outside of its crate.
        let source = error.source().map(ToString::to_string);
        source.as_deref() == Some("password missing")
    }

    /// What is shown of it.
    pub(super) fn cause(self) -> Cause {
        match self {
            Self::Tls(failure) => failure.into(),
            Self::Server(error) if error.as_db_error().is_none() => error.into(),
            other => other.to_string().into(),
        }
    }

    /// The error of an operation on the database; `doing` is like "reading the token".
    pub(super) fn on(self, target: &Target, doing: &'static str) -> StoreError {
        let trouble = match self.class(target) {
            Class::Passing => DatabaseTrouble::Server(ServerTrouble::Unreachable),
            Class::Server(trouble) => DatabaseTrouble::Server(trouble),
            Class::Database(trouble) => trouble,
            Class::NoSession => {
                return StoreError::NoSession {
                    path: target.name(),
                    source: Some(self.cause()),
                };
            }
        };
        StoreError::Failed {
            path: target.name(),
            doing,
            trouble,
            source: self.cause(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("the server does not answer"),
            Self::Cut => f.write_str("the connection was cut again and again"),
            Self::Unfit(_, why) => f.write_str(why),
            Self::Tls(failure) => failure.fmt(f),
            Self::Server(error) => match error.as_db_error() {
                Some(said) => f.write_str(&in_words(said)),
                None => error.fmt(f),
            },
        }
    }
}

/// PgBouncer in statement mode ends whoever begins a transaction. By its SQLSTATE that could be any
/// misunderstanding; its messages are never translated.
fn is_between_statements(error: &Error) -> bool {
    error.as_db_error().is_some_and(|said| {
        said.code().code() == "08P01" && said.message().contains("statement pooling mode")
    })
}

fn is_given_up(code: &SqlState) -> bool {
    matches!(code.code(), "40P01" | "40001")
}

fn in_words(said: &DbError) -> String {
    let more = [said.detail(), said.hint()].into_iter().flatten();
    let more: String = more.map(|text| format!("; {text}")).collect();
    let code = said.code().code();
    format!(
        "the server says: {}{more} (SQLSTATE {code})",
        said.message()
    )
}

fn of_tls(failure: &TlsFailure) -> Class {
    if failure.is_cut() {
        Class::Passing
    } else {
        Class::Server(failure.trouble())
    }
}

/// An error without a SQLSTATE: of the way to the server, or of this side.
fn of_way(error: &Error) -> Class {
    let source = error.source();
    if let Some(failure) = source.and_then(|source| source.downcast_ref::<TlsFailure>()) {
        return of_tls(failure);
    }
    if error.is_closed() || source.is_some_and(|source| source.is::<io::Error>()) {
        return Class::Passing;
    }
    // The kinds of these have no other name outside of their crate.
    let text = error.to_string();
    if source.is_some_and(|source| source.to_string() == "server does not support TLS") {
        return Class::Server(ServerTrouble::NoTls);
    }
    if text.starts_with("error performing TLS handshake") {
        return Class::Server(ServerTrouble::Certificate);
    }
    if text.starts_with("authentication error") || text.starts_with("invalid configuration") {
        return Class::Server(ServerTrouble::LoginRefused);
    }
    if text.starts_with("error connecting to server") || text.starts_with("timeout") {
        return Class::Passing;
    }
    Class::Database(DatabaseTrouble::Defect)
}

fn of_code(code: &str, target: &Target) -> Class {
    use DatabaseTrouble as Trouble;
    use ServerTrouble as Server;
    let user = || target.address.user.clone();
    match code {
        // Starting, stopping, cut, also for having been idle; without room for one more connection, or
        // memory for what it is asked.
        "25P03" | "25P04" | "53000" | "53200" | "53300" | "53400" => Class::Passing,
        _ if code.starts_with("57P") || code.starts_with("08") => Class::Passing,
        _ if code.starts_with("28") => Class::Server(Server::LoginRefused),
        "42501" => Class::Server(Server::NoRight { user: user() }),
        "3D000" => Class::Server(Server::NoDatabase {
            name: target.address.database.clone(),
            user: user(),
        }),
        // A standby, or a primary that has become one.
        "25006" => Class::Server(Server::Standby),
        // A lock, a deadlock, a serialisation that failed, a time-out of a statement.
        "55P03" | "55006" | "40P01" | "40001" | "57014" => Class::Database(Trouble::InUse),
        "53100" => Class::Database(Trouble::Full),
        // Its disk, and a file of its own that is not there.
        "58000" | "58030" | "58P01" => Class::Database(Trouble::Disk),
        // Tables or columns that the migrations have made are not there, or not as they were, and
        // rows break what they promise.
        "42P01" | "42703" | "42804" | "3F000" | "42P07" | "XX001" | "XX002" => {
            Class::Database(Trouble::Damaged)
        }
        // An error of its own, what it does not have, and a limit that it keeps.
        "XX000" | "0A000" => Class::Server(Server::Refusing),
        _ if code.starts_with("54") => Class::Server(Server::Refusing),
        _ if code.starts_with("22") || code.starts_with("23") => Class::Database(Trouble::Damaged),
        _ => Class::Database(Trouble::Defect),
    }
}

#[cfg(test)]
mod tests {
    use ports::FaultKind as K;

    use super::*;

    #[test]
    fn c04_every_sqlstate_has_its_kind() {
        let target = Target::for_tests("postgresql://tp@db/keys");
        let kind = |code: &str| match of_code(code, &target) {
            Class::Passing => K::DatabaseUnavailable,
            Class::Server(trouble) => trouble.kind(),
            Class::Database(trouble) => trouble.kind(),
            Class::NoSession => K::Config,
        };
        for (code, expected) in [
            ("57P03", K::DatabaseUnavailable),
            ("57P01", K::DatabaseUnavailable),
            ("57P04", K::DatabaseUnavailable),
            ("57P05", K::DatabaseUnavailable),
            ("53000", K::DatabaseUnavailable),
            ("53200", K::DatabaseUnavailable),
            ("53300", K::DatabaseUnavailable),
            ("53400", K::DatabaseUnavailable),
            ("08P01", K::DatabaseUnavailable),
            ("08006", K::DatabaseUnavailable),
            ("3D000", K::DatabaseUnavailable),
            ("25006", K::DatabaseUnavailable),
            ("55P03", K::DatabaseUnavailable),
            ("55006", K::DatabaseUnavailable),
            ("57014", K::DatabaseUnavailable),
            ("28P01", K::Denied),
            ("28000", K::Denied),
            ("42501", K::Denied),
            ("53100", K::Io),
            ("58030", K::Io),
            ("58P01", K::Io),
            ("3F000", K::DataCorrupt),
            ("42P01", K::DataCorrupt),
            ("42703", K::DataCorrupt),
            ("23505", K::DataCorrupt),
            ("XX001", K::DataCorrupt),
            ("XX000", K::DatabaseUnavailable),
            ("0A000", K::DatabaseUnavailable),
            ("54001", K::DatabaseUnavailable),
            ("42601", K::Internal),
        ] {
            assert_eq!(kind(code), expected, "{code}");
        }
    }
}
