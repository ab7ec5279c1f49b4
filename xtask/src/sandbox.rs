//! A node in a directory of its own, and the program that runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::files;
use crate::run::{self, Result};
use crate::token::{Kind, Store};

/// User PIN of every sandbox.
pub const PIN: &str = "12345678";
/// SO PIN of every sandbox.
pub const SO_PIN: &str = "87654321";
/// Backup password of every sandbox.
pub const PASSWORD: &str = "correct horse battery";

/// Builds the program as it is released, and says where it stands.
pub fn build() -> Result<PathBuf> {
    let root = run::root()?;
    run::run(
        run::cargo()
            .args(["build", "--release", "--package", "app-cli"])
            .current_dir(&root),
    )?;
    released(&root)
}

/// Where cargo puts the released program.
pub fn released(root: &Path) -> Result<PathBuf> {
    Ok(target_directory(root)?.join("release/trustpointctl"))
}

/// Where cargo puts what it builds.
pub fn target_directory(root: &Path) -> Result<PathBuf> {
    let metadata = run::text_of(
        run::cargo()
            .args(["metadata", "--format-version=1", "--no-deps"])
            .current_dir(root),
    )?;
    let metadata: Value =
        serde_json::from_str(&metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    let target = metadata
        .get("target_directory")
        .and_then(Value::as_str)
        .ok_or("cargo metadata names no target directory")?;
    Ok(target.into())
}

/// A node; its directory goes with it.
pub struct Sandbox {
    directory: tempfile::TempDir,
    store: Store,
}

/// What a command of the program ended with.
pub struct Ended {
    /// The report.
    pub report: Value,
    pub exit_code: Option<i32>,
    pub stderr: String,
}

impl Ended {
    pub fn field(&self, name: &str) -> Value {
        self.report.get(name).cloned().unwrap_or(Value::Null)
    }

    pub fn text(&self, name: &str) -> String {
        self.field(name).as_str().unwrap_or_default().to_owned()
    }
}

impl Sandbox {
    /// A directory on the disk that holds temporary files.
    pub fn on_disk() -> Result<Self> {
        Self::below(&std::env::temp_dir(), Kind::SoftHsm)
    }

    /// A directory on a tmpfs, where the machine has one: the DEK cache asks for it, and a
    /// thousand starts wait for no disk.
    pub fn in_memory() -> Result<Self> {
        Self::in_memory_on(Kind::SoftHsm)
    }

    /// The same with this kind of token.
    pub fn in_memory_on(kind: Kind) -> Result<Self> {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() {
            Self::below(memory, kind)
        } else {
            Self::below(&std::env::temp_dir(), kind)
        }
    }

    /// The same under a name that is always this one, for what shows its paths to people.
    ///
    /// # Errors
    /// A directory of that name stands there already, and may be somebody's.
    pub fn in_memory_as(name: &str) -> Result<Self> {
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix(name).rand_bytes(0);
        Self::made(builder, Path::new("/dev/shm"), Kind::SoftHsm)
    }

    fn below(parent: &Path, kind: Kind) -> Result<Self> {
        let mut builder = tempfile::Builder::new();
        Self::made(builder.prefix("trustpointctl-"), parent, kind)
    }

    fn made(builder: &mut tempfile::Builder<'_, '_>, parent: &Path, kind: Kind) -> Result<Self> {
        let directory = builder
            .tempdir_in(parent)
            .map_err(|error| format!("{}: {error}", parent.display()))?;
        let store = Store::new(kind, directory.path());
        let sandbox = Self { directory, store };
        sandbox.configure()?;
        Ok(sandbox)
    }

    /// A copy of this node, as it is now.
    pub fn copy(&self) -> Result<Self> {
        let parent = self.path().parent().unwrap_or(Path::new("/"));
        let copy = Self::below(parent, self.store.kind())?;
        run::run(
            Command::new("cp")
                .args(["-a", "--"])
                .arg(self.path().join("."))
                .arg(copy.path()),
        )?;
        // The tokens of the copy are the copy's own.
        copy.configure()?;
        Ok(copy)
    }

    /// Its tokens.
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A file or directory of the node, by its default path.
    pub fn join(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    fn configure(&self) -> Result<()> {
        self.store.create()?;
        let password = self.join("backup-password");
        files::put(&password, &format!("{PASSWORD}\n"))
            .map_err(|error| format!("{}: {error}", password.display()))
    }

    /// Gives `command` the environment of this node, and no other node's.
    pub fn environment(&self, command: &mut Command) -> Result<()> {
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("TRUSTPOINT_") || name.starts_with("HSM_") {
                command.env_remove(name.as_ref());
            }
        }
        command
            .envs(self.store.environment())
            .env("HSM_PIN", PIN)
            .env("HSM_SO_PIN", SO_PIN)
            .env("TRUSTPOINT_ROOT", self.path())
            .stdin(Stdio::null());
        // The default is SoftHSM's.
        if self.store.kind() != Kind::SoftHsm {
            command.env("TRUSTPOINT_HSM_MODULE", self.store.kind().module());
        }
        if let Some(init) = self.store.module_init()? {
            command.env("TRUSTPOINT_HSM_MODULE_INIT", init);
        }
        Ok(())
    }

    /// Runs a command of the program and reads its report.
    pub fn command(&self, program: &Path, arguments: &[&str]) -> Result<Ended> {
        let mut command = Command::new(program);
        self.environment(&mut command)?;
        command
            .args(["--format", "json"])
            .args(self.expand(arguments));
        let output = run::capture(&mut command)?;
        ended(&output)
    }

    /// `@PATH` means a file of this node.
    pub fn expand(&self, arguments: &[&str]) -> Vec<String> {
        arguments
            .iter()
            .map(|argument| match argument.strip_prefix('@') {
                Some(path) => self.join(path).display().to_string(),
                None => (*argument).to_owned(),
            })
            .collect()
    }
}

fn ended(output: &Output) -> Result<Ended> {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("the report is no JSON ({error}); standard error: {stderr}"))?;
    Ok(Ended {
        report,
        exit_code: output.status.code(),
        stderr,
    })
}
