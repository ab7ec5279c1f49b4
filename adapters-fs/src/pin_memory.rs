//! The ledger of PIN tries, beside the database (C18).
//!
//! A text file of mode 0600, under an exclusive `flock` for as long as a ledger is open: a first
//! line that names the format, then for each token one line `serial=… unseen=…`, the number of
//! tries whose end nobody saw, and one line `serial=… hash=…` for each PIN that it rejected. The
//! format before this one had the latter alone, and is read as well.
//!
//! A try is noted by one digit that is written over another and synced: a power cut leaves the one
//! or the other, and a full disk has room for it. All else replaces the file in one step. So no
//! line is ever torn, and what does not parse is an error: it might be the warning that the next
//! try is the last. Only an empty file is none: who makes it may die before its first line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use camino::Utf8PathBuf;
use data_encoding::HEXLOWER_PERMISSIVE;
use ports::{FileError, PinLedger, PinMemory, PinMemoryError, ResultExt as _, TryEnd};

use crate::{durable, lock};

const HEADER: &str = "trustpointctl pin-rejected 2";

/// The format without noted tries.
const HEADER_BEFORE: &str = "trustpointctl pin-rejected 1";

/// Tries are noted with one digit.
const MOST_NOTED: u8 = 9;

/// The file `pin-rejected`.
#[derive(Clone, Debug)]
pub struct PinMemoryFile {
    path: Utf8PathBuf,
    create_parents: bool,
}

impl PinMemoryFile {
    /// The ledger in the file at `path`, which is created by the first try.
    #[must_use]
    pub fn new(path: Utf8PathBuf) -> Self {
        Self {
            path,
            create_parents: false,
        }
    }

    /// The same, which makes a missing directory where it may: a volume that is not mounted must not be
    /// papered over.
    #[must_use]
    pub fn creating_parents(mut self, create: bool) -> Self {
        self.create_parents = create;
        self
    }

    fn provide_directory(&self) -> Result<(), FileError> {
        let directory = durable::parent_of(&self.path)?;
        if self.create_parents && !directory.exists() {
            durable::create_dirs(directory, 0o700)?;
        }
        Ok(())
    }
}

impl PinMemory for PinMemoryFile {
    fn open(
        &self,
        token_serial: &str,
        wait: Duration,
    ) -> Result<Box<dyn PinLedger>, PinMemoryError> {
        self.provide_directory()?;
        let locked = lock::locked(&self.path, wait, &mut || ())?;
        let file = locked.ok_or_else(|| PinMemoryError::Busy {
            path: self.path.to_string(),
            waited: wait,
        })?;
        let ledger = Ledger::read(self.path.clone(), file, token_serial)?;
        Ok(Box::new(ledger))
    }
}

/// The ledger of one token, with what the file says of the others. Holds the lock.
struct Ledger {
    path: Utf8PathBuf,
    file: File,
    serial: String,
    tokens: Tokens,
    /// Where the digit of this token stands in the file, where it does.
    digit_at: Option<u64>,
}

impl Ledger {
    fn read(path: Utf8PathBuf, mut file: File, serial: &str) -> Result<Self, PinMemoryError> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .or_io(|| format!("reading {path}"))?;
        let tokens = Tokens::parse(&bytes).map_err(|why| PinMemoryError::Untrusted {
            path: path.to_string(),
            why,
        })?;
        // Only of a file as this program writes it is it known where the digit stands.
        let (text, digit_at) = tokens.to_text(serial);
        let digit_at = digit_at.filter(|_| text.as_bytes() == bytes);
        Ok(Self {
            path,
            file,
            serial: serial.to_owned(),
            tokens,
            digit_at,
        })
    }

    fn tries(&mut self) -> &mut Tries {
        self.tokens.0.entry(self.serial.clone()).or_default()
    }

    /// Writes the digit where it stands already, or the whole file.
    fn write_unseen(&mut self, unseen: u8, synced: bool) -> Result<(), FileError> {
        self.tries().unseen = unseen;
        let Some(at) = self.digit_at else {
            return self.replace();
        };
        let written = self.file.write_all_at(&[b'0' + unseen], at).and_then(|()| {
            if synced {
                self.file.sync_data()
            } else {
                Ok(())
            }
        });
        written.or_io(|| format!("noting a PIN try in {}", self.path))
    }

    /// Replaces the file in one step. The new one is locked before anybody can see it.
    fn replace(&mut self) -> Result<(), FileError> {
        let (text, digit_at) = self.tokens.to_text(&self.serial);
        let mut locked = None;
        let (directory, name) = durable::directory_of(&self.path)?;
        directory.remove_leftovers(name)?;
        directory.replace_with(name, 0o600, |file| {
            file.lock()?;
            file.write_all(text.as_bytes())?;
            locked = Some(file.try_clone()?);
            Ok(())
        })?;
        if let Some(file) = locked {
            self.file = file;
            self.digit_at = digit_at;
        }
        directory.sync()
    }
}

