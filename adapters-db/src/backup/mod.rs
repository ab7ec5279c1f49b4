//! Backups: a SQLite database with a manifest after its last page.
//!
//! So `sqlite3` opens a backup, and whoever has lost this program can still read it.

mod create;
mod digest;
mod manifest;
mod own;
mod read;
mod replaced;
mod stage;

use camino::Utf8Path;
use ports::{Fault, FaultKind};

pub(crate) use create::create;
pub(crate) use read::read;
pub(crate) use stage::Staged;

pub(crate) fn no_database(path: &Utf8Path) -> Fault {
    Fault::new(
        FaultKind::Config,
        format!("there is no database {path} yet"),
        "run `trustpointctl startup` first, or correct the path",
    )
}
