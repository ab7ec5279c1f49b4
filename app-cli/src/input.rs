//! Files that an operator names: read without waiting for ever, and no more of them than fits.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::time::{Duration, Instant};

use camino::Utf8Path;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::OFlags;
use zeroize::Zeroizing;

/// How long somebody is waited for who has opened a pipe to write: a person may have to type
/// something for the program that fills it (`<(gpg -d FILE)`).
const FOR_A_WRITER: Duration = Duration::from_secs(60);

/// How long it is waited until somebody opens a FIFO to write at all.
const FOR_ANYBODY: Duration = Duration::from_secs(5);

/// Reads a file, FIFO or pipe (`<(…)`, /dev/stdin), at most `limit` bytes and one more that shows
/// that it is longer. The buffer does not grow: that would leave copies of a secret behind.
pub fn read(path: &Utf8Path, limit: usize) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit + 1));
    Patient::new(open(path)?, FOR_ANYBODY, FOR_A_WRITER)?
        .take(limit as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens a file without waiting for the other end of a FIFO, and without taking a terminal.
pub fn open(path: &Utf8Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.union(OFlags::NOCTTY).bits() as i32)
        .open(path)
}

/// A file that is read as it is filled. A pipe that nobody fills is an error after a while, and no
/// start that hangs.
struct Patient {
    file: File,
    for_anybody: Instant,
    for_a_writer: Instant,
    /// Whether an end is the end: a FIFO that nobody writes into yet looks empty as well.
    has_begun: bool,
}

impl Patient {
    fn new(file: File, for_anybody: Duration, for_a_writer: Duration) -> Result<Self> {
        let now = Instant::now();
        Ok(Self {
            has_begun: !file.metadata()?.file_type().is_fifo(),
            file,
            for_anybody: now + for_anybody,
            for_a_writer: now + for_a_writer,
        })
    }

    /// Waits until there is something to read, or all who wrote have gone.
    fn wait(&self, until: Instant) -> Result<PollFlags> {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|_| ErrorKind::TimedOut)?;
        let mut ends = [PollFd::new(&self.file, PollFlags::IN)];
        rustix::event::poll(&mut ends, Some(&left))?;
        let [end] = ends;
        if end.revents().is_empty() {
            let why = "nobody has written into it in time";
            return Err(Error::new(ErrorKind::TimedOut, why));
        }
        Ok(end.revents())
    }
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            match self.file.read(buffer) {
                Ok(0) if !self.has_begun => {
                    let seen = self.wait(self.for_anybody)?;
                    self.has_begun = !seen.contains(PollFlags::IN);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.wait(self.for_a_writer)?;
                }
                result => {
                    self.has_begun = true;
                    return result;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fifo() -> (tempfile::TempDir, camino::Utf8PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(directory.path()).unwrap().join("fifo");
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, path.as_std_path(), fifo, 0o600.into(), 0).unwrap();
        (directory, path)
    }

    fn writer(path: &Utf8Path) -> File {
        OpenOptions::new()
            .write(true)
            .custom_flags(OFlags::NONBLOCK.bits() as i32)
            .open(path)
            .unwrap()
    }

    #[test]
    fn a_fifo_that_nobody_opens_or_fills_is_an_error() {
        let (_directory, path) = fifo();
        let ends = |for_anybody, for_a_writer| {
            let mut patient =
                Patient::new(open(&path).unwrap(), for_anybody, for_a_writer).unwrap();
            patient.read(&mut [0]).unwrap_err().kind()
        };
        let (short, long) = (Duration::ZERO, Duration::from_secs(600));
        assert_eq!(ends(short, long), ErrorKind::TimedOut);

        let reader = open(&path).unwrap();
        let writer = writer(&path);
        assert_eq!(ends(long, short), ErrorKind::TimedOut);
        drop((reader, writer));
    }

    #[test]
    fn a_fifo_is_read_whether_its_writer_comes_late_or_has_gone() {
        let (_directory, path) = fifo();
        let late = std::thread::spawn({
            let path = path.clone();
            move || {
                let mut fifo = OpenOptions::new().write(true).open(path).unwrap();
                std::io::Write::write_all(&mut fifo, b"late").unwrap();
            }
        });
        assert_eq!(read(&path, 10).unwrap().as_slice(), b"late");
        late.join().unwrap();

        let keeper = open(&path).unwrap();
        let mut gone = writer(&path);
        std::io::Write::write_all(&mut gone, b"more than that").unwrap();
        drop(gone);
        assert_eq!(read(&path, 3).unwrap().as_slice(), b"more");
        assert_eq!(read(&path, 10).unwrap().as_slice(), b" than that");
        drop(keeper);
    }
}
