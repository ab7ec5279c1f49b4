//! Backups: made of a live node, checked, and put in the database's place.

mod create;
mod last_copy;
mod restore;
mod verify;

use domain::Version;
use ports::{Backup, Fault, FaultKind, PrivateFile, Secret};

pub use create::{Create, run as create};
pub use restore::{Restore, run as restore};
pub use verify::{Opens, Verify, run as verify};

use crate::node::Node;

/// A backup in the clear: the file itself, or a private copy that is gone when this is dropped.
enum Clear<'a> {
    File(&'a str),
    Decrypted(Box<dyn PrivateFile>),
}

impl Clear<'_> {
    fn path(&self) -> &str {
        match self {
            Self::File(path) => path,
            Self::Decrypted(file) => file.path(),
        }
    }

    fn is_decrypted(&self) -> bool {
        matches!(self, Self::Decrypted(_))
    }
}

/// Decrypts the file where it is encrypted.
fn open<'a>(node: &Node, file: &'a str, password: Option<&Secret>) -> Result<Clear<'a>, Fault> {
    if !node.cipher.is_encrypted(file)? {
        return Ok(Clear::File(file));
    }
    let Some(password) = password else {
        return Err(Fault::new(
            FaultKind::Denied,
            format!("the backup {file} is encrypted under a password"),
            "give it with --decrypt-password-file, or decrypt the file with `age -d`",
        ));
    };
    node.cipher.decrypt(file, password).map(Clear::Decrypted)
}

/// Reads what was opened; messages name the file that the operator named.
fn read(node: &Node, file: &str, clear: &Clear<'_>) -> Result<Backup, Fault> {
    let backup = node
        .backups
        .read(clear.path())
        .map_err(|fault| name_instead(fault, clear.path(), file))?;
    refuse_newer(node, file, &backup)?;
    Ok(backup)
}

fn name_instead(fault: Fault, path: &str, file: &str) -> Fault {
    if path == file {
        return fault;
    }
    let message = fault.to_string().replace(path, file);
    Fault::new(fault.kind(), message, fault.hint().to_owned()).because(fault)
}

/// A database whose schema is known, but which a newer application has worked on.
fn refuse_newer(node: &Node, file: &str, backup: &Backup) -> Result<(), Fault> {
    let ours = &node.settings.app_version;
    let version = backup
        .record
        .version
        .as_deref()
        .map(str::parse::<Version>)
        .transpose()
        .map_err(|error| {
            Fault::new(
                FaultKind::DataCorrupt,
                format!("the version recorded in the backup {file} cannot be read"),
                "use another backup",
            )
            .because(error)
        })?;
    match version {
        Some(version) if ours.precedence(&version).is_lt() => Err(Fault::new(
            FaultKind::VersionDowngrade,
            format!("the backup {file} is of version {version}; this program is of version {ours}"),
            "use the program of that version or a newer one, or an older backup; nothing was changed",
        )),
        Some(_) | None => Ok(()),
    }
}
