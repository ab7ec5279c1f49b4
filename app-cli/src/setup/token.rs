//! WIZARD_SETUP_HSM: token, PIN, KEK and DEK.

use domain::{InstallationId, KekId};
use ports::{
    CachedDek, DatabaseState, Dek, Fault, FaultKind, NodeRecord, Secret, Token, TokenQuery,
    TokenRecord, TokenSight,
};

use super::Steps;
use crate::node::Node;

/// What setup needs of the HSM, seen before anything is changed.
pub struct Preflight {
    known: Option<TokenRecord>,
    token: Option<Token>,
    pin: Secret,
    so_pin: Option<Secret>,
}

impl Preflight {
    /// Looks at the HSM and gets the PINs.
    ///
    /// # Errors
    /// No tmpfs for the DEK, no PIN, an HSM that is out of reach or has no place, or a token of
    /// another installation.
    pub fn check(node: &Node, record: Option<&NodeRecord>) -> Result<Self, Fault> {
        if let Some(warning) = node.dek_cache.check()? {
            node.output.warning(&warning);
        }
        let pin = node.pins.user_pin()?;
        node.hsm.reach(node.settings.hsm_wait, &mut |fault| {
            node.output.debug(&format!("waiting for the HSM: {fault}"));
        })?;
        let known = record.and_then(|record| record.token.clone());
        let sight = node.hsm.find_token(&TokenQuery {
            label: node.settings.token_label.clone(),
            serial: (node.settings.token_serial.clone())
                .or_else(|| known.as_ref().map(|token| token.serial.clone())),
            installation: record.and_then(|record| record.installation.clone()),
        })?;
        let (token, so_pin) = match sight {
            TokenSight::Present(token) => {
                refuse_foreign(
                    &token,
                    record.and_then(|record| record.installation.as_ref()),
                )?;
                let unfinished = token.pin == ports::PinState::NotInitialised;
                let so_pin = if unfinished {
                    Some(node.pins.so_pin()?)
                } else {
                    None
                };
                (Some(token).filter(|_| !unfinished), so_pin)
            }
            TokenSight::Absent {
                free_slot: true, ..
            } => (None, Some(node.pins.so_pin()?)),
            TokenSight::Absent {
                free_slot: false,
                others,
            } => {
                return Err(no_place(node, &others));
            }
        };
        Ok(Self {
            known,
            token,
            pin,
            so_pin,
        })
    }

    /// Makes what is missing, and gives back the DEK.
    ///
    /// # Errors
    /// The token, the database, or secrets that a new DEK would orphan.
    pub fn set_up(self, steps: &mut Steps<'_>) -> Result<Dek, Fault> {
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
                    "setup has neither a token nor an SO PIN to make one",
                    "report this",
                ));
            }
        };
        node.hsm.login(&token, &self.pin)?;
        node.hsm.mark(&installation(node)?)?;
        let (kek, dek) = keys(node, self.known.as_ref(), steps)?;
        let blob = node.hsm.wrap_dek(&kek, &dek)?;
        node.database.save_token(&TokenRecord {
            label: token.label.clone(),
            serial: token.serial.clone(),
            module_path: node.settings.module_path.clone(),
            kek: Some(kek.clone()),
            encrypted_dek: Some(blob),
            backup_encrypted_dek: self.known.and_then(|known| known.backup_encrypted_dek),
            dek_check_value: Some(node.seals.check_value(&dek)),
        })?;
        steps.note(
            "wrap_dek",
            true,
            &format!("the KEK {kek} wraps the DEK; checked, stored"),
        );
        Ok(dek)
    }
}

