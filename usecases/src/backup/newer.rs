//! A backup of a newer application is refused.

use domain::Version;
use ports::Backup;

use crate::node::Node;
use crate::refused::Refused;

/// A database whose schema is known, but which a newer application has worked on.
pub(super) fn ensure_not_newer(node: &Node, file: &str, backup: &Backup) -> Result<(), Refused> {
    let ours = &node.settings.app_version;
    let version = backup
        .record
        .version
        .as_deref()
        .map(str::parse::<Version>)
        .transpose()
        .map_err(|source| Refused::WrongBackupVersion {
            backup: file.to_owned(),
            source,
        })?;
    match version {
        Some(version) if ours.precedence(&version).is_lt() => Err(Refused::NewerBackup {
            backup: file.to_owned(),
            version: version.to_string(),
            program: ours.to_string(),
        }),
        Some(_) | None => Ok(()),
    }
}
