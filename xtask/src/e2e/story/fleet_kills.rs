//! SIGKILL of all nodes at random moments while they start: story 21.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::e2e::container::Container;
use crate::e2e::fleet::{Fleet, NODES};
use crate::e2e::random::Random;
use crate::e2e::report::{Report, require};
use crate::e2e::world::{START, World};
use crate::run::Result;

/// Longer than a start takes after the engine says that the container runs.
const LONGEST: Duration = Duration::from_millis(200);

/// After so many kills every node has to be ready.
const BETWEEN: usize = 10;

/// Story 21.
pub fn fleet_kills(world: &World<'_>) -> Result<()> {
    let Some(project) = Fleet::project(world)? else {
        return Ok(());
    };
    // With reports in their logs.
    let command = format!("{{ command: {START:?} }}");
    let services = NODES.map(|node| format!("  {node}: {command}\n")).concat();
    let file = "containers/compose.kills.yaml";
    project.put(file, &format!("version: \"3.8\"\nservices:\n{services}"))?;
    let killed = Killed {
        fleet: Fleet::start(project, &format!(":{file}"))?,
        random: Mutex::new(Random::new(world.stage.seed)),
        ended: AtomicUsize::new(0),
    };
    let rounds = world.stage.times(100);
    let of_first_starts = rounds.div_ceil(4);
    let told = |message| format!("with --seed {}: {message}", world.stage.seed);
    let served = killed.first_starts(of_first_starts).map_err(told)?;
    killed
        .later_starts(rounds - of_first_starts, &served)
        .map_err(told)?;

    let kills = NODES.len() * rounds;
    let midway = kills.saturating_sub(killed.ended.into_inner());
    world.note(format!(
        "{kills} kills, {midway} of them before the start had ended; --seed {}",
        world.stage.seed
    ));
    require(4 * midway >= kills, || {
        "too few kills came before the end of the start".to_owned()
    })
}

/// A fleet whose nodes are killed.
struct Killed<'a> {
    fleet: Fleet<'a>,
    random: Mutex<Random>,
    /// Starts that had ended before they were killed.
    ended: AtomicUsize,
}

impl Killed<'_> {
    /// The nodes start at once on an empty schema, or on what the last ones left; then they are set
    /// up. The fingerprint that they serve.
    fn first_starts(&self, rounds: usize) -> Result<String> {
        self.kill_often(0..rounds, |round| {
            if round % 2 == 0 {
                self.fleet
                    .sql("DROP SCHEMA IF EXISTS trustpointctl CASCADE")?;
            }
            self.kill()
        })
        .map_err(|message| format!("first starts, {message}"))?;
        self.fleet.each(Container::start)?;
        self.fleet.set_up()
    }

    /// The nodes are set up, and start at once.
    fn later_starts(&self, rounds: usize, served: &str) -> Result<()> {
        let kept = self.fleet.kept()?;
        for begin in (0..rounds).step_by(BETWEEN) {
            self.kill_often(begin..rounds.min(begin + BETWEEN), |_| {
                self.kill()?;
                self.fleet.expect_kept(&kept)
            })
            .and_then(|()| self.fleet.each(Container::start))
            .and_then(|()| self.fleet.expect_ready(served))
            .map_err(|message| format!("later starts, {message}"))?;
        }
        self.fleet.expect_kept(&kept)
    }

    fn kill_often(&self, rounds: Range<usize>, act: impl Fn(usize) -> Result<()>) -> Result<()> {
        self.fleet.each(Container::kill)?;
        let before = self.reports()?;
        for round in rounds {
            act(round).map_err(|message| format!("round {round}: {message}"))?;
        }
        let ended = self.reports()? - before;
        self.ended.fetch_add(ended, Ordering::Relaxed);
        Ok(())
    }

    /// Starts every node and kills it, each at a moment of its own.
    fn kill(&self) -> Result<()> {
        self.fleet.each(|node| {
            let moment = self
                .random
                .lock()
                .map_err(|_| "the moments were lost")?
                .below(LONGEST);
            node.start()?;
            std::thread::sleep(moment);
            node.kill()
        })
    }

    /// How many starts said how they ended: by a report, or by the page that they serve.
    fn reports(&self) -> Result<usize> {
        let logs = self.fleet.nodes.iter().map(Container::logs);
        let count = |(stdout, stderr): (String, String)| {
            Report::all_in(&stdout).len() + stderr.matches(" page: https://").count()
        };
        logs.map(|logs| logs.map(count)).sum()
    }
}
