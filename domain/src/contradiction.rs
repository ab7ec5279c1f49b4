//! What the database, the wrapped DEK and the token say of one another, where it cannot all be
//! true. One damaged value must not look like a lost key.

use std::fmt;

use crate::identity::hex;
use crate::{KekId, StorageType};

/// What the wrapped DEK in the database says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum WrappedBy {
    /// There is none.
    Nothing,
    /// It names this KEK.
    Kek(KekId),
    /// There are bytes that name none: whether they can be unwrapped is for the token to find out.
    Unreadable,
}

/// What is known of how the secrets of a node are sealed.
#[derive(Clone, Debug)]
pub struct DekFacts {
    /// The configured storage.
    pub storage: Option<StorageType>,
    /// Whether setup was completed.
    pub completed: bool,
    /// The row of the token, where there is one.
    pub token: Option<TokenFacts>,
}

/// What the database says of the token.
#[derive(Clone, Debug)]
pub struct TokenFacts {
    /// The KEK that it names.
    pub kek: Option<KekId>,
    /// The DEK wrapped by the KEK.
    pub wrapped: WrappedBy,
    /// Whether there is one wrapped by the backup password.
    pub has_password_blob: bool,
    /// The check value of the DEK in use.
    pub check_value: Option<Vec<u8>>,
    /// The check value of the DEK that the KEK just unwrapped.
    pub unwrapped: Option<Vec<u8>>,
}

/// Two things that cannot both be true.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Contradiction {
    /// Software storage, and a DEK that is wrapped.
    SoftwareStorage,
    /// A node that was set up with a token, and no row of one.
    NoToken {
        /// The configured storage.
        storage: StorageType,
    },
    /// A DEK that is wrapped, or a node that was set up with a token, and no check value.
    NoCheckValue,
    /// A wrapped DEK, and no KEK.
    NoKek {
        /// The one that the wrapped DEK names, where it can be read.
        blob: Option<KekId>,
    },
    /// Two KEKs.
    OtherKek {
        /// The one of the table.
        table: KekId,
        /// The one of the wrapped DEK.
        blob: KekId,
    },
    /// Two DEKs.
    OtherDek {
        /// Check value in the table.
        table: Vec<u8>,
        /// That of the one that the KEK unwraps.
        unwrapped: Vec<u8>,
    },
}

impl Contradiction {
    /// The first contradiction in what is known, if there is one.
    #[must_use]
    pub fn of(facts: &DekFacts) -> Option<Self> {
        let hsm = facts.storage.filter(|storage| storage.is_hsm());
        let Some(token) = &facts.token else {
            return hsm
                .filter(|_| facts.completed)
                .map(|storage| Self::NoToken { storage });
        };
        let is_sealed = token.wrapped != WrappedBy::Nothing || token.has_password_blob;
        if facts.storage == Some(StorageType::Software) && is_sealed {
            return Some(Self::SoftwareStorage);
        }
        // Where no token wraps anything, there is nothing more to compare.
        hsm?;
        if token.check_value.is_none() && (is_sealed || facts.completed) {
            return Some(Self::NoCheckValue);
        }
        match (&token.kek, &token.wrapped) {
            (None, WrappedBy::Kek(named)) => Some(Self::NoKek {
                blob: Some(named.clone()),
            }),
            (None, WrappedBy::Unreadable) => Some(Self::NoKek { blob: None }),
            (Some(table), WrappedBy::Kek(named)) if table != named => Some(Self::OtherKek {
                table: table.clone(),
                blob: named.clone(),
            }),
            (Some(_), WrappedBy::Kek(_) | WrappedBy::Unreadable) | (_, WrappedBy::Nothing) => {
                other_dek(token)
            }
        }
    }

    /// Whether only the database's word for the KEK is in question: the wrapped DEK has its own,
    /// and can be tried with that.
    #[must_use]
    pub const fn is_about_the_kek(&self) -> bool {
        matches!(self, Self::NoKek { .. } | Self::OtherKek { .. })
    }
}

fn other_dek(token: &TokenFacts) -> Option<Contradiction> {
    match (&token.check_value, &token.unwrapped) {
        (Some(table), Some(unwrapped)) if table != unwrapped => Some(Contradiction::OtherDek {
            table: table.clone(),
            unwrapped: unwrapped.clone(),
        }),
        _ => None,
    }
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SoftwareStorage => f.write_str(
                "key_storage_config says software, and pkcs11_token holds a wrapped DEK",
            ),
            Self::NoToken { storage } => write!(
                f,
                "key_storage_config says {storage} and setup was completed, and pkcs11_token has no \
                 row"
            ),
            Self::NoCheckValue => f.write_str(
                "this node's secrets are sealed under a DEK, and pkcs11_token.dek_check_value does \
                 not say which",
            ),
            Self::NoKek { blob: Some(blob) } => write!(
                f,
                "the wrapped DEK in pkcs11_token names the KEK {blob}, and pkcs11_key names none"
            ),
            Self::NoKek { blob: None } => f.write_str(
                "pkcs11_token holds a wrapped DEK, and neither it nor pkcs11_key names a KEK",
            ),
            Self::OtherKek { table, blob } => write!(
                f,
                "pkcs11_key names the KEK {table}, and the wrapped DEK in pkcs11_token names {blob}"
            ),
            Self::OtherDek { table, unwrapped } => write!(
                f,
                "the KEK unwraps a DEK with the check value {}, and pkcs11_token.dek_check_value is \
                 {}: it is not the one that seals the database",
                hex(unwrapped),
                hex(table)
            ),
        }
    }
}
