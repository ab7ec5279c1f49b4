//! The token of a node for a command that writes to it: found or initialised, never overwritten,
//! given a KEK, and recorded.

use domain::{InstallationId, KekId, StorageType};
use ports::{
    Dek, EventKind, Found, NodeRecord, PinState, Purpose, ReachedModule, Secret, Token, TokenError,
    TokenInfo, TokenName, TokenRecord, TokenSession,
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
    known: Option<&TokenRecord>,
) -> Result<KekId, Error> {
    let node = recorder.node;
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
            let mut record = known
                .cloned()
                .unwrap_or_else(|| blank(node, session.info()));
            record.pending_kek = Some(kek.clone());
            node.store.record.save_token(&record, None)?;
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

/// Wraps the DEK with the KEK and stores what ties both to the token, in one transaction; `done` is
/// what that does to a node that was set up before.
///
/// # Errors
/// The token or the database.
pub fn store(
    recorder: &mut Recorder<'_>,
    session: &dyn TokenSession,
    kek: &KekId,
    dek: &Dek,
    known: Option<&TokenRecord>,
    done: Option<EventKind>,
) -> Result<(), Error> {
    keep_other_token(recorder, session.info(), known)?;
    let record = next_record(recorder.node, session.info(), known);
    store_as(recorder, session, (kek, dek), record, done)
}

/// The same in the middle of a rotation: the KEK before stays known, and so does that the rotation
/// is not finished.
///
/// # Errors
/// The token or the database.
pub fn store_rotated(
    recorder: &mut Recorder<'_>,
    session: &dyn TokenSession,
    kek: &KekId,
    dek: &Dek,
    known: &TokenRecord,
) -> Result<(), Error> {
    keep_other_token(recorder, session.info(), Some(known))?;
    let mut record = next_record(recorder.node, session.info(), Some(known));
    if let Some(old) = &known.kek
        && session.has_kek(old)?
    {
        record.retired_keks.push(old.clone());
    }
    record.pending_kek = Some(kek.clone());
    let done = Some(EventKind::KekRotated);
    store_as(recorder, session, (kek, dek), record, done)
}

/// What another token wraps is about to be replaced: a snapshot keeps it. That token may only have
/// been away.
fn keep_other_token(
    recorder: &mut Recorder<'_>,
    token: &TokenInfo,
    known: Option<&TokenRecord>,
) -> Result<(), Error> {
    let Some(known) = known.filter(|known| {
        known.encrypted_dek.is_some() && !known.serial.is_empty() && known.serial != token.serial
    }) else {
        return Ok(());
    };
    let backups = &recorder.node.store.backups;
    let made = backups.snapshot(Purpose::KeepsKey, recorder.node.host.clock.now())?;
    let kept = made.snapshot.path;
    recorder.note("snapshot_database", made.is_new, &kept);
    recorder.report.warnings.push(format!(
        "the DEK as the token {:?} (serial {}) wraps it stands in a snapshot alone, which is to be \
         kept: should that token come back and this one be lost, `trustpointctl backup restore \
         {kept}` goes back to it",
        known.label, known.serial
    ));
    Ok(())
}

fn store_as(
    recorder: &mut Recorder<'_>,
    session: &dyn TokenSession,
    (kek, dek): (&KekId, &Dek),
    mut record: TokenRecord,
    done: Option<EventKind>,
) -> Result<(), Error> {
    let node = recorder.node;
    record.encrypted_dek = Some(session.wrap_dek(kek, dek)?);
    record.kek = Some(kek.clone());
    record.retired_keks.retain(|retired| retired != kek);
    record.dek_check_value = Some(node.secrets.crypto.check_value(dek));
    let event = done.map(|done| node.event(done, wrapped_by(kek, session.info())));
    node.store.record.save_token(&record, event.as_ref())?;
    let detail = format!("the KEK {kek} wraps the DEK; checked, stored");
    recorder.note("wrap_dek", true, &detail);
    Ok(())
}

/// For the history: which KEK wraps the DEK, and where it is.
pub fn wrapped_by(kek: &KekId, token: &TokenInfo) -> String {
    format!(
        "KEK {kek} on token {:?}, serial {}",
        token.label, token.serial
    )
}

/// What stays known where this token is the node's from now on: KEKs of another token are not on
/// it.
fn next_record(node: &Node, token: &TokenInfo, known: Option<&TokenRecord>) -> TokenRecord {
    let mut record = blank(node, token);
    if let Some(known) = known {
        record.backup_encrypted_dek = known.backup_encrypted_dek.clone();
        record.backup_password_set_at = known.backup_password_set_at;
        if known.serial == token.serial {
            record.retired_keks = known.retired_keks.clone();
        }
    }
    record
}

fn blank(node: &Node, token: &TokenInfo) -> TokenRecord {
    TokenRecord {
        label: token.label.clone(),
        serial: token.serial.clone(),
        module_path: node.settings.module_path.clone(),
        kek: None,
        pending_kek: None,
        retired_keks: Vec::new(),
        encrypted_dek: None,
        backup_encrypted_dek: None,
        backup_password_set_at: None,
        dek_check_value: None,
    }
}

/// What the database knows of the token.
///
/// # Errors
/// The database, or a node without a token.
pub fn stored(node: &Node) -> Result<TokenRecord, Error> {
    record::read(node)?.token.ok_or_else(|| {
        Refused::NoToken {
            database: node.settings.database_path.clone(),
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
