//! Docker or podman, by its command line.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::run::{self, Result};

/// What everything that a run starts is labelled with; the value is the run's name.
pub const LABEL: &str = "trustpointctl.e2e";
/// The same for the story of a run.
pub const STORY_LABEL: &str = "trustpointctl.e2e.story";
/// What compose labels all of a project with; the value is the project's name.
pub const PROJECT_LABEL: &str = "com.docker.compose.project";

/// Debian 12's podman runs containers as root only with these.
const PODMAN_RUN: [&str; 6] = [
    "--runtime",
    "runc",
    "--ulimit",
    "nofile=1024:1024",
    "--ulimit",
    "nproc=1024:1024",
];

/// A container engine.
pub struct Engine {
    program: &'static str,
    stop: Arc<AtomicBool>,
}

impl Engine {
    /// The engine of this name, or the first that answers.
    pub fn find(name: Option<&str>) -> Result<Self> {
        let programs: &[&'static str] = match name {
            None => &["docker", "podman"],
            Some("docker") => &["docker"],
            Some("podman") => &["podman"],
            Some(other) => return Err(format!("--engine {other}: it is docker or podman")),
        };
        let answers =
            |program: &&&str| run::capture(Command::new(**program).arg("info")).is_ok_and(ok);
        let program = programs
            .iter()
            .find(answers)
            .ok_or_else(|| format!("no engine answers to `{} info`", programs.join("` or `")))?;
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&stop))
                .map_err(|error| format!("no handler for signal {signal}: {error}"))?;
        }
        Ok(Self { program, stop })
    }

    /// Whether it is podman.
    pub fn is_podman(&self) -> bool {
        self.program == "podman"
    }

    /// Options that every `run` and `create` of this engine needs.
    pub fn run_options(&self) -> &'static [&'static str] {
        if self.is_podman() { &PODMAN_RUN } else { &[] }
    }

    /// Whether somebody pressed Ctrl-C.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// An error once somebody pressed Ctrl-C: a story ends at its next command.
    pub fn check_stop(&self) -> Result<()> {
        if self.is_stopped() {
            Err("interrupted".to_owned())
        } else {
            Ok(())
        }
    }

    /// In a process group of its own: Ctrl-C is this program's to handle, and a half-finished
    /// command would leave a container that no clean-up has seen.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        command
            .args(arguments)
            .env("DOCKER_BUILDKIT", "0")
            .env("DOCKER_CLI_HINTS", "false")
            // podman's own format has no health check.
            .env("BUILDAH_FORMAT", "docker")
            .stdin(Stdio::null())
            .process_group(0);
        command
    }

    /// Runs to the end; an exit code other than 0 is not judged here.
    pub fn output(&self, arguments: &[&str]) -> Result<Output> {
        self.check_stop()?;
        run::capture(&mut self.command(arguments))
    }

    /// The standard output of a command that must succeed.
    pub fn text(&self, arguments: &[&str]) -> Result<String> {
        self.check_stop()?;
        run::text_of(&mut self.command(arguments))
    }

    /// As [`Engine::text`], with standard input.
    pub fn feed(&self, arguments: &[&str], input: &[u8]) -> Result<String> {
        self.check_stop()?;
        let failed = |error| format!("{} {}: {error}", self.program, arguments.join(" "));
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input).map_err(failed)?;
        }
        let output = child.wait_with_output().map_err(failed)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(format!(
            "{} {} ended with {}: {}",
            self.program,
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        ))
    }

    /// Runs something that takes minutes and says much: what it said is shown where it fails.
    pub fn long(&self, arguments: &[&str]) -> Result<()> {
        self.supervise(self.command(arguments))
    }

    /// As [`Engine::long`], for another program.
    pub fn supervise(&self, mut command: Command) -> Result<()> {
        let name = format!("{command:?}");
        let failed = |error| format!("{name}: {error}");
        let mut log = tempfile::tempfile().map_err(failed)?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log.try_clone().map_err(failed)?)
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        loop {
            if let Some(status) = child.try_wait().map_err(failed)? {
                if status.success() {
                    return Ok(());
                }
                return Err(format!("{name} ended with {status}:\n{}", tail(&mut log)));
            }
            if self.is_stopped() {
                child.kill().map_err(failed)?;
                child.wait().map_err(failed)?;
                return self.check_stop();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Removes every container, network and volume with this label; also after Ctrl-C.
    pub fn remove_labelled(&self, label: &str, value: &str) -> Result<()> {
        let filter = format!("label={label}={value}");
        self.remove_found(
            &["ps", "--all", "--quiet", "--filter", &filter],
            &["rm", "--force", "--volumes"],
        )?;
        self.remove_found(
            &["network", "ls", "--quiet", "--filter", &filter],
            &["network", "rm"],
        )?;
        self.remove_found(
            &["volume", "ls", "--quiet", "--filter", &filter],
            &["volume", "rm", "--force"],
        )
    }

    fn remove_found(&self, list: &[&str], remove: &[&str]) -> Result<()> {
        let found = run::text_of(&mut self.command(list))?;
        let found: Vec<&str> = found.split_whitespace().collect();
        if found.is_empty() {
            return Ok(());
        }
        run::text_of(&mut self.command(&[remove, &found].concat())).map(drop)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a predicate of a result")]
fn ok(output: Output) -> bool {
    output.status.success()
}

/// The end of a log.
fn tail(log: &mut File) -> String {
    let mut bytes = Vec::new();
    let read = log.rewind().and_then(|()| log.read_to_end(&mut bytes));
    if let Err(error) = read {
        return format!("its output cannot be read: {error}");
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines
        .iter()
        .skip(lines.len().saturating_sub(40))
        .map(|line| format!("  {line}\n"))
        .collect()
}
