//! SIGKILL at random moments of a start: story 12.

use std::time::Duration;

use super::setup::{ready_softhsm, ready_software};
use crate::e2e::container::Container;
use crate::e2e::random::Random;
use crate::e2e::report::{Report, require};
use crate::e2e::world::{START, Spec, World};
use crate::run::Result;

const LIMIT: Duration = Duration::from_secs(30);

/// Story 12, software.
pub fn software(world: &World<'_>) -> Result<()> {
    let spec = Spec {
        environment: world.software_spec().environment,
        ..spec(world)
    };
    let (node, first) = ready_software(world, &spec)?;
    at_random_moments(world, &spec, &node, &first)
}

/// Story 12, SoftHSM.
pub fn softhsm(world: &World<'_>) -> Result<()> {
    let _softhsm = world.softhsm()?;
    let spec = spec(world);
    let (node, first) = ready_softhsm(world, &spec)?;
    at_random_moments(world, &spec, &node, &first)
}

/// With the TLS directory on a volume: on a tmpfs a half-written set would be gone at once.
fn spec<'a>(world: &World<'a>) -> Spec<'a> {
    Spec {
        tls: Some("tls"),
        ..world.spec()
    }
}

fn at_random_moments(
    world: &World<'_>,
    spec: &Spec<'_>,
    node: &Container<'_>,
    first: &str,
) -> Result<()> {
    node.kill()?;
    let length = length_of_a_start(world, spec)?;
    let seed = world.stage.seed;
    let mut random = Random::new(seed);
    let rounds = world.stage.times(100);
    let mut midway = 0;
    for round in 0..rounds {
        let outcome = if round % 4 == 3 {
            kill_from_outside(node, random.below(Duration::from_millis(400)))
        } else {
            kill_midway(world, spec, random.below(length.mul_f64(1.2))).map(|died_midway| {
                midway += usize::from(died_midway);
            })
        };
        outcome
            .and_then(|()| node.start())
            .and_then(|()| node.expect_page_with("ready", first))
            .and_then(|()| node.kill())
            .map_err(|message| format!("round {round} of seed {seed}: {message}"))?;
    }
    world.note(format!(
        "{rounds} kills, {midway} of them before the start of {:.0} ms had ended",
        length.as_secs_f64() * 1000.0
    ));
    require(4 * midway >= rounds, || {
        "too few kills came before the end of the start".to_owned()
    })
}

/// Kills the container some time after the engine says that it runs.
fn kill_from_outside(node: &Container<'_>, moment: Duration) -> Result<()> {
    node.start()?;
    std::thread::sleep(moment);
    node.kill()
}

/// Kills the start from inside, since an engine takes longer to kill than a start takes; whether
/// it had not ended yet.
fn kill_midway(world: &World<'_>, spec: &Spec<'_>, moment: Duration) -> Result<bool> {
    // `timeout 0` would wait for ever.
    let moment = format!("{:.6}", moment.as_secs_f64().max(0.000_001));
    let command = [&["-s", "KILL", &moment, "trustpointctl"], &START[..]].concat();
    let victim = world.node(&Spec {
        entry: Some("timeout"),
        command: &command,
        ..spec.clone()
    })?;
    victim.start_to_end(137, LIMIT)?;
    let (stdout, _) = victim.logs()?;
    victim.remove()?;
    Ok(Report::all_in(&stdout).is_empty())
}

/// How long a start takes from exec to the end.
fn length_of_a_start(world: &World<'_>, spec: &Spec<'_>) -> Result<Duration> {
    const SCRIPT: &str = "trustpointctl startup >/dev/null; for i in 1 2 3 4 5; do \
        begin=$(date +%s%N); trustpointctl startup >/dev/null; \
        echo $((($(date +%s%N) - begin) / 1000)); done";
    let clock = world.node(&Spec {
        entry: Some("sh"),
        command: &["-c", SCRIPT],
        ..spec.clone()
    })?;
    clock.start_to_end(0, LIMIT)?;
    let (stdout, _) = clock.logs()?;
    clock.remove()?;
    let lengths = stdout.lines().filter_map(|line| line.trim().parse().ok());
    // The shortest: what else the machine does comes and goes.
    let micros = lengths
        .min()
        .ok_or_else(|| format!("no length of a start: {stdout:?}"))?;
    Ok(Duration::from_micros(micros))
}
