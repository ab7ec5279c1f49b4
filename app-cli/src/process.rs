//! What concerns this process as a whole: secrets in memory, signals, the end.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use crate::failure::Failure;
use ports::{FaultKind, ResultExt as _};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

/// Keeps secrets out of core dumps and away from other processes of the user (C21).
///
/// # Errors
/// [`FaultKind::Internal`] where the kernel refuses.
pub fn harden() -> Result<(), Failure> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| {
        Failure::new(
            FaultKind::Internal,
            "core dumps of this process cannot be turned off",
            "report this with the kernel's version",
        )
        .because(error)
    })
}

/// The signals that ask this process to end.
const SIGNALS: [i32; 4] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT];

/// Whether they end it at once.
static END_AT_ONCE: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(true)));

/// The signal that came last; 0: none did.
static CAME: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// How many have to come to their end first.
static HOLDS: AtomicUsize = AtomicUsize::new(0);

/// Ends the process on signals. As PID 1 it would ignore them otherwise, and a start that waits for
/// its HSM would have to be killed. Every change is atomic, so there is nothing to tidy up; only
/// what [`SignalHold`] covers comes to its end first.
///
/// # Errors
/// [`FaultKind::Internal`] where a handler cannot be set.
pub fn end_on_signals() -> Result<(), Failure> {
    let told = std::io::stderr().is_terminal();
    for signal in SIGNALS {
        // Of nohup.
        if signal == SIGHUP && is_ignored(signal) {
            continue;
        }
        let at_once = Arc::clone(&END_AT_ONCE);
        // In this order: the first notes the signal also where the second ends nothing.
        signal_hook::flag::register_usize(
            signal,
            Arc::clone(&CAME),
            signal.unsigned_abs() as usize,
        )
        .and_then(|_| match signal {
            SIGINT if told => tell_of_interrupts(),
            _ => signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, at_once)
                .map(drop),
        })
        .map_err(|error| no_handler(signal, error))?;
    }
    Ok(())
}

/// Ctrl-C ends the process at a terminal too, and says what is left: a handler could not say it.
fn tell_of_interrupts() -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT])?;
    let wait = move || {
        for _ in signals.forever() {
            // Where the end is held, the last of the holds ends it.
            if END_AT_ONCE.load(Ordering::SeqCst) {
                end_by(SIGINT.unsigned_abs() as u8);
            }
        }
    };
    std::thread::Builder::new()
        .name("interrupt".to_owned())
        .spawn(wait)
        .map(drop)
}

/// Ends the process as the signal would, and tells a person that nothing is half done.
fn end_by(signal: u8) -> ! {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        // Whoever took the terminal away sees nothing of it.
        let _ = stderr.write_all(INTERRUPTED);
    }
    end_without_handlers(128 + signal)
}

/// What is to be known after Ctrl-C.
const INTERRUPTED: &[u8] =
    b"\ninterrupted: nothing is left half done; run the command again to go on\n";

/// Whether this process was started with the signal ignored; not, where the kernel does not tell.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

/// While one lives, a signal does not end the process; where one came, the end of the last of them
/// does.
pub struct SignalHold(());

impl SignalHold {
    /// Holds them.
    #[must_use]
    pub fn new() -> Self {
        hold();
        Self(())
    }
}

impl Drop for SignalHold {
    fn drop(&mut self) {
        release();
    }
}

fn hold() {
    HOLDS.fetch_add(1, Ordering::SeqCst);
    END_AT_ONCE.store(false, Ordering::SeqCst);
}

fn release() {
    if HOLDS.fetch_sub(1, Ordering::SeqCst) > 1 {
        return;
    }
    END_AT_ONCE.store(true, Ordering::SeqCst);
    // One that comes from here on ends the process by itself.
    if let Some(signal) = signal_that_came() {
        end_by(signal);
    }
}

fn signal_that_came() -> Option<u8> {
    let signal = u8::try_from(CAME.load(Ordering::SeqCst)).ok();
    signal.filter(|signal| *signal != 0)
}

/// A signal waits until the call into the PKCS#11 module has come back.
pub struct ModuleCalls;