/// The KEK and DEK of an earlier try where they work, new ones otherwise.
fn keys(
    node: &Node,
    known: Option<&TokenRecord>,
    steps: &mut Steps<'_>,
) -> Result<(KekId, Dek), Fault> {
    let kek = match known.and_then(|known| known.kek.as_ref()) {
        Some(kek) if node.hsm.has_kek(kek)? => Some(kek.clone()),
        Some(_) | None => None,
    };
    let blob = known.and_then(|known| known.encrypted_dek.as_ref());
    if let (Some(kek), Some(blob)) = (&kek, blob) {
        let dek = node.hsm.unwrap_dek(kek, blob)?;
        steps.note(
            "generate_kek",
            false,
            &format!("the KEK {kek} is used as it is"),
        );
        return Ok((kek.clone(), dek));
    }
    let dek = match known {
        Some(known) => surviving_dek(node, known, steps)?,
        None => None,
    };
    let kek = match kek {
        Some(kek) => kek,
        None => node.hsm.generate_kek()?,
    };
    steps.note("generate_kek", true, &format!("KEK {kek}"));
    let dek = match dek {
        Some(dek) => dek,
        None => new_dek(node)?,
    };
    Ok((kek, dek))
}

/// Where an earlier DEK was in use and its KEK is gone: the cached one, or none, once a snapshot
/// keeps what a new DEK replaces. While a backup password can bring it back, it is not replaced.
fn surviving_dek(
    node: &Node,
    known: &TokenRecord,
    steps: &mut Steps<'_>,
) -> Result<Option<Dek>, Fault> {
    if known.encrypted_dek.is_none() && known.backup_encrypted_dek.is_none() {
        return Ok(None);
    }
    if let CachedDek::Present(dek) = node.dek_cache.read()?
        && known.dek_check_value.as_ref() == Some(&node.seals.check_value(&dek))
    {
        return Ok(Some(dek));
    }
    if known.backup_encrypted_dek.is_some() {
        return Err(Fault::new(
            FaultKind::Config,
            "the KEK that wraps this node's DEK is not on the token, and the backup password can \
             still bring the DEK back",
            "run `trustpointctl startup`, then `trustpointctl recover` with the backup password",
        ));
    }
    let snapshot = node.database.snapshot(node.clock.now())?;
    let kept = snapshot.map_or("an earlier snapshot".to_owned(), |snapshot| snapshot.path);
    steps.note("snapshot_database", true, &kept);
    steps.report.warnings.push(format!(
        "the KEK of an earlier setup is not on the token: a new DEK is made; what was sealed \
         under the old one stays in {kept}"
    ));
    Ok(None)
}

/// 32 bytes of the token's generator.
fn new_dek(node: &Node) -> Result<Dek, Fault> {
    let random = node.hsm.random(domain::DEK_EXPECTED_LENGTH)?;
    match Dek::from_bytes(random.expose()) {
        Some(dek) => Ok(dek),
        None => node.seals.generate(),
    }
}

/// What the database knows of the token now.
///
/// # Errors
/// The database, or a setup that has not stored a token yet.
pub fn stored(node: &Node) -> Result<TokenRecord, Fault> {
    let token = match node.database.observe()? {
        DatabaseState::Initialised(record) => record.token,
        DatabaseState::NotInitialised => None,
    };
    token.ok_or_else(|| {
        Fault::new(
            FaultKind::DataCorrupt,
            format!(
                "{} lost the token record it just had",
                node.settings.database_path
            ),
            "run `trustpointctl doctor`, then setup again",
        )
    })
}

fn installation(node: &Node) -> Result<InstallationId, Fault> {
    let id = match node.database.observe()? {
        DatabaseState::Initialised(record) => record.installation,
        DatabaseState::NotInitialised => None,
    };
    id.ok_or_else(|| {
        Fault::new(
            FaultKind::DataCorrupt,
            format!("{} has no installation id", node.settings.database_path),
            "restore a backup or snapshot of the database",
        )
    })
}

fn refuse_foreign(token: &Token, ours: Option<&InstallationId>) -> Result<(), Fault> {
    match &token.marker {
        Some(theirs) if Some(theirs) != ours => Err(Fault::new(
            FaultKind::Config,
            format!(
                "the token {:?} (serial {}) belongs to another installation ({theirs})",
                token.label, token.serial
            ),
            "name another token with hsm.token_label or hsm.uri; nothing was changed on this one",
        )),
        Some(_) | None => Ok(()),
    }
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
