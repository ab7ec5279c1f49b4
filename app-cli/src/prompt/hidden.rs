//! One line of the terminal, without echo; the terminal is as it was afterwards, whatever happens.

use std::fs::File;
use std::io::{IsTerminal as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};

use ports::{FaultKind, ResultExt as _, Secret};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::process::HeldSignals;

/// A terminal gives lines of at most 4096 bytes.
const LONGEST_LINE: usize = 4096;

/// Where a person types: standard input, or the terminal of this process where that is a pipe.
pub enum Keyboard {
    /// Standard input.
    Stdin,
    /// `/dev/tty`.
    Terminal(File),
}

impl Keyboard {
    /// The one there is.
    #[must_use]
    pub fn find() -> Option<Self> {
        if std::io::stdin().is_terminal() {
            return Some(Self::Stdin);
        }
        File::open("/dev/tty").ok().map(Self::Terminal)
    }

    fn need() -> Result<Self, Failure> {
        Self::find().ok_or_else(ended)
    }
}

impl AsFd for Keyboard {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Stdin => rustix::stdio::stdin(),
            Self::Terminal(terminal) => terminal.as_fd(),
        }
    }
}

/// Asks for a secret.
///
/// # Errors
/// [`FaultKind::Usage`] for the end of the input; the terminal's own.
pub fn read_hidden(question: &str) -> Result<Secret, Failure> {
    let keyboard = Keyboard::need()?;
    let signals = HeldSignals::hold()?;
    let echo = EchoOff::new(keyboard.as_fd())?;
    write(question)?;
    let line = line(keyboard.as_fd(), Some(&signals));
    drop(echo);
    // The line break that was not echoed.
    write("\n")?;
    // Where a signal came, the process ends here: the terminal is as it was.
    drop(signals);
    line.map(|line| Secret::new(line.to_vec()))
}

/// Asks for what may be seen.
///
/// # Errors
/// As [`ask`].
pub fn ask_in_sight(question: &str) -> Result<String, Failure> {
    let keyboard = Keyboard::need()?;
    write(question)?;
    line(keyboard.as_fd(), None).map(|line| String::from_utf8_lossy(&line).into_owned())
}

/// Echo is off while it lives, and the keys that stop or quit the program without a word do
/// nothing.
struct EchoOff<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> EchoOff<'a> {
    fn new(terminal: BorrowedFd<'a>) -> Result<Self, Failure> {
        let before = tcgetattr(terminal).map_err(|error| failed("read", error))?;
        let mut without = before.clone();
        without.local_modes.remove(LocalModes::ECHO);
        for key in [SpecialCodeIndex::VQUIT, SpecialCodeIndex::VSUSP] {
            without.special_codes[key] = 0;
        }
        // Flushed: what was typed before the question is no answer to it.
        tcsetattr(terminal, OptionalActions::Flush, &without)
            .map_err(|error| failed("changed", error))?;
        Ok(Self { terminal, before })
    }
}

impl Drop for EchoOff<'_> {
    fn drop(&mut self) {
        // Nothing more can be done for a terminal that is gone.
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}

/// Reads one line, without its line break.
fn line(
    terminal: BorrowedFd<'_>,
    signals: Option<&HeldSignals>,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST_LINE));
    let mut part = Zeroizing::new([0; LONGEST_LINE]);
    loop {
        if let Some(signals) = signals
            && !wait(terminal, signals)?
        {
            return Err(ended());
        }
        let count = match rustix::io::read(terminal, part.as_mut_slice()) {
            Ok(0) => return Err(ended()),
            Ok(count) => count,
            Err(Errno::INTR | Errno::AGAIN) => continue,
            Err(error) => return Err(failed("read", error)),
        };
        let read = part.get(..count).unwrap_or_default();
        if line.len() + count > LONGEST_LINE {
            return Err(Failure::new(
                FaultKind::Usage,
                "the answer is longer than any PIN or password; nothing was changed",
                "run the command again",
            ));
        }
        line.extend_from_slice(read);
        if line.last() == Some(&b'\n') {
            line.pop();
            return Ok(line);
        }
    }
}

/// Waits for input; `false` where a signal came first.
fn wait(terminal: BorrowedFd<'_>, signals: &HeldSignals) -> Result<bool, Failure> {
    loop {
        let mut both = [
            PollFd::from_borrowed_fd(terminal, PollFlags::IN),
            PollFd::new(signals, PollFlags::IN),
        ];
        match poll(&mut both, None) {
            Ok(_) if signals.came() => return Ok(false),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(failed("waited for", error)),
        }
    }
}

fn write(text: &str) -> Result<(), Failure> {
    let mut stderr = std::io::stderr().lock();
    Ok(stderr
        .write_all(text.as_bytes())
        .and_then(|()| stderr.flush())
        .or_io(|| "writing to the terminal")?)
}

fn ended() -> Failure {
    Failure::new(
        FaultKind::Usage,
        "the input ended before the answer; nothing was changed",
        "run the command again",
    )
}

fn failed(what: &str, error: Errno) -> Failure {
    Failure::io(format!("the terminal cannot be {what}"), error.into())
}
