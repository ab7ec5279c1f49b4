//! The connection of a database on a server: kept, made anew where it was cut, and never left in the
//! middle of a transaction.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use domain::SchemaState;
use ports::{DatabaseTrouble, ServerTrouble, StoreError};
use rusqlite::types::Value;

use super::catalogue::{Catalogue, Scope, ask_rows};
use super::error::{Class, Failure};
use super::mirror::{Mirror, is_mirrored};
use super::session::{Ask, Rows, Session};
use super::target::Target;
use crate::classify::FileContent;
use crate::db::Db;
use crate::sql_error::defect;

/// How often work is begun anew where the connection was cut in the middle of it.
const TRIES: usize = 3;

/// Why work with a connection ended.
pub(super) enum Ended {
    /// The connection is gone, and nothing was written.
    Cut(Failure),
    /// It failed.
    Failed(StoreError),
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// An open connection, and what is known of the database.
pub(super) struct Opened {
    target: Arc<Target>,
    doing: &'static str,
    session: Session,
    pub(super) catalogue: Option<Catalogue>,
    pub(super) found: Option<FileContent>,
}

/// One state of the database.
pub(super) struct State {
    pub(super) found: FileContent,
    pub(super) mirror: Mirror,
}

/// A transaction that may write, or not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Access {
    Read,
    /// No other node may change what is shared until the end of it.
    Write,
}

impl Access {
    /// How it is begun.
    pub(super) fn begin(self) -> Ask {
        match self {
            Self::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".into(),
            Self::Write => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE".into(),
        }
    }
}

impl Opened {
    /// Asks all at once.
    pub(super) fn ask(&self, asks: &[Ask]) -> Result<Vec<Rows>, Ended> {
        self.session
            .ask(asks)
            .map_err(|failure| self.ended(failure))
    }

    /// As [`Session::run`].
    pub(super) fn run(&self, sql: &str) -> Result<(), Ended> {
        self.session.run(sql).map_err(|failure| self.ended(failure))
    }

    fn ended(&self, failure: Failure) -> Ended {
        match failure.class(&self.target) {
            Class::Passing => Ended::Cut(failure),
            _ => Ended::Failed(failure.on(&self.target, self.doing)),
        }
    }

    /// Begins a transaction and looks what stands in the schema. Each of `locks` comes before that,
    /// and answers whether it is held.
    pub(super) fn begin(&mut self, access: Access, locks: &[Ask]) -> Result<&Catalogue, Ended> {
        let mut asks = vec![access.begin()];
        asks.extend_from_slice(locks);
        asks.extend(Catalogue::ask(&self.target));
        let mut answers = self.ask(&asks)?;
        let rights = answers.pop().unwrap_or_default();
        let relations = answers.pop().unwrap_or_default();
        let is_held = |rows: &Rows| matches!(rows.as_slice(), [row] if *row == [Value::Integer(1)]);
        if !answers.iter().skip(1).all(is_held) {
            return Err(self.lock_lost());
        }
        let catalogue = Catalogue::of(relations, rights);
        if !catalogue.may_use {
            let (user, schema) = (self.target.address.user.clone(), &self.target.schema);
            return Err(Ended::Failed(StoreError::Failed {
                path: self.target.name(),
                doing: self.doing,
                source: format!("{user} may not use the schema {}", schema.as_str()).into(),
                trouble: DatabaseTrouble::Server(ServerTrouble::NoRight { user }),
            }));
        }
        Ok(self.catalogue.insert(catalogue))
    }

    pub(super) fn lock_lost(&self) -> Ended {
        let path = self.target.name();
        Ended::Failed(StoreError::LockLost { path })
    }

    /// The state of the database in the transaction that was begun. `first` comes before the rows are
    /// read, and `last` after, in the same round trip.
    pub(super) fn state(
        &mut self,
        scope: Scope,
        first: &[Ask],
        last: &[Ask],
    ) -> Result<State, Ended> {
        let mut mirror = Mirror::newest()?;
        let target = Arc::clone(&self.target);
        let Some(catalogue) = self.catalogue.clone() else {
            return Err(defect("a state is read outside of a transaction", None).into());
        };
        let Some(applied) = catalogue.ask_applied(&target)? else {
            self.ask(last)?;
            self.found = Some(FileContent::Nothing);
            return Ok(State {
                found: FileContent::Nothing,
                mirror,
            });
        };
        let mut tables = ask_rows(&catalogue, scope);
        if !catalogue.is_known(&mirror) {
            tables.retain(|(name, ..)| name == "app_version");
        }
        let mut asks = first.to_vec();
        asks.push(applied);
        asks.extend(tables.iter().map(|(.., ask)| ask.clone()));
        asks.extend_from_slice(last);
        let mut answers = self.ask(&asks)?.into_iter().skip(first.len());
        let applied = answers.next().unwrap_or_default();
        let found = catalogue.identify(&target, &applied)?;
        self.found = Some(found);
        if let FileContent::Schema(state) = found {
            if is_mirrored(state) {
                mirror = Mirror::of(applied.len())?;
                mirror.fill_applied(&applied)?;
            } else {
                tables.retain(|(name, ..)| name == "app_version");
            }
        }
        let path = target.name();
        for ((table, columns, _), rows) in tables.iter().zip(answers) {
            let db = Db::new(path.as_str().into(), &mirror.connection);
            let filled = mirror.fill(table, columns, &rows);
            // Of a version that is not known here, what does not fit is left out.
            if matches!(found, FileContent::Schema(state) if is_mirrored(state)) {
                filled.map_err(db.failed("reading"))?;
            }
        }
        Ok(State { found, mirror })
    }

