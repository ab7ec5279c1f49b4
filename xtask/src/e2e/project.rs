//! A story's compose project: the folder `containers` as it is in the repository, secrets beside
//! it, and a shell of the host in front of it.

use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;

use super::container::Container;
use super::engine::PROJECT_LABEL;
use super::world::{DATABASE_PASSWORD, PASSWORD, PIN, SO_PIN, World};
use crate::files::put;
use crate::run::{self, Result};

/// Volumes of the project that make up a node, and where its containers have them.
const KEPT: [(&str, &str); 4] = [
    ("data", "/var/lib/trustpoint"),
    ("wizard", "/etc/trustpoint/wizard/state"),
    ("backups", "/var/backups/trustpoint"),
    ("tokens", "/var/lib/softhsm/tokens"),
];

/// What of the folder `containers` a project needs: not the secrets of a node that somebody has.
const COPIED: [&str; 10] = [
    ".env",
    "compose.fleet.yaml",
    "compose.kryoptic.yaml",
    "compose.yaml",
    "hsm",
    "node.yaml",
    "postgres",
    "softhsm",
    "trustpoint",
    "trustpointctl",
];

/// Settings of whoever runs the stories, which are not the project's.
const NOT_INHERITED: [&str; 3] = ["TRUSTPOINT_", "HSM_", "COMPOSE_"];

/// In seconds; also Docker's client can hang.
const LONGEST_SCRIPT: &str = "180";

