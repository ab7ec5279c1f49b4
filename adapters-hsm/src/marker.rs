//! This project's marker on a token: a public object with the installation id (C14, C23).
//!
//! Public, so that a missing database can be told from a new node without a login. It is a data
//! object; on a token that takes none (NSS softokn) a public key that belongs to nobody, whose CKA_ID
//! says the same.

use std::fmt;

use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use domain::{InstallationId, hex};
use ports::{TokenError, TokenName};

use crate::classify::{OrFailed as _, cause, failed, is};
use crate::random;
use crate::session::{UserSession, refuses_template, unmodifiable};

const APPLICATION: &[u8] = b"trustpointctl";
const LABEL: &[u8] = b"trustpoint-installation";

/// The curve P-256 (RFC 5480, section 2.1.1.1) and its base point (SEC 2, section 2.4.2), uncompressed
/// and as an OCTET STRING: a valid public key, to which the private one is known to be 1.
const P256: &[u8] = &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
const BASE_POINT: &[u8] = &[
    0x04, 0x41, 0x04, 0x6B, 0x17, 0xD1, 0xF2, 0xE1, 0x2C, 0x42, 0x47, 0xF8, 0xBC, 0xE6, 0xE5, 0x63,
    0xA4, 0x40, 0xF2, 0x77, 0x03, 0x7D, 0x81, 0x2D, 0xEB, 0x33, 0xA0, 0xF4, 0xA1, 0x39, 0x45, 0xD8,
    0x98, 0xC2, 0x96, 0x4F, 0xE3, 0x42, 0xE2, 0xFE, 0x1A, 0x7F, 0x9B, 0x8E, 0xE7, 0xEB, 0x4A, 0x7C,
    0x0F, 0x9E, 0x16, 0x2B, 0xCE, 0x33, 0x57, 0x6B, 0x31, 0x5E, 0xCE, 0xCB, 0xB6, 0x40, 0x68, 0x37,
    0xBF, 0x51, 0xF5,
];

/// What the marker says, as text: `INSTALLATION` or `INSTALLATION/SERIAL`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Marker {
    /// Whose token it is.
    pub(crate) installation: InstallationId,
    /// Random; for a token that has no serial number of its own.
    pub(crate) serial: Option<String>,
}

impl Marker {
    /// A new one.
    fn new(installation: &InstallationId, has_serial: bool) -> Result<Self, TokenError> {
        let serial = if has_serial {
            None
        } else {
            Some(hex(&random::bytes::<8>()?))
        };
        Ok(Self {
            installation: installation.clone(),
            serial,
        })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (installation, serial) = match text.split_once('/') {
            Some((installation, serial)) => (installation, Some(serial.to_owned())),
            None => (text, None),
        };
        Some(Self {
            installation: InstallationId::parse(installation).ok()?,
            serial,
        })
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.installation.as_str())?;
        match &self.serial {
            Some(serial) => write!(f, "/{serial}"),
            None => Ok(()),
        }
    }
}

/// Reads the marker; nobody needs to be logged in.
pub(crate) fn read(session: &Session, token: &TokenName) -> Result<Option<Marker>, TokenError> {
    for form in Form::ALL {
        if let Some(marker) = read_as(form, session, token)? {
            return Ok(Some(marker));
        }
    }
    Ok(None)
}

/// Writes the marker where there is none, and gives back the one that stands there now.
pub(crate) fn write(
    user: &UserSession,
    installation: &InstallationId,
) -> Result<Marker, TokenError> {
    match read(&user.session, &user.name)? {
        Some(present) if present.installation == *installation => Ok(present),
        Some(theirs) => Err(TokenError::OtherInstallation {
            token: user.name.clone(),
            theirs: theirs.installation,
            ours: installation.clone(),
        }),
        None => {
            let marker = Marker::new(installation, user.token.has_serial())?;
            create(user, &marker)?;
            Ok(marker)
        }
    }
}

/// In the first form that the token takes.
fn create(user: &UserSession, marker: &Marker) -> Result<(), TokenError> {
    let create = |form: Form| {
        let template = form.template(marker.to_string().into_bytes());
        unmodifiable(template, |template| user.session.create_object(template))
    };
    let created = match create(Form::Data) {
        Err(error) if refuses_template(&error) => create(Form::PublicKey),
        created => created,
    };
    created
        .map(drop)
        .or_failed(|| format!("the marker could not be written to the {user}"))
}

