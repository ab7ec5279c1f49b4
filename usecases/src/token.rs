//! The token of a node for a command that writes to it: found or initialised, never overwritten,
//! given a KEK, and recorded.

use domain::{InstallationId, KekId, StorageType};
use ports::{
    Dek, Event, EventKind, Found, KekCopy, NodeRecord, PinState, ReachedModule, Sealing, Secret,
    Token, TokenCopy, TokenError, TokenInfo, TokenName, TokenSession,
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

/// A new KEK. Its id is committed before it is generated: a command that dies in between finds
/// the key again, and leaves no stray one on the token.
///
/// # Errors
/// The token or the database.
pub fn new_kek(
    recorder: &mut Recorder<'_>,
    session: &dyn TokenSession,
    sealing: &Sealing,
) -> Result<KekId, Error> {
    let node = recorder.node;
    let known = sealing.copy_of(&session.info().serial);
    let noted = known.and_then(|known| {
        let pending = known.pending_kek.clone();
        pending.filter(|pending| known.kek.as_ref() != Some(pending))
    });
    let half = match &noted {
        Some(kek) if session.has_kek(kek)? => {
            if wraps(node, session, kek)? {
                let detail = format!("the KEK {kek} of a try that was cut short is used");
                recorder.note("generate_kek", false, &detail);
                return Ok(kek.clone());
            }
            noted.clone()
        }
        Some(_) | None => None,
    };
    let kek = match noted {
        Some(kek) if half.is_none() => kek,
        Some(_) | None => {
            let kek = session.new_kek_id()?;
            let mut copy = known
                .cloned()
                .unwrap_or_else(|| blank(node, session.info()));
            copy.pending_kek = Some(kek.clone());
            node.store.record.save_copy(&copy, None, None)?;
            kek
        }
    };
    session.generate_kek_as(&kek)?;
    recorder.note("generate_kek", true, &format!("KEK {kek}"));
    if let Some(half) = half
        && wraps(node, session, &kek)?
    {
        // SoftHSM writes a key in parts, and what it was killed at is half a key. That the token
        // wraps with another one shows that it is the key, and not the token, that is no good.
        let destroyed = session.destroy_kek(&half)?;
        let detail = format!("the KEK {half}, which was never whole");
        recorder.note("destroy_kek", destroyed, &detail);
    }
    Ok(kek)
}

/// Whether the KEK wraps and unwraps a key that was made to try it.
fn wraps(node: &Node, session: &dyn TokenSession, kek: &KekId) -> Result<bool, Error> {
    let probe = node.secrets.crypto.generate()?;
    match session.wrap_dek(kek, &probe) {
        Ok(_) => Ok(true),
        Err(error) if error.is_unanswered() => Err(error.into()),
        Err(error) => {
            let why = format!("the KEK {kek} wraps nothing: {error}");
            node.host.output.warning(&why);
            Ok(false)
        }
    }
}

/// A DEK, and the KEK that is to wrap it.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    /// The KEK.
    pub kek: &'a KekId,
    /// The DEK.
    pub dek: &'a Dek,
}

/// Wraps the DEK with the KEK and stores that as this token's copy, in one transaction; the copies
/// of other tokens stay. `done` is what that does to a node that was set up before.
///
/// # Errors
/// The token or the database.
pub fn store(
    recorder: &mut Recorder<'_>,
    session: &dyn TokenSession,
    keys: Keys<'_>,
    sealing: &Sealing,
    done: Option<EventKind>,
) -> Result<(), Error> {
    let node = recorder.node;
    let copy = wrapped(
        node,
        session,
        keys,
        next_copy(node, session.info(), sealing),
    )?;
    let event = done.map(|done| event(node, session, keys, done));
    save(recorder, keys, &copy, event.as_ref())
}

