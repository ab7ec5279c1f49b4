//! The connection of a database on a server: kept, made anew where it was cut, and never left in the
//! middle of a transaction.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use domain::SchemaState;
use ports::{FaultKind, StoreError};
use rusqlite::types::Value;

use super::catalogue::Catalogue;
use super::error::{Failure, Health};
use super::session::{Ask, Rows, Session};
use super::target::{LONGEST, Target};
use super::twin::Twin;
use crate::content::Content;

/// Which transaction this is, and of which history: a standby that was promoted gives the numbers again
/// of what it had not heard of.
const NUMBER: &str =
    "SELECT pg_current_xact_id()::text, left(pg_walfile_name(pg_current_wal_lsn()), 8)";
/// What became of it; nothing where the server is of another history.
const STATUS: &str = "SELECT pg_xact_status($1::text::xid8) \
     WHERE left(pg_walfile_name(pg_current_wal_lsn()), 8) = $2";
/// Between two looks at what became of a transaction.
const PAUSE: Duration = Duration::from_millis(200);

/// How often work is begun at least, also where that takes longer than the wait.
const TRIES: usize = 3;

/// How long what was cut is begun anew: as long as a server is waited for, from the first cut on.
pub(super) struct Patience {
    wait: Duration,
    end: Option<Instant>,
    cuts: usize,
}

impl Patience {
    pub(super) fn of(target: &Target) -> Self {
        Self {
            wait: target.wait,
            end: None,
            cuts: 0,
        }
    }

    /// Until when a connection is waited for.
    pub(super) fn end(&self) -> Instant {
        self.end.unwrap_or_else(|| Instant::now() + self.wait)
    }

    /// Whether it is begun anew after a cut: at once, then with pauses.
    pub(super) fn goes_on(&mut self) -> bool {
        self.cuts += 1;
        let Some(end) = self.end else {
            self.end = Some(Instant::now() + self.wait);
            return true;
        };
        let left = end.saturating_duration_since(Instant::now());
        std::thread::sleep(PAUSE.min(left));
        !left.is_zero() || self.cuts < TRIES
    }

    /// After what went well: the next cut is a first one.
    pub(super) fn renew(&mut self) {
        (self.end, self.cuts) = (None, 0);
    }
}

/// An open connection, and what was seen of the database through it.
pub(super) struct Opened {
    pub(super) target: Arc<Target>,
    /// The database, as errors name it.
    pub(super) name: Utf8PathBuf,
    /// What it is used for, like "reading the token".
    pub(super) doing: &'static str,
    session: Session,
    pub(super) health: Cell<Health>,
    pub(super) seen: RefCell<Option<Catalogue>>,
    pub(super) content: Cell<Option<Content>>,
    /// The schema that all migrations make.
    pub(super) newest: Twin,
}

impl Opened {
    fn new(target: &Arc<Target>, doing: &'static str, end: Instant) -> Result<Self, StoreError> {
        Ok(Self {
            session: Session::open(target, end)?,
            target: Arc::clone(target),
            name: target.name().into(),
            doing,
            health: Cell::new(Health::Well),
            seen: RefCell::default(),
            content: Cell::default(),
            newest: Twin::newest()?,
        })
    }

    /// Asks all at once.
    pub(super) fn ask(&self, asks: &[Ask]) -> Result<Vec<Rows>, StoreError> {
        let answers = self.session.ask(asks);
        answers.map_err(|failure| self.failed(failure))
    }

    /// As [`Session::run`].
    pub(super) fn run(&self, sql: &str) -> Result<(), StoreError> {
        let run = self.session.run(sql);
        run.map_err(|failure| self.failed(failure))
    }

    fn failed(&self, failure: Failure) -> StoreError {
        self.health.set(failure.health(&self.target));
        failure.on(&self.target, self.doing)
    }

    /// With nothing known of the database any more.
    pub(super) fn forget(&self) {
        self.seen.replace(None);
        self.content.set(None);
    }

    /// Whether the schema that was seen in this session is the newest that this program knows.
    fn is_current(&self) -> bool {
        self.content.get() == Some(Content::Schema(SchemaState::Current))
    }

    /// Sends what is left and ends the transaction that wrote, and makes sure that it is known
    /// whether it did: `None` where nothing was written, and the work is to be done again.
    pub(super) fn commit(self, pending: Vec<Ask>) -> Result<Option<Self>, StoreError> {
        let mut asks = pending;
        asks.push(NUMBER.into());
        let written = match self.ask(&asks) {
            Ok(mut answers) => answers.pop().unwrap_or_default().pop(),
            Err(_) if self.health.get() == Health::Cut => return Ok(None),
            Err(error) => return Err(error),
        };
        match self.ask(&["COMMIT".into()]) {
            Ok(_) => Ok(Some(self)),
            Err(_) if self.health.get() != Health::Well => {
                let (target, doing) = (Arc::clone(&self.target), self.doing);
                drop(self);
                look_up(&target, doing, written)
            }
            Err(error) => Err(error),
        }
    }
}