/// What a script on the volumes knows: `node` is a command of the node's user, `sql` is for its
/// database.
const WORDS: &str = "set -eu
    node() { setpriv --reuid=10001 --regid=10001 --clear-groups \"$@\"; }
    sql() { node sqlite3 /var/lib/trustpoint/trustpoint.db \"$1\"; }
    ";

/// A compose project that was made.
pub struct Project<'a> {
    world: &'a World<'a>,
    folder: TempDir,
    /// Where the host reaches the page.
    address: String,
    /// Image of the node.
    image: &'a str,
}

impl<'a> Project<'a> {
    /// What compose is called here; `None`, with a note, where the story cannot be told. In CI that is a
    /// failure.
    pub fn compose_of_docker(world: &World<'_>) -> Result<Option<&'static str>> {
        if world.stage.engine.is_podman() {
            world.note("skipped: the compose program is Docker's");
            return Ok(None);
        }
        let compose = Self::compose();
        if compose.is_none() {
            world.skip("neither docker-compose nor `docker compose` is here")?;
        }
        Ok(compose)
    }

    fn compose() -> Option<&'static str> {
        ["docker-compose", "docker compose"]
            .into_iter()
            .find(|words| {
                let version = format!("{words} version");
                run::capture(Command::new("sh").args(["-c", &version]))
                    .is_ok_and(|output| output.status.success())
            })
    }

    /// Creates the project's folder; nothing runs yet.
    pub fn create(world: &'a World<'a>, compose: &str) -> Result<Self> {
        let folder = tempfile::tempdir().map_err(|error| format!("a project's folder: {error}"))?;
        let containers = folder.path().join("containers");
        std::fs::create_dir(&containers)
            .map_err(|error| format!("{}: {error}", containers.display()))?;
        let from = run::root()?.join("containers");
        run::run(
            Command::new("cp")
                .args(["-a", "--"])
                .args(COPIED.map(|name| from.join(name)))
                .arg(&containers),
        )?;
        let project = Self {
            world,
            folder,
            address: free_address()?,
            image: &world.stage.images.node,
        };
        if compose != "docker-compose" {
            // The documents write its name with a hyphen.
            let script = format!("#!/bin/sh\nexec {compose} \"$@\"\n");
            project.put("bin/docker-compose", &script)?;
            run::run(
                Command::new("chmod")
                    .arg("0755")
                    .arg(project.path("bin/docker-compose")),
            )?;
        }
        for (name, secret) in [
            ("hsm_pin", PIN),
            ("hsm_so_pin", SO_PIN),
            ("backup_password", PASSWORD),
            ("database_password", DATABASE_PASSWORD),
        ] {
            project.put(
                &format!("containers/secrets/{name}"),
                &format!("{secret}\n"),
            )?;
        }
        Ok(project)
    }

    /// The same with another image of the node.
    pub fn with_image(self, image: &'a str) -> Self {
        Self { image, ..self }
    }

    /// A path in the project's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the project's folder.
    pub fn put(&self, name: &str, text: &str) -> Result<()> {
        put(&self.path(name), text).map_err(|error| format!("{name}: {error}"))
    }

    /// Types a script into a shell in the project's folder, as an operator does.
    fn type_in(&self, script: &str) -> Result<Output> {
        self.world.stage.engine.check_stop()?;
        let mut command = Command::new("timeout");
        command
            .args(["--kill-after=5", LONGEST_SCRIPT, "bash", "-euc", script])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            // Ctrl-C is this program's to handle.
            .process_group(0);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if NOT_INHERITED.iter().any(|start| text.starts_with(start)) {
                command.env_remove(&name);
            }
        }
        command
            .env("COMPOSE_PROJECT_NAME", self.world.prefix())
            // An engine that is busy with other stories takes its time; in seconds.
            .env("COMPOSE_HTTP_TIMEOUT", LONGEST_SCRIPT)
            .env("TRUSTPOINT_ADDRESS", &self.address)
            .env("TRUSTPOINT_IMAGE", self.image)
            .env("TRUSTPOINT_SOFTHSM_IMAGE", &self.world.stage.images.softhsm)
            .env(
                "TRUSTPOINT_POSTGRES_IMAGE",
                &self.world.stage.images.postgres,
            )
            .env("PATH", self.search_path());
        run::capture(&mut command)
    }

    /// The scripts of the project in front of everything else.
    fn search_path(&self) -> String {
        let before = std::env::var("PATH").unwrap_or_default();
        let ours = ["containers", "bin"].map(|name| self.path(name).display().to_string());
        format!("{}:{before}", ours.join(":"))
    }

    /// The same of a script that must succeed; what it printed.
    pub fn typed(&self, script: &str) -> Result<String> {
        let output = self.type_in(script)?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(stdout);
        }
        Err(format!(
            "{script}\nended with {}:\n{stdout}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ))
    }

    /// Creates and starts the containers: the node's.
    pub fn up(&self) -> Result<Container<'a>> {
        let node = self.up_by("docker-compose -f containers/compose.yaml up --detach");
        self.service("softhsm")?;
        node
    }

    /// The same by this command.
    pub fn up_by(&self, command: &str) -> Result<Container<'a>> {
        self.own_secrets()?;
        let up = self.typed(command);
        // Whatever is there by now is to be shown and removed.
        let node = self.service("trustpoint");
        up.and(node)
    }

    /// The container that compose made of a service.
    pub fn service(&self, name: &str) -> Result<Container<'a>> {
        let project = format!("label={PROJECT_LABEL}={}", self.world.prefix());
        let service = format!("label=com.docker.compose.service={name}");
        let found = self.world.stage.engine.text(&[
            "ps",
            "--all",
            "--format",
            "{{.Names}}",
            "--filter",
            &project,
            "--filter",
            &service,
        ])?;
        match found.lines().next() {
            Some(found) => Ok(self.world.adopt(found.to_owned())),
            None => Err(format!("compose made no container of {name}")),
        }
    }

    /// Only the node's user may read the secrets. A container gives them to it, so that whoever
    /// runs the stories need not be root.
    fn own_secrets(&self) -> Result<()> {
        // Without the volumes: compose is to make them.
        let script = "chown 10001:10001 /run/secrets/* && chmod 0400 /run/secrets/*";
        self.run_with(&[self.secrets()], script).map(drop)
    }

    /// Runs a script as root in the project's folder `containers/hsm`, whoever runs the stories.
    pub fn on_hsm_folder(&self, script: &str) -> Result<String> {
        let mount = format!("{}:/hsm", self.path("containers/hsm").display());
        self.run_with(&[mount], &format!("set -eu\ncd /hsm\n{script}"))
    }

    /// Keeps the node under this name; it must not run.
    pub fn save(&self, name: &str) -> Result<()> {
        let copies = KEPT.map(|(volume, path)| {
            let to = format!("/saved/{name}/{volume}");
            format!("mkdir -p {to} && cp -a {path}/. {to}\n")
        });
        self.by_hand(&copies.concat()).map(drop)
    }

    /// The script that brings a node back that was kept.
    pub fn restore(name: &str) -> String {
        KEPT.map(|(volume, path)| {
            format!("find {path} -mindepth 1 -delete\ncp -a /saved/{name}/{volume}/. {path}\n")
        })
        .concat()
    }

    /// Runs a script as root on the volumes and secrets of the project, each where its containers
    /// have it, and on `/saved`.
    pub fn by_hand(&self, script: &str) -> Result<String> {
        let prefix = self.world.prefix();
        let mut mounts = vec![
            self.secrets(),
            format!("{prefix}_socket:/run/p11-kit"),
            format!("{}:/saved", self.world.volume("saved")?),
        ];
        mounts.extend(KEPT.map(|(name, path)| format!("{prefix}_{name}:{path}")));
        self.run_with(&mounts, &format!("{WORDS}{script}"))
    }

    fn secrets(&self) -> String {
        let folder = self.path("containers/secrets");
        format!("{}:/run/secrets", folder.display())
    }

    fn run_with(&self, mounts: &[String], script: &str) -> Result<String> {
        let labels = self.world.labels();
        let mut command = vec!["run", "--rm", "--interactive", "--network", "none"];
        command.extend(labels.each_ref().map(String::as_str));
        command.extend(["--user", "0", "--entrypoint", "sh"]);
        command.extend([
            "--tmpfs",
            "/run/trustpoint:rw,uid=10001,gid=10001,mode=0700",
        ]);
        for mount in mounts {
            command.extend(["--volume", mount]);
        }
        command.extend([self.world.stage.images.tools.as_str(), "-s"]);
        self.world.stage.engine.feed(&command, script.as_bytes())
    }
}

/// An address of this machine that nobody listens on, and that no other project of this run gets: compose
/// takes it a second later, and again at each restart. The system gives clients and containers ports above
/// these by itself.
fn free_address() -> Result<String> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + std::process::id() % 10_000;
    for _ in 0..1_000 {
        let port = first + u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let address = format!("127.0.0.1:{port}");
        if TcpListener::bind(&address).is_ok() {
            return Ok(address);
        }
    }
    Err(format!("no port from {first} on is free"))
}
