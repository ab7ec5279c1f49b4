//! A cipher that does not hide anything from somebody who looks, over files in memory.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::{BackupCipher, Fault, FaultKind, PrivateFile, Secret};

type Files = Rc<RefCell<BTreeMap<String, Vec<u8>>>>;

const MAGIC: &[u8] = b"fake cipher\n";
const END: &[u8] = b"\nend";

/// The cipher and its files; clones share them.
#[derive(Clone, Debug, Default)]
pub struct FakeCipher {
    files: Files,
    made: Rc<Cell<u32>>,
}

impl FakeCipher {
    /// Writes a file.
    pub fn put(&self, file: &str, bytes: &[u8]) {
        self.files
            .borrow_mut()
            .insert(file.to_owned(), bytes.to_vec());
    }

    /// Reads a file.
    #[must_use]
    pub fn get(&self, file: &str) -> Option<Vec<u8>> {
        self.files.borrow().get(file).cloned()
    }

    fn read(&self, file: &str) -> Result<Vec<u8>, Fault> {
        self.get(file)
            .ok_or_else(|| fault(FaultKind::Io, "there is no such file"))
    }
}

struct FakePrivateFile {
    files: Files,
    path: String,
}

impl PrivateFile for FakePrivateFile {
    fn path(&self) -> &str {
        &self.path
    }
}

impl Drop for FakePrivateFile {
    fn drop(&mut self) {
        self.files.borrow_mut().remove(&self.path);
    }
}

impl BackupCipher for FakeCipher {
    fn is_encrypted(&self, file: &str) -> Result<bool, Fault> {
        Ok(self.get(file).is_some_and(|bytes| bytes.starts_with(MAGIC)))
    }

    fn private_file(&self, _size: u64) -> Result<Box<dyn PrivateFile>, Fault> {
        self.made.set(self.made.get() + 1);
        Ok(Box::new(FakePrivateFile {
            files: self.files.clone(),
            path: format!("/fake/private/{}", self.made.get()),
        }))
    }

    fn encrypt(&self, from: &str, to: &str, password: &Secret) -> Result<(), Fault> {
        let hidden = self
            .read(from)?
            .iter()
            .map(|byte| !byte)
            .collect::<Vec<_>>();
        let sealed = [MAGIC, password.expose(), b"\n", &hidden, END].concat();
        self.put(to, &sealed);
        Ok(())
    }

    fn decrypt(&self, file: &str, password: &Secret) -> Result<Box<dyn PrivateFile>, Fault> {
        let bytes = self.read(file)?;
        let cut = || fault(FaultKind::DataCorrupt, "the file is cut or altered");
        let body = bytes.strip_prefix(MAGIC).ok_or_else(cut)?;
        let body = body.strip_suffix(END).ok_or_else(cut)?;
        let hidden = body
            .strip_prefix(password.expose())
            .and_then(|rest| rest.strip_prefix(b"\n"))
            .ok_or_else(|| fault(FaultKind::Denied, "the password is wrong"))?;
        let private = self.private_file(0)?;
        let clear = hidden.iter().map(|byte| !byte).collect::<Vec<_>>();
        self.put(private.path(), &clear);
        Ok(private)
    }
}

fn fault(kind: FaultKind, what: &str) -> Fault {
    Fault::new(kind, what, "the test wants it so")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::backups::{CipherRig, cipher};

    impl CipherRig for FakeCipher {
        fn cipher(&self) -> Box<dyn BackupCipher> {
            Box::new(self.clone())
        }

        fn file(&self, name: &str) -> String {
            format!("/fake/{name}")
        }

        fn put(&self, file: &str, bytes: &[u8]) {
            Self::put(self, file, bytes);
        }

        fn get(&self, file: &str) -> Option<Vec<u8>> {
            Self::get(self, file)
        }
    }

    #[test]
    fn the_fake_keeps_the_contract() {
        cipher(&FakeCipher::default());
    }
}