/// A commit whose answer was lost: the server knows what became of its transaction.
fn look_up(
    target: &Arc<Target>,
    doing: &'static str,
    transaction: Option<Vec<Value>>,
) -> Result<Option<Opened>, StoreError> {
    let ask = Ask::new(STATUS, transaction.unwrap_or_default());
    let unknown = |source| StoreError::CommitUnknown {
        path: target.name(),
        doing,
        source,
    };
    let end = Instant::now() + target.wait;
    loop {
        let opened = Opened::new(target, doing, Instant::now() + target.wait);
        let opened = opened.map_err(|error| unknown(error.into()))?;
        let status = match opened.ask(std::slice::from_ref(&ask)) {
            Ok(answers) => answers.into_iter().flatten().flatten().next(),
            Err(_) if opened.health.get() == Health::Cut && Instant::now() < end => continue,
            Err(error) => return Err(unknown(error.into())),
        };
        match status {
            Some(Value::Text(status)) if status == "committed" => return Ok(Some(opened)),
            Some(Value::Text(status)) if status == "aborted" => return Ok(None),
            // The server has not seen yet that its client is gone.
            Some(Value::Text(_)) if Instant::now() < end => std::thread::sleep(PAUSE),
            _ => {
                let why = "the server does not tell what became of the transaction";
                return Err(unknown(why.into()));
            }
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
        let wait = target.wait.min(LONGEST);
        Self {
            target: Arc::new(Target { wait, ..target }),
            kept: Mutex::new(None),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Option<Opened>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that is kept, or a new one. Whoever took it keeps it, or lets it go.
    pub(super) fn take(
        &self,
        doing: &'static str,
        patience: &Patience,
    ) -> Result<Opened, StoreError> {
        match self.kept().take() {
            Some(opened) => Ok(Opened { doing, ..opened }),
            None => self.open(doing, patience),
        }
    }

    /// Whether the connection that is kept has seen the newest schema.
    pub(super) fn is_current(&self) -> bool {
        self.kept().as_ref().is_some_and(Opened::is_current)
    }

    /// Whether the connection that is kept has seen that this user may write.
    pub(super) fn is_writable(&self) -> Option<bool> {
        let kept = self.kept();
        let seen = kept.as_ref()?.seen.borrow();
        seen.as_ref().map(Catalogue::is_writable)
    }

    /// A connection of its own.
    pub(super) fn open(
        &self,
        doing: &'static str,
        patience: &Patience,
    ) -> Result<Opened, StoreError> {
        Opened::new(&self.target, doing, patience.end())
    }

    pub(super) fn keep(&self, opened: Opened) {
        *self.kept() = Some(opened);
    }

    /// Gives `work` the connection, begun anew where it is cut. Where it fails, the connection is
    /// closed: the server rolls back.
    pub(super) fn read<T>(
        &self,
        doing: &'static str,
        work: impl Fn(&Opened) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.tried(doing, |opened| Ok((work(opened)?, None)))
    }

    /// The same for what writes: `work` gives what is left to be asked before the commit; nothing of
    /// it is done twice.
    pub(super) fn write<T>(
        &self,
        doing: &'static str,
        work: impl Fn(&Opened) -> Result<(T, Vec<Ask>), StoreError>,
    ) -> Result<T, StoreError> {
        self.tried(doing, |opened| {
            let (value, pending) = work(opened)?;
            Ok((value, Some(pending)))
        })
    }

    fn tried<T>(
        &self,
        doing: &'static str,
        work: impl Fn(&Opened) -> Result<(T, Option<Vec<Ask>>), StoreError>,
    ) -> Result<T, StoreError> {
        let mut patience = Patience::of(&self.target);
        let mut is_damage_seen = false;
        loop {
            let opened = self.take(doing, &patience)?;
            match work(&opened) {
                Ok((value, None)) => {
                    self.keep(opened);
                    return Ok(value);
                }
                Ok((value, Some(pending))) => {
                    if let Some(opened) = opened.commit(pending)? {
                        self.keep(opened);
                        return Ok(value);
                    }
                    if !patience.goes_on() {
                        return Err(Failure::Cut.on(&self.target, doing));
                    }
                }
                // A server that is silent was waited for in full already.
                Err(_) if opened.health.get() == Health::Cut && patience.goes_on() => {}
                // What another node migrated or restored between two looks of this transaction seems
                // to be damaged: its tables are newer than the state that is seen.
                Err(error) if error.kind() == FaultKind::DataCorrupt && !is_damage_seen => {
                    is_damage_seen = true;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_begun_anew_until_the_wait_is_over_and_three_times_at_least() {
        let wait = |wait| Target {
            wait,
            ..Target::for_tests("postgresql://tp@db/keys")
        };
        let mut patience = Patience::of(&wait(Duration::from_secs(1)));
        let begun = Instant::now();
        let mut tries = 1;
        while patience.goes_on() {
            tries += 1;
        }
        assert!(begun.elapsed() >= Duration::from_secs(1));
        assert!(tries > TRIES, "{tries}");

        let mut patience = Patience::of(&wait(Duration::ZERO));
        assert!(patience.goes_on() && patience.goes_on() && !patience.goes_on());
        patience.renew();
        assert!(patience.goes_on());
    }
}
