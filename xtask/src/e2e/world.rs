//! What a story plays in: a network, volumes and secrets of its own.

use std::sync::Mutex;

use super::container::{Container, PORT};
use super::engine::{LABEL, PROJECT_LABEL, STORY_LABEL};
use super::report::Report;
use super::stage::Stage;
use crate::run::Result;

/// User PIN of every node.
pub const PIN: &str = "4711-pin-0815";
/// SO PIN of every node.
pub const SO_PIN: &str = "0815-so-pin-4711";
/// Backup password of every node.
pub const PASSWORD: &str = "correct horse battery staple";
/// A wrong one.
pub const WRONG_PASSWORD: &str = "incorrect horse battery staple";
/// Password of the nodes' user on a database server.
pub const DATABASE_PASSWORD: &str = "fleet's staple \\ battery";

/// Where the backup password stands in the node's container.
pub const PASSWORD_FILE: &str = "/run/secrets/backup_password";
pub const WRONG_PASSWORD_FILE: &str = "/run/secrets/wrong_password";

const USER: &str = "10001";

/// How a container may live, whatever is in it.
const CONFINED: [&str; 7] = [
    "--read-only",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
    "--tmpfs",
    "/tmp:rw,nosuid,nodev,noexec,mode=1777,size=16m",
];

/// How a story's node differs from the usual one.
#[derive(Clone)]
pub struct Spec<'a> {
    pub image: &'a str,
    /// Volume of the database.
    pub data: &'a str,
    /// Volume of the wizard state.
    pub wizard: &'a str,
    /// Volume of the TLS directory; a tmpfs otherwise.
    pub tls: Option<&'a str>,
    /// Volume of the socket of the p11-kit server.
    pub socket: &'a str,
    pub environment: &'a [&'a str],
    /// In place of `trustpointctl`.
    pub entry: Option<&'a str>,
    /// Arguments of the entry point; empty are the image's own.
    pub command: &'a [&'a str],
    /// More options of the engine.
    pub options: &'a [&'a str],
}

/// A start whose report can be read from the log.
pub const START: [&str; 9] = [
    "--format",
    "json",
    "startup",
    "--page",
    "0.0.0.0:8443",
    "--",
    "nginx",
    "-g",
    "daemon off;",
];

/// A story's own part of the machine.
pub struct World<'a> {
    pub stage: &'a Stage,
    prefix: String,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    containers: Vec<String>,
    volumes: Vec<String>,
    notes: Vec<String>,
}

impl<'a> World<'a> {
    pub fn new(stage: &'a Stage, story: &str) -> Self {
        Self {
            stage,
            prefix: format!("{}-{story}", stage.run),
            seen: Mutex::default(),
        }
    }

