//! The one connection of a [`crate::SqliteDatabase`]: opened when it is first needed, kept, and
//! opened again where the file was replaced meanwhile.

use std::cell::RefCell;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use ports::{Fault, FaultKind};
use rusqlite::Connection;

use crate::look::{FileFacts, Identity, Sight, identity, look};
use crate::sql_error::{class, fault, needs_rollback, parent};
use crate::{copy, create, open, room};

/// Whether anything may be changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    /// Reads and writes.
    ReadWrite,
    /// Never a byte.
    ReadOnly,
}

/// Where the database is and how it is reached.
#[derive(Debug)]
pub(crate) struct Connections {
    path: Utf8PathBuf,
    mode: Mode,
    parents_allowed: bool,
    busy: Duration,
    opened: RefCell<Option<Opened>>,
}

#[derive(Debug)]
struct Opened {
    connection: Connection,
    identity: Identity,
}

impl Connections {
    pub(crate) fn new(path: Utf8PathBuf, mode: Mode, parents_allowed: bool) -> Self {
        Self {
            path,
            mode,
            parents_allowed,
            busy: open::BUSY_TIMEOUT,
            opened: RefCell::new(None),
        }
    }

    pub(crate) fn path(&self) -> &Utf8Path {
        &self.path
    }

    pub(crate) fn busy(&self) -> Duration {
        self.busy
    }

    pub(crate) fn allow_parents(&mut self, allowed: bool) {
        self.parents_allowed = allowed;
    }

    #[cfg(test)]
    pub(crate) fn set_busy(&mut self, busy: Duration) {
        self.busy = busy;
    }

