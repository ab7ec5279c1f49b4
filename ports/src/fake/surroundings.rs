//! A clock that is set, an output that remembers, a web server that counts, and seals without
//! cryptography.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use time::OffsetDateTime;

use crate::{
    BackupWrappedDek, Clock, Dek, DekSeals, Fault, FaultKind, Level, Output, Reload, Secret,
    WebServer, WebServerError,
};

/// A clock that stands still until it is set; clones share it.
#[derive(Clone, Debug)]
pub struct FakeClock(Rc<Cell<OffsetDateTime>>);

impl FakeClock {
    /// Stands at this time.
    #[must_use]
    pub fn at(now: OffsetDateTime) -> Self {
        Self(Rc::new(Cell::new(now)))
    }

    /// Sets it.
    pub fn set(&self, now: OffsetDateTime) {
        self.0.set(now);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> OffsetDateTime {
        self.0.get()
    }
}

/// An output that remembers its lines; clones share them.
#[derive(Clone, Debug, Default)]
pub struct FakeOutput(Rc<RefCell<Vec<(Level, String)>>>);

impl FakeOutput {
    /// What was written.
    #[must_use]
    pub fn lines(&self) -> Vec<(Level, String)> {
        self.0.borrow().clone()
    }
}

impl Output for FakeOutput {
    fn line(&self, level: Level, line: &str) {
        self.0.borrow_mut().push((level, line.to_owned()));
    }
}

/// A web server that counts its reloads; clones share the count.
#[derive(Clone, Debug, Default)]
pub struct FakeWebServer(Rc<Cell<usize>>);

impl FakeWebServer {
    /// How often it was told.
    #[must_use]
    pub fn reloads(&self) -> usize {
        self.0.get()
    }
}

impl WebServer for FakeWebServer {
    fn reload(&self) -> Result<Reload, WebServerError> {
        self.0.set(self.0.get() + 1);
        Ok(Reload::Done)
    }
}

/// Seals whose blobs hold password and DEK side by side.
#[derive(Clone, Debug, Default)]
pub struct FakeSeals(Cell<u8>);

const MAGIC: &[u8] = b"fake";

impl DekSeals for FakeSeals {
    fn check_value(&self, dek: &Dek) -> Vec<u8> {
        let sum = dek.expose().iter().fold(0_u64, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
        });
        sum.to_be_bytes().to_vec()
    }

    fn generate(&self) -> Result<Dek, Fault> {
        self.0.set(self.0.get().wrapping_add(1));
        Ok(Dek::from_bytes(&[self.0.get(); 32]).expect("32 bytes"))
    }

    fn wrap_with_password(&self, dek: &Dek, password: &Secret) -> Result<BackupWrappedDek, Fault> {
        // The salt of the fake: no two blobs are the same.
        self.0.set(self.0.get().wrapping_add(1));
        let parts = [MAGIC, &[self.0.get()], dek.expose(), password.expose()];
        Ok(BackupWrappedDek(parts.concat()))
    }

    fn examine(&self, blob: &BackupWrappedDek) -> Result<(), Fault> {
        parts(blob).map(drop)
    }

    fn unwrap_with_password(
        &self,
        blob: &BackupWrappedDek,
        password: &Secret,
    ) -> Result<Dek, Fault> {
        let (dek, by) = parts(blob)?;
        if by != password.expose() {
            return Err(Fault::new(
                FaultKind::Denied,
                "the password is wrong",
                "give the right one",
            ));
        }
        Dek::from_bytes(dek).ok_or_else(cut)
    }
}

/// DEK and password.
fn parts(blob: &BackupWrappedDek) -> Result<(&[u8], &[u8]), Fault> {
    blob.0
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.get(1..))
        .and_then(|rest| rest.split_at_checked(32))
        .ok_or_else(cut)
}

fn cut() -> Fault {
    Fault::new(FaultKind::DataCorrupt, "the blob is cut", "use a backup")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::surroundings;

    #[test]
    fn the_fakes_keep_the_contracts() {
        surroundings::clock(&FakeClock::at(OffsetDateTime::now_utc()));
        surroundings::seals(&FakeSeals::default());
        let output = FakeOutput::default();
        surroundings::output(&output);
        let levels: Vec<_> = output.lines().into_iter().map(|(level, _)| level).collect();
        for level in [Level::Debug, Level::Info, Level::Warning] {
            assert!(levels.contains(&level), "{level:?}");
        }
    }
}
