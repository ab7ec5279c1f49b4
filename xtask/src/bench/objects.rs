//! The start of a ready node whose token holds many keys of others, against the same node whose token
//! holds none.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{Subject, median_and_least, ready_node, time_of};
use crate::run::{self, Result};
use crate::sandbox::{self, PIN, SO_PIN, Sandbox};
use crate::test;
use crate::token::Kind;

/// How many AES keys of others the token holds.
const OTHERS: usize = 10_000;

/// The label of a node's token where it is told no other.
const LABEL: &str = "Trustpoint-SoftHSM";

/// Measures each kind of token and prints a table.
pub fn run(runs: usize) -> Result<()> {
    test::build_kryoptic()?;
    let program = sandbox::build()?;
    let root = run::root()?;
    let mut build = run::cargo();
    build.args(["build", "--quiet", "--package", "adapters-hsm"]);
    run::run(build.args(["--example", "fill_token"]).current_dir(&root))?;
    let filler = sandbox::target_directory(&root)?.join("debug/examples/fill_token");
    println!(
        "a ready start with no keys of others on the token and with {OTHERS} (AES, private), \
         {runs} runs each, in turns: the medians"
    );
    println!(
        "{:<10} {:>10} {:>10} {:>8} {:>12}",
        "token", "none ms", "many ms", "ratio", "to fill s"
    );
    for kind in Kind::ALL {
        measure(kind, &program, &filler, runs)?;
    }
    Ok(())
}

fn measure(kind: Kind, program: &Path, filler: &Path, runs: usize) -> Result<()> {
    let node = Sandbox::in_memory_on(kind)?;
    if !kind.has_free_slots() {
        node.store().initialise(LABEL, SO_PIN, PIN)?;
    }
    let setup = ["setup", "--storage", "softhsm", "--no-backup-password"];
    let few = ready_node(node, program, &setup)?;
    let many = few.copy()?;
    let start = Instant::now();
    let mut fill = many.store().tool(filler)?;
    fill.args([LABEL, &OTHERS.to_string()]).env("HSM_PIN", PIN);
    run::run(fill.stdin(Stdio::null()))?;
    let filled = start.elapsed();

    let startup = Subject {
        name: "trustpointctl startup",
        program: program.to_string_lossy().into_owned(),
        arguments: vec!["startup".to_owned()],
    };
    let mut times: [Vec<Duration>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..runs {
        for (node, times) in [&few, &many].into_iter().zip(&mut times) {
            times.push(time_of(node, &startup)?);
        }
    }
    let [few, many] = times.map(|times| median_and_least(times).0.as_secs_f64() * 1_000.0);
    println!(
        "{:<10} {few:>10.2} {many:>10.2} {:>8.2} {:>12.1}",
        kind.name(),
        many / few,
        filled.as_secs_f64()
    );
    Ok(())
}