    /// Gives `read` a connection; `None` where there is no file or an empty one. Nothing is
    /// changed, not even where a dead writer's journal would have to be rolled back.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        let mut slot = self.slot()?;
        self.drop_replaced(&mut slot);
        if let Some(opened) = slot.as_ref() {
            return read(&opened.connection).map(Some);
        }
        let Sight::File(facts) = look(&self.path, self.parents_allowed)? else {
            return Ok(None);
        };
        let as_it_is = !facts.wal && !facts.journal;
        if self.mode == Mode::ReadWrite && !as_it_is {
            return read(&self.undisturbed(facts)?).map(Some);
        }
        let connection = match self.mode {
            Mode::ReadWrite => open::read_write(&self.path, self.busy)?,
            Mode::ReadOnly => self.undisturbed(facts)?,
        };
        let opened = slot.insert(Opened {
            connection,
            identity: facts.identity,
        });
        read(&opened.connection).map(Some)
    }

    /// Gives `write` the connection to a database that is there.
    pub(crate) fn write<T>(
        &self,
        write: impl FnOnce(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.may_write()?;
        let mut slot = self.slot()?;
        self.drop_replaced(&mut slot);
        if let Some(opened) = slot.as_mut() {
            return write(&mut opened.connection);
        }
        match look(&self.path, self.parents_allowed)? {
            Sight::File(facts) => {
                write(&mut self.open_for_writing(&mut slot, facts.identity)?.connection)
            }
            Sight::Missing | Sight::MissingDirectory | Sight::Empty => {
                Err(not_initialised(&self.path))
            }
        }
    }

    /// Whether a start could write, and make what is missing; changes nothing.
    pub(crate) fn check_writable(&self) -> Result<(), Fault> {
        let sight = look(&self.path, self.parents_allowed)?;
        room::check(&self.path, sight)?;
        match (self.mode, sight) {
            (Mode::ReadWrite, Sight::File(_)) => self.try_lock(),
            _ => Ok(()),
        }
    }

    /// Whether the snapshot before an upgrade has room; changes nothing.
    pub(crate) fn check_snapshot(&self, snapshots: &Utf8Path) -> Result<(), Fault> {
        room::check_snapshot(&self.path, snapshots)
    }

    /// Takes the lock that a commit needs, and gives it back. Whoever writes or reads all the time
    /// would fail the start at its last step. Nothing is written for it, and no journal is made: a
    /// transaction makes one with its first page.
    fn try_lock(&self) -> Result<(), Fault> {
        self.write(|connection| {
            connection
                .execute_batch("BEGIN EXCLUSIVE; ROLLBACK;")
                .map_err(|error| fault(&self.path, "taking the lock for a write", error))
        })
    }

    /// Gives `write` the connection to a database that is there or is made now. One that is made
    /// gets its name once `write` has worked: until then there is none.
    pub(crate) fn create<T>(
        &self,
        write: impl FnOnce(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.may_write()?;
        match look(&self.path, self.parents_allowed)? {
            Sight::File(_) => return self.write(write),
            // A file that was mounted there cannot be replaced; SQLite fills it in one transaction.
            Sight::Empty => {}
            Sight::Missing => return create::whole(&self.path, self.busy, write),
            Sight::MissingDirectory => {
                open::create_directories(parent(&self.path), 0o700)?;
                return create::whole(&self.path, self.busy, write);
            }
        }
        let mut slot = self.slot()?;
        self.drop_replaced(&mut slot);
        let identity = identity(&self.path).ok_or_else(|| vanished(&self.path))?;
        let opened = match slot.as_mut() {
            Some(opened) => opened,
            None => self.open_for_writing(&mut slot, identity)?,
        };
        write(&mut opened.connection)
    }

    fn may_write(&self) -> Result<(), Fault> {
        match self.mode {
            Mode::ReadWrite => Ok(()),
            Mode::ReadOnly => Err(Fault::new(
                FaultKind::Internal,
                format!("the database {} was opened for reading alone", self.path),
                "this is a defect of the program; report it with this message",
            )),
        }
    }

    fn slot(&self) -> Result<std::cell::RefMut<'_, Option<Opened>>, Fault> {
        self.opened.try_borrow_mut().map_err(|error| {
            Fault::new(
                FaultKind::Internal,
                "the database was used inside its own use",
                "this is a defect of the program; report it with this message",
            )
            .because(error)
        })
    }

    /// An open connection would go on with a file that nobody else can see any more.
    fn drop_replaced(&self, slot: &mut Option<Opened>) {
        if slot
            .as_ref()
            .is_some_and(|opened| Some(opened.identity) != identity(&self.path))
        {
            *slot = None;
        }
    }

    fn open_for_writing<'a>(
        &self,
        slot: &'a mut Option<Opened>,
        identity: Identity,
    ) -> Result<&'a mut Opened, Fault> {
        let connection = open::read_write(&self.path, self.busy)?;
        Ok(slot.insert(Opened {
            connection,
            identity,
        }))
    }

    /// A connection that changes nothing, whatever state the files are in.
    fn undisturbed(&self, facts: FileFacts) -> Result<Connection, Fault> {
        if facts.wal {
            return copy::recovered(&self.path, self.busy);
        }
        let connection = open::read_only(&self.path, self.busy)?;
        // The first read is where SQLite finds out about a journal.
        let first: rusqlite::Result<i64> =
            connection.pragma_query_value(None, "schema_version", |row| row.get(0));
        match first {
            Ok(_) => Ok(connection),
            Err(error) if needs_rollback(&error) => {
                drop(connection);
                copy::recovered(&self.path, self.busy)
            }
            Err(error) if class(&self.path, &error).0 == FaultKind::DataCorrupt => {
                Err(crate::look::not_sqlite(&self.path).because(error))
            }
            Err(error) => Err(fault(&self.path, "reading", error)),
        }
    }
}

/// A write before the first migration.
pub(crate) fn not_initialised(path: &Utf8Path) -> Fault {
    Fault::new(
        FaultKind::Internal,
        format!("the database {path} is not initialised"),
        "run `startup` first; if it did run, this is a defect of the program",
    )
}

fn vanished(path: &Utf8Path) -> Fault {
    Fault::new(
        FaultKind::DatabaseUnavailable,
        format!("the database {path} was removed while it was being created"),
        "find out what removes it, then start again",
    )
}
