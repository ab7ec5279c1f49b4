//! The one connection of a [`crate::SqliteDatabase`]: opened when it is first needed, kept, and
//! opened again where the file was replaced meanwhile.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use ports::StoreError;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::content::{Content, not_initialised};
use crate::defect::defect;
use crate::schema;
use crate::sql::Tables;
use crate::sqlite::classify::identify;
use crate::sqlite::db::Db;
use crate::sqlite::directory::parent;
use crate::sqlite::identity::Identity;
use crate::sqlite::owner::create_directories;
use crate::sqlite::path_state::{self, FileFacts, PathState};
use crate::sqlite::sql_error::{failed, needs_rollback, unreadable};
use crate::sqlite::{create, memory, open, private_copy, scrub, space};

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
    pub(crate) path: Utf8PathBuf,
    mode: Mode,
    /// A directory that is missing may be made.
    pub(crate) parents_allowed: bool,
    /// How long a lock of another process is waited for.
    pub(crate) busy: Duration,
    opened: Mutex<Option<Opened>>,
}

#[derive(Debug)]
struct Opened {
    connection: Connection,
    identity: Identity,
    /// How large it was then.
    bytes: u64,
    identified: Option<Identified>,
}

/// What a database holds, for as long as no other connection has changed it.
#[derive(Clone, Copy, Debug)]
struct Identified {
    found: Content,
    /// `PRAGMA data_version`.
    version: i64,
}

impl Opened {
    fn new(connection: Connection, identity: Identity, bytes: u64) -> Self {
        Self {
            connection,
            identity,
            bytes,
            identified: None,
        }
    }

    /// Gives `act` one state of the database with what it holds, and commits what it did.
    fn transact<T>(
        &mut self,
        path: &Utf8Path,
        behavior: TransactionBehavior,
        doing: &'static str,
        act: impl FnOnce(&Db<'_>, Content) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let failed = Db::new(path, &self.connection).failed(doing);
        let transaction =
            Transaction::new_unchecked(&self.connection, behavior).map_err(&failed)?;
        let db = Db::new(path, &transaction);
        let found = known(&db, &mut self.identified)?;
        let value = act(&db, found)?;
        transaction.commit().map_err(failed)?;
        Ok(value)
    }
}

/// What the database holds, found out once for each state that others have left.
fn known(db: &Db<'_>, identified: &mut Option<Identified>) -> Result<Content, StoreError> {
    let version = db
        .pragma_query_value(None, "data_version", |row| row.get(0))
        .map_err(|error| db.unreadable(error))?;
    match identified {
        Some(known) if known.version == version => Ok(known.found),
        _ => {
            let found = identify(db, &schema::runner()?)?;
            *identified = Some(Identified { found, version });
            Ok(found)
        }
    }
}

impl Connections {
    pub(crate) fn new(path: Utf8PathBuf, mode: Mode, parents_allowed: bool) -> Self {
        Self {
            path,
            mode,
            parents_allowed,
            busy: open::BUSY_TIMEOUT,
            opened: Mutex::new(None),
        }
    }

    /// Gives `read` one state of the database and what it holds; `None` where there is no file or
    /// an empty one. A reader changes nothing, not even where a dead writer's journal would have to
    /// be rolled back; one that may write lets SQLite do that in place.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Db<'_>, Content) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let path = &self.path;
        self.with(|opened| opened.transact(path, TransactionBehavior::Deferred, "reading", read))
    }

