//! Backups under a password, in the format of age: the program `age` opens them too.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read as _, Write as _};
use std::iter;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, Encryptor, scrypt};
use camino::{Utf8Path, Utf8PathBuf};
use ports::{BackupCipher, Fault, FaultKind, PrivateFile, ResultExt as _, Secret};
use rustix::fs::statvfs;
use tempfile::TempDir;

use crate::durable;

const MAGIC: &[u8] = b"age-encryption.org/v1\n";
/// scrypt with N = 2^17, r = 8: 128 MiB, below the memory of the smallest container. Fixed, not
/// measured as the library would: the same on every machine.
const WORK_FACTOR: u8 = 17;
/// 1 GiB: what `age -p` makes (2^18) opens, and nothing that could exhaust the machine.
const MAX_WORK_FACTOR: u8 = 20;
/// In memory, so that the clear bytes reach no disk.
const MEMORY_DIRECTORY: &str = "/dev/shm";
/// How often such a directory is made anew.
const ATTEMPTS: usize = 5;
/// The directories of clear files.
const PREFIX: &str = "trustpointctl-clear-";
/// Room beyond the size that was asked for.
const MARGIN: u64 = 1 << 20;

/// Files in the format of age.
#[derive(Clone, Copy, Debug, Default)]
pub struct AgeFiles;

/// A file in a directory of its own.
struct Private {
    path: Utf8PathBuf,
    _directory: TempDir,
    /// Says that the directory is in use; the kernel takes it back when the process dies.
    _lock: File,
}

impl PrivateFile for Private {
    fn path(&self) -> &str {
        self.path.as_str()
    }
}

impl BackupCipher for AgeFiles {
    fn is_encrypted(&self, file: &str) -> Result<bool, Fault> {
        let what = || format!("opening {file}");
        match std::fs::metadata(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Fault::io(what(), error)),
            Ok(metadata) if !metadata.is_file() => return Ok(false),
            Ok(_) => {}
        }
        let mut magic = Vec::with_capacity(MAGIC.len());
        File::open(file)
            .or_io(what)?
            .take(MAGIC.len() as u64)
            .read_to_end(&mut magic)
            .or_io(what)?;
        Ok(magic == MAGIC)
    }

    fn private_file(&self, size: u64) -> Result<Box<dyn PrivateFile>, Fault> {
        private(size).map(|private| Box::new(private) as Box<dyn PrivateFile>)
    }

    fn encrypt(&self, from: &str, to: &str, password: &Secret) -> Result<(), Fault> {
        let mut recipient = scrypt::Recipient::new(passphrase(password)?);
        recipient.set_work_factor(WORK_FACTOR);
        let path = Utf8Path::new(to);
        durable::remove_leftovers(path)?;
        durable::replace_with(path, 0o600, |target| {
            let encryptor = Encryptor::with_recipients(iter::once(&recipient as _))
                .map_err(io::Error::other)?;
            let mut encrypted = encryptor.wrap_output(target)?;
            io::copy(&mut File::open(from)?, &mut encrypted)?;
            encrypted.finish()?.flush()
        })?;
        durable::sync_dir(durable::parent_of(path)?)
    }

    fn decrypt(&self, file: &str, password: &Secret) -> Result<Box<dyn PrivateFile>, Fault> {
        let source = File::open(file).or_io(|| format!("opening {file}"))?;
        let size = source.metadata().or_io(|| format!("opening {file}"))?.len();
        let decryptor = Decryptor::new_buffered(BufReader::new(source))
            .map_err(|error| refused(file, error))?;
        if !decryptor.is_scrypt() {
            return Err(Fault::new(
                FaultKind::DataCorrupt,
                format!("{file} is encrypted to a key, not under a password"),
                "decrypt it with `age -d -i KEY`, and use the result",
            ));
        }
        let mut identity = scrypt::Identity::new(passphrase(password)?);
        identity.set_max_work_factor(MAX_WORK_FACTOR);
        let mut clear = decryptor
            .decrypt(iter::once(&identity as _))
            .map_err(|error| refused(file, error))?;
        let private = private(size)?;
        let what = || format!("decrypting {file}");
        let mut target = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&private.path)
            .or_io(what)?;
        io::copy(&mut clear, &mut target).map_err(|error| match error.kind() {
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof | ErrorKind::Other => {
                damaged(file).because(error)
            }
            _ => Fault::io(what(), error),
        })?;
        Ok(Box::new(private))
    }
}

