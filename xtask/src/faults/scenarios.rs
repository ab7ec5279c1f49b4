//! What is disturbed.

use std::path::Path;
use std::process::Command;

use crate::run::{self, Result};
use crate::sandbox::Sandbox;

/// A command that is killed, on a node that was prepared for it.
pub struct Scenario {
    pub name: &'static str,
    /// What makes the node, in order.
    preparation: &'static [Preparation],
    /// The command that is killed. `@PATH` means a file of the node.
    pub action: &'static [&'static str],
    /// Whether the command is a setup, which is run again where the wizard is not done.
    pub is_setup: bool,
}

enum Preparation {
    /// A command of the program.
    Run(&'static [&'static str]),
    /// A start as another version of the application.
    RunAs(&'static str, &'static [&'static str]),
    /// A directory is lost, as with a new container.
    Lose(&'static str),
}

use Preparation::{Lose, Run, RunAs};

const START: &[&str] = &["startup"];
const SOFTWARE: &[&str] = &["setup", "--storage", "software"];
const SOFTHSM: &[&str] = &[
    "setup",
    "--storage",
    "softhsm",
    "--backup-password-file",
    "@backup-password",
];
const TLS: &str = "etc/trustpoint/tls";
const WIZARD: &str = "etc/trustpoint/wizard/state";
const RUNTIME: &str = "run/trustpoint";
const TOKENS: &str = "tokens";
const OLD: &str = "0.0.1";

const fn start(name: &'static str, preparation: &'static [Preparation]) -> Scenario {
    Scenario {
        name,
        preparation,
        action: START,
        is_setup: false,
    }
}

const fn setup(name: &'static str, action: &'static [&'static str]) -> Scenario {
    Scenario {
        name,
        preparation: &[Run(START)],
        action,
        is_setup: true,
    }
}

pub const SCENARIOS: [Scenario; 10] = [
    start("first-start", &[]),
    start("second-start", &[Run(START)]),
    setup("software-setup", SOFTWARE),
    start("software-ready", &[Run(START), Run(SOFTWARE), Run(START)]),
    start(
        "software-new-container",
        &[
            Run(START),
            Run(SOFTWARE),
            Lose(TLS),
            Lose(WIZARD),
            Lose(RUNTIME),
        ],
    ),
    start(
        "software-upgrade",
        &[RunAs(OLD, START), RunAs(OLD, SOFTWARE), RunAs(OLD, START)],
    ),
    setup("softhsm-setup", SOFTHSM),
    start(
        "softhsm-new-container",
        &[
            Run(START),
            Run(SOFTHSM),
            Lose(TLS),
            Lose(WIZARD),
            Lose(RUNTIME),
        ],
    ),
    start(
        "softhsm-upgrade",
        &[RunAs(OLD, START), RunAs(OLD, SOFTHSM), RunAs(OLD, START)],
    ),
    start(
        "softhsm-token-lost",
        &[
            Run(START),
            Run(SOFTHSM),
            Lose(TLS),
            Lose(RUNTIME),
            Lose(TOKENS),
        ],
    ),
];

impl Scenario {
    /// Brings a fresh node to where the scenario begins.
    pub fn prepare(&self, node: &Sandbox, program: &Path) -> Result<()> {
        for preparation in self.preparation {
            match preparation {
                Run(arguments) => succeed(node, program, arguments, None)?,
                RunAs(version, arguments) => succeed(node, program, arguments, Some(version))?,
                Lose(directory) => empty(&node.join(directory))?,
            }
        }
        Ok(())
    }

    /// Runs the scenario's command undisturbed.
    pub fn act(&self, node: &Sandbox, program: &Path) -> Result<()> {
        succeed(node, program, self.action, None)
    }
}

fn succeed(
    node: &Sandbox,
    program: &Path,
    arguments: &[&str],
    version: Option<&str>,
) -> Result<()> {
    let mut command = Command::new(program);
    node.environment(&mut command)?;
    if let Some(version) = version {
        command.env("TRUSTPOINT_APP_VERSION", version);
    }
    command.args(node.expand(arguments));
    run::text_of(&mut command).map(drop)
}

fn empty(directory: &Path) -> Result<()> {
    let in_words = |error| format!("{}: {error}", directory.display());
    if directory.is_dir() {
        std::fs::remove_dir_all(directory).map_err(in_words)?;
    }
    std::fs::create_dir_all(directory).map_err(in_words)
}