impl PinLedger for Ledger {
    fn rejected(&self) -> &[String] {
        let tries = self.tokens.0.get(&self.serial);
        tries.map_or(&[], |tries| tries.rejected.as_slice())
    }

    fn unseen(&self) -> u8 {
        let tries = self.tokens.0.get(&self.serial);
        tries.map_or(0, |tries| tries.unseen)
    }

    fn note_try(&mut self) -> Result<(), PinMemoryError> {
        let before = self.unseen();
        if before >= MOST_NOTED {
            let why = "no further try can be noted".to_owned();
            let path = self.path.to_string();
            return Err(PinMemoryError::Untrusted { path, why });
        }
        let noted = self.write_unseen(before + 1, true);
        if noted.is_err() {
            // No PIN is tried after this, so no try need stay noted. The error is on its way.
            let _ = self.write_unseen(before, false);
        }
        Ok(noted?)
    }

    fn end_try(&mut self, end: TryEnd) -> Result<(), PinMemoryError> {
        let before = self.unseen().saturating_sub(1);
        match end {
            TryEnd::Other => self.write_unseen(before, false)?,
            TryEnd::Accepted => {
                // One that survives a power cut costs nothing: the next login ends it. Two of them
                // must not add up, though each login worked.
                let synced = self.unseen() > 1;
                self.write_unseen(0, synced)?;
                if !self.rejected().is_empty() {
                    self.tries().rejected.clear();
                    self.replace()?;
                }
            }
            TryEnd::Rejected { hash } => {
                if !is_hash(&hash) {
                    return Err(PinMemoryError::NoHash);
                }
                let tries = self.tries();
                tries.unseen = before;
                tries.rejected.push(hash);
                self.replace()?;
            }
        }
        Ok(())
    }
}

/// The tries of one token.
#[derive(Debug, Default, Eq, PartialEq)]
struct Tries {
    unseen: u8,
    rejected: Vec<String>,
}

/// The tries of all tokens, by serial number.
#[derive(Debug, Default, Eq, PartialEq)]
struct Tokens(BTreeMap<String, Tries>);

impl Tokens {
    /// The text of the file, and where in it the digit of the token with this serial stands.
    fn to_text(&self, serial: &str) -> (String, Option<u64>) {
        let mut text = format!("{HEADER}\n");
        let mut digit_at = None;
        for (token, tries) in &self.0 {
            let name = escape(token);
            // Writing to a String cannot fail.
            let _ = write!(text, "serial={name} unseen=");
            if token == serial {
                digit_at = u64::try_from(text.len()).ok();
            }
            let _ = writeln!(text, "{}", tries.unseen);
            for hash in &tries.rejected {
                let _ = writeln!(text, "serial={name} hash={hash}");
            }
        }
        (text, digit_at)
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut tokens = Self::default();
        if bytes.is_empty() {
            return Ok(tokens);
        }
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        if !text.ends_with('\n') {
            return Err("its last line is cut".to_owned());
        }
        let mut lines = text.lines();
        let has_tries = match lines.next() {
            Some(HEADER) => true,
            Some(HEADER_BEFORE) => false,
            _ => return Err(format!("its first line is not {HEADER:?}")),
        };
        for (index, line) in lines.enumerate() {
            tokens
                .parse_line(line, has_tries)
                .ok_or_else(|| format!("line {} does not parse", index + 2))?;
        }
        if tokens.0.is_empty() {
            return Err("it has no entry".to_owned());
        }
        Ok(tokens)
    }

