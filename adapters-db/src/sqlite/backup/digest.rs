//! The digest over a whole backup: a digest over rows would not see what was altered between them.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use data_encoding::HEXLOWER;
use memchr::memmem::Finder;
use ring::digest::{Context, SHA256};

use crate::sqlite::file_bytes::{CHUNK, read_at};

/// Length of a digest as text.
pub(super) const LENGTH: usize = 64;
/// How long the reader waits for more where it has read all that is written.
const PAUSE: Duration = Duration::from_millis(1);

/// A digest that is being taken, of a file's first bytes.
pub(super) struct Digest {
    context: Context,
    place: u64,
}

impl Digest {
    /// Of nothing yet.
    pub(super) fn new() -> Self {
        Self {
            context: Context::new(&SHA256),
            place: 0,
        }
    }

    /// Of how many bytes it is.
    pub(super) fn place(&self) -> u64 {
        self.place
    }

    /// Reads on up to `end`.
    pub(super) fn advance(&mut self, file: &File, end: u64) -> std::io::Result<()> {
        self.advance_watched(file, end, &mut |_, _| ())
    }

    fn advance_watched(
        &mut self,
        file: &File,
        end: u64,
        progress: &mut dyn FnMut(u64, u64),
    ) -> std::io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        while self.place < end {
            let length = usize::try_from(end - self.place).map_or(CHUNK, |left| left.min(CHUNK));
            let chunk = chunk.get_mut(..length).unwrap_or_default();
            file.read_exact_at(chunk, self.place)?;
            self.context.update(chunk);
            self.place += length as u64;
            progress(self.place, end);
        }
        Ok(())
    }

    /// As text.
    pub(super) fn finish(self) -> String {
        HEXLOWER.encode(self.context.finish().as_ref())
    }
}

/// The digest of the file's first `end` bytes. `progress` hears of how many it is.
pub(super) fn up_to(
    file: &File,
    end: u64,
    progress: &mut dyn FnMut(u64, u64),
) -> std::io::Result<String> {
    let mut digest = Digest::new();
    digest.advance_watched(file, end, progress)?;
    Ok(digest.finish())
}

/// How far a file is written that is being written.
#[derive(Default)]
pub(super) struct Written {
    place: AtomicU64,
    has_ended: AtomicBool,
}

impl Written {
    /// So many bytes are written.
    pub(super) fn reaches(&self, place: u64) {
        self.place.store(place, Ordering::Release);
    }

    /// Ends when this is dropped.
    pub(super) fn until_dropped(&self) -> impl Drop {
        struct End<'a>(&'a AtomicBool);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Release);
            }
        }
        End(&self.has_ended)
    }

    /// Takes the digest of what is written, behind whoever writes it.
    pub(super) fn follow(&self, file: &File) -> std::io::Result<Digest> {
        let mut digest = Digest::new();
        loop {
            let has_ended = self.has_ended.load(Ordering::Acquire);
            digest.advance(file, self.place.load(Ordering::Acquire))?;
            if has_ended {
                return Ok(digest);
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// Whether this is the digest of the whole file with zeros where the digest itself stands, as in
/// the format 1; that happens once in a file, or the file was not made by this project.
pub(super) fn is_right_within(file: &File, expected: &str) -> std::io::Result<bool> {
    if expected.len() != LENGTH {
        return Ok(false);
    }
    let needle = Finder::new(expected);
    let mut context = Context::new(&SHA256);
    let mut found = 0;
    let mut window = vec![0; CHUNK];
    // What is left of the window before: the text may begin in it.
    let mut kept = 0;
    let mut place = 0;
    loop {
        let fresh = window.get_mut(kept..).unwrap_or_default();
        let length = kept + read_at(file, fresh, place)?;
        let mut rest = window.get(..length).unwrap_or_default();
        while let Some(at) = needle.find(rest) {
            found += 1;
            context.update(rest.get(..at).unwrap_or_default());
            context.update(&[b'0'; LENGTH]);
            rest = rest.get(at + LENGTH..).unwrap_or_default();
        }
        let is_end = length < CHUNK;
        let later = if is_end {
            0
        } else {
            rest.len().min(LENGTH - 1)
        };
        let (now, _) = rest.split_at(rest.len() - later);
        context.update(now);
        if is_end {
            return Ok(found == 1 && HEXLOWER.encode(context.finish().as_ref()) == expected);
        }
        place += (length - kept) as u64;
        kept = later;
        window.copy_within(CHUNK - kept.., 0);
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test's own file")]
mod tests {
    use super::*;

    fn file_with(bytes: &[u8]) -> File {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        File::open(path).unwrap()
    }

    fn digest(bytes: &[u8]) -> String {
        HEXLOWER.encode(ring::digest::digest(&SHA256, bytes).as_ref())
    }

    #[test]
    fn the_digest_is_of_the_first_bytes_alone() {
        let bytes: Vec<u8> = (0..2 * CHUNK + 7).map(|number| number as u8).collect();
        let file = file_with(&bytes);
        for end in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, bytes.len()] {
            let taken = up_to(&file, end as u64, &mut |_, _| ()).unwrap();
            assert_eq!(taken, digest(&bytes[..end]), "{end}");
        }
        assert!(up_to(&file, bytes.len() as u64 + 1, &mut |_, _| ()).is_err());
    }

    #[test]
    fn a_digest_that_follows_is_of_all_that_was_written() {
        let bytes: Vec<u8> = (0..3 * CHUNK).map(|number| number as u8).collect();
        let file = file_with(&bytes);
        let written = Written::default();
        let followed = std::thread::scope(|scope| {
            let follower = scope.spawn(|| written.follow(&file));
            let end = written.until_dropped();
            for place in [0, 7, CHUNK, 3 * CHUNK] {
                written.reaches(place as u64);
                std::thread::yield_now();
            }
            drop(end);
            follower.join().unwrap().unwrap()
        });
        assert_eq!(followed.place(), bytes.len() as u64);
        assert_eq!(followed.finish(), digest(&bytes));
    }

    #[test]
    fn the_digest_of_the_first_format_is_found_wherever_it_stands() {
        for before in [
            0,
            1,
            CHUNK - 64,
            CHUNK - 63,
            CHUNK - 1,
            CHUNK,
            2 * CHUNK + 5,
        ] {
            let with = |text: &str| [vec![7; before], text.into(), vec![9; 70]].concat();
            let expected = digest(&with(&"0".repeat(LENGTH)));
            let is_right = |bytes: &[u8]| is_right_within(&file_with(bytes), &expected).unwrap();
            let mut bytes = with(&expected);
            assert!(is_right(&bytes), "{before}");
            for place in [0, before + 64, bytes.len() - 1] {
                bytes[place] ^= 1;
                assert!(!is_right(&bytes), "{before} {place}");
                bytes[place] ^= 1;
            }
            assert!(!is_right(&bytes[..bytes.len() - 1]));
        }
    }

    #[test]
    fn a_digest_of_the_first_format_that_stands_there_twice_is_none() {
        for between in [0, 1, CHUNK - 100, CHUNK] {
            let zeros = "0".repeat(LENGTH);
            let text = digest(format!("{zeros}{}{zeros}", "x".repeat(between)).as_bytes());
            let bytes = format!("{text}{}{text}", "x".repeat(between));
            assert!(!is_right_within(&file_with(bytes.as_bytes()), &text).unwrap());
        }
    }
}
