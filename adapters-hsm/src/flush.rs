//! What SoftHSM has written for a token goes to the disk.
//!
//! SoftHSM writes through this machine's page cache and never syncs: a power cut after the commit
//! to the database would leave a DEK wrapped by a KEK that no token has. Only the files of this
//! one token are synced: `sync(2)` would wait for every file system of the host, a dead network
//! mount too.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ports::FileError;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;

/// What Debian builds SoftHSM with.
const SYSTEM_CONF: &str = "/etc/softhsm/softhsm2.conf";
const USER_CONF: &str = ".config/softhsm2/softhsm2.conf";
const DEFAULT_TOKENS: &str = "/var/lib/softhsm/tokens";

/// Syncs the files of the token with this serial number, its directory, and the directory above.
/// What root has made among them is given to the owner of that directory, so that the node's own
/// user is not locked out. Gives back a warning of what could not be done.
///
/// # Errors
/// A sync that fails: nothing that needs the token may be committed then.
pub(crate) fn flush(serial: &str) -> Result<Option<String>, FileError> {
    let tokens = tokens_directory();
    match find(&tokens, serial) {
        Ok(name) => TokenFiles::of(&tokens)?.sync(&name),
        Err(why) => Ok(Some(format!(
            "the files of the token with serial {serial} were not found, and not synced ({why}): \
             a power cut in the next minute could lose a key that was just made. Configure the \
             daemon where the token stands behind one, else set SOFTHSM2_CONF as the module has it"
        ))),
    }
}

/// SoftHSM names the directory of a token by a UUID, and the token's serial number is its end.
fn find(tokens: &Path, serial: &str) -> Result<String, String> {
    let in_words = |error: io::Error| format!("{}: {error}", tokens.display());
    for entry in fs::read_dir(tokens).map_err(in_words)? {
        let name = entry.map_err(in_words)?.file_name();
        if let Some(name) = name.to_str()
            && !serial.is_empty()
            && name.replace('-', "").ends_with(serial)
        {
            return Ok(name.to_owned());
        }
    }
    Err(format!("none in {} has its name", tokens.display()))
}

/// `directories.tokendir` of the configuration that SoftHSM reads.
fn tokens_directory() -> PathBuf {
    let conf = std::env::var_os("SOFTHSM2_CONF").map(PathBuf::from);
    let conf = conf
        .or_else(|| home().map(|home| home.join(USER_CONF)).filter(is_readable))
        .unwrap_or_else(|| SYSTEM_CONF.into());
    // SoftHSM has read it: where it cannot be read now, the directory is not found.
    let text = fs::read(conf).unwrap_or_default();
    token_setting(&String::from_utf8_lossy(&text)).map_or_else(|| DEFAULT_TOKENS.into(), Into::into)
}

fn is_readable(path: &PathBuf) -> bool {
    fs::File::open(path).is_ok()
}

/// The home directory, as SoftHSM finds it.
fn home() -> Option<PathBuf> {
    match std::env::var_os("HOME").filter(|home| !home.is_empty()) {
        Some(home) => Some(home.into()),
        None => {
            let user = rustix::process::getuid().as_raw().to_string();
            let accounts = fs::read_to_string("/etc/passwd").ok()?;
            accounts.lines().find_map(|line| {
                let mut fields = line.split(':').skip(2);
                (fields.next()? == user).then(|| fields.nth(2).map(PathBuf::from))?
            })
        }
    }
}

/// The last one counts; a line ends at its first `#`.
fn token_setting(conf: &str) -> Option<&str> {
    conf.lines().rev().find_map(|line| {
        let line = line.split('#').next()?;
        let mut parts = line.split('=').filter(|part| !part.is_empty());
        let is_it = parts.next()?.trim() == "directories.tokendir";
        let value = parts.next()?.trim();
        (is_it && !value.is_empty()).then_some(value)
    })
}

/// The directory of the tokens, gone through by descriptors alone: no link is followed.
struct TokenFiles<'a> {
    path: &'a Path,
    tokens: OwnedFd,
    /// Whose the directory is, where root is at work in somebody else's.
    owner: Option<(Uid, Gid)>,
    warning: Option<String>,
}