    /// With nothing known of the database any more.
    pub(super) fn forgetting(self) -> Self {
        Self {
            catalogue: None,
            found: None,
            ..self
        }
    }

    /// Whether the schema that was seen in this session is the newest that this program knows.
    pub(super) fn is_current(&self) -> bool {
        self.found == Some(FileContent::Schema(SchemaState::Current))
    }

    /// Ends the transaction that wrote, and makes sure that it is known whether it did.
    pub(super) fn commit(self, asks: &[Ask]) -> Result<Option<Self>, StoreError> {
        let mut asks = asks.to_vec();
        asks.push("SELECT pg_current_xact_id()::text".into());
        let failed = |opened: &Self, ended| match ended {
            Ended::Cut(failure) => failure.on(&opened.target, opened.doing),
            Ended::Failed(error) => error,
        };
        let written = match self.ask(&asks) {
            Ok(mut answers) => answers.pop().unwrap_or_default(),
            Err(Ended::Cut(_)) => return Ok(None),
            Err(ended) => return Err(failed(&self, ended)),
        };
        match self.ask(&["COMMIT".into()]) {
            Ok(_) => Ok(Some(self)),
            Err(Ended::Cut(failure)) => {
                let (target, doing) = (Arc::clone(&self.target), self.doing);
                drop(self);
                look_up(
                    &target,
                    doing,
                    written.into_iter().flatten().next(),
                    failure,
                )
            }
            Err(ended) => Err(failed(&self, ended)),
        }
    }
}

/// A commit whose answer was lost: the server knows what became of its transaction. `None` where it
/// is to be done again.
fn look_up(
    target: &Arc<Target>,
    doing: &'static str,
    transaction: Option<Value>,
    lost: Failure,
) -> Result<Option<Opened>, StoreError> {
    let unknown = |cause| StoreError::CommitUnknown {
        path: target.name(),
        doing,
        source: cause,
    };
    let end = Instant::now() + target.wait;
    let sql = "SELECT pg_xact_status($1::text::xid8)";
    let ask = Ask::new(sql, transaction.into_iter().collect());
    loop {
        let opened = Opened {
            target: Arc::clone(target),
            doing,
            session: Session::open(target)?,
            catalogue: None,
            found: None,
        };
        let answers = match opened.session.ask(std::slice::from_ref(&ask)) {
            Ok(answers) => answers,
            Err(failure) if failure.class(target) == Class::Passing && Instant::now() < end => {
                continue;
            }
            Err(failure) => return Err(unknown(failure.cause())),
        };
        match answers.into_iter().flatten().flatten().next() {
            Some(Value::Text(status)) if status == "committed" => return Ok(Some(opened)),
            Some(Value::Text(status)) if status == "aborted" => return Ok(None),
            // The server has not seen yet that its client is gone.
            Some(Value::Text(_)) if Instant::now() < end => {
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
            _ => return Err(unknown(lost.cause())),
        }
    }
}

/// The connection that is kept.
pub(super) struct Connections {
    pub(super) target: Arc<Target>,
    kept: Mutex<Option<Opened>>,
}

impl Connections {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target: Arc::new(target),
            kept: Mutex::new(None),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Option<Opened>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that is kept, or a new one. Whoever took it keeps it, or lets it go.
    pub(super) fn take(&self, doing: &'static str) -> Result<Opened, StoreError> {
        match self.kept().take() {
            Some(opened) => Ok(Opened { doing, ..opened }),
            None => self.open(doing),
        }
    }

    /// Whether the connection that is kept has seen the newest schema.
    pub(super) fn is_current(&self) -> bool {
        self.kept().as_ref().is_some_and(Opened::is_current)
    }

    /// A connection of its own.
    pub(super) fn open(&self, doing: &'static str) -> Result<Opened, StoreError> {
        Ok(Opened {
            session: Session::open(&self.target)?,
            target: Arc::clone(&self.target),
            doing,
            catalogue: None,
            found: None,
        })
    }

    pub(super) fn keep(&self, opened: Opened) {
        *self.kept() = Some(opened);
    }

    /// Gives `work` the connection, begun anew where it is cut. Where it fails, the connection is
    /// closed: the server rolls back.
    pub(super) fn read<T>(
        &self,
        doing: &'static str,
        mut work: impl FnMut(&mut Opened) -> Result<T, Ended>,
    ) -> Result<T, StoreError> {
        self.tried(doing, |mut opened| {
            let value = work(&mut opened)?;
            self.keep(opened);
            Ok(Some(value))
        })
    }

    /// The same for what writes: `work` gives what is left to be asked before the commit; nothing of
    /// it is done twice.
    pub(super) fn write<T>(
        &self,
        doing: &'static str,
        mut work: impl FnMut(&mut Opened) -> Result<(T, Vec<Ask>), Ended>,
    ) -> Result<T, StoreError> {
        self.tried(doing, |mut opened| {
            let (value, asks) = work(&mut opened)?;
            let Some(opened) = opened.commit(&asks)? else {
                return Ok(None);
            };
            self.keep(opened);
            Ok(Some(value))
        })
    }

    fn tried<T>(
        &self,
        doing: &'static str,
        mut work: impl FnMut(Opened) -> Result<Option<T>, Ended>,
    ) -> Result<T, StoreError> {
        let mut cut = Failure::Silent;
        for _ in 0..TRIES {
            match work(self.take(doing)?) {
                Ok(Some(value)) => return Ok(value),
                Ok(None) => {}
                // It was waited for in full already.
                Err(Ended::Cut(Failure::Silent)) => break,
                Err(Ended::Cut(failure)) => cut = failure,
                Err(Ended::Failed(error)) => return Err(error),
            }
        }
        Err(cut.on(&self.target, doing))
    }
}
