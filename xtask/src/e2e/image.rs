//! The images: the base where no registry gives it, the program, and what stands in `containers/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::engine::Engine;
use crate::run::{self, Result};

const BASE: &str = "debian:trixie-slim";
/// Where podman looks for the short name.
const BASE_IN_FULL: &str = "docker.io/library/debian:trixie-slim";
const SUITE: &str = "trixie";

/// The version that the second image says it is.
pub const NEXT_VERSION: &str = "9.0.0";

/// The images by name.
pub struct Images {
    /// SoftHSM behind a p11-kit server.
    pub softhsm: String,
    /// The node.
    pub node: String,
    /// The node of a later version, with one more migration.
    pub next: String,
    /// The database server of a fleet.
    pub postgres: String,
    /// The node with `sqlite3` and `strace` beside it, for what a story does to a node by hand.
    pub tools: String,
}

impl Images {
    /// The images that stand there already.
    pub fn of_the_last_run() -> Self {
        Self {
            softhsm: tag("softhsm"),
            node: tag("node"),
            next: tag("next"),
            postgres: tag("postgres"),
            tools: tag("tools"),
        }
    }

    /// Builds all of them; what has not changed comes from the engine's cache.
    pub fn build(engine: &Engine) -> Result<Self> {
        let staged = tempfile::tempdir().map_err(|error| format!("a build context: {error}"))?;
        let containers = run::root()?.join("containers");
        // The linker of the program has work for one core, and packages come from a network.
        let (programs, servers) = std::thread::scope(|scope| {
            let servers = scope.spawn(|| {
                provide_base(engine)?;
                let softhsm = build(engine, "softhsm", &containers.join("softhsm"), &[])?;
                let postgres = build(engine, "postgres", &containers.join("postgres"), &[])?;
                Ok((softhsm, postgres))
            });
            let programs = stage_both(&containers, staged.path());
            let servers = servers.join();
            (
                programs,
                servers.unwrap_or_else(|_| Err("the build of an image panicked".to_owned())),
            )
        });
        let ((next, node), (softhsm, postgres)) = (programs?, servers?);
        let version = format!("APP_VERSION={NEXT_VERSION}");
        Ok(Self {
            softhsm,
            postgres,
            tools: build(engine, "tools", &node, &["TOOLS=sqlite3 strace"])?,
            node: build(engine, "node", &node, &[])?,
            next: build(engine, "next", &next, &[&version])?,
        })
    }
}

/// The build contexts of the later version and of this one, whose program is built last, so that it is the
/// one that stays in the target folder.
fn stage_both(containers: &Path, below: &Path) -> Result<(PathBuf, PathBuf)> {
    let next = stage(containers, below, "next", &["next-migration"])?;
    let node = stage(containers, below, "node", &[])?;
    Ok((next, node))
}

/// A build context: the folder `trustpoint` with the program in it.
fn stage(containers: &Path, below: &Path, name: &str, features: &[&str]) -> Result<PathBuf> {
    println!("building the program of the image {name}");
    let program = program(features)?;
    let context = below.join(name);
    run::run(
        Command::new("cp")
            .args(["-a", "--"])
            .arg(containers.join("trustpoint"))
            .arg(&context),
    )?;
    fs::copy(&program, context.join("trustpointctl"))
        .map_err(|error| format!("{}: {error}", program.display()))?;
    Ok(context)
}

fn program(features: &[&str]) -> Result<PathBuf> {
    let root = run::root()?;
    run::run(
        run::cargo()
            .args(["build", "--quiet", "--release", "--package", "app-cli"])
            .args(["--features", &features.join(",")])
            .current_dir(&root),
    )?;
    crate::sandbox::released(&root)
}

fn tag(name: &str) -> String {
    format!("trustpointctl-e2e-{name}")
}

fn build(engine: &Engine, name: &str, context: &Path, arguments: &[&str]) -> Result<String> {
    println!("building the image {name}");
    let tag = tag(name);
    let before = engine.output(&["image", "inspect", "--format", "{{.Id}}", &tag])?;
    let context = context.display().to_string();
    let mut command = vec!["build", "--force-rm", "--tag", &tag];
    for argument in arguments {
        command.extend(["--build-arg", argument]);
    }
    command.push(&context);
    engine.long(&command)?;
    // What had the name until now would stay for ever.
    let before = String::from_utf8_lossy(&before.stdout).trim().to_owned();
    let now = engine.text(&["image", "inspect", "--format", "{{.Id}}", &tag])?;
    if !before.is_empty() && before != now {
        // In use by another run: that one's next build removes it.
        engine.output(&["image", "rm", &before])?;
    }
    Ok(tag)
}

/// The base image: there already, from a registry, or made here.
fn provide_base(engine: &Engine) -> Result<()> {
    if engine.output(&["image", "inspect", BASE])?.status.success() {
        return Ok(());
    }
    println!("pulling {BASE}");
    if pull(engine)? {
        return Ok(());
    }
    println!("no registry gives {BASE}: making it with debootstrap");
    provide_debootstrap(engine)?;
    let directory = tempfile::tempdir().map_err(|error| format!("a root file system: {error}"))?;
    let root = directory.path().join("root");
    let mut bootstrap = Command::new("debootstrap");
    bootstrap.args(["--variant=minbase", SUITE]).arg(&root);
    engine.supervise(bootstrap)?;
    let archive = directory.path().join("root.tar");
    let mut tar = Command::new("tar");
    tar.arg("--create")
        .args(["--exclude=./var/cache/apt/archives/*.deb", "--file"])
        .arg(&archive)
        .arg("--directory")
        .arg(&root)
        .arg(".");
    engine.supervise(tar)?;
    let name = if engine.is_podman() {
        BASE_IN_FULL
    } else {
        BASE
    };
    engine.long(&["import", &archive.display().to_string(), name])
}

/// Whether a registry gave it. A network without one can keep a pull waiting for minutes.
fn pull(engine: &Engine) -> Result<bool> {
    let limit = Duration::from_secs(60).as_secs().to_string();
    let program = if engine.is_podman() {
        "podman"
    } else {
        "docker"
    };
    let pulled = run::capture(Command::new("timeout").args([&limit, program, "pull", BASE]))?;
    engine.check_stop()?;
    Ok(pulled.status.success())
}

fn provide_debootstrap(engine: &Engine) -> Result<()> {
    if run::has_program("debootstrap") {
        return Ok(());
    }
    let mut update = Command::new("apt-get");
    update.arg("update");
    engine.supervise(update)?;
    let mut install = Command::new("apt-get");
    install
        .args(["install", "--yes", "--no-install-recommends", "debootstrap"])
        .env("DEBIAN_FRONTEND", "noninteractive");
    engine.supervise(install)
}
