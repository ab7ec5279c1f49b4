//! The runbook's remedies, typed as they stand in front of the repository's compose file: story 16.
//!
//! One node, set up once and kept: before each remedy its volumes are as they were then, and what
//! the runbook says has happened to the node happens to it. A start that fails ends the container,
//! which is why these are typed in containers at all: nobody can get into it.

mod state;

use std::time::{Duration, Instant};

use super::setup::set_up_softhsm;
use crate::e2e::container::Container;
use crate::e2e::pki::Authority;
use crate::e2e::project::Project;
use crate::e2e::report::{Report, require, same};
use crate::e2e::world::World;
use crate::run::{self, Result};
use crate::runbook::{Remedy, remedies};
use state::{Seen, State, WORDS};

/// States whose remedies are typed in a quick run.
const QUICK: [&str; 8] = [
    "KEK lost, DEK cached",
    "certificate of a CA ends soon",
    "database lost",
    "newer database",
    "token lost",
    "token lost and back",
    "two tries without an end",
    "two wizard states",
];

const LIMIT: Duration = Duration::from_secs(30);
const BACKUP: &str = "/var/backups/trustpoint/node.backup";

/// Story 16.
pub fn runbook(world: &World<'_>) -> Result<()> {
    let Some(compose) = Project::compose_of_docker(world)? else {
        return Ok(());
    };
    let text = run::root()?.join("docs/operations.md");
    let text = std::fs::read_to_string(&text).map_err(|error| format!("{text:?}: {error}"))?;
    let all = remedies(&text)?;
    let mut typed: Vec<&Remedy> = all
        .iter()
        .filter(|remedy| remedy.place.as_deref() != Some("host"))
        .filter(|remedy| !world.stage.quick || QUICK.contains(&remedy.node.as_str()))
        .collect();
    // Those for a ready node need it to be brought about once.
    typed.sort_by_key(|remedy| remedy.node == "ready");

    let project = Project::create(world, compose)?;
    let desk = Desk {
        world,
        node: set_up(&project)?,
        project,
        remedies: &all,
        authority: Authority::new()?,
    };
    desk.make_certificates()?;
    let mut last = "";
    for remedy in &typed {
        let begin = Instant::now();
        let place = |message| format!("docs/operations.md:{}: {message}", remedy.line);
        if remedy.node != "ready" || last != "ready" {
            desk.bring_about(State::find(&remedy.node)?)
                .map_err(|message| place(format!("{:?}: {message}", remedy.node)))?;
        }
        desk.type_in(remedy).map_err(place)?;
        world.note(format!(
            "line {:>3}, {}: {:.1} s",
            remedy.line,
            remedy.node,
            begin.elapsed().as_secs_f64()
        ));
        last = &remedy.node;
    }
    require(typed.len() >= QUICK.len(), || {
        format!("only {} remedies were found", typed.len())
    })?;
    if world.stage.quick {
        return Ok(());
    }
    desk.outlast_an_outage()
}

/// A node with a token, a certificate before the one in use, and a backup; kept as `ready`, and as
/// `fresh` from before.
fn set_up<'a>(project: &Project<'a>) -> Result<Container<'a>> {
    let node = project.up()?;
    node.expect_page("setup_required")?;
    let shm = node.exec_text(&["df", "--block-size=1M", "--output=size", "/dev/shm"])?;
    same(
        "the size of /dev/shm",
        shm.lines().last().map(str::trim),
        Some("256"),
    )?;
    node.kill()?;
    project.save("fresh")?;
    node.start()?;
    node.expect_page("setup_required")?;
    set_up_softhsm(&node)?;
    node.ctl(&["tls", "renew"])?.expect(0)?;
    node.ctl(&["backup", "create", BACKUP])?.expect(0)?;
    node.kill()?;
    project.save("ready")?;
    Ok(node)
}

/// Where the operator sits.
struct Desk<'a> {
    world: &'a World<'a>,
    project: Project<'a>,
    node: Container<'a>,
    remedies: &'a [Remedy],
    authority: Authority,
}