    /// A node without a token. A first start waits for the HSM that the image names before it
    /// takes a missing database for a new node.
    pub fn software_spec(&self) -> Spec<'a> {
        Spec {
            environment: &["TRUSTPOINT_HSM_WAIT=1s"],
            ..self.spec()
        }
    }

    /// The usual node.
    pub fn spec(&self) -> Spec<'a> {
        Spec {
            image: &self.stage.images.node,
            data: "data",
            wizard: "wizard",
            tls: None,
            socket: "socket",
            environment: &["TRUSTPOINT_HSM_WAIT=10s"],
            entry: None,
            command: &START,
            options: &[],
        }
    }

    /// Says that something is left out; in CI that is a failure.
    pub fn skip(&self, why: &str) -> Result<()> {
        if std::env::var("CI").is_ok_and(|ci| ci == "true") {
            return Err(why.to_owned());
        }
        self.note(format!("skipped: {why}"));
        Ok(())
    }

    /// Something worth a line in the output.
    pub fn note(&self, text: impl Into<String>) {
        if let Ok(mut seen) = self.seen.lock() {
            seen.notes.push(text.into());
        }
    }

    pub fn notes(&self) -> Vec<String> {
        self.seen
            .lock()
            .map(|seen| seen.notes.clone())
            .unwrap_or_default()
    }

    /// In front of every name that this story gives; the name of its compose project.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Has a container that somebody else made judged and shown like this story's own.
    pub fn adopt(&self, name: String) -> Container<'a> {
        if let Ok(mut seen) = self.seen.lock()
            && !seen.containers.contains(&name)
        {
            seen.containers.push(name.clone());
        }
        Container::new(&self.stage.engine, name)
    }

    /// Every container of this story.
    pub fn containers(&self) -> Result<Vec<Container<'a>>> {
        let seen = self.seen.lock().map_err(|_| "a story's state was lost")?;
        let containers = seen.containers.iter();
        Ok(containers
            .map(|name| Container::new(&self.stage.engine, name.clone()))
            .collect())
    }

    pub fn labels(&self) -> [String; 4] {
        [
            "--label".to_owned(),
            format!("{LABEL}={}", self.stage.run),
            "--label".to_owned(),
            format!("{STORY_LABEL}={}", self.prefix),
        ]
    }

    /// The volume of this name; made where it is not there yet, so that it has the labels.
    pub fn volume(&self, name: &str) -> Result<String> {
        let full = format!("{}-{name}", self.prefix);
        let mut seen = self.seen.lock().map_err(|_| "a story's state was lost")?;
        if !seen.volumes.contains(&full) {
            let labels = self.labels();
            let labels = labels.each_ref().map(String::as_str);
            let command = [&["volume", "create"], &labels[..], &[full.as_str()]].concat();
            self.stage.engine.text(&command)?;
            seen.volumes.push(full.clone());
        }
        Ok(full)
    }

    /// Loses a volume that no container has.
    pub fn lose_volume(&self, name: &str) -> Result<()> {
        let full = self.volume(name)?;
        self.stage.engine.text(&["volume", "rm", &full])?;
        let mut seen = self.seen.lock().map_err(|_| "a story's state was lost")?;
        seen.volumes.retain(|volume| *volume != full);
        Ok(())
    }

    fn network(&self) -> Result<String> {
        let engine = &self.stage.engine;
        let there = engine.output(&["network", "inspect", &self.prefix])?;
        if !there.status.success() {
            let labels = self.labels();
            let labels = labels.each_ref().map(String::as_str);
            engine
                .text(&[&["network", "create"], &labels[..], &[self.prefix.as_str()]].concat())?;
        }
        Ok(self.prefix.clone())
    }

    /// Creates a container with these options, image and arguments behind them.
    pub fn create(&self, kind: &str, options: &[&str], behind: &[&str]) -> Result<Container<'a>> {
        let network = self.network()?;
        let name = self.next_name(kind);
        let labels = self.labels();
        let labels = labels.each_ref().map(String::as_str);
        let engine = &self.stage.engine;
        engine.text(
            &[
                &["create", "--name", &name, "--network", &network],
                engine.run_options(),
                &labels,
                options,
                behind,
            ]
            .concat(),
        )?;
        Ok(self.adopt(name))
    }

    /// Creates a node; it is not started yet.
    pub fn node(&self, spec: &Spec<'_>) -> Result<Container<'a>> {
        self.provide_secrets()?;
        let mounts = [
            format!("{}:/var/lib/trustpoint", self.volume(spec.data)?),
            format!("{}:/etc/trustpoint/wizard/state", self.volume(spec.wizard)?),
            format!("{}:/run/p11-kit", self.volume(spec.socket)?),
            format!("{}:/run/secrets:ro", self.volume("secrets")?),
            format!("{}:/var/backups/trustpoint", self.volume("backups")?),
        ];
        let tls = match spec.tls {
            Some(volume) => Some(format!("{}:/etc/trustpoint/tls", self.volume(volume)?)),
            None => None,
        };
        let publish = format!("127.0.0.1::{PORT}");
        let run = self.own_tmpfs("/run/trustpoint");
        let tls_tmpfs = self.own_tmpfs("/etc/trustpoint/tls");
        let mut options = vec!["--publish", &publish, "--tmpfs", &run];
        options.extend(CONFINED);
        options.extend(spec.options);
        for mount in mounts.iter().chain(&tls) {
            options.extend(["--volume", mount]);
        }
        if tls.is_none() {
            options.extend(["--tmpfs", &tls_tmpfs]);
        }
        for variable in spec.environment {
            options.extend(["--env", variable]);
        }
        if let Some(entry) = spec.entry {
            options.extend(["--entrypoint", entry]);
        }
        self.create("node", &options, &[&[spec.image], spec.command].concat())
    }

    /// A tmpfs of the container's user, for `--tmpfs`. podman knows no owner by number, and gives
    /// it to that user.
    fn own_tmpfs(&self, path: &str) -> String {
        let owner = if self.stage.engine.is_podman() {
            "U".to_owned()
        } else {
            format!("uid={USER},gid={USER}")
        };
        format!("{path}:rw,nosuid,nodev,noexec,{owner},mode=0700,size=1m")
    }

    /// Starts the usual node and waits for its setup page.
    pub fn fresh_node(&self) -> Result<Container<'a>> {
        let node = self.node(&self.spec())?;
        node.start()?;
        node.expect_page("setup_required")?;
        Ok(node)
    }

    /// Starts SoftHSM on the usual volumes and waits until it is healthy.
    pub fn softhsm(&self) -> Result<Container<'a>> {
        self.softhsm_on("tokens", "socket")
    }

    /// Starts SoftHSM on these volumes and waits until it is healthy.
    pub fn softhsm_on(&self, tokens: &str, socket: &str) -> Result<Container<'a>> {
        let tokens = format!("{}:/var/lib/softhsm/tokens", self.volume(tokens)?);
        let socket = format!("{}:/run/p11-kit", self.volume(socket)?);
        let mut options = vec!["--volume", &tokens, "--volume", &socket];
        options.extend(CONFINED);
        let container = self.create("softhsm", &options, &[&self.stage.images.softhsm])?;
        container.start()?;
        container.await_healthy()?;
        Ok(container)
    }

    /// Creates a container with socat, with the volume `KIND-pem` for its certificates.
    pub fn sidecar(&self, kind: &str, mounts: &[&str], socat: &[&str]) -> Result<Container<'a>> {
        let pem = format!("{}:/run/tls:ro", self.volume(&format!("{kind}-pem"))?);
        let mut options = vec!["--entrypoint", "socat", "--volume", &pem];
        for mount in mounts {
            options.extend(["--volume", mount]);
        }
        options.extend(CONFINED);
        let behind = [&[self.stage.images.softhsm.as_str()], socat].concat();
        self.create(kind, &options, &behind)
    }

    /// The name that the next container of this kind will have.
    pub fn next_name(&self, kind: &str) -> String {
        let number = self.seen.lock().map_or(0, |seen| seen.containers.len());
        format!("{}-{kind}-{number}", self.prefix)
    }

    /// The secrets as files that the node's user alone can read. They come by standard input, so
    /// that no argument and no variable of a container ever held them.
    fn provide_secrets(&self) -> Result<()> {
        const SCRIPT: &str = "cd /v/secrets && [ ! -e hsm_pin ] || exit 0; umask 277; \
            for name in hsm_pin hsm_so_pin backup_password wrong_password; do \
            IFS= read -r secret; printf '%s\\n' \"$secret\" >$name; done; chown 10001:10001 *";
        let input = format!("{PIN}\n{SO_PIN}\n{PASSWORD}\n{WRONG_PASSWORD}\n");
        self.by_hand("0", &["secrets"], SCRIPT, input.as_bytes())
            .map(drop)
    }

    /// Runs a shell script as `user` on volumes of this story, each below `/v`.
    pub fn by_hand(
        &self,
        user: &str,
        volumes: &[&str],
        script: &str,
        input: &[u8],
    ) -> Result<String> {
        let mut mounts = Vec::new();
        for name in volumes {
            mounts.push(format!("{}:/v/{name}", self.volume(name)?));
        }
        let labels = self.labels();
        let engine = &self.stage.engine;
        let mut command = vec!["run", "--rm", "--interactive", "--network", "none"];
        command.extend(engine.run_options());
        command.extend(labels.each_ref().map(String::as_str));
        for mount in &mounts {
            command.extend(["--volume", mount]);
        }
        command.extend(["--user", user, "--entrypoint", "sh"]);
        command.extend([self.stage.images.tools.as_str(), "-c", script]);
        engine.feed(&command, input)
    }

    /// SQL on the database of a node that does not run.
    pub fn sql(&self, sql: &str) -> Result<String> {
        self.sql_on("data", sql)
    }

    /// SQL on the database in this volume.
    pub fn sql_on(&self, volume: &str, sql: &str) -> Result<String> {
        let script = format!("sqlite3 /v/{volume}/trustpoint.db");
        self.by_hand(USER, &[volume], &script, sql.as_bytes())
            .map(|text| text.trim().to_owned())
    }

    /// Every name, mode and byte in these volumes.
    pub fn contents(&self, volumes: &[&str]) -> Result<String> {
        let script = "cd /v && find . -printf '%p %y %m %U %l\\n' | sort && \
            find . -type f -exec sha256sum {} + | sort -k 2";
        self.by_hand(USER, volumes, script, b"")
    }

    /// Logs of all containers and the report of the last start of each.
    pub fn diagnose(&self) -> String {
        let mut text = String::new();
        for container in self.containers().unwrap_or_default() {
            let (Ok(ended), Ok((stdout, stderr))) = (container.ended(), container.logs()) else {
                continue;
            };
            let state = ended.map_or("runs".to_owned(), |code| format!("ended with {code}"));
            let engine = container.engine_says();
            text.push_str(&format!("  -- {} {state}{engine}\n", container.name));
            let reports = Report::all_in(&stdout);
            let lines: Vec<&str> = stdout.lines().chain(stderr.lines()).collect();
            for line in lines.iter().skip(lines.len().saturating_sub(60)) {
                if !line.starts_with("{\"schema\"") {
                    text.push_str(&format!("     {line}\n"));
                }
            }
            if let Some(Report(report)) = reports.last() {
                text.push_str(&format!("  -- its last report\n{report:#}\n"));
            }
        }
        text
    }

    /// Removes what this story made, and nothing else.
    pub fn remove(&self) -> Result<()> {
        let engine = &self.stage.engine;
        engine.remove_labelled(STORY_LABEL, &self.prefix)?;
        engine.remove_labelled(PROJECT_LABEL, &self.prefix)
    }
}
