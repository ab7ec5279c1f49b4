//! The KEK on the token, known by its CKA_ID.

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::types::Ulong;
use domain::{KEK_LABEL, KekId};
use ports::{Fault, FaultKind};

use crate::blob::corrupt;
use crate::classify::{Operation, fault};
use crate::marker::refuses_template;
use crate::session::UserSession;

/// AES-256.
const KEY_LENGTH: Ulong = Ulong::new(32);

/// The KEK with this id; `None` after a look at a token in which the user is logged in.
pub(crate) fn find(user: &UserSession, kek: &KekId) -> Result<Option<ObjectHandle>, Fault> {
    let found = user
        .session
        .find_objects(&[
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::Token(true),
            Attribute::Id(kek.as_bytes().to_vec()),
        ])
        .map_err(|error| {
            fault(
                Operation::Other,
                format!("the keys on the {user} cannot be listed"),
                error,
            )
        })?;
    match found.as_slice() {
        [] => user.check_login().map(|()| None),
        [only] => Ok(Some(*only)),
        several => Err(Fault::new(
            FaultKind::DataCorrupt,
            format!("the {user} holds {} keys with the id {kek}", several.len()),
            "find out with `pkcs11-tool --login --list-objects` which of them this program \
             generated, and who made the other; remove neither before the DEK is unwrapped",
        )),
    }
}

/// The KEK with this id, which must be there.
pub(crate) fn expect(user: &UserSession, kek: &KekId) -> Result<ObjectHandle, Fault> {
    find(user, kek)?
        .ok_or_else(|| corrupt(&format!("the KEK {kek} that it needs is not on the {user}")))
}

/// CKA_CHECK_VALUE of the KEK, where it is there and has one.
pub(crate) fn check_value(user: &UserSession, kek: &KekId) -> Result<Option<Vec<u8>>, Fault> {
    let Some(key) = find(user, kek)? else {
        return Ok(None);
    };
    // A token that does not know the attribute leaves it out of its answer.
    let attributes = user
        .session
        .get_attributes(key, &[AttributeType::CheckValue])
        .map_err(|error| {
            fault(
                Operation::Other,
                format!("the check value of the KEK {kek} on the {user} cannot be read"),
                error,
            )
        })?;
    Ok(attributes
        .into_iter()
        .find_map(|attribute| match attribute {
            Attribute::CheckValue(value) if !value.is_empty() => Some(value),
            _ => None,
        }))
}

/// Destroys the KEK. What the token was given before is on the disk by then.
pub(crate) fn destroy(user: &UserSession, kek: &KekId) -> Result<bool, Fault> {
    let Some(key) = find(user, kek)? else {
        return Ok(false);
    };
    user.session
        .destroy_object(key)
        .map(|()| true)
        .map_err(|error| {
            fault(
                Operation::Other,
                format!("the KEK {kek} on the {user} could not be destroyed"),
                error,
            )
        })
}

/// Generates a KEK under the id.
pub(crate) fn generate(user: &UserSession, id: &KekId) -> Result<(), Fault> {
    let mut template = template(id);
    let generated = match user.session.generate_key(&Mechanism::AesKeyGen, &template) {
        // Not every token takes CKA_MODIFIABLE, the last of the list.
        Err(error) if refuses_template(&error) => {
            template.pop();
            user.session.generate_key(&Mechanism::AesKeyGen, &template)
        }
        generated => generated,
    };
    let key = generated.map_err(|error| {
        fault(
            Operation::Other,
            format!("no KEK could be generated on the {user}"),
            error,
        )
    })?;
    check(user, key, id)
}

fn template(id: &KekId) -> Vec<Attribute> {
    vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(KEY_LENGTH),
        Attribute::Label(KEK_LABEL.as_bytes().to_vec()),
        Attribute::Id(id.as_bytes().to_vec()),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Wrap(true),
        Attribute::Unwrap(true),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Modifiable(false),
    ]
}

/// A token that ignores what it is asked for must not hold the KEK.
fn check(user: &UserSession, key: ObjectHandle, id: &KekId) -> Result<(), Fault> {
    let wanted = [
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Private(true),
    ];
    let types: Vec<AttributeType> = wanted.iter().map(Attribute::attribute_type).collect();
    let actual = user.session.get_attributes(key, &types).map_err(|error| {
        fault(
            Operation::Other,
            format!("the new KEK {id} on the {user} cannot be read back"),
            error,
        )
    })?;
    if wanted.iter().all(|attribute| actual.contains(attribute)) {
        return Ok(());
    }
    user.session.destroy_object(key).map_err(|error| {
        fault(
            Operation::Other,
            format!("the new KEK {id} on the {user} is not protected and cannot be removed"),
            error,
        )
    })?;
    Err(Fault::new(
        FaultKind::Config,
        format!("the {user} made a KEK that is not sensitive, private and unextractable"),
        "use a token that keeps its keys, for example SoftHSM",
    ))
}
