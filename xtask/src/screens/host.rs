//! A host of its own for the task: the pictures show a neutral host name, which is the name of the
//! node's container, and short paths on a `/dev/shm` where nobody else's files can be in the way.

use std::path::Path;
use std::process::Command;

use crate::run::{self, Result};

/// The argument of the task inside; the program follows.
pub const INSIDE: &str = "--inside";

/// Looks like the id of a container.
const NAME: &str = "3f9c2b7d1a54";

/// What the namespaces are changed to before the task goes on in them.
const PREPARE: &str = r#"mount -t tmpfs tmpfs /dev/shm && hostname "$0" && exec "$@""#;

/// Runs this task again in namespaces of its own; they end with it.
pub fn enter(program: &Path) -> Result<()> {
    let task = std::env::current_exe().map_err(|error| format!("this program: {error}"))?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--uts"]);
    // Whoever is not root becomes root in a user namespace.
    if !run::is_root() {
        command.arg("--map-root-user");
    }
    command.args(["sh", "-c", PREPARE, NAME]);
    run::run(command.arg(task).args(["screens", INSIDE]).arg(program))
}
