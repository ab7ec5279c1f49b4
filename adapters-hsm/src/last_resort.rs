//! A module that ends the process: it calls `exit`, or it crashes.
//!
//! SoftHSM calls `exit` where an object on the token is damaged. Without this there would be no
//! report: neither what was being done, nor a word on what to do. So the thread that was in the
//! module is parked for ever, whoever waits for it is told, and the process goes on to its report
//! and ends by `_exit` (docs/adr/0010-a-module-that-ends-the-process.md).

#![expect(
    unsafe_code,
    reason = "exit handlers and handlers of fatal signals have no safe interface"
)]

use std::cell::Cell;
use std::fmt;
use std::mem::zeroed;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Once, OnceLock};

use libc::{c_int, c_void, siginfo_t};

/// The signals of a crash.
const FATAL: [(c_int, &str); 5] = [
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGFPE, "SIGFPE"),
];

/// How long the process may take to end after that. A crash may have left the allocator locked.
const TIME_TO_END: libc::time_t = 120;

/// EX_UNAVAILABLE, as the report would have it.
const UNAVAILABLE: c_int = 69;

const NOT_ENDED: c_int = 0;
const EXITED: c_int = -1;

/// How a module ended the process: not, by `exit`, or the number of a signal.
static END: AtomicI32 = AtomicI32::new(NOT_ENDED);

/// What was in place before; the timer that bounds the end.
static INSTALLED: OnceLock<([libc::sigaction; FATAL.len()], Timer)> = OnceLock::new();

thread_local! {
    /// Whether this thread is in a module. Neither allocated nor dropped: a handler may read it.
    static IN_MODULE: Cell<bool> = const { Cell::new(false) };
}

/// A POSIX timer: unlike an alarm, it does not outlive an exec.
#[derive(Clone, Copy)]
struct Timer(Option<libc::timer_t>);

// SAFETY: `timer_t` is an id that the kernel gave for the whole process, not a pointer to follow.
unsafe impl Send for Timer {}
// SAFETY: as above.
unsafe impl Sync for Timer {}

/// How a module ended the process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct End(c_int);

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match FATAL.iter().find(|(signal, _)| *signal == self.0) {
            Some((_, name)) => write!(f, "it crashed ({name})"),
            None => f.write_str("exit was called in it"),
        }
    }
}

/// How a module ended this process, where one did.
pub(crate) fn ended() -> Option<End> {
    match END.load(Ordering::SeqCst) {
        NOT_ENDED => None,
        end => Some(End(end)),
    }
}

/// Runs what calls into a module, on a thread that may be lost.
pub(crate) fn in_module<T>(call: impl FnOnce() -> T) -> T {
    install();
    arm();
    let before = IN_MODULE.replace(true);
    let result = call();
    IN_MODULE.set(before);
    result
}

/// Exit handlers run in reverse order, so this has to be registered after those of the module:
/// called again whenever it may have registered some.
pub(crate) fn arm() {
    // SAFETY: the handler is a function of this program, which is never unloaded. Where the C
    // library has no memory left to note it, there is no report in the end, as without it.
    unsafe {
        libc::atexit(on_exit);
    }
}

/// Any thread but the main one: the main thread of a process that has run a module ends it by
/// `_exit` alone.
extern "C" fn on_exit() {
    // SAFETY: neither call can fail or touches memory.
    if unsafe { libc::gettid() != libc::getpid() } {
        park(EXITED);
    }
}

/// Of a thread that is in a module. On any other the signal does what it would have done.
extern "C" fn on_fatal(signal: c_int, info: *mut siginfo_t, _context: *mut c_void) {
    if IN_MODULE.get() {
        park(signal);
    }
    let position = FATAL.iter().position(|(fatal, _)| *fatal == signal);
    let before = position.and_then(|index| INSTALLED.get()?.0.get(index));
    // SAFETY: all these calls are async-signal-safe. `info` is what the kernel gave to a handler
    // with SA_SIGINFO. A fault comes again when the handler returns, and meets what was in place
    // before; a signal that was sent has to be sent again.
    unsafe {
        libc::sigaction(
            signal,
            before.map_or(null(), std::ptr::from_ref),
            null_mut(),
        );
        if info.is_null() || (*info).si_code <= 0 {
            libc::raise(signal);
        }
    }
}

/// Tells how it ended, and never comes back: the thread holds who knows what.
fn park(end: c_int) -> ! {
    // The first end is the one that is told.
    let _ = END.compare_exchange(NOT_ENDED, end, Ordering::SeqCst, Ordering::SeqCst);
    if let Some((_, Timer(Some(timer)))) = INSTALLED.get() {
        let limit = libc::itimerspec {
            it_interval: libc::timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: libc::timespec {
                tv_sec: TIME_TO_END,
                tv_nsec: 0,
            },
        };
        // SAFETY: async-signal-safe; the timer was made by `install` and is never deleted.
        unsafe {
            libc::timer_settime(*timer, 0, &limit, null_mut());
        }
    }
    loop {
        // SAFETY: async-signal-safe.
        unsafe {
            libc::pause();
        }
    }
}

/// The report did not come about.
extern "C" fn on_limit(_signal: c_int) {
    const LINE: &[u8] =
        b"error: the PKCS#11 module ended the process, and no report could be made\n";
    // SAFETY: both calls are async-signal-safe, and the buffer is static.
    unsafe {
        libc::write(libc::STDERR_FILENO, LINE.as_ptr().cast(), LINE.len());
        libc::_exit(UNAVAILABLE);
    }
}

/// The handlers, once in a process.
fn install() {
    static ONCE: Once = Once::new();
    // SAFETY: `sigaction` is plain data, for which zeroes are valid. The handler has the signature
    // that its flags ask for, keeps to what is async-signal-safe, and is never unloaded. Each call
    // is given valid pointers or null, and fails for a signal number that cannot be alone.
    ONCE.call_once(|| unsafe {
        let mut before: [libc::sigaction; FATAL.len()] = zeroed();
        for ((signal, _), before) in FATAL.iter().zip(&mut before) {
            libc::sigaction(*signal, null(), before);
        }
        let timer = timer();
        // First: a handler needs it.
        INSTALLED.get_or_init(|| (before, timer));
        for (signal, _) in FATAL {
            let mut action: libc::sigaction = zeroed();
            action.sa_sigaction = on_fatal as *const () as libc::sighandler_t;
            // The stack may be what has run out.
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigaction(signal, &action, null_mut());
        }
    });
}

/// The timer that bounds the end; `None` where the kernel has none to give.
///
/// Its signal is one that nobody else is likely to use.
fn timer() -> Timer {
    let signal = libc::SIGRTMAX() - 1;
    // SAFETY: as in `install`; zeroes are valid for `sigevent` and `timer_t` too.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = on_limit as *const () as libc::sighandler_t;
        libc::sigaction(signal, &action, null_mut());
        let mut event: libc::sigevent = zeroed();
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = signal;
        let mut timer: libc::timer_t = zeroed();
        let made = libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer);
        Timer((made == 0).then_some(timer))
    }
}
