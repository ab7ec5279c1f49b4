//! This project's marker on a token: a public data object with the installation id (C14, C23).
//!
//! Public, so that a missing database can be told from a new node without a login.

use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use cryptoki::session::Session;
use domain::InstallationId;
use ports::{TokenError, TokenName};

use crate::classify::OrFailed as _;
use crate::session::{UserSession, unmodifiable};
use crate::slots::SlotToken;

const APPLICATION: &[u8] = b"trustpointctl";
const LABEL: &[u8] = b"trustpoint-installation";

/// The marker of a token, read without a login.
pub(crate) fn read(
    context: &Pkcs11,
    token: &SlotToken,
) -> Result<Option<InstallationId>, TokenError> {
    let session = context
        .open_ro_session(token.slot)
        .or_failed(|| format!("no session could be opened on the {}", token.name))?;
    read_in(&session, &token.name)
}

/// Writes the marker where there is none.
pub(crate) fn write(user: &UserSession, installation: &InstallationId) -> Result<(), TokenError> {
    match read_in(&user.session, &user.token)? {
        Some(present) if present == *installation => Ok(()),
        Some(theirs) => Err(TokenError::OtherInstallation {
            token: user.token.clone(),
            theirs,
            ours: installation.clone(),
        }),
        None => create(user, installation),
    }
}

fn create(user: &UserSession, installation: &InstallationId) -> Result<(), TokenError> {
    let template = vec![
        Attribute::Class(ObjectClass::DATA),
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Application(APPLICATION.to_vec()),
        Attribute::Label(LABEL.to_vec()),
        Attribute::Value(installation.as_str().as_bytes().to_vec()),
    ];
    unmodifiable(template, |template| user.session.create_object(template))
        .map(drop)
        .or_failed(|| format!("the marker could not be written to the {user}"))
}

fn read_in(session: &Session, token: &TokenName) -> Result<Option<InstallationId>, TokenError> {
    let unreadable = || format!("the marker of the {token} cannot be read");
    let objects = session
        .find_objects(&[
            Attribute::Class(ObjectClass::DATA),
            Attribute::Token(true),
            Attribute::Application(APPLICATION.to_vec()),
            Attribute::Label(LABEL.to_vec()),
        ])
        .or_failed(unreadable)?;
    let mut found: Option<InstallationId> = None;
    for object in objects {
        let attributes = session
            .get_attributes(object, &[AttributeType::Value])
            .or_failed(unreadable)?;
        let id = parse(&attributes)
            .ok_or_else(|| damaged(token, "what it holds is no installation id".into()))?;
        match found {
            Some(other) if other != id => {
                let both = format!("there are two, of installations {other} and {id}");
                return Err(damaged(token, both));
            }
            _ => found = Some(id),
        }
    }
    Ok(found)
}

fn parse(attributes: &[Attribute]) -> Option<InstallationId> {
    let value = attributes.iter().find_map(|attribute| match attribute {
        Attribute::Value(value) => Some(value),
        _ => None,
    })?;
    InstallationId::parse(std::str::from_utf8(value).ok()?).ok()
}

fn damaged(token: &TokenName, why: String) -> TokenError {
    TokenError::MarkerDamaged {
        token: token.clone(),
        marker: String::from_utf8_lossy(LABEL).into_owned(),
        why,
    }
}
