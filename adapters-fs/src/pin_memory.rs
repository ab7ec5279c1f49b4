//! The memory of rejected PINs, beside the database (C18).
//!
//! A text file of mode 0600: a first line that names the format, then one line per token,
//! `serial=… hash=…`. Anything else is an error: what cannot be read might be the warning that
//! the next try is the last.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use camino::Utf8PathBuf;
use ports::{Fault, FaultKind, PinMemory, RejectedPin};

use crate::durable;

const HEADER: &str = "trustpointctl pin-rejected 1";

/// The file `pin-rejected`.
#[derive(Clone, Debug)]
pub struct PinMemoryFile {
    path: Utf8PathBuf,
}

impl PinMemoryFile {
    /// The memory in the file at `path`, which is created by the first PIN that is rejected.
    #[must_use]
    pub fn new(path: Utf8PathBuf) -> Self {
        Self { path }
    }

    fn load(&self) -> Result<BTreeMap<String, String>, Fault> {
        let Some(bytes) = durable::read_optional(&self.path)? else {
            return Ok(BTreeMap::new());
        };
        let text = std::str::from_utf8(&bytes)
            .map_err(|error| self.corrupt("it is not UTF-8").because(error))?;
        parse(text).map_err(|why| self.corrupt(&why))
    }

    fn store(&self, entries: &BTreeMap<String, String>) -> Result<(), Fault> {
        let mut text = format!("{HEADER}\n");
        for (serial, hash) in entries {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "serial={} hash={hash}", escape(serial));
        }
        durable::write_atomic(&self.path, text.as_bytes(), 0o600)
    }

    fn corrupt(&self, why: &str) -> Fault {
        Fault::new(
            FaultKind::DataCorrupt,
            format!(
                "the memory of rejected PINs {} cannot be trusted: {why}",
                self.path
            ),
            "check the configured PIN, and with `pkcs11-tool --list-slots` that the token is not \
             on its last try; then remove that file and start again",
        )
    }
}

impl PinMemory for PinMemoryFile {
    fn recall(&self, token_serial: &str) -> Result<Option<RejectedPin>, Fault> {
        Ok(self.load()?.remove(token_serial).map(|hash| RejectedPin {
            token_serial: token_serial.to_owned(),
            hash,
        }))
    }

    fn remember(&self, rejected: &RejectedPin) -> Result<(), Fault> {
        if !is_hash(&rejected.hash) {
            return Err(Fault::new(
                FaultKind::Internal,
                "the hash of a rejected PIN is not one line of printable text",
                "report this",
            ));
        }
        let mut entries = self.load()?;
        let before = entries.insert(rejected.token_serial.clone(), rejected.hash.clone());
        if before.as_ref() == Some(&rejected.hash) {
            return Ok(());
        }
        self.store(&entries)
    }

    fn forget(&self, token_serial: &str) -> Result<(), Fault> {
        let mut entries = self.load()?;
        if entries.remove(token_serial).is_none() {
            return Ok(());
        }
        if !entries.is_empty() {
            return self.store(&entries);
        }
        durable::remove_file(&self.path)?;
        durable::sync_dir(durable::parent_of(&self.path)?)
    }
}

fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    if !text.ends_with('\n') {
        return Err("its last line is cut".to_owned());
    }
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err(format!("its first line is not {HEADER:?}"));
    }
    let mut entries = BTreeMap::new();
    for (index, line) in lines.enumerate() {
        let number = index + 2;
        let (serial, hash) =
            parse_line(line).ok_or_else(|| format!("line {number} does not parse"))?;
        if entries.insert(serial, hash.to_owned()).is_some() {
            return Err(format!("line {number} has a serial number a second time"));
        }
    }
    if entries.is_empty() {
        return Err("it has no entry".to_owned());
    }
    Ok(entries)
}

fn parse_line(line: &str) -> Option<(String, &str)> {
    let (serial, hash) = line.strip_prefix("serial=")?.split_once(" hash=")?;
    is_hash(hash).then_some((unescape(serial)?, hash))
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
        let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
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
    fn c18_a_file_that_is_not_exactly_right_does_not_parse() {
        let right = format!("{HEADER}\nserial=1 hash=$argon2id$x\n");
        assert_eq!(parse(&right).unwrap().len(), 1);
        for wrong in [
            String::new(),
            "\n".to_owned(),
            format!("{HEADER}\n"),
            right.trim_end().to_owned(),
            right.replace("pin-rejected 1", "pin-rejected 2"),
            right.replace(" hash=$argon2id$x", ""),
            right.replace("$argon2id$x", ""),
            right.replace("$argon2id$x", "$argon2id$ x"),
            right.replace("serial=1", "serial=%zz"),
            right.replace("serial=1", "serial=%4"),
            format!("{right}\n"),
            format!("{right}serial=1 hash=$argon2id$y\n"),
        ] {
            assert!(parse(&wrong).is_err(), "{wrong:?}");
        }
    }
}
