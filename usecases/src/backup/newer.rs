//! A backup of a newer application is refused.

use domain::Version;
use ports::{Backup, Fault, FaultKind};

use crate::node::Node;

/// A database whose schema is known, but which a newer application has worked on.
pub(super) fn refuse_newer(node: &Node, file: &str, backup: &Backup) -> Result<(), Fault> {
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
