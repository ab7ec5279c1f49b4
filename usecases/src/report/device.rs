//! The token that a node has, and the device that it is on.

use std::fmt;

use ports::{Device, TokenInfo};
use serde::Serialize;

/// A token that was found.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FoundToken {
    /// Its label.
    pub label: String,
    /// The device that it is on.
    pub device: DeviceReport,
}

/// The device that a token is on, in its maker's words.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceReport {
    /// Who made it.
    pub manufacturer: String,
    /// Which of the maker's devices it is.
    pub model: String,
    /// The token's serial number.
    pub serial: String,
    /// The version of its firmware, like `2.6`.
    pub firmware: String,
}

impl From<&TokenInfo> for DeviceReport {
    fn from(token: &TokenInfo) -> Self {
        let Device {
            manufacturer,
            model,
            firmware,
        } = token.device.clone();
        Self {
            manufacturer,
            model,
            serial: token.serial.clone(),
            firmware,
        }
    }
}

impl From<&TokenInfo> for FoundToken {
    fn from(token: &TokenInfo) -> Self {
        Self {
            label: token.label.clone(),
            device: token.into(),
        }
    }
}

/// For people.
impl fmt::Display for DeviceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            manufacturer,
            model,
            serial,
            firmware,
        } = self;
        write!(
            f,
            "{manufacturer:?} {model:?}, serial {serial}, firmware {firmware}"
        )
    }
}
