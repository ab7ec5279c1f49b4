//! A pseudo-terminal of 80 columns with the program at its other end.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::run::Result;

/// The screen.
pub const COLUMNS: u16 = 80;
const ROWS: u16 = 24;

/// Far more than any answer takes.
const PATIENCE: Timespec = Timespec {
    tv_sec: 60,
    tv_nsec: 0,
};
/// How long nothing has to be shown before the end of the program is looked for.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};
/// How often its end is looked for.
const LOOKS: usize = 2_000;

/// The terminal, as a person sees it.
pub struct Terminal {
    master: File,
    // Kept open, so that what is still to be shown outlives the program.
    _slave: File,
    program: Child,
    shown: String,
    /// How much of `shown` was answered already.
    seen: usize,
}

/// What was left when the program had ended.
pub struct Ended {
    /// `None` where a signal ended it.
    pub code: Option<i32>,
    pub shown: String,
}

impl Terminal {
    /// Runs the program with this terminal as standard input, output and error.
    pub fn run(program: &Command) -> Result<Self> {
        let (master, slave) = open().map_err(|error| format!("a pseudo-terminal: {error}"))?;
        let side = || slave.try_clone().map(Stdio::from);
        let start = || {
            let mut command = in_a_session(program);
            command.stdin(side()?).stdout(side()?).stderr(side()?);
            command.spawn()
        };
        let program = start().map_err(|error| format!("setsid: {error}"))?;
        Ok(Self {
            master: File::from(master),
            _slave: slave,
            program,
            shown: String::new(),
            seen: 0,
        })
    }

    /// Waits for the question, after what was answered before, and types the answer.
    pub fn answer(&mut self, question: &str, answer: &str) -> Result<()> {
        loop {
            let new = self.shown.get(self.seen..).unwrap_or_default();
            if let Some(at) = new.find(question) {
                self.seen += at + question.len();
                break;
            }
            if !self.read(&PATIENCE)? {
                return Err(format!("no {question:?} in:\n{}", self.shown));
            }
        }
        self.master
            .write_all(format!("{answer}\n").as_bytes())
            .map_err(|error| format!("the pseudo-terminal: {error}"))
    }

    /// Waits for the end of the program.
    pub fn end(mut self) -> Result<Ended> {
        for _ in 0..LOOKS {
            self.read(&LOOK)?;
            let status = self.program.try_wait().map_err(|error| error.to_string())?;
            if let Some(status) = status {
                while self.read(&LOOK)? {}
                return Ok(Ended {
                    code: status.code(),
                    shown: std::mem::take(&mut self.shown),
                });
            }
        }
        Err(format!("it does not end after:\n{}", self.shown))
    }

    /// Reads what is shown next; `false` where nothing is for so long.
    fn read(&mut self, patience: &Timespec) -> Result<bool> {
        let failed = |error: std::io::Error| format!("the pseudo-terminal: {error}");
        let mut ready = [PollFd::new(&self.master, PollFlags::IN)];
        match poll(&mut ready, Some(patience)) {
            Ok(0) => return Ok(false),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(failed(error.into())),
        }
        let mut part = [0; 4096];
        let count = self.master.read(&mut part).map_err(failed)?;
        let part = part.get(..count).unwrap_or_default();
        self.shown.push_str(&String::from_utf8_lossy(part));
        Ok(count > 0)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended, or nobody waits for it any more.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Both sides of a new terminal.
fn open() -> std::io::Result<(OwnedFd, File)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    tcsetwinsize(
        &master,
        Winsize {
            ws_row: ROWS,
            ws_col: COLUMNS,
            ws_xpixel: 0,
            ws_ypixel: 0,
        },
    )?;
    let name = ptsname(&master, Vec::new())?;
    let name = name.to_string_lossy().into_owned();
    let slave = OpenOptions::new().read(true).write(true).open(name)?;
    Ok((master, slave))
}

/// The program in a session of its own, whose terminal this is.
fn in_a_session(program: &Command) -> Command {
    let mut command = Command::new("setsid");
    command
        .args(["--ctty", "--wait"])
        .arg(program.get_program())
        .args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}
