//! What a node waits for, as its files and its database say. The token is not asked: whoever watches a
//! node asks this again and again.

use domain::SetupWizardState;

use crate::dek_ways;
use crate::error::Error;
use crate::node::Node;
use crate::record;

/// What a node waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Waits {
    /// Setup.
    ForSetup,
    /// The backup password.
    ForPassword,
    /// Nothing: it was set up, and the next start says whether it is ready.
    ForNothing,
}

/// By the wizard's state, which every setup and recovery of this very node moves.
///
/// # Errors
/// The state directory.
pub fn by_files(node: &Node) -> Result<Waits, Error> {
    let raw = node.host.wizard.read()?.state();
    Ok(match raw {
        Some(state) if state.is_auto_restore() => Waits::ForPassword,
        Some(SetupWizardState::Completed) => Waits::ForNothing,
        Some(_) | None => Waits::ForSetup,
    })
}

/// The same, and by the mark in the database, which may be that of a backup by now; one that nodes share
/// may have been set up by another.
///
/// # Errors
/// The state directory, the database.
pub fn by_database(node: &Node) -> Result<Waits, Error> {
    let by_files = by_files(node)?;
    if by_files != Waits::ForSetup {
        return Ok(by_files);
    }
    let raw = node.host.wizard.read()?.state();
    let is_completed = dek_ways::is_completed(&record::read(node)?, raw);
    Ok(if is_completed {
        Waits::ForNothing
    } else {
        Waits::ForSetup
    })
}
