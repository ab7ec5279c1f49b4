//! Two containers on the same volumes at the same moment: story 9.

use super::setup::set_up_software;
use crate::e2e::container::Container;
use crate::e2e::report::{require, same};
use crate::e2e::world::{Spec, World};
use crate::run::Result;

/// Where both wait until both are there.
const GATE: &str = "/var/backups/trustpoint/go";
const WAITING: &str = "waiting for another start to end";

/// Story 9.
pub fn together(world: &World<'_>) -> Result<()> {
    let rounds = world.stage.times(20);
    let mut waited = 0;
    for round in 0..rounds {
        waited += one_round(world, round)?;
    }
    world.note(format!(
        "{rounds} rounds of two starts; one waited for the other in {waited} of {}",
        2 * rounds
    ));
    require(waited > 0, || {
        "no start ever waited: they were not at the same moment".to_owned()
    })
}

/// Two first starts, setup, two starts of the ready node; how often one waited for the other.
fn one_round(world: &World<'_>, round: usize) -> Result<usize> {
    let (data, wizard) = (format!("data-{round}"), format!("wizard-{round}"));
    let script = format!(
        "while [ ! -e {GATE} ]; do :; done; \
         exec trustpointctl --format json startup --page 0.0.0.0:8443 -- nginx -g 'daemon off;'"
    );
    let command = ["-c", &script];
    let spec = Spec {
        data: &data,
        wizard: &wizard,
        entry: Some("sh"),
        command: &command,
        ..world.software_spec()
    };
    let pair = [world.node(&spec)?, world.node(&spec)?];
    let first = start_both(&pair, "setup_required")?;
    let mut migrations = reports(&pair, "migrate_database")?;
    migrations.sort();
    same(
        "the migrations",
        migrations.join(", ").as_str(),
        "done, unchanged",
    )?;
    let mut waited = count_waiting(&pair)?;
    set_up_software(&pair[0])?;
    pair[1].await_page("ready")?;
    pair[0].exec_text(&["rm", GATE])?;
    for node in &pair {
        node.kill()?;
    }
    let again = start_both(&pair, "ready")?;
    same("the fingerprint of the ready node", &again, &first)?;
    waited = count_waiting(&pair)?.max(waited);
    pair[0].exec_text(&["rm", GATE])?;
    for node in &pair {
        node.kill()?;
        node.remove()?;
    }
    let credentials = world.sql_on(&data, "SELECT count(*) FROM credential;")?;
    same("the number of TLS credentials", credentials.as_str(), "1")?;
    let starts = world.sql_on(&data, "SELECT sum(starts) FROM startup_history;")?;
    // Each of the two first ones went on with a second, once the node was set up.
    same("the number of recorded starts", starts.as_str(), "6")?;
    Ok(waited)
}

/// Starts both, lets them go at once, and gives back the one fingerprint that both serve.
fn start_both(pair: &[Container<'_>; 2], state: &str) -> Result<String> {
    for node in pair {
        node.start()?;
    }
    pair[0].exec_text(&["touch", GATE])?;
    let one = pair[0].expect_page(state)?.fingerprint;
    pair[1].expect_page_with(state, &one)?;
    Ok(one)
}

fn reports(pair: &[Container<'_>; 2], step: &str) -> Result<Vec<String>> {
    pair.iter()
        .map(|node| Ok(node.report()?.step(step).to_owned()))
        .collect()
}

/// How many starts said that they wait, since the containers were made.
fn count_waiting(pair: &[Container<'_>; 2]) -> Result<usize> {
    let mut count = 0;
    for node in pair {
        let (_, stderr) = node.logs()?;
        count += stderr.matches(WAITING).count();
    }
    Ok(count)
}
