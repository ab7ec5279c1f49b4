//! The KEK on the token, known by its CKA_ID.

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::types::Ulong;
use domain::{KEK_LABEL, KekId};
use ports::TokenError;

use crate::classify::OrFailed as _;
use crate::session::{UserSession, unmodifiable};

/// AES-256.
const KEY_LENGTH: Ulong = Ulong::new(32);

/// The KEK with this id; `None` after a look at a token in which the user is logged in. Of one that
/// was found before the handle is known.
pub(crate) fn find(user: &UserSession, kek: &KekId) -> Result<Option<ObjectHandle>, TokenError> {
    if let Some((known, handle)) = &*user.kek.borrow()
        && known == kek
    {
        return Ok(Some(*handle));
    }
    let found = look_for(user, kek)?;
    *user.kek.borrow_mut() = found.map(|handle| (kek.clone(), handle));
    Ok(found)
}

fn look_for(user: &UserSession, kek: &KekId) -> Result<Option<ObjectHandle>, TokenError> {
    let found = user
        .session
        .find_objects(&[
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::Token(true),
            Attribute::Id(kek.as_bytes().to_vec()),
        ])
        .or_failed(|| format!("the keys on the {user} cannot be listed"))?;
    match found.as_slice() {
        [] => user.ensure_logged_in().map(|()| None),
        [only] => Ok(Some(*only)),
        several => Err(TokenError::SeveralKeks {
            token: user.name.clone(),
            kek: kek.clone(),
            count: several.len(),
        }),
    }
}

/// CKA_CHECK_VALUE of the KEK, where it is there and has one.
pub(crate) fn check_value(user: &UserSession, kek: &KekId) -> Result<Option<Vec<u8>>, TokenError> {
    let Some(key) = find(user, kek)? else {
        return Ok(None);
    };
    // A token that does not know the attribute leaves it out of its answer.
    let attributes = user
        .session
        .get_attributes(key, &[AttributeType::CheckValue])
        .or_failed(|| format!("the check value of the KEK {kek} on the {user} cannot be read"))?;
    Ok(attributes
        .into_iter()
        .find_map(|attribute| match attribute {
            Attribute::CheckValue(value) if !value.is_empty() => Some(value),
            _ => None,
        }))
}

/// Destroys the KEK. What the token was given before is on the disk by then.
pub(crate) fn destroy(user: &UserSession, kek: &KekId) -> Result<bool, TokenError> {
    let Some(key) = find(user, kek)? else {
        return Ok(false);
    };
    *user.kek.borrow_mut() = None;
    user.session
        .destroy_object(key)
        .map(|()| true)
        .or_failed(|| format!("the KEK {kek} on the {user} could not be destroyed"))
}

/// Generates a KEK under the id, on a token that can wrap with it.
pub(crate) fn generate(user: &UserSession, id: &KekId) -> Result<ObjectHandle, TokenError> {
    user.wrap_format()?;
    generate_key(user, id, true)
}

/// A key as a KEK is, which ends with the session.
pub(crate) fn generate_for_session(
    user: &UserSession,
    id: &KekId,
) -> Result<ObjectHandle, TokenError> {
    generate_key(user, id, false)
}

fn generate_key(user: &UserSession, id: &KekId, is_kept: bool) -> Result<ObjectHandle, TokenError> {
    let template = vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(KEY_LENGTH),
        Attribute::Label(KEK_LABEL.as_bytes().to_vec()),
        Attribute::Id(id.as_bytes().to_vec()),
        Attribute::Token(is_kept),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Wrap(true),
        Attribute::Unwrap(true),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
    ];
    let key = unmodifiable(template, |template| {
        user.session.generate_key(&Mechanism::AesKeyGen, template)
    })
    .or_failed(|| format!("no KEK could be generated on the {user}"))?;
    ensure_protected(user, key, id)?;
    Ok(key)
}

/// A token that ignores what it is asked for must not hold the KEK.
fn ensure_protected(user: &UserSession, key: ObjectHandle, id: &KekId) -> Result<(), TokenError> {
    let mut wanted = vec![
        (Attribute::Sensitive(true), "CKA_SENSITIVE = true"),
        (
            Attribute::AlwaysSensitive(true),
            "CKA_ALWAYS_SENSITIVE = true",
        ),
        (Attribute::Extractable(false), "CKA_EXTRACTABLE = false"),
        (
            Attribute::NeverExtractable(true),
            "CKA_NEVER_EXTRACTABLE = true",
        ),
        (Attribute::Private(true), "CKA_PRIVATE = true"),
    ];
    if user.quirks.reports_local {
        wanted.push((Attribute::Local(true), "CKA_LOCAL = true"));
    }
    let types: Vec<AttributeType> = (wanted.iter())
        .map(|(attribute, _)| attribute.attribute_type())
        .collect();
    let actual = user
        .session
        .get_attributes(key, &types)
        .or_failed(|| format!("the new KEK {id} on the {user} cannot be read back"))?;
    wanted.retain(|(attribute, _)| !actual.contains(attribute));
    if wanted.is_empty() {
        return Ok(());
    }
    user.session.destroy_object(key).or_failed(|| {
        format!("the new KEK {id} on the {user} is not protected and cannot be removed")
    })?;
    let missing: Vec<_> = wanted.into_iter().map(|(_, name)| name).collect();
    Err(TokenError::UnprotectedKek {
        token: user.name.clone(),
        attributes: missing.join(", "),
    })
}