    /// Gives `write` a transaction on a database whose schema is known; it is committed where
    /// `write` works. `doing` is like "storing the token".
    pub(crate) fn write<T>(
        &self,
        doing: &'static str,
        write: impl FnOnce(&Tables<'_>, Content) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let path = &self.path;
        self.existing(|opened| {
            opened.transact(path, TransactionBehavior::Immediate, doing, |db, found| {
                found.ensure_initialised(path)?;
                write(&db.tables(), found)
            })
        })
    }

    /// Rebuilds the file without what was removed, where that is due.
    pub(crate) fn scrub(&self) -> Result<(), StoreError> {
        const DOING: &str = "rebuilding the file without what was removed";
        self.existing(|opened| {
            scrub::finish(&opened.connection).map_err(|error| failed(&self.path, DOING, error))
        })
    }

    /// Gives `act` the connection itself to a database that has a schema, for what makes its own
    /// transactions; `None` where it has none yet.
    pub(crate) fn with_schema<T, E: From<StoreError>>(
        &self,
        act: impl FnOnce(&Db<'_>) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        match self.read(|_, found| Ok(found))? {
            None | Some(Content::Nothing) => Ok(None),
            Some(Content::Schema(_)) => {
                self.with(|opened| act(&Db::new(&self.path, &opened.connection)))
            }
        }
    }

    fn with<T, E: From<StoreError>>(
        &self,
        act: impl FnOnce(&mut Opened) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        let mut slot = self.slot()?;
        match self.opened(&mut slot)? {
            None => Ok(None),
            Some(opened) => act(self.limited(opened)?).map(Some),
        }
    }

    fn existing<T>(
        &self,
        act: impl FnOnce(&mut Opened) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.ensure_writable_mode()?;
        self.with(act)?.ok_or_else(|| not_initialised(&self.path))
    }

    /// Closes the connection that is kept; the next use opens it again. Until it is closed nobody
    /// can lock the database exclusively, not even another connection of this process.
    pub(crate) fn close(&self) -> Result<(), StoreError> {
        match self.slot()?.take() {
            None => Ok(()),
            Some(opened) => opened
                .connection
                .close()
                .map_err(|(_, error)| failed(&self.path, "closing", error)),
        }
    }

    /// Whether a start could write, and make what is missing; changes nothing.
    pub(crate) fn check_writable(&self) -> Result<(), StoreError> {
        let state = self.path_state()?;
        space::check(&self.path, state)?;
        match (self.mode, state) {
            (Mode::ReadWrite, PathState::File(_)) => self.try_lock(),
            _ => Ok(()),
        }
    }

    /// Takes the lock that a commit needs, and gives it back. Whoever writes or reads all the time
    /// would fail the start at its last step. Nothing is written for it, and no journal is made: a
    /// transaction makes one with its first page.
    fn try_lock(&self) -> Result<(), StoreError> {
        self.existing(|opened| {
            opened
                .connection
                .execute_batch("BEGIN EXCLUSIVE; ROLLBACK;")
                .map_err(|error| failed(&self.path, "taking the lock for a write", error))
        })
    }

    /// Gives `write` the connection to a database that is there or is made now. One that is made
    /// gets its name once `write` has worked: until then there is none.
    pub(crate) fn create<T>(
        &self,
        write: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.ensure_writable_mode()?;
        match self.path_state()? {
            PathState::File(_) => self.existing(|opened| {
                opened.identified = None;
                write(&mut opened.connection)
            }),
            PathState::Empty => self.fill(write),
            PathState::Missing => create::whole(&self.path, self.busy, write),
            PathState::MissingDirectory => {
                create_directories(parent(&self.path), 0o700)?;
                create::whole(&self.path, self.busy, write)
            }
        }
    }

    /// A file that was mounted there cannot be replaced; SQLite fills it in one transaction.
    fn fill<T>(
        &self,
        write: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let identity = Identity::at(&self.path).ok_or_else(|| StoreError::Removed {
            path: self.path.to_string(),
        })?;
        let connection = open::read_write(&self.path, self.busy)?;
        let mut slot = self.slot()?;
        write(&mut slot.insert(Opened::new(connection, identity, 0)).connection)
    }

    pub(crate) fn ensure_writable_mode(&self) -> Result<(), StoreError> {
        match self.mode {
            Mode::ReadWrite => Ok(()),
            Mode::ReadOnly => {
                let what = format!("the database {} was opened for reading alone", self.path);
                Err(defect(what, None))
            }
        }
    }

    fn path_state(&self) -> Result<PathState, StoreError> {
        PathState::of(&self.path, self.parents_allowed)
    }

    fn slot(&self) -> Result<MutexGuard<'_, Option<Opened>>, StoreError> {
        self.opened.try_lock().map_err(|error| {
            let what = "the database was used inside its own use";
            defect(what, Some(error.to_string().into()))
        })
    }

    /// The connection, opened where it is not; `None` where there is no file or an empty one.
    fn opened<'a>(
        &self,
        slot: &'a mut Option<Opened>,
    ) -> Result<Option<&'a mut Opened>, StoreError> {
        self.drop_replaced(slot);
        if slot.is_none() {
            let PathState::File(facts) = self.path_state()? else {
                return Ok(None);
            };
            *slot = Some(Opened::new(self.open(facts)?, facts.identity, facts.bytes));
        }
        Ok(slot.as_mut())
    }

    /// An open connection would go on with a file that nobody else can see any more.
    fn drop_replaced(&self, slot: &mut Option<Opened>) {
        if slot
            .as_ref()
            .is_some_and(|opened| Some(opened.identity) != Identity::at(&self.path))
        {
            *slot = None;
        }
    }

    /// With all the steps that one use may take.
    fn limited<'a>(&self, opened: &'a mut Opened) -> Result<&'a mut Opened, StoreError> {
        open::limit(&mut opened.connection, opened.bytes)
            .map_err(|error| failed(&self.path, "opening", error))?;
        Ok(opened)
    }

    fn open(&self, facts: FileFacts) -> Result<Connection, StoreError> {
        match self.mode {
            Mode::ReadOnly => self.open_unchanged(facts),
            Mode::ReadWrite => {
                if facts.journal || facts.log {
                    // What a reader had copied when it was killed was this same state.
                    memory::remove_leftovers();
                }
                open::read_write(&self.path, self.busy)
            }
        }
    }

    /// A connection that changes nothing, whatever state the files are in.
    fn open_unchanged(&self, facts: FileFacts) -> Result<Connection, StoreError> {
        if path_state::is_write_ahead(&self.path, facts)? || facts.log {
            return private_copy::recovered(&self.path, self.busy);
        }
        let connection = open::read_only(&self.path, self.busy)?;
        // The first read is where SQLite finds out about a journal.
        let first: rusqlite::Result<i64> =
            connection.pragma_query_value(None, "schema_version", |row| row.get(0));
        match first {
            Ok(_) => Ok(connection),
            Err(error) if needs_rollback(&error) => {
                drop(connection);
                private_copy::recovered(&self.path, self.busy)
            }
            Err(error) => Err(unreadable(&self.path, error)),
        }
    }
}
