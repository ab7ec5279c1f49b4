//! `cargo xtask faults`: kills the program before each state-changing system call, starts it again
//! undisturbed, and compares the node with one that was never disturbed.

mod scenarios;
mod state;

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::run::{self, Result};
use crate::sandbox::{self, Sandbox};
use scenarios::{SCENARIOS, Scenario};
use state::State;

/// The calls that change files; `?` for those that not every machine has.
const CALLS: &str = "?rename,?renameat,renameat2,?unlink,unlinkat,?rmdir,?mkdir,mkdirat,?symlink,\
                     symlinkat,?link,linkat,?chmod,fchmod,fchmodat,fsync,fdatasync,write,pwrite64,\
                     ftruncate";
const SIGKILL: i32 = 9;
/// Far more calls than any start makes: an end for a run that would never get through.
const MOST_POINTS: usize = 5_000;
/// With `--quick`, every so manieth point.
const QUICK: usize = 9;

/// Runs the scenarios and prints a line for each.
pub fn run(arguments: &[String]) -> Result<()> {
    if !run::has_program("strace") {
        return Err("strace is missing: apt-get install strace".to_owned());
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let names: Vec<&String> = arguments
        .iter()
        .filter(|argument| *argument != "--quick")
        .collect();
    if let Some(unknown) = names
        .iter()
        .find(|name| !SCENARIOS.iter().any(|scenario| scenario.name == **name))
    {
        let known: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        return Err(format!(
            "no scenario {unknown:?}; there are {}",
            known.join(", ")
        ));
    }
    let program = sandbox::build()?;
    println!(
        "{:<24} {:>12} {:>12} {:>9}",
        "scenario", "kill points", "tokens lost", "failures"
    );
    let mut failures = 0;
    for scenario in &SCENARIOS {
        if !names.is_empty() && !names.iter().any(|name| *name == scenario.name) {
            continue;
        }
        let result = disturb(&program, scenario, if quick { QUICK } else { 1 })
            .map_err(|error| format!("{}: {error}", scenario.name))?;
        failures += result.failures.len();
        println!(
            "{:<24} {:>12} {:>12} {:>9}",
            scenario.name,
            result.points,
            result.tokens_lost,
            result.failures.len()
        );
        for failure in &result.failures {
            println!("  {failure}");
        }
    }
    match failures {
        0 => Ok(()),
        failures => Err(format!(
            "{failures} kill point(s) left a node that is not as it should be"
        )),
    }
}

struct Disturbed {
    points: usize,
    /// Points at which SoftHSM itself lost its token: at each login it truncates the token's file
    /// and writes it anew, and a kill in between leaves an empty one. Nothing outside of SoftHSM
    /// can prevent that. What is asked of the program is that the node then waits for the backup
    /// password and has lost nothing that the password cannot bring back.
    tokens_lost: usize,
    failures: Vec<String>,
}

fn disturb(program: &Path, scenario: &Scenario, every: usize) -> Result<Disturbed> {
    let before = Sandbox::in_memory()?;
    scenario.prepare(&before, program)?;

    let undisturbed = before.copy()?;
    scenario.act(&undisturbed, program)?;
    let expected = finish(&undisturbed, program, scenario)
        .map_err(|failure| format!("undisturbed: {failure}"))?;

    let mut disturbed = Disturbed {
        points: 0,
        tokens_lost: 0,
        failures: Vec::new(),
    };
    for point in (1..=MOST_POINTS).step_by(every) {
        let node = before.copy()?;
        if !kill_at(point, &node, program, scenario)? {
            if point == 1 {
                return Err("not one call was seen: does strace work here?".to_owned());
            }
            return Ok(disturbed);
        }
        disturbed.points += 1;
        let token_lost = state::has_emptied_token(&node)?;
        disturbed.tokens_lost += usize::from(token_lost);
        let failure = match finish(&node, program, scenario) {
            Ok(state) if state == expected => continue,
            Ok(state) if token_lost && state.waits_for_the_password(&expected) => continue,
            Ok(state) => format!("{state:?}, undisturbed it is {expected:?}"),
            Err(failure) => failure,
        };
        disturbed
            .failures
            .push(format!("killed at {point}: {failure}"));
    }
    Err(format!("more than {MOST_POINTS} calls"))
}

/// Runs the scenario's command and kills it on the entry to its `point`th call; `false` where it
/// ended before that. (strace counts for each thread by itself.)
fn kill_at(point: usize, node: &Sandbox, program: &Path, scenario: &Scenario) -> Result<bool> {
    let mut command = Command::new("strace");
    command
        .args(["-f", "-qq", "-o", "/dev/null"])
        .args(["-e", &format!("trace={CALLS}")])
        .args(["-e", &format!("inject={CALLS}:signal=SIGKILL:when={point}")])
        .arg("--")
        .arg(program);
    node.environment(&mut command)?;
    command
        .args(node.expand(scenario.action))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let status = run::capture(&mut command)?.status;
    let killed = status.signal() == Some(SIGKILL) || status.code() == Some(128 + SIGKILL);
    if !killed && !status.success() {
        return Err(format!("at {point} the command itself failed: {status}"));
    }
    Ok(killed)
}

/// Brings a node to its end without disturbance, and looks at it.
fn finish(node: &Sandbox, program: &Path, scenario: &Scenario) -> Result<State> {
    let first = node.command(program, &["startup"])?;
    if first.exit_code != Some(0) {
        return Err(format!(
            "the next start ended with {:?}: {}",
            first.exit_code,
            first.field("error")
        ));
    }
    if scenario.is_setup && first.text("outcome") == "setup_required" {
        let again = node.command(program, scenario.action)?;
        if again.exit_code != Some(0) {
            return Err(format!("setup again: {}", again.field("error")));
        }
    }
    // What the killed run and the one after it did in two parts, a third finds done.
    let last = node.command(program, &["startup"])?;
    if last.exit_code != Some(0) {
        return Err(format!("the start after that: {}", last.field("error")));
    }
    State::of(node, &last)
}