/// Which form the token takes, tried out on an object that ends with the session.
pub(crate) fn try_out(user: &UserSession) -> Result<&'static str, TokenError> {
    let mut failure = None;
    for form in Form::ALL {
        let mut template = form.template(b"trial".to_vec());
        template.retain(|attribute| *attribute != Attribute::Token(true));
        template.push(Attribute::Token(false));
        let made = unmodifiable(template, |template| user.session.create_object(template));
        match made.and_then(|object| user.session.destroy_object(object)) {
            Ok(()) => return Ok(form.name()),
            Err(error) => failure = Some(error),
        }
    }
    Err(failed(
        format!("the {user} takes neither a data object nor a public key"),
        failure.unwrap_or(Error::NotSupported),
    ))
}

/// What kind of object the marker is.
#[derive(Clone, Copy)]
enum Form {
    /// CKO_DATA, the text in CKA_VALUE.
    Data,
    /// CKO_PUBLIC_KEY, the text in CKA_ID.
    PublicKey,
}

impl Form {
    const ALL: [Self; 2] = [Self::Data, Self::PublicKey];

    const fn name(self) -> &'static str {
        match self {
            Self::Data => "a data object",
            Self::PublicKey => "a public key",
        }
    }

    /// What tells a marker from other objects.
    fn query(self) -> Vec<Attribute> {
        let label = Attribute::Label(LABEL.to_vec());
        match self {
            Self::Data => vec![
                Attribute::Class(ObjectClass::DATA),
                Attribute::Token(true),
                Attribute::Application(APPLICATION.to_vec()),
                label,
            ],
            Self::PublicKey => vec![
                Attribute::Class(ObjectClass::PUBLIC_KEY),
                Attribute::Token(true),
                label,
            ],
        }
    }

    fn template(self, text: Vec<u8>) -> Vec<Attribute> {
        let mut template = self.query();
        template.push(Attribute::Private(false));
        match self {
            Self::Data => template.push(Attribute::Value(text)),
            Self::PublicKey => template.extend([
                Attribute::KeyType(KeyType::EC),
                Attribute::EcParams(P256.to_vec()),
                Attribute::EcPoint(BASE_POINT.to_vec()),
                Attribute::Verify(true),
                Attribute::Id(text),
            ]),
        }
        template
    }

    fn text(self, session: &Session, object: ObjectHandle) -> Result<Option<Vec<u8>>, Error> {
        let attribute = match self {
            Self::Data => AttributeType::Value,
            Self::PublicKey => AttributeType::Id,
        };
        let attributes = session.get_attributes(object, &[attribute])?;
        Ok(attributes
            .into_iter()
            .find_map(|attribute| match attribute {
                Attribute::Value(text) | Attribute::Id(text) => Some(text),
                _ => None,
            }))
    }
}

fn read_as(form: Form, session: &Session, token: &TokenName) -> Result<Option<Marker>, TokenError> {
    let unreadable = || format!("the marker of the {token} cannot be read");
    let objects = session.find_objects(&form.query()).map_err(|error| {
        if is(&error, RvError::UserNotLoggedIn) {
            return TokenError::NothingPublic {
                token: token.clone(),
                source: cause(error),
            };
        }
        failed(unreadable(), error)
    })?;
    let mut found: Option<Marker> = None;
    for object in objects {
        let text = form.text(session, object).or_failed(unreadable)?;
        let marker = (text.as_deref().and_then(Marker::parse))
            .ok_or_else(|| damaged(token, "what it holds is no installation id".into()))?;
        match found {
            Some(other) if other != marker => {
                let both = format!("there are two, {other} and {marker}");
                return Err(damaged(token, both));
            }
            _ => found = Some(marker),
        }
    }
    Ok(found)
}

fn damaged(token: &TokenName, why: String) -> TokenError {
    TokenError::MarkerDamaged {
        token: token.clone(),
        marker: String::from_utf8_lossy(LABEL).into_owned(),
        why,
    }
}
