//! A pseudo-terminal with the program at its other end.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::sandbox::{Sandbox, tool, wrapped};

/// Far more than any answer takes.
const PATIENCE: Timespec = Timespec {
    tv_sec: 60,
    tv_nsec: 0,
};

/// How often the end of the program is looked for, at least 50 ms apart where it says nothing.
const LOOKS: usize = 2_000;

/// The terminal, as a person sees it.
pub struct Terminal {
    master: File,
    // Kept open, so that the terminal outlives the program and its modes can be looked at.
    _slave: File,
    program: Child,
    /// Its modes before the program came.
    modes_before: LocalModes,
    shown: String,
    /// How much of `shown` was expected already.
    seen: usize,
}

/// What was left when the program had ended.
pub struct Ended {
    pub code: i32,
    pub shown: String,
    pub modes: LocalModes,
    pub modes_before: LocalModes,
}

impl Ended {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.shown);
        assert!(
            self.modes
                .contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
        );
        self
    }

    #[track_caller]
    pub fn never_shows(&self, secret: &str) {
        assert!(!self.shown.contains(secret), "{}", self.shown);
    }
}

impl Terminal {
    /// Runs the program with this terminal as standard input, output and error.
    pub fn run(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        Self::start(&sandbox.command(arguments), None)
    }

    /// The same with standard output in a file.
    pub fn run_into(sandbox: &Sandbox, arguments: &[&str], out: &Path) -> Self {
        Self::start(&sandbox.command(arguments), Some(out))
    }

    /// The same with standard input from elsewhere; the terminal is the one of its session.
    pub fn run_piped(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let shell = ["sh", "-c", "exec \"$0\" \"$@\" </dev/null"];
        let command = wrapped(&shell, &sandbox.command(arguments), None);
        Self::start(&command, None)
    }

    fn start(command: &Command, out: Option<&Path>) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap();
        let modes_before = tcgetattr(&slave).unwrap().local_modes;
        let side = || Stdio::from(slave.try_clone().unwrap());
        // A session of its own, whose terminal this is: Ctrl-C reaches the program.
        let session = ["env", "--default-signal", "setsid", "--ctty", "--wait"];
        let mut command: Command = wrapped(&session, command, None);
        let stdout = out.map_or_else(side, |path| Stdio::from(File::create(path).unwrap()));
        let program = command
            .stdin(side())
            .stdout(stdout)
            .stderr(side())
            .spawn()
            .unwrap();
        Self {
            master: File::from(master),
            _slave: slave,
            program,
            modes_before,
            shown: String::new(),
            seen: 0,
        }
    }

    /// The terminal's modes.
    fn modes(&self) -> LocalModes {
        tcgetattr(self.master.as_fd()).unwrap().local_modes
    }

    /// Waits until the text is shown, after what was expected before.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        loop {
            if let Some(at) = self.shown[self.seen..].find(text) {
                self.seen += at + text.len();
                return;
            }
            assert!(self.read(&PATIENCE), "no {text:?} in {:?}", self.shown);
        }
    }

    /// The same of a question whose answer is not shown.
    #[track_caller]
    pub fn expect_unseen(&mut self, question: &str) {
        self.expect(question);
        assert!(!self.modes().contains(LocalModes::ECHO), "{}", self.shown);
    }

    #[track_caller]
    pub fn answer(&mut self, question: &str, answer: &str) {
        self.expect(question);
        self.keys(&format!("{answer}\n"));
    }

    #[track_caller]
    pub fn answer_unseen(&mut self, question: &str, answer: &str) {
        self.expect_unseen(question);
        self.keys(&format!("{answer}\n"));
    }

    pub fn keys(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    pub fn key(&mut self, key: u8) {
        self.master.write_all(&[key]).unwrap();
    }

    /// Sends a signal to the program, the only child of setsid.
    pub fn signal(&mut self, signal: &str) {
        let parent = self.program.id().to_string();
        let children = format!("/proc/{parent}/task/{parent}/children");
        let child = std::fs::read_to_string(children).unwrap();
        let child = match child.trim() {
            // Without a need to fork, setsid has become the program.
            "" => &parent,
            child => child,
        };
        tool("kill", ["-s", signal, child]);
    }

    /// Waits for the end of the program.
    pub fn end(mut self) -> Ended {
        let none = Timespec {
            tv_sec: 0,
            tv_nsec: 50_000_000,
        };
        let mut looks = 0;
        let code = loop {
            self.read(&none);
            if let Some(status) = self.program.try_wait().unwrap() {
                break status.code().unwrap_or(-1);
            }
            looks += 1;
            assert!(looks < LOOKS, "it does not end after {:?}", self.shown);
        };
        while self.read(&none) {}
        Ended {
            code,
            modes: self.modes(),
            modes_before: self.modes_before,
            shown: std::mem::take(&mut self.shown),
        }
    }

    /// Reads what is shown next; `false` where nothing is for so long.
    fn read(&mut self, patience: &Timespec) -> bool {
        let mut ready = [PollFd::new(&self.master, PollFlags::IN)];
        if poll(&mut ready, Some(patience)).unwrap() == 0 {
            return false;
        }
        let mut part = [0; 4096];
        let count = self.master.read(&mut part).unwrap();
        self.shown
            .push_str(&String::from_utf8_lossy(&part[..count]));
        count > 0
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
