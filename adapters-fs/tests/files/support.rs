//! What the tests share.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use adapters_fs::SelfSignedIssuer;
use camino::{Utf8Path, Utf8PathBuf};
use ports::contract::failed::Failed;
use ports::{FaultKind, TlsCredential, TlsIssuer as _};
use tempfile::TempDir;
use time::OffsetDateTime;

/// A directory that is removed with the value.
pub struct Sandbox(TempDir);

impl Sandbox {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// In memory where there is a tmpfs, for what syncs hundreds of times.
    pub fn in_memory() -> Self {
        Self(tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap()))
    }

    pub fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.0.path()).unwrap()
    }

    pub fn join(&self, path: &str) -> Utf8PathBuf {
        self.path().join(path)
    }
}

/// Puts a file there with this mode, and the directories it needs.
pub fn put(path: &Utf8Path, content: impl AsRef<[u8]>, mode: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    adapters_fs::durable::write_atomic(path, content.as_ref(), mode).unwrap();
}

pub fn chmod(path: &Utf8Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

pub fn mode(path: &Utf8Path) -> u32 {
    let metadata = path.symlink_metadata().unwrap();
    metadata.permissions().mode() & 0o7777
}

/// The names in a directory, sorted.
pub fn names(path: &Utf8Path) -> Vec<String> {
    let mut names: Vec<_> = path
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_owned())
        .collect();
    names.sort();
    names
}

pub fn credential() -> TlsCredential {
    let san = ["127.0.0.1".to_owned()];
    let now = OffsetDateTime::now_utc();
    SelfSignedIssuer.issue(&san, now).unwrap()
}

/// Checks the kind, that the message names `what`, and that there is a hint.
pub fn assert_fault<T, E: Into<Failed>>(result: Result<T, E>, kind: FaultKind, what: &str) {
    let fault = result.err().unwrap().into();
    assert_eq!(fault.kind(), kind, "{fault}");
    assert!(fault.to_string().contains(what), "{fault} names no {what}");
}

/// Runs a program that a Debian package brings.
pub fn run(package: &str, command: &mut Command) -> Output {
    match command.output() {
        Ok(output) => output,
        Err(error) => panic!("{command:?}: {error}; install the package {package}"),
    }
}

/// The same, and it must succeed; returns standard output.
pub fn run_well(package: &str, command: &mut Command) -> String {
    let output = run(package, command);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}
