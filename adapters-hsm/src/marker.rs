//! This project's marker on a token: a public data object with the installation id (C14, C23).
//!
//! Public, so that a missing database can be told from a new node without a login.

use cryptoki::context::Pkcs11;
use cryptoki::error::RvError;
use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use cryptoki::session::Session;
use domain::InstallationId;
use ports::{Fault, FaultKind};

use crate::classify::{Operation, fault, is};
use crate::session::UserSession;
use crate::slots::SlotToken;

const APPLICATION: &[u8] = b"trustpointctl";
const LABEL: &[u8] = b"trustpoint-installation";

/// The marker of a token, read without a login.
pub(crate) fn read(context: &Pkcs11, token: &SlotToken) -> Result<Option<InstallationId>, Fault> {
    let session = context.open_ro_session(token.slot).map_err(|error| {
        fault(
            Operation::Other,
            format!(
                "no session could be opened on the token {:?} (serial {})",
                token.label, token.serial
            ),
            error,
        )
    })?;
    read_in(&session, &token.label, &token.serial)
}

/// Writes the marker where there is none.
pub(crate) fn write(user: &UserSession, installation: &InstallationId) -> Result<(), Fault> {
    match read_in(&user.session, &user.label, &user.serial)? {
        Some(present) if present == *installation => Ok(()),
        Some(other) => Err(Fault::new(
            FaultKind::Config,
            format!("the {user} belongs to the installation {other}, not to {installation}"),
            "use another token, or restore the database of the installation that the token \
             belongs to",
        )),
        None => create(user, installation),
    }
}

fn create(user: &UserSession, installation: &InstallationId) -> Result<(), Fault> {
    let mut template = vec![
        Attribute::Class(ObjectClass::DATA),
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Application(APPLICATION.to_vec()),
        Attribute::Label(LABEL.to_vec()),
        Attribute::Value(installation.as_str().as_bytes().to_vec()),
        Attribute::Modifiable(false),
    ];
    let created = match user.session.create_object(&template) {
        Err(error) if refuses_template(&error) => {
            template.pop();
            user.session.create_object(&template)
        }
        created => created,
    };
    created.map(drop).map_err(|error| {
        fault(
            Operation::Other,
            format!("the marker could not be written to the {user}"),
            error,
        )
    })
}

/// Whether the token does not take an attribute of the template.
pub(crate) fn refuses_template(error: &cryptoki::error::Error) -> bool {
    [
        RvError::TemplateInconsistent,
        RvError::AttributeTypeInvalid,
        RvError::AttributeValueInvalid,
        RvError::AttributeReadOnly,
    ]
    .into_iter()
    .any(|code| is(error, code))
}

fn read_in(session: &Session, label: &str, serial: &str) -> Result<Option<InstallationId>, Fault> {
    let failed = |error| {
        fault(
            Operation::Other,
            format!("the marker of the token {label:?} (serial {serial}) cannot be read"),
            error,
        )
    };
    let objects = session
        .find_objects(&[
            Attribute::Class(ObjectClass::DATA),
            Attribute::Token(true),
            Attribute::Application(APPLICATION.to_vec()),
            Attribute::Label(LABEL.to_vec()),
        ])
        .map_err(failed)?;
    let mut found: Option<InstallationId> = None;
    for object in objects {
        let attributes = session
            .get_attributes(object, &[AttributeType::Value])
            .map_err(failed)?;
        let id = parse(&attributes)
            .ok_or_else(|| damaged(label, serial, "what it holds is no installation id".into()))?;
        match found {
            Some(other) if other != id => {
                let both = format!("there are two, of installations {other} and {id}");
                return Err(damaged(label, serial, both));
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

fn damaged(label: &str, serial: &str, why: String) -> Fault {
    Fault::new(
        FaultKind::DataCorrupt,
        format!(
            "the marker {:?} of the token {label:?} (serial {serial}) cannot be right: {why}",
            String::from_utf8_lossy(LABEL)
        ),
        "look at the data objects with `pkcs11-tool --list-objects --type data`, find out who \
         wrote to the token, and remove the object that is wrong",
    )
}
