//! What concerns this process as a whole: secrets in memory, signals, the end.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ports::{Fault, FaultKind};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use signal_hook::consts::{SIGINT, SIGTERM};

/// Keeps secrets out of core dumps and away from other processes of the user (C21).
///
/// # Errors
/// [`FaultKind::Internal`] where the kernel refuses.
pub fn harden() -> Result<(), Fault> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| {
        Fault::new(
            FaultKind::Internal,
            "core dumps of this process cannot be turned off",
            "report this with the kernel's version",
        )
        .because(error)
    })
}

/// Ends the process on SIGTERM and SIGINT. As PID 1 it would ignore them otherwise, and a start
/// that waits for its HSM would have to be killed. Every change is atomic, so there is nothing to
/// tidy up.
///
/// # Errors
/// [`FaultKind::Internal`] where a handler cannot be set.
pub fn end_on_signals() -> Result<(), Fault> {
    for signal in [SIGTERM, SIGINT] {
        let always = Arc::new(AtomicBool::new(true));
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, always).map_err(
            |error| {
                Fault::new(
                    FaultKind::Internal,
                    format!("no handler can be set for signal {signal}"),
                    "report this",
                )
                .because(error)
            },
        )?;
    }
    Ok(())
}

/// The host name: in a container, its id.
#[must_use]
pub fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// Ends the process at once, without exit handlers: those of a module that hangs would wait for
/// ever.
pub fn end_without_handlers(code: u8) -> ! {
    signal_hook::low_level::exit(i32::from(code))
}

/// Replaces this process by `command`; comes back only where that failed.
#[must_use]
pub fn replace_by(command: &[OsString], dek_file: Option<&str>) -> Fault {
    let Some((program, arguments)) = command.split_first() else {
        return Fault::new(
            FaultKind::Usage,
            "no command follows --",
            "give one, or leave -- out",
        );
    };
    let mut command = Command::new(program);
    command.args(arguments);
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
    Fault::new(
        kind,
        format!(
            "the node is up, but {} cannot be run",
            program.to_string_lossy()
        ),
        "correct the command after --",
    )
    .because(error)
}
