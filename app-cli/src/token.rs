//! The token of a node: found or initialised, never overwritten, and logged in to.

use domain::{InstallationId, KekId};
use ports::{
    DatabaseState, Dek, Fault, FaultKind, NodeRecord, PinState, Secret, Token, TokenQuery,
    TokenRecord, TokenSight,
};

use crate::node::Node;
use crate::steps::Steps;

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

    /// Initialises the token where it is missing, logs in, and leaves this installation's marker.
    ///
    /// # Errors
    /// The token.
    pub fn open(self, steps: &mut Steps<'_>) -> Result<Token, Fault> {
        let node = steps.node;
        let token = match (self.token, self.so_pin) {
            (Some(token), _) => {
                let found = format!(
                    "{:?}, serial {}, is used as it is",
                    token.label, token.serial
                );
                steps.note("initialise_token", false, &found);
                token
            }
            (None, Some(so_pin)) => {
                let label = &node.settings.token_label;
                let token = node.hsm.initialise_token(label, &so_pin, &self.pin)?;
                let made = format!("{:?}, serial {}", token.label, token.serial);
                steps.note("initialise_token", true, &made);
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

/// Wraps the DEK with the KEK and stores what ties both to the token, in one transaction.
///
/// # Errors
/// The token or the database.
pub fn store(
    steps: &mut Steps<'_>,
    token: &Token,
    kek: &KekId,
    dek: &Dek,
    known: Option<&TokenRecord>,
) -> Result<(), Fault> {
    let node = steps.node;
    let blob = node.hsm.wrap_dek(kek, dek)?;
    node.database.save_token(&TokenRecord {
        label: token.label.clone(),
        serial: token.serial.clone(),
        module_path: node.settings.module_path.clone(),
        kek: Some(kek.clone()),
        encrypted_dek: Some(blob),
        backup_encrypted_dek: known.and_then(|known| known.backup_encrypted_dek.clone()),
        dek_check_value: Some(node.seals.check_value(dek)),
    })?;
    steps.note(
        "wrap_dek",
        true,
        &format!("the KEK {kek} wraps the DEK; checked, stored"),
    );
    Ok(())
}

/// What the database says now; a node that has none cannot come this far.
///
/// # Errors
/// The database.
pub fn record(node: &Node) -> Result<NodeRecord, Fault> {
    match node.database.observe()? {
        DatabaseState::Initialised(record) => Ok(*record),
        DatabaseState::NotInitialised => Err(Fault::new(
            FaultKind::Config,
            format!("there is no database {} yet", node.settings.database_path),
            "run `trustpointctl startup` first, or restore a backup",
        )),
    }
}

/// What the database knows of the token.
///
/// # Errors
/// The database, or a node without a token.
pub fn stored(node: &Node) -> Result<TokenRecord, Fault> {
    record(node)?.token.ok_or_else(|| {
        Fault::new(
            FaultKind::Config,
            format!("{} knows of no token", node.settings.database_path),
            "this node has no HSM storage; `trustpointctl setup --storage softhsm` makes one",
        )
    })
}

fn installation(node: &Node) -> Result<InstallationId, Fault> {
    record(node)?.installation.ok_or_else(|| {
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
