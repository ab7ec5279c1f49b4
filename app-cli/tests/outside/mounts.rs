//! File systems that are full or read-only, in a mount namespace of their own.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::sandbox::{Run, Sandbox, is_root, tool, wrapped};

/// A mount namespace. What is mounted in it is seen by its commands alone, and ends with it.
pub struct Mounts {
    holder: Child,
    enter: Vec<String>,
}

impl Mounts {
    /// One in which the shell has done `script`, where `$1` is the sandbox's root.
    pub fn of(sandbox: &Sandbox, script: &str) -> Self {
        let namespaces: &[&str] = if is_root() {
            &["--mount"]
        } else {
            &["--mount", "--user", "--map-root-user"]
        };
        // It ends with its standard input, also where the test is killed.
        let script = format!("set -e\n{script}\necho ready\nexec cat");
        let mut holder = Command::new("unshare")
            .args(namespaces)
            .args(["sh", "-c", &script, "sh"])
            .arg(sandbox.path("root"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(holder.stdout.take().unwrap()).lines().next();
        assert_eq!(
            said.and_then(Result::ok).as_deref(),
            Some("ready"),
            "a mount namespace needs root's rights or user namespaces"
        );
        let target = holder.id().to_string();
        let mut enter = vec!["nsenter", "--target", &target, "--mount"];
        if !is_root() {
            enter.extend(["--user", "--preserve-credentials"]);
        }
        enter.push("--");
        let enter = enter.into_iter().map(str::to_owned).collect();
        Self { holder, enter }
    }

    /// One whose root is on a tmpfs of 1 MiB, with the directories that lock and report stand in.
    pub fn small(sandbox: &Sandbox) -> Self {
        let small = "mkdir -p $1
            mount -t tmpfs -o size=1m,mode=700 small $1
            mkdir -p $1/var/lib/trustpoint $1/run/trustpoint";
        Self::of(sandbox, small)
    }

    /// Leaves so many KiB of that.
    pub fn fill(&self, sandbox: &Sandbox, left: usize) {
        let fill = format!(
            "set -e
            [ $(stat -f -c %T $1) = tmpfs ]
            rm -f $1/filler
            free=$(($(stat -f -c %a $1) * $(stat -f -c %S $1) / 1024 - {left}))
            dd if=/dev/zero of=$1/filler bs=1024 count=$free 2>&1"
        );
        self.shell(sandbox, &fill);
    }

    /// There is space again.
    pub fn free(&self, sandbox: &Sandbox) {
        self.shell(sandbox, "rm $1/filler");
    }

    /// The program in it.
    pub fn command(&self, sandbox: &Sandbox, arguments: &[&str]) -> Command {
        let enter: Vec<&str> = self.enter.iter().map(String::as_str).collect();
        wrapped(&enter, &sandbox.command(arguments), None)
    }

    /// Runs the program in it, with `--format json`.
    pub fn run(&self, sandbox: &Sandbox, arguments: &[&str]) -> Run {
        let arguments = [&["--format", "json"], arguments].concat();
        Run::end_of(&mut self.command(sandbox, &arguments))
    }

    /// What stands below the sandbox's root in it.
    pub fn picture(&self, sandbox: &Sandbox) -> BTreeMap<PathBuf, String> {
        Sandbox::picture_below(&self.path(&sandbox.path("root")))
    }

    /// A path, as it is seen in it.
    pub fn path(&self, path: &Path) -> PathBuf {
        let below = path.strip_prefix("/").unwrap();
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(below)
    }

    /// Runs the shell in it, where `$1` is the sandbox's root.
    #[track_caller]
    pub fn shell(&self, sandbox: &Sandbox, script: &str) -> String {
        let root = sandbox.path("root").display().to_string();
        let shell = ["sh", "-c", script, "sh", &root].map(str::to_owned);
        let mut all = self.enter.iter().cloned().chain(shell);
        let program = all.next().unwrap();
        tool(&program, all)
    }

    /// Runs a start that must fail with this code and kind and change nothing; gives back what the
    /// error says.
    #[track_caller]
    pub fn fails_unchanged(&self, sandbox: &Sandbox, code: i32, kind: &str) -> String {
        let before = self.picture(sandbox);
        let said = self.run(sandbox, &["startup"]).expect_error(code, kind);
        assert_eq!(
            before,
            self.picture(sandbox),
            "something was changed although: {said}"
        );
        said
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
