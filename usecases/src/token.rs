//! The token of a node for a command that writes to it: found or initialised, never overwritten.

use domain::{InstallationId, StorageType};
use ports::{
    Found, NodeRecord, PinState, ReachedModule, Secret, Token, TokenError, TokenInfo, TokenName,
    TokenSession,
};

use crate::error::Error;
use crate::node::Node;
use crate::record;
use crate::recorder::Recorder;
use crate::refused::Refused;
use crate::session;

/// What a command needs of the token, seen before anything is changed.
pub enum TokenAccess {
    /// The token is there, and its user logged in.
    Open(Box<dyn TokenSession>),
    /// There is none with a user PIN yet, and room for one. Never of a physical HSM: only its officer
    /// initialises a token there.
    ToInitialise {
        /// The module that shows no such token.
        module: Box<dyn ReachedModule>,
        /// The SO PIN of the new one.
        so_pin: Secret,
        /// The user PIN of the new one.
        pin: Secret,
    },
}

impl TokenAccess {
    /// Looks for the token of this storage, gets the PINs, and logs in where the token is there. The SO
    /// PIN of a physical HSM is not asked for.
    ///
    /// # Errors
    /// No tmpfs for the DEK, no PIN or a rejected one, an HSM that is out of reach or has no place,
    /// a token of another installation, or one that cannot wrap.
    pub fn look(
        node: &Node,
        storage: StorageType,
        record: Option<&NodeRecord>,
    ) -> Result<Self, Error> {
        if let Some(warning) = node.secrets.cache.check()? {
            node.host.output.warning(&warning);
        }
        let pin = node.secrets.pins.user_pin()?;
        let found = session::find(node, node.settings.hsm_wait, record)?.found;
        if let Found::Present(token) = &found {
            ensure_wraps(&**token)?;
        }
        if storage == StorageType::PhysicalHsm {
            ensure_initialised(node, &found)?;
        }
        let module = match found {
            Found::Present(token) if token.info().pin != PinState::NotInitialised => {
                return Ok(Self::Open(token.log_in(&pin)?));
            }
            Found::Present(token) => token.into_module(),
            Found::Absent {
                module,
                free_slot: true,
                ..
            } => module,
            Found::Absent {
                free_slot: false,
                others,
                ..
            } => return Err(no_free_slot(node, &others).into()),
        };
        Ok(Self::ToInitialise {
            module,
            so_pin: node.secrets.pins.so_pin()?,
            pin,
        })
    }

    /// The session, where the token is there.
    #[must_use]
    pub fn session(&self) -> Option<&dyn TokenSession> {
        match self {
            Self::Open(session) => Some(&**session),
            Self::ToInitialise { .. } => None,
        }
    }

    /// Initialises the token where it is missing, logs in, and leaves this installation's marker.
    ///
    /// # Errors
    /// The token.
    pub fn open(self, recorder: &mut Recorder<'_>) -> Result<Box<dyn TokenSession>, Error> {
        let node = recorder.node;
        let mut session = match self {
            Self::Open(session) => {
                let TokenInfo { label, serial, .. } = session.info();
                let found = format!("{label:?}, serial {serial}, is used as it is");
                recorder.note("initialise_token", false, &found);
                session
            }
            Self::ToInitialise {
                module,
                so_pin,
                pin,
            } => {
                let token = module.initialise(&node.settings.token_label, &so_pin, &pin)?;
                let TokenInfo { label, serial, .. } = token.info();
                let made = format!("{label:?}, serial {serial}");
                recorder.note("initialise_token", true, &made);
                token.log_in(&pin)?
            }
        };
        session.mark(&installation(node)?)?;
        Ok(session)
    }
}

fn installation(node: &Node) -> Result<InstallationId, Error> {
    record::read(node)?.installation.ok_or_else(|| {
        Refused::NoInstallation {
            database: node.settings.database_path.clone(),
        }
        .into()
    })
}

fn no_free_slot(node: &Node, others: &[TokenName]) -> Refused {
    Refused::NoFreeSlot {
        label: node.settings.token_label.clone(),
        others: listed(others),
    }
}

/// A KEK that wraps nothing is of no use to anybody.
fn ensure_wraps(token: &dyn Token) -> Result<(), TokenError> {
    let info = token.info();
    match info.wrap_format {
        Some(_) => Ok(()),
        None => Err(TokenError::NoWrapMechanism {
            token: info.name(),
            offered: token.mechanisms()?.join(", "),
        }),
    }
}

/// A physical token is initialised, and given its user PIN, by its officer alone. With a serial
/// number the configuration means that very one.
fn ensure_initialised(node: &Node, found: &Found) -> Result<(), Refused> {
    let is_another = |token: &TokenInfo| {
        let wanted = node.settings.token_serial.as_ref();
        wanted.is_some_and(|serial| *serial != token.serial)
    };
    match found {
        Found::Absent { others, .. } => Err(no_initialised_token(node, others)),
        Found::Present(token) if is_another(token.info()) => {
            Err(no_initialised_token(node, &[token.info().name()]))
        }
        Found::Present(token) if token.info().pin == PinState::NotInitialised => {
            let token = token.info().name();
            Err(Refused::NoUserPin { token })
        }
        Found::Present(_) => Ok(()),
    }
}

/// For a token that has to be there, and that this program does not initialise.
pub fn no_initialised_token(node: &Node, others: &[TokenName]) -> Refused {
    let label = &node.settings.token_label;
    Refused::NoInitialisedToken {
        wanted: match &node.settings.token_serial {
            Some(serial) => format!("{label:?} (serial {serial})"),
            None => format!("{label:?}"),
        },
        there: match others {
            [] => "there is no initialised one".to_owned(),
            _ => format!("initialised ones are: {}", listed(others)),
        },
    }
}

/// Tokens with their serial numbers, for a message.
pub fn listed(tokens: &[TokenName]) -> String {
    let names: Vec<_> = tokens.iter().map(TokenName::to_string).collect();
    names.join(", ")
}
