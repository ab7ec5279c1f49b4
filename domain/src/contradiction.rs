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
    /// Whether there is a DEK in the database that a KEK has wrapped.
    pub has_wrapped: bool,
    /// Whether there is one under the backup password.
    pub has_password_blob: bool,
    /// The check value of the DEK in use.
    pub check_value: Option<Vec<u8>>,
    /// The copy of the token that is meant, where one is: those of other tokens are not asked
    /// for, and what is wrong with them must not stop a node.
    pub copy: Option<CopyFacts>,
    /// The check value of the DEK that the KEK just unwrapped.
    pub unwrapped: Option<Vec<u8>>,
}

/// What the database says of one token and its copy of the DEK.
#[derive(Clone, Debug)]
pub struct CopyFacts {
    /// Serial number of the token.
    pub serial: String,
    /// The KEK that the database names.
    pub kek: Option<KekId>,
    /// The DEK wrapped by the KEK.
    pub wrapped: WrappedBy,
}

/// Two things that cannot both be true.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Contradiction {
    /// Software storage, and a DEK that is wrapped.
    SoftwareStorage,
    /// A node that was set up with a token, and nothing of a DEK.
    NoDek {
        /// The configured storage.
        storage: StorageType,
    },
    /// A DEK that is wrapped, and no check value.
    NoCheckValue,
    /// A wrapped DEK, and no KEK.
    NoKek {
        /// Serial number of the token.
        serial: String,
        /// The one that the wrapped DEK names, where it can be read.
        blob: Option<KekId>,
    },
    /// Two KEKs.
    OtherKek {
        /// Serial number of the token.
        serial: String,
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
        let is_sealed = facts.has_wrapped || facts.has_password_blob;
        match facts.storage {
            Some(StorageType::Software) => is_sealed.then_some(Self::SoftwareStorage),
            Some(storage @ (StorageType::SoftHsm | StorageType::PhysicalHsm)) => {
                Self::of_sealed(facts, storage, is_sealed)
            }
            None => None,
        }
    }

    fn of_sealed(facts: &DekFacts, storage: StorageType, is_sealed: bool) -> Option<Self> {
        if facts.check_value.is_none() && is_sealed {
            return Some(Self::NoCheckValue);
        }
        if facts.check_value.is_none() && facts.completed {
            return Some(Self::NoDek { storage });
        }
        let of_kek = facts.copy.as_ref().and_then(Self::of_copy);
        of_kek.or_else(|| other_dek(facts))
    }

    fn of_copy(copy: &CopyFacts) -> Option<Self> {
        let serial = copy.serial.clone();
        match (&copy.kek, &copy.wrapped) {
            (None, WrappedBy::Kek(named)) => Some(Self::NoKek {
                serial,
                blob: Some(named.clone()),
            }),
            (None, WrappedBy::Unreadable) => Some(Self::NoKek { serial, blob: None }),
            (Some(table), WrappedBy::Kek(named)) if table != named => Some(Self::OtherKek {
                serial,
                table: table.clone(),
                blob: named.clone(),
            }),
            (Some(_), WrappedBy::Kek(_) | WrappedBy::Unreadable) | (_, WrappedBy::Nothing) => None,
        }
    }

    /// Whether only the database's word for the KEK is in question: the wrapped DEK has its own,
    /// and can be tried with that.
    #[must_use]
    pub const fn is_about_the_kek(&self) -> bool {
        matches!(self, Self::NoKek { .. } | Self::OtherKek { .. })
    }
}

fn other_dek(facts: &DekFacts) -> Option<Contradiction> {
    match (&facts.check_value, &facts.unwrapped) {
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
                "key_storage_config says software, and pkcs11_token or sealing holds a wrapped DEK",
            ),
            Self::NoDek { storage } => write!(
                f,
                "key_storage_config says {storage} and setup was completed, and neither pkcs11_token \
                 nor sealing knows of a DEK"
            ),
            Self::NoCheckValue => f.write_str(
                "this node's secrets are sealed under a DEK, and sealing.dek_check_value does not \
                 say which",
            ),
            Self::NoKek {
                serial,
                blob: Some(blob),
            } => write!(
                f,
                "the wrapped DEK of the token {serial} in pkcs11_token names the KEK {blob}, and \
                 pkcs11_key names none"
            ),
            Self::NoKek { serial, blob: None } => write!(
                f,
                "pkcs11_token holds a wrapped DEK of the token {serial}, and neither it nor \
                 pkcs11_key names a KEK"
            ),
            Self::OtherKek {
                serial,
                table,
                blob,
            } => write!(
                f,
                "pkcs11_key names the KEK {table} of the token {serial}, and the wrapped DEK in \
                 pkcs11_token names {blob}"
            ),
            Self::OtherDek { table, unwrapped } => write!(
                f,
                "the KEK unwraps a DEK with the check value {}, and sealing.dek_check_value is \
                 {}: it is not the one that seals the database",
                hex(unwrapped),
                hex(table)
            ),
        }
    }
}
