//! The commands and their contract: what they change, print and exit with.

mod config;
mod dry_run;
mod every_report;
mod exec;
mod lock;
mod manual;
mod output;
mod signals;
mod status;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufReader, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::sandbox::Sandbox;

/// Everything below the root, with kind, mode, inode, size, times and content: nothing is left
/// out, not even a lock file. Only the times of the ledger of PIN tries do not count: a look that
/// has to log in notes its try there and crosses it out (C18).
fn photograph(sandbox: &Sandbox) -> BTreeMap<PathBuf, String> {
    fn add(path: &Path, all: &mut BTreeMap<PathBuf, String>) {
        let Ok(metadata) = fs::symlink_metadata(path) else {
            return;
        };
        let content = if metadata.is_file() {
            fs::read(path).unwrap()
        } else {
            Vec::new()
        };
        let times = if path.ends_with("pin-rejected") {
            String::new()
        } else {
            format!(
                "{}.{} {}.{}",
                metadata.mtime(),
                metadata.mtime_nsec(),
                metadata.ctime(),
                metadata.ctime_nsec(),
            )
        };
        let (mode, inode) = (metadata.mode(), metadata.ino());
        let line = format!("{mode:o} {inode} {times} {content:02x?}");
        all.insert(path.to_owned(), line);
        if metadata.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                add(&entry.unwrap().path(), all);
            }
        }
    }
    let mut all = BTreeMap::new();
    add(&sandbox.path("root"), &mut all);
    all
}

/// Asserts that nothing at all is changed by `work`.
#[track_caller]
fn changes_nothing<T>(sandbox: &Sandbox, work: impl FnOnce() -> T) -> T {
    let before = photograph(sandbox);
    let result = work();
    let after = photograph(sandbox);
    let changed: Vec<_> = before
        .keys()
        .chain(after.keys())
        .filter(|path| before.get(*path) != after.get(*path))
        .collect();
    assert!(changed.is_empty(), "{changed:?}");
    result
}

/// The names of the report's steps.
fn steps(report: &serde_json::Value) -> Vec<String> {
    let steps = report["steps"].as_array().cloned().unwrap_or_default();
    let name = |step: &serde_json::Value| step["step"].as_str().unwrap().to_owned();
    steps.iter().map(name).collect()
}

/// A program that runs beside the test, and is killed with it.
pub struct Running {
    pub child: Child,
    out: BufReader<std::process::ChildStdout>,
    err: BufReader<std::process::ChildStderr>,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            out: BufReader::new(child.stdout.take().unwrap()),
            err: BufReader::new(child.stderr.take().unwrap()),
            child,
        }
    }

    /// Reads its output until a line has `text` in it.
    #[track_caller]
    pub fn wait_for_output(&mut self, text: &str) -> String {
        wait_for(&mut self.out, text)
    }

    /// The same on standard error.
    #[track_caller]
    pub fn wait_for_error(&mut self, text: &str) -> String {
        wait_for(&mut self.err, text)
    }

    /// Waits until it, or what it runs, has made this file.
    #[track_caller]
    pub fn wait_for_file(&mut self, path: &Path) {
        wait_for_file_of(&mut self.child, path);
    }

    pub fn terminate(&self) {
        self.signal("TERM");
    }

    pub fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        crate::sandbox::tool("kill", ["-s", signal, &id]);
    }

    /// How it ended, and the rest of its standard output.
    pub fn end(mut self) -> (std::process::ExitStatus, String) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        crate::schema::check_all_in(&rest);
        (self.child.wait().unwrap(), rest)
    }

    /// The rest of all that it says, until it has ended.
    pub fn rest(mut self) -> String {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        self.err.read_to_string(&mut rest).unwrap();
        rest
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until this process, or what it runs, has made this file.
#[track_caller]
pub fn wait_for_file_of(child: &mut Child, path: &Path) {
    while !path.exists() {
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "it ended before: {ended:?}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[track_caller]
fn wait_for(lines: &mut impl std::io::BufRead, text: &str) -> String {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        let length = lines.read_line(&mut line).unwrap();
        crate::schema::check_all_in(&line);
        assert_ne!(length, 0, "no {text:?} in {seen}");
        if line.contains(text) {
            return line.trim_end().to_owned();
        }
        seen.push_str(&line);
    }
}