    fn parse_line(&mut self, line: &str, has_tries: bool) -> Option<()> {
        let (serial, rest) = line.strip_prefix("serial=")?.split_once(' ')?;
        let serial = unescape(serial)?;
        if let Some(hash) = rest.strip_prefix("hash=") {
            // The count of a token stands above its hashes.
            let tries = if has_tries {
                self.0.get_mut(&serial)?
            } else {
                self.0.entry(serial).or_default()
            };
            tries.rejected.push(is_hash(hash).then(|| hash.to_owned())?);
            return Some(());
        }
        let digit = rest.strip_prefix("unseen=").filter(|_| has_tries)?;
        let unseen = match digit.as_bytes() {
            [digit @ b'0'..=b'9'] => digit - b'0',
            _ => return None,
        };
        let tries = Tries {
            unseen,
            rejected: Vec::new(),
        };
        // A second count of one token is no count.
        self.0.insert(serial, tries).is_none().then_some(())
    }
}

fn is_hash(hash: &str) -> bool {
    !hash.is_empty() && hash.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A serial number is what a vendor makes of it: all but printable ASCII is written as `%xx`.
fn escape(serial: &str) -> String {
    let mut text = String::with_capacity(serial.len());
    for byte in serial.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02x}");
        }
    }
    text
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first != b'%' {
            if !first.is_ascii_graphic() {
                return None;
            }
            bytes.push(first);
            rest = tail;
            continue;
        }
        bytes.extend(HEXLOWER_PERMISSIVE.decode(tail.get(..2)?).ok()?);
        rest = tail.get(2..)?;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_serial_number_reads_back() {
        for serial in [
            "",
            "1a2b",
            "with space",
            "tab\tnew\nline",
            "50%",
            "grün hash=x",
        ] {
            assert!(escape(serial).bytes().all(|byte| byte.is_ascii_graphic()));
            assert_eq!(unescape(&escape(serial)).as_deref(), Some(serial));
        }
    }

    #[test]
    fn c18_what_is_written_reads_back_and_the_digit_is_where_it_is_said_to_be() {
        let mut tokens = Tokens::default();
        for (serial, unseen, hashes) in [("1", 0, vec!["$a", "$b"]), ("2 x", 2, vec![])] {
            let rejected = hashes.into_iter().map(str::to_owned).collect();
            let tries = Tries { unseen, rejected };
            tokens.0.insert(serial.to_owned(), tries);
        }
        for (serial, digit) in [("1", b'0'), ("2 x", b'2')] {
            let (text, at) = tokens.to_text(serial);
            assert_eq!(text.as_bytes()[at.unwrap() as usize], digit);
            assert_eq!(Tokens::parse(text.as_bytes()).unwrap(), tokens);
        }
        assert_eq!(tokens.to_text("3").1, None);
    }

    #[test]
    fn c18_a_file_that_is_not_exactly_right_does_not_parse() {
        let right = format!("{HEADER}\nserial=1 unseen=0\nserial=1 hash=$argon2id$x\n");
        let before = format!("{HEADER_BEFORE}\nserial=1 hash=$argon2id$x\n");
        for right in [&right, &before] {
            let tokens = Tokens::parse(right.as_bytes()).unwrap();
            assert_eq!(tokens.0["1"].rejected, ["$argon2id$x"]);
        }
        for wrong in [
            "\n".to_owned(),
            format!("{HEADER}\n"),
            right.trim_end().to_owned(),
            right.replace("pin-rejected 2", "pin-rejected 1"),
            right.replace("pin-rejected 2", "pin-rejected 3"),
            right.replace(" hash=$argon2id$x", ""),
            right.replace("$argon2id$x", ""),
            right.replace("$argon2id$x", "$argon2id$ x"),
            right.replace("serial=1", "serial=%zz"),
            right.replace("serial=1", "serial=%4"),
            right.replace("unseen=0", "unseen=x"),
            right.replace("unseen=0", "unseen=\0"),
            right.replace("unseen=0", "unseen="),
            right.replace("unseen=0", "unseen=10"),
            right.replace("serial=1 unseen=0\n", ""),
            format!("{right}\n"),
            format!("{right}serial=1 unseen=0\n"),
            format!("{before}serial=1 unseen=0\n"),
        ] {
            assert!(Tokens::parse(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
    }
}
