//! Wrapping and unwrapping the DEK with the KEK, inside the token (C16).
//!
//! CKM_AES_KEY_WRAP works on key objects, so the DEK is a session object for a moment; it is
//! destroyed before the call returns, and at the end of the session at the latest.

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use domain::KekId;
use ports::{Dek, Fault, FaultKind, WrapFormat, WrappedDek};
use zeroize::{Zeroize, Zeroizing};

use crate::blob::{self, Blob, Body, IV_LENGTH, corrupt};
use crate::classify::{Operation, fault, is};
use crate::kek;
use crate::random;
use crate::session::UserSession;

/// Bits of the tag of AES-GCM.
const TAG_BITS: u64 = 128;

/// Wraps in the format that the token offers, unwraps what came out and compares.
pub(crate) fn wrap(user: &UserSession, kek: &KekId, dek: &Dek) -> Result<WrappedDek, Fault> {
    let format = user.format.ok_or_else(|| {
        Fault::new(
            FaultKind::Config,
            format!("the {user} offers neither AES_KEY_WRAP nor AES_GCM through this module"),
            "load the token's own module in process (hsm.module), or reach it through p11-kit \
             0.25.5 or newer; AES_ECB is never used",
        )
    })?;
    let key = kek::expect(user, kek)?;
    let blob = wrap_as(user, key, kek, dek, format)?;
    let again = unwrap_with(user, key, kek, &blob.body, &blob.header)
        .map_err(|error| error.into_fault(user, kek, Operation::Other))?;
    if !again.is_same(dek) {
        return Err(Fault::new(
            FaultKind::HsmUnavailable,
            format!("the {user} wrapped a DEK and unwraps it to another one"),
            "do not use this token: it computes wrongly; nothing was stored",
        ));
    }
    Ok(blob.to_stored())
}

/// Unwraps in the format that the blob names.
pub(crate) fn unwrap(user: &UserSession, kek: &KekId, stored: &WrappedDek) -> Result<Dek, Fault> {
    let blob = Blob::parse(stored, kek)?;
    let key = kek::expect(user, kek)?;
    unwrap_with(user, key, kek, &blob.body, &blob.header).or_else(|failure| {
        // SoftHSM says CKR_GENERAL_ERROR of an altered blob, and a token that is broken says the
        // same. One that still wraps and unwraps a key of its own is not broken.
        if failure.is_vague() {
            self_test(user, key, kek, &blob.body)?;
        }
        Err(failure.into_fault(user, kek, Operation::Unwrap))
    })
}

/// Why there is no DEK.
enum Failure {
    /// A call failed.
    Call(&'static str, WrapFormat, Error),
    /// Something else.
    Other(Fault),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Other(fault)
    }
}

impl Failure {
    fn is_vague(&self) -> bool {
        match self {
            Self::Call(_, _, error) => {
                is(error, RvError::GeneralError) || is(error, RvError::FunctionFailed)
            }
            Self::Other(_) => false,
        }
    }

    fn into_fault(self, user: &UserSession, kek: &KekId, operation: Operation) -> Fault {
        match self {
            Self::Other(fault) => fault,
            Self::Call(_, format, error) if is(&error, RvError::MechanismInvalid) => Fault::new(
                FaultKind::Config,
                format!(
                    "the DEK is wrapped with {}, which the {user} does not offer through this \
                     module",
                    format.name()
                ),
                "reach the token in process (hsm.module of the token itself), or through a \
                 daemon that passes this mechanism",
            )
            .because(crate::classify::Cause::from(error)),
            Self::Call(what, format, error) => fault(
                operation,
                format!(
                    "{what} with {} and the KEK {kek} on the {user} failed",
                    format.name()
                ),
                error,
            ),
        }
    }
}

fn wrap_as(
    user: &UserSession,
    key: ObjectHandle,
    kek: &KekId,
    dek: &Dek,
    format: WrapFormat,
) -> Result<Blob, Fault> {
    let header = blob::header(format, kek)?;
    let body = match format {
        WrapFormat::AesKeyWrap => key_wrap(user, key, dek),
        WrapFormat::AesGcm => gcm_encrypt(user, key, dek, &header),
    }
    .map_err(|failure| failure.into_fault(user, kek, Operation::Other))?;
    let blob = Blob { header, body };
    // What this program would refuse to read is never stored.
    Blob::parse(&blob.to_stored(), kek)
}

