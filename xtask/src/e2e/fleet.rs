//! The nodes of compose.fleet.yaml, which share a database on a server.

use super::container::Container;
use super::pki::Authority;
use super::project::Project;
use super::report::same;
use super::story::setup::{recover, set_up_softhsm};
use super::world::World;
use crate::run::Result;

/// What the documents have an operator name once.
pub const COMPOSE: &str =
    "export COMPOSE_FILE=containers/compose.yaml:containers/compose.fleet.yaml";

/// The services of the nodes.
pub const NODES: [&str; 3] = ["trustpoint", "trustpoint-2", "trustpoint-3"];

/// Three nodes and their server.
pub struct Fleet<'a> {
    pub project: Project<'a>,
    pub server: Container<'a>,
    pub nodes: [Container<'a>; 3],
}

/// What must be the same whatever happens to the nodes.
#[derive(Debug, PartialEq)]
pub struct Kept(String);

impl<'a> Fleet<'a> {
    /// A project in which nothing runs yet, with what the server shows and trusts.
    pub fn project(world: &'a World<'a>) -> Result<Option<Project<'a>>> {
        let Some(compose) = Project::compose_of_docker(world)? else {
            return Ok(None);
        };
        let project = Project::create(world, compose)?;
        let authority = Authority::new()?;
        // The first name is the one that the server knows a standby by.
        let issued = authority.issue(&["postgres", "standby"])?;
        let own = issued.certificate_pem + &authority.chain_pem() + &issued.key_pem;
        project.put("containers/secrets/database.pem", &own)?;
        project.put("containers/secrets/database_ca.pem", &authority.root_pem())?;
        Ok(Some(project))
    }

    /// Three fresh nodes on an empty database, started at the same moment, as a file beside
    /// compose.fleet.yaml says.
    pub fn start(project: Project<'a>, with: &str) -> Result<Self> {
        let nodes = NODES.join(" ");
        project.up_by(&format!(
            "{COMPOSE}{with}\ndocker-compose up --detach {nodes}"
        ))?;
        let fleet = Self::of(project)?;
        fleet.server.await_healthy()?;
        Ok(fleet)
    }

    /// What runs in a project already.
    pub fn of(project: Project<'a>) -> Result<Self> {
        let [first, second, third] = NODES;
        for token in ["softhsm", "softhsm-2", "softhsm-3"] {
            // Judged and shown like the others.
            project.service(token)?;
        }
        Ok(Self {
            server: project.service("postgres")?,
            nodes: [
                project.service(first)?,
                project.service(second)?,
                project.service(third)?,
            ],
            project,
        })
    }

    /// Three nodes that are ready, each with a token of its own; the fingerprint that they serve.
    pub fn ready(world: &'a World<'a>) -> Result<Option<(Self, String)>> {
        let Some(project) = Self::project(world)? else {
            return Ok(None);
        };
        let fleet = Self::start(project, "")?;
        let served = fleet.set_up()?;
        Ok(Some((fleet, served)))
    }

    /// Sets the first node up, and has the others join: they notice by themselves.
    pub fn set_up(&self) -> Result<String> {
        let [first, others @ ..] = &self.nodes;
        let served = first.expect_page("setup_required")?.fingerprint;
        for node in others {
            node.expect_page_with("setup_required", &served)?;
        }
        set_up_softhsm(first)?;
        for node in others {
            node.await_page("recovery_required")?;
            recover(node)?;
        }
        self.expect_ready(&served)?;
        Ok(served)
    }

    /// Every node serves its page, with this certificate.
    pub fn expect_ready(&self, served: &str) -> Result<()> {
        for node in &self.nodes {
            node.expect_page_with("ready", served)?;
        }
        Ok(())
    }

    /// Does the same to every node at the same moment.
    pub fn each(&self, act: impl Fn(&Container<'a>) -> Result<()> + Sync) -> Result<()> {
        std::thread::scope(|scope| {
            let acts: Vec<_> = self
                .nodes
                .iter()
                .map(|node| scope.spawn(|| act(node)))
                .collect();
            acts.into_iter().try_for_each(|act| {
                act.join()
                    .unwrap_or_else(|_| Err("a thread of the story panicked".to_owned()))
            })
        })
    }

    /// Types a script, with the files of the fleet.
    pub fn typed(&self, script: &str) -> Result<String> {
        self.project.typed(&format!("{COMPOSE}\n{script}"))
    }

    /// SQL on the server, as its administrator.
    pub fn sql(&self, sql: &str) -> Result<String> {
        let text = self.server.exec_text(&[
            "psql",
            "--no-align",
            "--tuples-only",
            "trustpoint",
            "-c",
            sql,
        ])?;
        Ok(text.trim().to_owned())
    }

    /// Installation, DEK and copies of it, and the credential.
    pub fn kept(&self) -> Result<Kept> {
        let kept = self.sql(
            "SELECT installation_id FROM trustpointctl.installation;
             SELECT dek_check_value, bek_encrypted_dek FROM trustpointctl.sealing;
             SELECT serial, encrypted_dek FROM trustpointctl.pkcs11_token ORDER BY serial;
             SELECT sha256_fingerprint, private_key FROM trustpointctl.credential
                 ORDER BY sha256_fingerprint",
        )?;
        // Of three nodes that share one credential.
        same("the number of rows that are kept", kept.lines().count(), 6)?;
        Ok(Kept(kept))
    }

    /// An error where it is another than it was.
    pub fn expect_kept(&self, before: &Kept) -> Result<()> {
        same("what the server keeps", &self.kept()?, before)
    }
}
