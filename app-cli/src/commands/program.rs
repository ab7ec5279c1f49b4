//! The program after `--`, looked for before a start begins.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use ports::FaultKind;
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;

/// Checks that there is a program to be replaced by. Found out only after the start, it would
/// contradict the report, which is out by then.
///
/// # Errors
/// [`FaultKind::Config`] where there is none, [`FaultKind::Denied`] where it may not be run.
pub fn check(command: &[OsString]) -> Result<(), Failure> {
    let Some(name) = command.first() else {
        return Ok(());
    };
    let mut refused = None;
    for path in candidates(name) {
        if path.is_file() {
            match accessat(CWD, &path, Access::EXEC_OK, AtFlags::EACCESS) {
                Ok(()) => return Ok(()),
                Err(errno) => refused = Some((path, errno)),
            }
        }
    }
    Err(fault(name, refused))
}

/// Where execvp(3) would look.
fn candidates(name: &OsString) -> Vec<PathBuf> {
    if Path::new(name).components().count() > 1 || Path::new(name).is_absolute() {
        return vec![PathBuf::from(name)];
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .collect()
}

fn fault(name: &OsString, refused: Option<(PathBuf, Errno)>) -> Failure {
    let hint = "correct the command after --; nothing was started or changed";
    match refused {
        Some((path, errno)) => Failure::new(
            FaultKind::Denied,
            format!("{} may not be run", path.display()),
            hint,
        )
        .because(std::io::Error::from(errno)),
        None => Failure::new(
            FaultKind::Config,
            format!("there is no program {}", name.to_string_lossy()),
            hint,
        ),
    }
}
