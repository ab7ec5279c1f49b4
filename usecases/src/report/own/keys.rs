//! What `keys show` reports: identities and check values, never a byte of a key.

use ports::{PinState, TokenCopy, WrapFormat};
use serde::Serialize;

use crate::report::DeviceReport;
use crate::report::spelling::{Moment, Name};

/// What `keys show` reports.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeysShow {
    /// Token, KEK, DEK and backup password of a node that seals its secrets.
    pub keys: KeysReport,
}

/// What `recover` reports.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recover {
    /// The other tokens that can still open the DEK; one that was stolen has to be forgotten.
    pub other_copies: Vec<CopyReport>,
}

/// A token, and the copy of the DEK that it opens.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CopyReport {
    /// Label of the token.
    pub label: String,
    /// Its serial number, by which `keys forget-token` knows it.
    pub serial: String,
    /// CKA_ID of the KEK that wraps the copy: lowercase hexadecimal; null where none is known.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^([0-9a-f]{2})+$")))]
    pub kek_id: Option<String>,
    /// When it was wrapped: RFC 3339, UTC; null where that was not recorded yet, or a command was
    /// cut short before.
    pub wrapped_at: Option<Moment>,
    /// Whether it is the copy of the token in use; null where no token could be asked.
    pub in_use: Option<bool>,
}

impl CopyReport {
    /// Of this copy.
    #[must_use]
    pub fn of(copy: &TokenCopy, in_use: Option<bool>) -> Self {
        Self {
            label: copy.label.clone(),
            serial: copy.serial.clone(),
            kek_id: copy.kek.as_ref().map(ToString::to_string),
            wrapped_at: (copy.wrapped.as_ref())
                .and_then(|wrapped| wrapped.at)
                .map(Moment),
            in_use,
        }
    }
}

/// Token, KEK, DEK and backup password.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeysReport {
    /// The token in use; where it is not there, the one that is looked for first.
    pub token: TokenReport,
    /// The key-encryption key on the token.
    pub kek: KekReport,
    /// The data-encryption key, which the KEK wraps.
    pub dek: DekReport,
    /// The password that can bring the DEK back where the KEK is lost.
    pub backup_password: BackupPasswordReport,
    /// Every token that can open the DEK, in the order in which they became known.
    pub copies: Vec<CopyReport>,
}

/// The token.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenReport {
    /// Its label, as the database remembers it.
    pub label: String,
    /// Its serial number, as the database remembers it; null where no token is known or found.
    pub serial: Option<String>,
    /// The path of the PKCS#11 module that the token was set up with, as the database remembers it;
    /// null where the database knows nothing of this token.
    pub module: Option<String>,
    /// Whether the token was found now; false also where nothing answered, which a warning says.
    pub present: bool,
    /// How the token stands to user PINs, by its flags; null where it was not found.
    pub pin: Option<Name<PinState>>,
    /// The device that it is on; null where it was not found.
    pub device: Option<DeviceReport>,
}

/// The KEK.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KekReport {
    /// CKA_ID of the KEK in use, as the database remembers it: lowercase hexadecimal.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^([0-9a-f]{2})+$")))]
    pub id: Option<String>,
    /// Whether the token has it; null where the token was not asked.
    pub on_token: Option<bool>,
    /// Its check value (CKA_CHECK_VALUE), from the token: lowercase hexadecimal; null where the
    /// token was not asked, or tells none.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^([0-9a-f]{2})+$")))]
    pub check_value: Option<String>,
    /// CKA_IDs of KEKs that were in use before and are still known: lowercase hexadecimal.
    #[cfg_attr(
        feature = "schema",
        schemars(inner(regex(pattern = "^([0-9a-f]{2})+$")))
    )]
    pub old: Vec<String>,
    /// CKA_ID of the KEK of a change that was cut short: lowercase hexadecimal; null where there is
    /// none.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^([0-9a-f]{2})+$")))]
    pub pending: Option<String>,
}

/// The DEK.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DekReport {
    /// How the KEK wraps it; null where there is no wrapped DEK, or in no format that is known.
    pub wrap_format: Option<Name<WrapFormat>>,
    /// Its check value, from the database: lowercase hexadecimal; null where none is stored.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^([0-9a-f]{2})*$")))]
    pub check_value: Option<String>,
}

/// The backup password.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BackupPasswordReport {
    /// Whether one is set.
    pub set: bool,
    /// When it was set: RFC 3339, UTC; null where none is, or that is not known.
    pub since: Option<Moment>,
}
