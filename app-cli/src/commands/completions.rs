//! `completions`.

use clap_complete::Shell;

use super::Next;
use crate::console::Console;

/// Prints the completion script.
pub fn run(shell: Shell, console: Console) -> Next {
    let mut script = Vec::new();
    clap_complete::generate(
        shell,
        &mut crate::cli::command(),
        "trustpointctl",
        &mut script,
    );
    console.script(&String::from_utf8_lossy(&script));
    Next::Exit
}
