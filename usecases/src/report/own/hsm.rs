//! What `hsm check` reports.

use ports::PinState;
use serde::Serialize;

use super::CheckReport;
use crate::report::DeviceReport;
use crate::report::spelling::Name;

/// What `hsm check` reports.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HsmCheck {
    /// What the module says of itself, and how many slots it shows. For people.
    pub module: String,
    /// The token.
    pub token: CheckedToken,
    /// The names of all mechanisms that the token offers (PKCS#11 v3.1, section 6) without their
    /// `CKM_`, in order; the number of one that has no name here, like `0x80000001`.
    pub mechanisms: Vec<String>,
    /// What was tried. All of `group` `keys`.
    pub checks: Vec<CheckReport>,
}

/// The token that was asked.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckedToken {
    /// Its label.
    pub label: String,
    /// The device that it is on. A token that has no serial number of its own has the one in this
    /// program's marker.
    pub device: DeviceReport,
    /// How it stands to user PINs, by its flags.
    pub pin: Name<PinState>,
    /// The installation whose marker it carries; null where it carries none.
    pub installation: Option<String>,
}
