//! Which mechanisms a token offers, and how it wraps with them.

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::{MechanismInfo, MechanismType};
use cryptoki_sys::{CK_MECHANISM_TYPE, CKF_UNWRAP, CKF_WRAP, CKM_AES_KEY_WRAP_KWP};
use ports::{TokenError, WrapFormat};

use crate::classify::{OrFailed as _, is};
use crate::direct::DirectCalls;
use crate::slots::SlotToken;

/// Asks a token for its mechanisms.
pub(crate) struct Mechanisms<'a> {
    pub(crate) context: &'a Pkcs11,
    pub(crate) calls: &'a DirectCalls,
    pub(crate) token: &'a SlotToken,
}

impl Mechanisms<'_> {
    /// The format that the token wraps in: the first of [`WrapFormat::ALL`] that it offers. None of
    /// them is without integrity.
    pub(crate) fn wrap_format(&self) -> Result<Option<WrapFormat>, TokenError> {
        self.offered().next().transpose()
    }

    /// All formats that the token can wrap in.
    pub(crate) fn wrap_formats(&self) -> Result<Vec<WrapFormat>, TokenError> {
        self.offered().collect()
    }

    /// The token is asked for one after the other, and for no more than are taken.
    fn offered(&self) -> impl Iterator<Item = Result<WrapFormat, TokenError>> {
        WrapFormat::ALL.into_iter().filter_map(|format| {
            let offered = self
                .offers(format)
                .map(|is_offered| is_offered.then_some(format));
            offered.transpose()
        })
    }

    /// Whether the token can wrap in this format.
    fn offers(&self, format: WrapFormat) -> Result<bool, TokenError> {
        let offered = match format {
            WrapFormat::AesKeyWrap => self.known(MechanismType::AES_KEY_WRAP, |info| {
                info.wrap() && info.unwrap()
            }),
            WrapFormat::AesKeyWrapKwp => self.kwp(),
            WrapFormat::AesGcm => self.known(MechanismType::AES_GCM, |info| {
                info.encrypt() && info.decrypt()
            }),
        };
        match offered {
            Err(error) if is(&error, RvError::MechanismInvalid) => Ok(false),
            offered => offered.or_failed(|| {
                format!(
                    "the {} does not say which mechanisms it has",
                    self.token.name
                )
            }),
        }
    }

    /// One that is not listed is not asked for: p11-kit describes mechanisms that it does not let
    /// through.
    fn known(
        &self,
        mechanism: MechanismType,
        serves: impl Fn(&MechanismInfo) -> bool,
    ) -> Result<bool, Error> {
        let slot = self.token.slot;
        if !self.context.get_mechanism_list(slot)?.contains(&mechanism) {
            return Ok(false);
        }
        let info = self.context.get_mechanism_info(slot, mechanism)?;
        Ok(serves(&info))
    }

    fn kwp(&self) -> Result<bool, Error> {
        let slot = self.token.slot;
        let listed = match self.calls.mechanisms(slot) {
            // A module whose every list of functions is an instance of its own, as p11-kit's client
            // is: the binding has initialised another one. No version of it lets KWP through.
            Err(error) if is(&error, RvError::CryptokiNotInitialized) => return Ok(false),
            listed => listed?,
        };
        if !listed.contains(&CKM_AES_KEY_WRAP_KWP) {
            return Ok(false);
        }
        let flags = self.calls.flags(slot, CKM_AES_KEY_WRAP_KWP)?;
        Ok(flags & CKF_WRAP != 0 && flags & CKF_UNWRAP != 0)
    }

    /// The names of all that are listed, in order; the number of one that has no name here.
    pub(crate) fn names(&self) -> Result<Vec<String>, TokenError> {
        let slot = self.token.slot;
        let listed = match self.calls.mechanisms(slot) {
            Err(error) if is(&error, RvError::CryptokiNotInitialized) => self
                .context
                .get_mechanism_list(slot)
                .map(|known| known.into_iter().map(Into::into).collect()),
            listed => listed,
        };
        let listed: Vec<CK_MECHANISM_TYPE> =
            listed.or_failed(|| format!("the {} does not list its mechanisms", self.token.name))?;
        let mut names: Vec<String> = listed.into_iter().map(name).collect();
        names.sort_unstable();
        Ok(names)
    }
}

fn name(mechanism: CK_MECHANISM_TYPE) -> String {
    if mechanism == CKM_AES_KEY_WRAP_KWP {
        return WrapFormat::AesKeyWrapKwp.name().to_owned();
    }
    match MechanismType::try_from(mechanism) {
        Ok(known) => known.to_string().replace("CKM_", ""),
        Err(_) => format!("{mechanism:#x}"),
    }
}