impl<'a> TokenFiles<'a> {
    fn of(path: &'a Path) -> Result<Self, FileError> {
        let opened = rustix::fs::open(path, DIRECTORY, Mode::empty())
            .and_then(|tokens| Ok((rustix::fs::fstat(&tokens)?, tokens)));
        let (stat, tokens) = opened.map_err(|error| failed(path, error))?;
        let in_others = rustix::process::geteuid().is_root() && stat.st_uid != 0;
        let owner = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
        Ok(Self {
            path,
            tokens,
            owner: in_others.then_some(owner),
            warning: None,
        })
    }

    fn sync(mut self, name: &str) -> Result<Option<String>, FileError> {
        let path = self.path.join(name);
        let failed = |error| failed(&path, error);
        let flags = DIRECTORY | OFlags::NOFOLLOW;
        let directory =
            rustix::fs::openat(&self.tokens, name, flags, Mode::empty()).map_err(failed)?;
        for entry in Dir::read_from(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            self.file(directory.as_fd(), entry.file_name())
                .map_err(|error| {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    self::failed(&path.join(name), error)
                })?;
        }
        let stat = rustix::fs::fstat(&directory).map_err(failed)?;
        self.give(directory.as_fd(), &stat);
        rustix::fs::fsync(&directory).map_err(failed)?;
        rustix::fs::fsync(&self.tokens).map_err(failed)?;
        Ok(self.warning)
    }

    fn file(&mut self, directory: BorrowedFd<'_>, name: &std::ffi::CStr) -> Result<(), Errno> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let is_file = |stat: &Stat| FileType::from_raw_mode(stat.st_mode).is_file();
        match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if is_file(&stat) => {}
            Ok(_) | Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(error),
        }
        let file = match rustix::fs::openat(directory, name, flags, Mode::empty()) {
            Ok(file) => file,
            // Another process may have removed it. What cannot be read was not written here.
            Err(Errno::NOENT | Errno::LOOP | Errno::ACCESS) => return Ok(()),
            Err(error) => return Err(error),
        };
        let stat = rustix::fs::fstat(&file)?;
        // A second name could be a file of root's that was linked here to be given away.
        if is_file(&stat) && stat.st_nlink == 1 {
            self.give(file.as_fd(), &stat);
        }
        rustix::fs::fsync(&file)
    }

    fn give(&mut self, file: BorrowedFd<'_>, stat: &Stat) {
        let Some((owner, group)) = self.owner.filter(|_| stat.st_uid == 0) else {
            return;
        };
        if let Err(error) = rustix::fs::fchown(file, Some(owner), Some(group))
            && self.warning.is_none()
        {
            self.warning = Some(format!(
                "new files of the token in {} belong to root and could not be given to its owner, \
                 user {}: {error}. That user cannot use the token until they are: chown -R {}:{}",
                self.path.display(),
                owner.as_raw(),
                owner.as_raw(),
                group.as_raw()
            ));
        }
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

fn failed(path: &Path, error: Errno) -> FileError {
    FileError::new(
        format!(
            "what SoftHSM has written to {} cannot be brought to the disk",
            path.display()
        ),
        error.into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_directory_is_read_as_softhsm_reads_it() {
        for (conf, expected) in [
            ("", None),
            ("directories.tokendir = /a\n", Some("/a")),
            (
                "directories.tokendir=/a # b\r\nlog.level = INFO\n",
                Some("/a"),
            ),
            (
                "directories.tokendir = /a\ndirectories.tokendir = /b",
                Some("/b"),
            ),
            ("# directories.tokendir = /a\n", None),
            ("directories.tokendir =\n", None),
            (
                "  directories.tokendir = /with space \n",
                Some("/with space"),
            ),
            ("=directories.tokendir = /a\n", Some("/a")),
        ] {
            assert_eq!(token_setting(conf), expected, "{conf:?}");
        }
    }

    #[test]
    fn a_token_is_found_by_the_end_of_its_name() {
        let tokens = tempfile::tempdir().unwrap();
        let name = "5a9c71a1-7d3c-2a3b-89ab-0123456789ab";
        fs::create_dir(tokens.path().join(name)).unwrap();
        assert_eq!(find(tokens.path(), "89ab0123456789ab").unwrap(), name);
        for other in ["", "89ab0123456789aa"] {
            assert!(find(tokens.path(), other).is_err(), "{other:?}");
        }
        assert!(find(&tokens.path().join("missing"), "1").is_err());
    }
}