fn unwrap_with(
    user: &UserSession,
    key: ObjectHandle,
    kek: &KekId,
    body: &Body,
    header: &[u8],
) -> Result<Dek, Failure> {
    let bytes = match body {
        Body::KeyWrap(wrapped) => key_unwrap(user, key, wrapped)?,
        Body::Gcm { iv, ciphertext } => gcm_decrypt(user, key, *iv, header, ciphertext)?,
    };
    Dek::from_bytes(&bytes).ok_or_else(|| {
        Failure::Other(corrupt(&format!(
            "the KEK {kek} unwraps it to {} bytes, not to 32",
            bytes.len()
        )))
    })
}

/// Whether the token wraps and unwraps at all: a fault of its own where it does not.
fn self_test(user: &UserSession, key: ObjectHandle, kek: &KekId, body: &Body) -> Result<(), Fault> {
    let format = match body {
        Body::KeyWrap(_) => WrapFormat::AesKeyWrap,
        Body::Gcm { .. } => WrapFormat::AesGcm,
    };
    let probe = Zeroizing::new(random::bytes::<{ domain::DEK_EXPECTED_LENGTH }>()?);
    let Some(probe) = Dek::from_bytes(probe.as_slice()) else {
        return Ok(());
    };
    let blob = wrap_as(user, key, kek, &probe, format)?;
    unwrap_with(user, key, kek, &blob.body, &blob.header)
        .map(drop)
        .map_err(|failure| failure.into_fault(user, kek, Operation::Other))
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

fn key_wrap(user: &UserSession, key: ObjectHandle, dek: &Dek) -> Result<Body, Failure> {
    const FORMAT: WrapFormat = WrapFormat::AesKeyWrap;
    let mut template = key_template();
    template.push(Attribute::Value(dek.expose().to_vec()));
    let created = user.session.create_object(&template);
    if let Some(Attribute::Value(copy)) = template.last_mut() {
        copy.zeroize();
    }
    let object =
        created.map_err(|error| Failure::Call("loading the DEK to wrap it", FORMAT, error))?;
    let wrapped = user.session.wrap_key(&Mechanism::AesKeyWrap, key, object);
    let destroyed = user.session.destroy_object(object);
    let wrapped = wrapped.map_err(|error| Failure::Call("wrapping the DEK", FORMAT, error))?;
    destroyed.map_err(|error| Failure::Call("removing the DEK from the session", FORMAT, error))?;
    Ok(Body::KeyWrap(wrapped))
}

fn key_unwrap(
    user: &UserSession,
    key: ObjectHandle,
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    const FORMAT: WrapFormat = WrapFormat::AesKeyWrap;
    let object = user
        .session
        .unwrap_key(&Mechanism::AesKeyWrap, key, wrapped, &key_template())
        .map_err(|error| Failure::Call("unwrapping the DEK", FORMAT, error))?;
    let read = user.session.get_attributes(object, &[AttributeType::Value]);
    let value = read.map(|attributes| {
        attributes
            .into_iter()
            .find_map(|attribute| match attribute {
                Attribute::Value(value) => Some(Zeroizing::new(value)),
                _ => None,
            })
    });
    let destroyed = user.session.destroy_object(object);
    let value = value.map_err(|error| Failure::Call("reading the DEK", FORMAT, error))?;
    destroyed.map_err(|error| Failure::Call("removing the DEK from the session", FORMAT, error))?;
    value.ok_or_else(|| Failure::Call("reading the DEK", FORMAT, Error::InvalidValue))
}

fn gcm_encrypt(
    user: &UserSession,
    key: ObjectHandle,
    dek: &Dek,
    header: &[u8],
) -> Result<Body, Failure> {
    const FORMAT: WrapFormat = WrapFormat::AesGcm;
    let iv = random::bytes::<IV_LENGTH>()?;
    // Some tokens write to the IV that they are given.
    let mut given = iv;
    let failed = |error| Failure::Call("wrapping the DEK", FORMAT, error);
    let params = GcmParams::new(&mut given, header, TAG_BITS.into()).map_err(failed)?;
    let ciphertext = user
        .session
        .encrypt(&Mechanism::AesGcm(params), key, dek.expose())
        .map_err(failed)?;
    Ok(Body::Gcm { iv, ciphertext })
}

fn gcm_decrypt(
    user: &UserSession,
    key: ObjectHandle,
    mut iv: [u8; IV_LENGTH],
    header: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |error| Failure::Call("unwrapping the DEK", WrapFormat::AesGcm, error);
    let params = GcmParams::new(&mut iv, header, TAG_BITS.into()).map_err(failed)?;
    user.session
        .decrypt(&Mechanism::AesGcm(params), key, ciphertext)
        .map(Zeroizing::new)
        .map_err(failed)
}
