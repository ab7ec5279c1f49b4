//! The token of a node: found or initialised, never overwritten, and logged in to.

use std::time::Duration;

use domain::{InstallationId, KekId};
use ports::{
    Dek, Fault, FaultKind, NodeRecord, PinState, Secret, Token, TokenQuery, TokenRecord, TokenSight,
};

use crate::node::Node;
use crate::record;
use crate::recorder::Recorder;

/// What a command needs of the token, seen before anything is changed.
pub struct TokenAccess {
    token: Option<Token>,
    pin: Secret,
    so_pin: Option<Secret>,
}

/// Which token a node means: its label, and what its database remembers of it.
#[must_use]
pub fn query(node: &Node, record: Option<&NodeRecord>) -> TokenQuery {
    let remembered = record.and_then(|record| record.token.as_ref());
    TokenQuery {
        label: node.settings.token_label.clone(),
        serial: (node.settings.token_serial.clone())
            .or_else(|| remembered.map(|token| token.serial.clone())),
        installation: record.and_then(|record| record.installation.clone()),
    }
}

/// A token of another installation is named as such, never used (C23).
///
/// # Errors
/// [`FaultKind::Config`] where it is another's.
pub fn refuse_foreign(
    node: &Node,
    token: &Token,
    ours: Option<&InstallationId>,
) -> Result<(), Fault> {
    match &token.marker {
        Some(theirs) if ours != Some(theirs) => Err(Fault::new(
            FaultKind::Config,
            format!(
                "the token {:?} (serial {}) belongs to another installation ({theirs}); {} is of \
                 installation {}",
                token.label,
                token.serial,
                node.settings.database_path,
                ours.map_or("(none yet)", InstallationId::as_str)
            ),
            "mount the token of this installation, or name another one with hsm.token_label or \
             hsm.uri; nothing was changed on either",
        )),
        Some(_) | None => Ok(()),
    }
}

/// Reaches the HSM; that it has to be waited for is said once.
///
/// # Errors
/// It does not answer.
pub fn reach(node: &Node, wait: Duration) -> Result<String, Fault> {
    let mut told = false;
    node.hsm.reach(wait, &mut |fault| {
        if !told {
            node.output.info(&format!("waiting for the HSM: {fault}"));
            told = true;
        }
    })
}

impl TokenAccess {
    /// Looks for the token, gets the PINs, and logs in where the token is there.
    ///
    /// # Errors
    /// No tmpfs for the DEK, no PIN or a rejected one, an HSM that is out of reach or has no place,
    /// a token of another installation.
    pub fn look(node: &Node, record: Option<&NodeRecord>) -> Result<Self, Fault> {
        if let Some(warning) = node.dek_cache.check()? {
            node.output.warning(&warning);
        }
        let pin = node.pins.user_pin()?;
        node.hsm.reach(node.settings.hsm_wait, &mut |fault| {
            node.output.debug(&format!("waiting for the HSM: {fault}"));
        })?;
        match node.hsm.find_token(&query(node, record))? {
            TokenSight::Present(token) => {
                let ours = record.and_then(|record| record.installation.as_ref());
                refuse_foreign(node, &token, ours)?;
                if token.pin == PinState::NotInitialised {
                    let so_pin = Some(node.pins.so_pin()?);
                    return Ok(Self {
                        token: None,
                        pin,
                        so_pin,
                    });
                }
                node.hsm.login(&token, &pin)?;
                Ok(Self {
                    token: Some(token),
                    pin,
                    so_pin: None,
                })
            }
            TokenSight::Absent {
                free_slot: true, ..
            } => Ok(Self {
                token: None,
                pin,
                so_pin: Some(node.pins.so_pin()?),
            }),
            TokenSight::Absent {
                free_slot: false,
                others,
            } => Err(no_place(node, &others)),
        }
    }

    /// Whether the token is there, and its user logged in.
    #[must_use]
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Initialises the token where it is missing, logs in, and leaves this installation's marker.
    ///
    /// # Errors
    /// The token.
    pub fn open(self, recorder: &mut Recorder<'_>) -> Result<Token, Fault> {
        let node = recorder.node;
        let token = match (self.token, self.so_pin) {
            (Some(token), _) => {
                let found = format!(
                    "{:?}, serial {}, is used as it is",
                    token.label, token.serial
                );
                recorder.note("initialise_token", false, &found);
                token
            }
            (None, Some(so_pin)) => {
                let label = &node.settings.token_label;
                let token = node.hsm.initialise_token(label, &so_pin, &self.pin)?;
                let made = format!("{:?}, serial {}", token.label, token.serial);
                recorder.note("initialise_token", true, &made);
                token
            }
            (None, None) => {
                return Err(Fault::new(
                    FaultKind::Internal,
                    "there is neither a token nor an SO PIN to make one",
                    "report this",
                ));
            }
        };
        node.hsm.login(&token, &self.pin)?;
        node.hsm.mark(&installation(node)?)?;
        Ok(token)
    }
}