/// The same with a DEK that was just made: every copy of the one before goes.
///
/// # Errors
/// The token or the database.
pub fn store_new_dek(
    recorder: &mut Recorder<'_>,
    session: &dyn TokenSession,
    keys: Keys<'_>,
    sealing: &Sealing,
) -> Result<(), Error> {
    let node = recorder.node;
    let copy = wrapped(
        node,
        session,
        keys,
        next_copy(node, session.info(), sealing),
    )?;
    let check_value = node.secrets.crypto.check_value(keys.dek);
    node.store.record.replace_dek(&copy, &check_value)?;
    note_stored(recorder, keys);
    Ok(())
}

/// The same as [`store`] in the middle of a rotation: the KEK of `known`, which wrapped the DEK
/// before, stays known, and so does that the rotation is not finished.
///
/// # Errors
/// The token or the database.
pub fn store_rotated(
    recorder: &mut Recorder<'_>,
    session: &dyn TokenSession,
    keys: Keys<'_>,
    sealing: &Sealing,
    known: Option<&TokenCopy>,
) -> Result<(), Error> {
    let node = recorder.node;
    let mut copy = next_copy(node, session.info(), sealing);
    if let Some(old) = known.and_then(|known| known.kek.as_ref())
        && session.has_kek(old)?
    {
        copy.retired_keks.push(old.clone());
    }
    copy.pending_kek = Some(keys.kek.clone());
    let copy = wrapped(node, session, keys, copy)?;
    let event = event(node, session, keys, EventKind::KekRotated);
    save(recorder, keys, &copy, Some(&event))
}

fn wrapped(
    node: &Node,
    session: &dyn TokenSession,
    Keys { kek, dek }: Keys<'_>,
    mut copy: TokenCopy,
) -> Result<TokenCopy, Error> {
    copy.wrapped = Some(KekCopy {
        dek: session.wrap_dek(kek, dek)?,
        at: Some(node.host.clock.now()),
    });
    copy.kek = Some(kek.clone());
    copy.retired_keks.retain(|retired| retired != kek);
    Ok(copy)
}

fn save(
    recorder: &mut Recorder<'_>,
    keys: Keys<'_>,
    copy: &TokenCopy,
    event: Option<&Event>,
) -> Result<(), Error> {
    let node = recorder.node;
    let check_value = node.secrets.crypto.check_value(keys.dek);
    node.store
        .record
        .save_copy(copy, Some(&check_value), event)?;
    note_stored(recorder, keys);
    Ok(())
}

fn note_stored(recorder: &mut Recorder<'_>, keys: Keys<'_>) {
    let detail = format!("the KEK {} wraps the DEK; checked, stored", keys.kek);
    recorder.note("wrap_dek", true, &detail);
}

fn event(node: &Node, session: &dyn TokenSession, keys: Keys<'_>, done: EventKind) -> Event {
    node.event(done, wrapped_by(keys.kek, session.info()))
}

/// For the history: which KEK wraps the DEK, and where it is.
pub fn wrapped_by(kek: &KekId, token: &TokenInfo) -> String {
    format!(
        "KEK {kek} on token {:?}, serial {}",
        token.label, token.serial
    )
}

/// What stays known of a token whose KEK wraps the DEK anew.
fn next_copy(node: &Node, token: &TokenInfo, sealing: &Sealing) -> TokenCopy {
    let mut copy = blank(node, token);
    if let Some(known) = sealing.copy_of(&token.serial) {
        copy.retired_keks = known.retired_keks.clone();
    }
    copy
}

fn blank(node: &Node, token: &TokenInfo) -> TokenCopy {
    TokenCopy {
        label: token.label.clone(),
        serial: token.serial.clone(),
        module_path: node.settings.module_path.clone(),
        kek: None,
        pending_kek: None,
        retired_keks: Vec::new(),
        wrapped: None,
    }
}

/// The copy of this token, as it was committed.
///
/// # Errors
/// The database, or one that knows nothing of the token.
pub fn stored(node: &Node, token: &TokenInfo) -> Result<TokenCopy, Error> {
    let record = record::read(node)?;
    record
        .sealing
        .copy_of(&token.serial)
        .cloned()
        .ok_or_else(|| {
            Refused::NoToken {
                database: node.settings.database_path.clone(),
                serial: token.serial.clone(),
            }
            .into()
        })
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