fn private(size: u64) -> Result<Private, Fault> {
    let memory = Utf8Path::new(MEMORY_DIRECTORY);
    let other = std::env::temp_dir();
    for place in [memory.as_std_path(), &other] {
        remove_leftovers(place);
    }
    let in_memory = has_room(memory, size.saturating_add(MARGIN));
    let mut made = locked_directory(in_memory)?;
    // Another process may have taken it for a leftover before it was locked.
    for _ in 1..ATTEMPTS {
        if made.0.path().exists() {
            break;
        }
        made = locked_directory(in_memory)?;
    }
    let (directory, lock) = made;
    let path = Utf8PathBuf::from_path_buf(directory.path().join("backup")).map_err(|path| {
        Fault::new(
            FaultKind::Config,
            format!("the directory for temporary files {path:?} is not UTF-8"),
            "set TMPDIR to another directory",
        )
    })?;
    Ok(Private {
        path,
        _directory: directory,
        _lock: lock,
    })
}

fn locked_directory(in_memory: bool) -> Result<(TempDir, File), Fault> {
    let mut builder = tempfile::Builder::new();
    builder
        .prefix(PREFIX)
        .permissions(std::fs::Permissions::from_mode(0o700));
    let directory = if in_memory {
        let directory = builder.tempdir_in(MEMORY_DIRECTORY);
        directory.or_else(|_| builder.tempdir())
    } else {
        builder.tempdir()
    };
    let what = || "making a directory for the clear bytes of a backup";
    let directory = directory.or_io(what)?;
    let lock = File::open(directory.path()).or_io(what)?;
    lock.lock().or_io(what)?;
    Ok((directory, lock))
}

/// Removes what a killed process left in the clear: nobody holds its lock any more. What cannot be
/// removed is another user's.
fn remove_leftovers(place: &Path) {
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let is_dead = File::open(entry.path()).is_ok_and(|lock| lock.try_lock().is_ok());
        if is_dead {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn has_room(directory: &Utf8Path, room: u64) -> bool {
    statvfs(directory.as_std_path()).is_ok_and(|volume| {
        volume.f_blocks == 0 || volume.f_bavail.saturating_mul(volume.f_frsize) >= room
    })
}

fn passphrase(password: &Secret) -> Result<SecretString, Fault> {
    let text = password.expose_text().ok_or_else(|| {
        Fault::new(
            FaultKind::Usage,
            "the password of the backup file is not UTF-8 text",
            "choose one that can be typed",
        )
    })?;
    Ok(SecretString::from(text.to_owned()))
}

fn refused(file: &str, error: DecryptError) -> Fault {
    match error {
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => Fault::new(
            FaultKind::Denied,
            format!("the password does not open {file}"),
            "give the password that the file was encrypted with (it is not the backup password of \
             the DEK, unless both are the same)",
        ),
        DecryptError::ExcessiveWork { .. } => Fault::new(
            FaultKind::DataCorrupt,
            format!("{file} asks for more work than any backup of this program"),
            "decrypt it with `age -d`, and use the result",
        )
        .because(error.to_string()),
        DecryptError::Io(error) if error.kind() != ErrorKind::UnexpectedEof => {
            Fault::io(format!("reading {file}"), error)
        }
        other => damaged(file).because(other.to_string()),
    }
}

fn damaged(file: &str) -> Fault {
    Fault::new(
        FaultKind::DataCorrupt,
        format!("the encrypted backup {file} is cut or altered"),
        "use another backup; nothing was changed",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c21_what_a_killed_process_left_in_the_clear_is_removed_and_what_is_in_use_stays() {
        let in_use = AgeFiles.private_file(1).unwrap();
        let used = Utf8Path::new(in_use.path()).parent().unwrap();
        // As of a process that died: a directory whose lock nobody holds.
        let left = used.with_file_name(format!("{PREFIX}left-by-a-test-{}", std::process::id()));
        std::fs::create_dir(&left).unwrap();
        let _next = AgeFiles.private_file(1).unwrap();
        assert!(!left.exists());
        assert!(used.exists());
    }
}
