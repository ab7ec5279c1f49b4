//! `backup verify`: whether a backup is whole, and what opens it. Nothing is changed.

use std::time::Duration;

use domain::StorageType;
use ports::{Backup, BackupSource, Dek, FaultKind, Found, Sealing, Secret};

use super::newer::ensure_not_newer;
use crate::dek_ways;
use crate::error::Error;
use crate::node::Node;
use crate::refused::Refused;
use crate::report::Report;
use crate::report::own::Answer;
use crate::session::{self, Unwrapped};
use crate::storage;

/// What the operator wants to know.
pub struct Verify<'a> {
    /// The backup.
    pub source: BackupSource<'a>,
    /// What that is called.
    pub name: String,
    /// The backup password, where it is to be tried.
    pub backup_password: Option<Secret>,
}

/// Whether something opens the sealed secrets of a backup.
pub enum Opens {
    /// It does.
    Yes,
    /// It does not, and why.
    No(String),
    /// It could not be asked, or was not, and why.
    Unknown(String),
    /// Nothing is sealed.
    NothingSealed,
}

impl Opens {
    /// The answer, without a reason.
    #[must_use]
    pub const fn answer(&self) -> Answer {
        match self {
            Self::Yes => Answer::Yes,
            Self::No(_) => Answer::No,
            Self::Unknown(_) => Answer::Unknown,
            Self::NothingSealed => Answer::NothingSealed,
        }
    }

    /// Why, where there is a reason to give.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::No(why) | Self::Unknown(why) => Some(why),
            Self::Yes | Self::NothingSealed => None,
        }
    }
}

/// What was found.
pub struct Verified {
    /// The backup: it is whole.
    pub backup: Backup,
    /// Whether the KEK on this node's token opens it.
    pub token: Opens,
    /// Whether the backup password opens it.
    pub backup_password: Opens,
}

/// Proves the backup whole and tells what opens it.
///
/// # Errors
/// A file that is no whole backup, or one of a newer version; [`FaultKind::Denied`] for a password
/// that was given and does not open it.
pub fn run(node: &Node, request: Verify<'_>, report: &mut Report) -> Result<Verified, Error> {
    let Verify {
        source,
        name,
        backup_password,
    } = request;
    let backup = node.store.backups.verify(source)?;
    ensure_not_newer(node, &name, &backup)?;
    if backup.manifest.is_none() {
        report.warnings.push(format!(
            "{name} has no manifest (a snapshot has none): that it is whole is known from SQLite's \
             integrity check alone"
        ));
    }
    let sealing = &backup.record.sealing;
    let is_hsm = backup.record.storage.is_some_and(StorageType::is_hsm);
    let (token, backup_password) = if is_hsm && sealing.is_sealed() {
        (
            by_token(node, &backup),
            by_password(node, &name, backup_password.as_ref(), sealing)?,
        )
    } else {
        (Opens::NothingSealed, Opens::NothingSealed)
    };
    let is_open = |opens: &Opens| matches!(opens, Opens::Yes | Opens::NothingSealed);
    if !is_open(&token) && !is_open(&backup_password) {
        report.warnings.push(
            "nothing that was tried opens what is sealed in this backup; see what it needs before \
             you rely on it"
                .into(),
        );
    }
    Ok(Verified {
        backup,
        token,
        backup_password,
    })
}

fn by_token(node: &Node, backup: &Backup) -> Opens {
    if !node.settings.hsm_expected {
        return Opens::Unknown("no HSM is configured here".into());
    }
    ask_token(node, backup).unwrap_or_else(|fault| match fault.kind() {
        FaultKind::DataCorrupt => Opens::No(fault.to_string()),
        _ => Opens::Unknown(fault.to_string()),
    })
}

fn ask_token(node: &Node, backup: &Backup) -> Result<Opens, Error> {
    let sealing = &backup.record.sealing;
    if sealing.copies.iter().all(|copy| copy.wrapped.is_none()) {
        return Ok(Opens::No("it holds no DEK that a KEK has wrapped".into()));
    }
    storage::ensure_served(node, backup.record.storage)?;
    let seen = session::look_for(node, Duration::ZERO, Some(&backup.record))?;
    let token = match seen.found {
        Found::Present(token) => token,
        Found::Absent { .. } => {
            let label = &node.settings.token_label;
            return Ok(Opens::No(format!("there is no token {label:?}")));
        }
    };
    let serial = token.info().serial.clone();
    if let Some(theirs) = (token.info().marker.as_ref())
        .filter(|theirs| Some(*theirs) != backup.record.installation.as_ref())
    {
        return Ok(Opens::No(format!(
            "the token (serial {serial}) is of installation {theirs}"
        )));
    }
    let session = token.log_in(&node.secrets.pins.user_pin()?)?;
    let Some(copy) = session::copy_for(node, &*session, sealing)? else {
        let why = format!("it has no copy of the DEK for this token (serial {serial})");
        return Ok(Opens::No(why));
    };
    match session::unwrap(&*session, copy)? {
        Unwrapped::Dek(dek) => Ok(judge(node, sealing, &dek, "the KEK unwraps")),
        Unwrapped::Damaged(fault) => Err(fault),
        Unwrapped::NoKek | Unwrapped::NothingWrapped => {
            let kek = copy.kek.as_ref();
            let kek = kek.map_or("that wraps it".to_owned(), ToString::to_string);
            Ok(Opens::No(format!(
                "the KEK {kek} is not on the token (serial {serial})"
            )))
        }
    }
}

fn by_password(
    node: &Node,
    name: &str,
    password: Option<&Secret>,
    sealing: &Sealing,
) -> Result<Opens, Error> {
    let Some(backup) = &sealing.backup else {
        return Ok(Opens::No(
            "it was made while no backup password was set".into(),
        ));
    };
    let Some(password) = password else {
        return Ok(Opens::Unknown(
            "one is set; give it with --backup-password-file to try it".into(),
        ));
    };
    let dek = node
        .secrets
        .crypto
        .unwrap_with_password(&backup.dek, password)
        .map_err(|fault| Refused::BackupPassword {
            backup: name.to_owned(),
            source: fault.into(),
        })?;
    Ok(judge(node, sealing, &dek, "it unwraps"))
}

fn judge(node: &Node, sealing: &Sealing, dek: &Dek, what_unwraps: &str) -> Opens {
    if dek_ways::is_dek_of(node, sealing, dek) {
        Opens::Yes
    } else if sealing.check_value.is_some() {
        Opens::No(format!("{what_unwraps} another DEK than the one in use"))
    } else {
        Opens::Unknown("the backup does not say which DEK seals it".into())
    }
}
