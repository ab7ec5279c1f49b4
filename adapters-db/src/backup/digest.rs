//! The digest over a whole backup, which stands inside it.
//!
//! It is taken over every byte of the file, with 64 zeros in the place of the digest itself: a
//! digest over rows would not see what was altered between them. Its place is where its own text
//! is found; that happens once in a file, or the file was not made here.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;

use camino::Utf8Path;
use data_encoding::HEXLOWER;
use ports::{Fault, FaultKind, ResultExt as _};
use ring::digest::{Context, SHA256};
use ring::rand::{SecureRandom as _, SystemRandom};

/// Length of a digest as text.
const LENGTH: usize = 64;
const CHUNK: usize = 256 << 10;

/// What stands in the place of the digest until it is known.
pub(super) fn placeholder() -> Result<String, Fault> {
    let mut bytes = [0; LENGTH / 2];
    SystemRandom::new().fill(&mut bytes).map_err(|_| {
        Fault::new(
            FaultKind::Internal,
            "the system's random generator gave nothing",
            "report this with the kernel version",
        )
    })?;
    Ok(HEXLOWER.encode(&bytes))
}

/// Puts the digest in the place of the placeholder, durable when it returns; and gives it back.
pub(super) fn fill_in(file: &Utf8Path, placeholder: &str) -> Result<String, Fault> {
    let what = || format!("writing the digest of the backup {file}");
    let handle = OpenOptions::new()
        .read(true)
        .write(true)
        .open(file)
        .or_io(what)?;
    let place = find(&handle, placeholder).or_io(what)?.ok_or_else(|| {
        Fault::new(
            FaultKind::Internal,
            format!("the place of the digest is not found in the backup {file}"),
            "this is a defect of the program; report it with this message",
        )
    })?;
    let digest = digest(&handle, place).or_io(what)?;
    handle
        .write_all_at(digest.as_bytes(), place)
        .and_then(|()| handle.sync_all())
        .or_io(what)?;
    Ok(digest)
}

/// Whether the file has this digest.
pub(super) fn is_right(file: &Utf8Path, expected: &str) -> Result<bool, Fault> {
    let what = || format!("reading the backup {file}");
    if expected.len() != LENGTH {
        return Ok(false);
    }
    let handle = File::open(file).or_io(what)?;
    let Some(place) = find(&handle, expected).or_io(what)? else {
        return Ok(false);
    };
    Ok(digest(&handle, place).or_io(what)? == expected)
}

/// Where the text stands, if it does in one place alone.
fn find(file: &File, text: &str) -> std::io::Result<Option<u64>> {
    let text = text.as_bytes();
    let mut window: Vec<u8> = Vec::new();
    let mut begin = 0_u64;
    let mut found = None;
    loop {
        let kept = window.len();
        let read = reader(file, begin + kept as u64, CHUNK as u64).read_to_end(&mut window)?;
        for (place, _) in window
            .windows(LENGTH)
            .enumerate()
            .filter(|(_, seen)| *seen == text)
        {
            if found.replace(begin + place as u64).is_some() {
                return Ok(None);
            }
        }
        if read == 0 {
            return Ok(found);
        }
        // A text across two chunks is seen whole in the next window, and no text twice.
        let done = window.len().saturating_sub(LENGTH - 1);
        window.drain(..done);
        begin += done as u64;
    }
}

fn digest(file: &File, place: u64) -> std::io::Result<String> {
    let mut context = Context::new(&SHA256);
    let mut chunk = Vec::with_capacity(CHUNK);
    let mut position = 0_u64;
    loop {
        if position == place {
            context.update(&[b'0'; LENGTH]);
            position += LENGTH as u64;
        }
        // Up to the place, then beyond it: no chunk has a part of it.
        let limit = if position < place {
            place - position
        } else {
            u64::MAX
        };
        chunk.clear();
        reader(file, position, limit.min(CHUNK as u64)).read_to_end(&mut chunk)?;
        if chunk.is_empty() {
            break;
        }
        context.update(&chunk);
        position += chunk.len() as u64;
    }
    Ok(HEXLOWER.encode(context.finish().as_ref()))
}

/// Reads at most `limit` bytes from `position` on, without a position of the file's own.
fn reader(file: &File, position: u64, limit: u64) -> impl std::io::Read {
    struct At<'a>(&'a File, u64);
    impl std::io::Read for At<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let read = self.0.read_at(buffer, self.1)?;
            self.1 += read as u64;
            Ok(read)
        }
    }
    At(file, position).take(limit)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test's own file")]
mod tests {
    use super::*;

    fn file_with(bytes: &[u8]) -> (tempfile::TempDir, camino::Utf8PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = camino::Utf8PathBuf::from_path_buf(directory.path().join("file")).unwrap();
        std::fs::write(&path, bytes).unwrap();
        (directory, path)
    }

    #[test]
    fn the_digest_is_found_wherever_it_stands() {
        for before in [
            0,
            1,
            CHUNK - 64,
            CHUNK - 63,
            CHUNK - 1,
            CHUNK,
            2 * CHUNK + 5,
        ] {
            let text = placeholder().unwrap();
            let bytes = [vec![7; before], text.clone().into_bytes(), vec![9; 70]].concat();
            let (_keep, path) = file_with(&bytes);
            let digest = fill_in(&path, &text).unwrap();
            assert!(is_right(&path, &digest).unwrap(), "{before}");
            let mut altered = std::fs::read(&path).unwrap();
            for place in [0, before + 64, altered.len() - 1] {
                altered[place] ^= 1;
                std::fs::write(&path, &altered).unwrap();
                assert!(!is_right(&path, &digest).unwrap(), "{before} {place}");
                altered[place] ^= 1;
            }
            std::fs::write(&path, &altered[..altered.len() - 1]).unwrap();
            assert!(!is_right(&path, &digest).unwrap());
        }
    }

    #[test]
    fn a_digest_that_stands_there_twice_is_none() {
        let text = placeholder().unwrap();
        let (_keep, path) = file_with(format!("{text}{text}").as_bytes());
        assert!(fill_in(&path, &text).is_err());
        assert!(!is_right(&path, &text).unwrap());
    }
}