impl Desk<'_> {
    /// One that ends soon, for the states, and a new one, which the operator has.
    fn make_certificates(&self) -> Result<()> {
        let ending = self.authority.issue_for_days(&["127.0.0.1"], Some(10))?;
        self.project
            .put("containers/secrets/ending.key", &ending.key_pem)?;
        self.project
            .put("containers/secrets/ending.pem", &ending.certificate_pem)?;
        let new = self.authority.issue(&["127.0.0.1"])?;
        self.project.put("tls.key", &new.key_pem)?;
        let full = format!("{}{}", new.certificate_pem, self.authority.chain_pem());
        self.project.put("tls.pem", &full)
    }

    fn bring_about(&self, state: &State) -> Result<()> {
        let mut script = Project::restore(state.from);
        for (done, seen) in state.starts {
            // It may have ended by itself.
            self.node.stop()?;
            self.project.by_hand(&format!("{WORDS}{script}{done}"))?;
            script.clear();
            self.node.start()?;
            match seen {
                Seen::Page(page) => self.node.expect_page(page).map(drop)?,
                Seen::Ended(code) => self.node.await_failure(*code, LIMIT)?,
            }
        }
        if !state.then.is_empty() {
            self.project.by_hand(&format!("{WORDS}{}", state.then))?;
        }
        Ok(())
    }

    /// Types it, starts the node again where it had ended, and looks.
    fn type_in(&self, remedy: &Remedy) -> Result<()> {
        let state = State::find(&remedy.node)?;
        if remedy.script.contains("age -r") && !run::has_program("age") {
            return self.world.skip("`age` is not here");
        }
        if remedy.script.contains("tls import") {
            let bring = self.remedy("cat >/var/backups/trustpoint/tls.key")?;
            self.project.typed(&bring.script)?;
            self.project.typed(&bring.script.replace(".key", ".pem"))?;
        }
        self.project.typed(&self.script_for(remedy)?)?;
        if let Some(Seen::Ended(_)) = state.seen() {
            self.project.typed(&self.remedy(" restart ")?.script)?;
        }
        match remedy.then.as_deref() {
            Some(outcome) => self.expect(outcome),
            None => Ok(()),
        }
    }

    /// Without its token the node's container ends more often than anybody would count, and comes
    /// back by itself when the token does.
    fn outlast_an_outage(&self) -> Result<()> {
        let compose = "docker-compose -f containers/compose.yaml";
        self.project.typed(&format!("{compose} stop softhsm"))?;
        self.project.typed(&format!(
            "TRUSTPOINT_HSM_WAIT=5s {compose} up --detach --no-deps trustpoint"
        ))?;
        self.node.await_restarts(6, 2 * LIMIT)?;
        self.node.await_failure(69, LIMIT)?;
        self.project.typed(&format!("{compose} start softhsm"))?;
        self.node.page_within(2 * LIMIT)?;
        self.expect("ready")
    }

    /// The page, and the certificate that `status` tells.
    fn expect(&self, outcome: &str) -> Result<()> {
        self.node.await_page(outcome)?;
        let status = self.node.ctl(&["status"])?.report;
        status.expect("/outcome", outcome)?;
        self.node.await_fingerprint(status.fingerprint())
    }

    /// The remedy with this in it.
    fn remedy(&self, text: &str) -> Result<&Remedy> {
        self.remedies
            .iter()
            .find(|remedy| remedy.script.contains(text))
            .ok_or_else(|| format!("the runbook has no {text:?}"))
    }

    /// With what the runbook writes in capitals.
    fn script_for(&self, remedy: &Remedy) -> Result<String> {
        let mut script = remedy.script.clone();
        if script.contains("SNAPSHOT") {
            let (stdout, stderr) = self.node.logs()?;
            let said = format!("{stdout}{stderr}");
            let (_, name) = said
                .split([' ', ',', '"', '`', '\n'])
                .rev()
                .find_map(|word| word.split_once("/snapshots/"))
                .ok_or_else(|| format!("no snapshot is named: {said}"))?;
            script = script.replace("SNAPSHOT", name);
        }
        if script.contains("FINGERPRINT") {
            let listed = self
                .project
                .typed("trustpointctl --format json tls history")?;
            let report = Report::all_in(&listed).pop();
            let report = report.ok_or_else(|| format!("no report: {listed}"))?;
            let earlier = report.text("/credentials/1/sha256_fingerprint");
            script = script.replace("FINGERPRINT", earlier);
        }
        if script.contains("SERIAL") {
            let shown = self
                .project
                .typed("trustpointctl --format json keys show")?;
            let report = Report::all_in(&shown).pop();
            let report = report.ok_or_else(|| format!("no report: {shown}"))?;
            script = script.replace("SERIAL", report.text("/keys/copies/0/serial"));
        }
        if script.contains("RECIPIENT") {
            self.project.typed("age-keygen -o node.key")?;
            let recipient = self.project.typed("age-keygen -y node.key")?;
            script = script.replace("RECIPIENT", recipient.trim());
        }
        Ok(script)
    }
}
