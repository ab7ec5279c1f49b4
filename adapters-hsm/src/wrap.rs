//! Wrapping and unwrapping the DEK with the KEK, inside the token (C16).
//!
//! The key wraps work on key objects, so the DEK is a session object for a moment; it is destroyed
//! before the call returns, and at the end of the session at the latest.

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki_sys::CKM_AES_KEY_WRAP_KWP;
use domain::KekId;
use ports::{CallFailure, Dek, TokenError, WrapFormat, WrappedDek};
use zeroize::{Zeroize, Zeroizing};

use crate::blob::{self, Blob, Body, GCM_LENGTH, IV_LENGTH, KEY_WRAP_LENGTH, damaged};
use crate::classify::{self, cause, is};
use crate::kek;
use crate::random;
use crate::session::UserSession;

/// Bits of the tag of AES-GCM.
const TAG_BITS: u64 = 128;

/// Wraps in the format that the token offers, unwraps what came out and compares.
pub(crate) fn wrap(user: &UserSession, kek: &KekId, dek: &Dek) -> Result<WrappedDek, TokenError> {
    let format = user.wrap_format()?;
    let kek = Kek::on(user, kek)?;
    let blob = kek.wrap(dek, format)?;
    if !kek.unwrap(&blob).map_err(of_the_device)?.is_same(dek) {
        return Err(TokenError::WrapMismatch(user.name.clone()));
    }
    Ok(blob.to_stored())
}

/// What a token does not unwrap that it has wrapped a moment ago is not altered: the token is no
/// good.
fn of_the_device(error: TokenError) -> TokenError {
    match error {
        TokenError::Call {
            what,
            failure: CallFailure::Corrupt | CallFailure::Vague,
            source,
        } => TokenError::Call {
            what,
            failure: CallFailure::Unreachable,
            source,
        },
        other => other,
    }
}

/// Unwraps in the format that the blob names.
///
/// What a failure means is judged by evidence and not by its code: of one flipped bit SoftHSM says
/// CKR_GENERAL_ERROR, NSS CKR_WRAPPED_KEY_INVALID and kryoptic CKR_DEVICE_ERROR, and a broken token
/// may say any of them. One that still wraps and unwraps a key of its own is not broken: what is
/// stored is.
pub(crate) fn unwrap(
    user: &UserSession,
    kek: &KekId,
    stored: &WrappedDek,
) -> Result<Dek, TokenError> {
    let blob = Blob::parse(stored, kek)?;
    let kek = Kek::on(user, kek)?;
    match kek.unwrap(&blob) {
        Err(TokenError::Call {
            what,
            failure: CallFailure::Vague | CallFailure::Corrupt | CallFailure::Unreachable,
            source,
        }) => {
            let failed = |failure| TokenError::Call {
                what,
                failure,
                source,
            };
            match kek.self_test(blob.format()) {
                Err(_) => Err(failed(CallFailure::Unreachable)),
                // Once more: the first failure may have been the device's after all.
                Ok(_) => kek.unwrap(&blob).map_err(|_| failed(CallFailure::Corrupt)),
            }
        }
        unwrapped => unwrapped,
    }
}

/// Wraps a throw-away key in this format with a key that is on the token, unwraps it, and does the same
/// with an altered one: what the token says of that.
pub(crate) fn try_out(
    user: &UserSession,
    id: &KekId,
    key: ObjectHandle,
    format: WrapFormat,
) -> Result<String, TokenError> {
    let kek = Kek { user, id, key };
    let blob = kek.self_test(format)?;
    match kek.unwrap(&blob.altered()) {
        Err(TokenError::Call { source, .. }) => Ok(source.to_string()),
        Err(error) => Err(error),
        Ok(_) => Err(TokenError::WrapMismatch(user.name.clone())),
    }
}

/// Whether the token wraps a KEK with itself: then it can be read, although it is not extractable.
pub(crate) fn gives_away(user: &UserSession, id: &KekId, key: ObjectHandle) -> bool {
    let kek = Kek { user, id, key };
    match user.format {
        Some(WrapFormat::AesGcm) | None => false,
        Some(format) => kek.wrap_object(key, format).is_ok(),
    }
}

/// A KEK that is on the token.
struct Kek<'a> {
    user: &'a UserSession,
    id: &'a KekId,
    key: ObjectHandle,
}

impl<'a> Kek<'a> {
    fn on(user: &'a UserSession, id: &'a KekId) -> Result<Self, TokenError> {
        match kek::find(user, id)? {
            Some(key) => Ok(Self { user, id, key }),
            None => Err(damaged(&format!(
                "the KEK {id} that it needs is not on the {user}"
            ))),
        }
    }

    fn wrap(&self, dek: &Dek, format: WrapFormat) -> Result<Blob, TokenError> {
        let header = blob::header(format, self.id);
        let body = match format {
            WrapFormat::AesKeyWrap => Body::KeyWrap(self.key_wrap(dek, format)?),
            WrapFormat::AesKeyWrapKwp => Body::KeyWrapKwp(self.key_wrap(dek, format)?),
            WrapFormat::AesGcm => self.gcm_encrypt(dek, &header)?,
        };
        let blob = Blob { header, body };
        // What this program would refuse to read is never stored.
        Blob::parse(&blob.to_stored(), self.id)
    }

    fn unwrap(&self, blob: &Blob) -> Result<Dek, TokenError> {
        let bytes = match &blob.body {
            Body::KeyWrap(wrapped) | Body::KeyWrapKwp(wrapped) => {
                self.key_unwrap(wrapped, blob.format())?
            }
            Body::Gcm { iv, ciphertext } => self.gcm_decrypt(*iv, &blob.header, ciphertext)?,
        };
        Dek::from_bytes(&bytes).ok_or_else(|| {
            damaged(&format!(
                "the KEK {} unwraps it to {} bytes, not to 32",
                self.id,
                bytes.len()
            ))
        })
    }