impl adapters_hsm::Interrupts for ModuleCalls {
    fn hold(&self) {
        hold();
    }

    fn release(&self) {
        release();
    }
}

fn no_handler(signal: i32, error: std::io::Error) -> Failure {
    Failure::new(
        FaultKind::Internal,
        format!("no handler can be set for signal {signal}"),
        "report this",
    )
    .because(error)
}

/// While this lives, signals do not end the process but are told of: a terminal whose echo is off
/// has to be put right first.
pub struct HeldSignals {
    told: UnixStream,
    handlers: Vec<SigId>,
    // Released last.
    _hold: SignalHold,
}

impl HeldSignals {
    /// Holds them.
    ///
    /// # Errors
    /// [`FaultKind::Internal`] where a handler cannot be set.
    pub fn hold() -> Result<Self, Failure> {
        let (told, tell) = UnixStream::pair().or_io(|| "making a socket pair")?;
        let mut held = Self {
            told,
            handlers: Vec::new(),
            _hold: SignalHold::new(),
        };
        for signal in SIGNALS {
            if signal == SIGHUP && is_ignored(signal) {
                continue;
            }
            let copy = tell.try_clone().or_io(|| "copying a socket")?;
            let told = signal_hook::low_level::pipe::register(signal, copy);
            held.handlers
                .push(told.map_err(|error| no_handler(signal, error))?);
        }
        Ok(held)
    }

    /// What becomes readable when a signal comes, for another thread.
    ///
    /// # Errors
    /// No further file can be opened.
    pub fn told(&self) -> Result<UnixStream, Failure> {
        Ok(self.told.try_clone().or_io(|| "copying a socket")?)
    }

    /// Ends the process by the signal that came: at once, or once a call into the PKCS#11 module has
    /// come back on its thread.
    pub fn end(self) -> ! {
        drop(self);
        loop {
            std::thread::park();
        }
    }

    /// Whether one came.
    #[must_use]
    pub fn came(&self) -> bool {
        signal_that_came().is_some()
    }
}

impl AsFd for HeldSignals {
    /// Becomes readable when a signal comes.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.told.as_fd()
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            signal_hook::low_level::unregister(handler);
        }
    }
}

/// The host name: in a container, its id.
#[must_use]
pub fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// The user that this process acts as.
#[must_use]
pub fn user_id() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// What a start may be given in the environment, and nobody else: PINs, and the password of the
/// database.
const SECRETS: [&str; 3] = ["HSM_PIN", "HSM_SO_PIN", "TRUSTPOINT_DATABASE_PASSWORD"];

/// Ends the process at once, without exit handlers. Those of a module that hangs would wait for
/// ever, and those of one that works can meet the end of the thread that it ran on: SoftHSM with
/// OpenSSL 3.5 then frees twice, and a start that worked ends with SIGABRT.
pub fn end_without_handlers(code: u8) -> ! {
    signal_hook::low_level::exit(i32::from(code))
}

/// Replaces this process by `command`, without the secrets of this one; comes back only where that
/// failed.
#[must_use]
pub fn replace_by(command: &[OsString], dek_file: Option<&str>) -> Failure {
    let Some((program, arguments)) = command.split_first() else {
        return Failure::new(
            FaultKind::Usage,
            "no command follows --",
            "give one, or leave -- out",
        );
    };
    let mut command = Command::new(program);
    command.args(arguments);
    for secret in SECRETS {
        command.env_remove(secret);
    }
    match dek_file {
        Some(path) => command.env("TRUSTPOINT_DEK_FILE", path),
        None => command.env_remove("TRUSTPOINT_DEK_FILE"),
    };
    let error = command.exec();
    let kind = match error.kind() {
        std::io::ErrorKind::PermissionDenied => FaultKind::Denied,
        std::io::ErrorKind::NotFound => FaultKind::Config,
        _ => FaultKind::Io,
    };
    Failure::new(
        kind,
        format!(
            "the node is up, but {} cannot be run",
            program.to_string_lossy()
        ),
        "correct the command after --",
    )
    .because(error)
}