/// A new KEK. Its id is committed before it is generated: a command that dies in between finds
/// the key again, and leaves no stray one on the token.
///
/// # Errors
/// The token or the database.
pub fn new_kek(
    recorder: &mut Recorder<'_>,
    token: &Token,
    known: Option<&TokenRecord>,
) -> Result<KekId, Fault> {
    let node = recorder.node;
    let noted = known.and_then(|known| {
        let pending = known.pending_kek.clone();
        pending.filter(|pending| known.kek.as_ref() != Some(pending))
    });
    let half = match &noted {
        Some(kek) if node.hsm.has_kek(kek)? => {
            if wraps(node, kek)? {
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
            let kek = node.hsm.new_kek_id()?;
            let mut record = known.cloned().unwrap_or_else(|| blank(node, token));
            record.pending_kek = Some(kek.clone());
            node.database.save_token(&record)?;
            kek
        }
    };
    node.hsm.generate_kek_as(&kek)?;
    recorder.note("generate_kek", true, &format!("KEK {kek}"));
    if let Some(half) = half
        && wraps(node, &kek)?
    {
        // SoftHSM writes a key in parts, and what it was killed at is half a key. That the token
        // wraps with another one shows that it is the key, and not the token, that is no good.
        let destroyed = node.hsm.destroy_kek(&half)?;
        let detail = format!("the KEK {half}, which was never whole");
        recorder.note("destroy_kek", destroyed, &detail);
    }
    Ok(kek)
}

/// Whether the KEK wraps and unwraps a key of no account.
fn wraps(node: &Node, kek: &KekId) -> Result<bool, Fault> {
    let probe = node.seals.generate()?;
    match node.hsm.wrap_dek(kek, &probe) {
        Ok(_) => Ok(true),
        Err(fault) if node.hsm.is_hung() => Err(fault),
        Err(fault) => {
            let why = format!("the KEK {kek} wraps nothing: {fault}");
            node.output.warning(&why);
            Ok(false)
        }
    }
}

/// Wraps the DEK with the KEK and stores what ties both to the token, in one transaction.
///
/// # Errors
/// The token or the database.
pub fn store(
    recorder: &mut Recorder<'_>,
    token: &Token,
    kek: &KekId,
    dek: &Dek,
    known: Option<&TokenRecord>,
) -> Result<(), Fault> {
    keep_other_token(recorder, token, known)?;
    store_as(recorder, kek, dek, next_record(recorder.node, token, known))
}

/// The same in the middle of a rotation: the KEK before stays known, and so does that the rotation
/// is not finished.
///
/// # Errors
/// The token or the database.
pub fn store_rotated(
    recorder: &mut Recorder<'_>,
    token: &Token,
    kek: &KekId,
    dek: &Dek,
    known: &TokenRecord,
) -> Result<(), Fault> {
    keep_other_token(recorder, token, Some(known))?;
    let mut record = next_record(recorder.node, token, Some(known));
    if let Some(old) = &known.kek
        && recorder.node.hsm.has_kek(old)?
    {
        record.retired_keks.push(old.clone());
    }
    record.pending_kek = Some(kek.clone());
    store_as(recorder, kek, dek, record)
}

/// What another token wraps is about to be replaced: a snapshot keeps it. That token may only have
/// been away.
fn keep_other_token(
    recorder: &mut Recorder<'_>,
    token: &Token,
    known: Option<&TokenRecord>,
) -> Result<(), Fault> {
    let Some(known) = known.filter(|known| {
        known.encrypted_dek.is_some() && !known.serial.is_empty() && known.serial != token.serial
    }) else {
        return Ok(());
    };
    let database = &recorder.node.database;
    let made = database.snapshot(recorder.node.clock.now())?;
    let kept = match made {
        Some(made) => Some(made.snapshot.path),
        None => database
            .snapshots()?
            .into_iter()
            .next()
            .map(|newest| newest.path),
    };
    let kept = kept.unwrap_or_default();
    recorder.note("snapshot_database", true, &kept);
    recorder.report.warnings.push(format!(
        "the DEK as the token {:?} (serial {}) wraps it stays in {kept} alone: should that token come \
         back and this one be lost, `trustpointctl backup restore {kept}` goes back to it",
        known.label, known.serial
    ));
    Ok(())
}

fn store_as(
    recorder: &mut Recorder<'_>,
    kek: &KekId,
    dek: &Dek,
    mut record: TokenRecord,
) -> Result<(), Fault> {
    let node = recorder.node;
    record.encrypted_dek = Some(node.hsm.wrap_dek(kek, dek)?);
    record.kek = Some(kek.clone());
    record.retired_keks.retain(|retired| retired != kek);
    record.dek_check_value = Some(node.seals.check_value(dek));
    node.database.save_token(&record)?;
    let detail = format!("the KEK {kek} wraps the DEK; checked, stored");
    recorder.note("wrap_dek", true, &detail);
    Ok(())
}

/// What stays known where this token is the node's from now on: KEKs of another token are not on
/// it.
fn next_record(node: &Node, token: &Token, known: Option<&TokenRecord>) -> TokenRecord {
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

fn blank(node: &Node, token: &Token) -> TokenRecord {
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
pub fn stored(node: &Node) -> Result<TokenRecord, Fault> {
    record::read(node)?.token.ok_or_else(|| {
        Fault::new(
            FaultKind::Config,
            format!("{} knows of no token", node.settings.database_path),
            "this node has no HSM storage; `trustpointctl setup --storage softhsm` makes one",
        )
    })
}

fn installation(node: &Node) -> Result<InstallationId, Fault> {
    record::read(node)?.installation.ok_or_else(|| {
        Fault::new(
            FaultKind::DataCorrupt,
            format!("{} has no installation id", node.settings.database_path),
            "restore a backup or snapshot of the database",
        )
    })
}

fn no_place(node: &Node, others: &[String]) -> Fault {
    Fault::new(
        FaultKind::Config,
        format!(
            "no token is named {:?} and no slot is free for one; initialised tokens: {}",
            node.settings.token_label,
            others.join(", ")
        ),
        "name one of them with hsm.token_label, or add a slot; an initialised token is never \
         overwritten",
    )
}