    /// Wraps and unwraps a key made for it: fails where the token does not do that at all.
    fn self_test(&self, format: WrapFormat) -> Result<Blob, TokenError> {
        let probe = Zeroizing::new(random::bytes::<{ domain::DEK_EXPECTED_LENGTH }>()?);
        let probe = Dek::from_bytes(probe.as_slice()).ok_or(TokenError::NoRandomBytes)?;
        let blob = self.wrap(&probe, format)?;
        if self.unwrap(&blob)?.is_same(&probe) {
            return Ok(blob);
        }
        Err(TokenError::WrapMismatch(self.user.name.clone()))
    }

    fn key_wrap(&self, dek: &Dek, format: WrapFormat) -> Result<Vec<u8>, TokenError> {
        let session = &self.user.session;
        let failed = |what| move |error| self.failed(what, format, error);
        let mut template = key_template();
        template.push(Attribute::Value(dek.expose().to_vec()));
        let created = session.create_object(&template);
        if let Some(Attribute::Value(copy)) = template.last_mut() {
            copy.zeroize();
        }
        let object = created.map_err(failed("loading the DEK to wrap it"))?;
        let wrapped = self.wrap_object(object, format);
        let destroyed = session.destroy_object(object);
        let wrapped = wrapped.map_err(failed("wrapping the DEK"))?;
        destroyed.map_err(failed("removing the DEK from the session"))?;
        Ok(wrapped)
    }

    /// C_WrapKey.
    fn wrap_object(&self, object: ObjectHandle, format: WrapFormat) -> Result<Vec<u8>, Error> {
        let UserSession { session, calls, .. } = self.user;
        match format {
            WrapFormat::AesKeyWrapKwp => {
                calls.wrap_key(session, CKM_AES_KEY_WRAP_KWP, self.key, object)
            }
            _ => session
                .wrap_key(&Mechanism::AesKeyWrap, self.key, object)
                .map(without_surplus),
        }
    }

    fn key_unwrap(
        &self,
        wrapped: &[u8],
        format: WrapFormat,
    ) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        let session = &self.user.session;
        let failed = |what| move |error| self.failed(what, format, error);
        let object = match format {
            WrapFormat::AesKeyWrapKwp => {
                let calls = &self.user.calls;
                calls.unwrap_key(
                    session,
                    CKM_AES_KEY_WRAP_KWP,
                    self.key,
                    wrapped,
                    &key_template(),
                )
            }
            _ => session.unwrap_key(&Mechanism::AesKeyWrap, self.key, wrapped, &key_template()),
        }
        .map_err(failed("unwrapping the DEK"))?;
        let read = session.get_attributes(object, &[AttributeType::Value]);
        let value = read.and_then(|attributes| {
            let value = attributes
                .into_iter()
                .find_map(|attribute| match attribute {
                    Attribute::Value(value) => Some(Zeroizing::new(value)),
                    _ => None,
                });
            value.ok_or(Error::InvalidValue)
        });
        let destroyed = session.destroy_object(object);
        let value = value.map_err(failed("reading the DEK"))?;
        destroyed.map_err(failed("removing the DEK from the session"))?;
        Ok(value)
    }

    fn gcm_encrypt(&self, dek: &Dek, header: &[u8]) -> Result<Body, TokenError> {
        let failed = |error| self.failed("wrapping the DEK", WrapFormat::AesGcm, error);
        let mut iv = random::bytes::<IV_LENGTH>()?;
        let params = GcmParams::new(&mut iv, header, TAG_BITS.into()).map_err(failed)?;
        let ciphertext = self
            .user
            .session
            .encrypt(&Mechanism::AesGcm(params), self.key, dek.expose())
            .map_err(failed)?;
        // A token that makes its own IV writes it over the one that it was given. One that puts it
        // among the output instead is none for us.
        if ciphertext.len() != GCM_LENGTH {
            return Err(TokenError::OwnIv {
                token: self.user.name.clone(),
                length: ciphertext.len(),
            });
        }
        Ok(Body::Gcm { iv, ciphertext })
    }

    fn gcm_decrypt(
        &self,
        mut iv: [u8; IV_LENGTH],
        header: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        let failed = |error| self.failed("unwrapping the DEK", WrapFormat::AesGcm, error);
        let params = GcmParams::new(&mut iv, header, TAG_BITS.into()).map_err(failed)?;
        self.user
            .session
            .decrypt(&Mechanism::AesGcm(params), self.key, ciphertext)
            .map(Zeroizing::new)
            .map_err(failed)
    }

    fn failed(&self, what: &str, format: WrapFormat, error: Error) -> TokenError {
        if is(&error, RvError::MechanismInvalid) {
            return TokenError::MechanismMissing {
                token: self.user.name.clone(),
                mechanism: format.name(),
                source: cause(error),
            };
        }
        let (name, id, user) = (format.name(), self.id, self.user);
        classify::failed(
            format!("{what} with {name} and the KEK {id} on the {user} failed"),
            error,
        )
    }
}

/// NSS softokn says 48 where it writes 40 bytes, and the binding takes its word for it.
fn without_surplus(mut wrapped: Vec<u8>) -> Vec<u8> {
    let surplus = wrapped.get(KEY_WRAP_LENGTH..).unwrap_or_default();
    if surplus.iter().all(|byte| *byte == 0) {
        wrapped.truncate(KEY_WRAP_LENGTH);
    }
    wrapped
}

fn key_template() -> Vec<Attribute> {
    vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(false),
        Attribute::Extractable(true),
    ]
}
