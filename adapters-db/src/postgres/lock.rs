//! One node at a time: an advisory lock of the server, which a session keeps for its life.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use ports::{LockError, StartLock, StartLockGuard, StoreError};
use rusqlite::types::Value;

use super::connection::{Opened, Patience};
use super::database::PostgresDatabase;
use super::error::Health;
use super::held::{Backend, Held, is_of_key, key};
use super::server::Server;
use super::session::{Ask, Rows};

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);
/// Within that a server notices that a connection was cut, and gives back the lock that it had.
const GIVEN_BACK: Duration = Duration::from_secs(2);

/// Which backend this is, since when, and whether it holds the lock.
const IS_OWN: &str = concat!(
    "SELECT pg_backend_pid()::bigint, (SELECT (extract(epoch FROM backend_start) \
     * 1000000)::bigint FROM pg_stat_activity WHERE pid = pg_backend_pid()), \
     EXISTS (SELECT FROM pg_locks WHERE pid = pg_backend_pid() AND ",
    is_of_key!(),
    ")"
);
/// A session that waits for an HSM or a person for long is not to be ended for being idle. One whose
/// machine has lost its power is: by itself the server notices that after two hours, in which nobody else
/// has the lock.
const STAYS: &str = "SELECT set_config(s.name, v.value, false) FROM (VALUES \
     ('idle_session_timeout', '0'), ('tcp_keepalives_idle', '15'), ('tcp_keepalives_interval', '5'), \
     ('tcp_keepalives_count', '3')) AS v (name, value) JOIN pg_settings s ON s.name = v.name";
/// Who holds it. Its session has done nothing since it took it.
const HOLDER: &str = concat!(
    "SELECT 'backend ' || l.pid || coalesce(', ' || nullif(a.application_name, ''), '') \
     || coalesce(' at ' || host(a.client_addr), '') || coalesce(', since ' || \
     to_char(a.state_change AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), '') \
     FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid WHERE ",
    is_of_key!()
);

/// The lock of a database that nodes share.
pub struct AdvisoryLock {
    server: Server,
}

impl AdvisoryLock {
    /// The lock of this database.
    #[must_use]
    pub fn of(database: PostgresDatabase) -> Self {
        Self { server: database.0 }
    }

    fn key(&self) -> Value {
        key(self.server.connections.target.schema.as_str(), "start")
    }

    /// `Some` backend where it was taken.
    fn try_take(&self, own: &Opened) -> Result<Option<Backend>, LockError> {
        let ask = Ask::new("SELECT pg_try_advisory_lock($1)", vec![self.key()]);
        let answers = own.ask(&[ask])?;
        if answers.into_iter().flatten().next() != Some(vec![Value::Integer(1)]) {
            return Ok(None);
        }
        self.ensure_own(own).map(Some)
    }

    /// Whether this connection has a backend of its own. Asked before the lock is taken: one that was
    /// taken through a pooler would stay with the backend that happened to be given.
    fn ensure_session(&self, own: &Opened) -> Result<(), LockError> {
        let ask = Ask::from("SELECT pg_backend_pid()::bigint");
        let before = own.ask(std::slice::from_ref(&ask))?;
        match before == self.ask_beside_another(own, &ask)? {
            true => Ok(()),
            false => Err(self.no_session()),
        }
    }

    fn ensure_own(&self, own: &Opened) -> Result<Backend, LockError> {
        let ask = Ask::new(IS_OWN, vec![self.key()]);
        let answers = self.ask_beside_another(own, &ask)?;
        match answers.into_iter().flatten().next().as_deref() {
            Some(
                [
                    Value::Integer(process),
                    Value::Integer(begun),
                    Value::Integer(1),
                ],
            ) => {
                let (process, begun) = (*process, *begun);
                Ok(Backend { process, begun })
            }
            _ => Err(self.no_session()),
        }
    }

    /// A pooler between transactions gives each of them whichever backend is free. So another
    /// connection keeps one busy meanwhile, most likely the one that was free last.
    fn ask_beside_another(&self, own: &Opened, ask: &Ask) -> Result<Vec<Rows>, LockError> {
        let answers = self.server.connections.read("taking the lock", |other| {
            other.ask(&[
                "BEGIN READ ONLY".into(),
                "SELECT pg_backend_pid()::bigint".into(),
            ])?;
            let answers = own.ask(std::slice::from_ref(ask));
            other.ask(&["COMMIT".into()])?;
            match answers {
                // The server answers, and there was no backend left for this connection.
                Err(_) if own.health.get() == Health::Silent => Ok(None),
                answers => answers.map(Some),
            }
        });
        answers?.ok_or_else(|| self.no_session())
    }

    /// Waits for the lock on this connection. It is known then which backend has it.
    fn take_on(
        &self,
        own: &Opened,
        patience: &mut Patience,
        waits: &mut Waits<'_>,
    ) -> Result<Backend, LockError> {
        self.ensure_session(own)?;
        own.ask(&[STAYS.into()])?;
        loop {
            if let Some(backend) = self.try_take(own)? {
                return Ok(backend);
            }
            patience.renew();
            let left = waits.end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(LockError::BusyElsewhere {
                    database: self.server.connections.target.name(),
                    waited: waits.wait,
                    holder: self.holder(own)?,
                });
            }
            waits.tell();
            std::thread::sleep(PAUSE.min(left));
        }
    }

    fn no_session(&self) -> LockError {
        let path = self.server.connections.target.name();
        StoreError::NoSession { path, source: None }.into()
    }

    fn holder(&self, own: &Opened) -> Result<String, LockError> {
        let ask = Ask::new(HOLDER, vec![self.key()]);
        let answers = own.ask(&[ask])?;
        Ok(match answers.into_iter().flatten().flatten().next() {
            Some(Value::Text(holder)) => holder,
            _ => "it was given back in this very moment".to_owned(),
        })
    }
}

impl StartLock for AdvisoryLock {
    fn acquire(
        &self,
        wait: Duration,
        waiting: &mut dyn FnMut(),
    ) -> Result<Box<dyn StartLockGuard>, LockError> {
        let mut waits = Waits {
            wait,
            end: Instant::now() + wait,
            waiting,
            is_told: false,
            was_cut: false,
        };
        let connections = &self.server.connections;
        let mut patience = Patience::of(&connections.target);
        loop {
            let own = connections.open("taking the lock", &patience)?;
            match self.take_on(&own, &mut patience, &mut waits) {
                Ok(backend) => {
                    let held = self.server.held.clone();
                    held.by(Some(backend));
                    return Ok(Box::new(Guard {
                        held,
                        _session: Mutex::new(own),
                    }));
                }
                // Nothing was begun under the lock yet.
                Err(_) if own.health.get() == Health::Cut && patience.goes_on() => waits.cut(),
                Err(error) => return Err(error),
            }
        }
    }
}

/// How long the lock is waited for, and who hears it.
struct Waits<'a> {
    wait: Duration,
    end: Instant,
    waiting: &'a mut dyn FnMut(),
    is_told: bool,
    was_cut: bool,
}

impl Waits<'_> {
    fn tell(&mut self) {
        if !self.is_told {
            (self.waiting)();
            self.is_told = true;
        }
    }

    /// The connection that was cut may have the lock for a moment still.
    fn cut(&mut self) {
        if !self.was_cut {
            self.end = self.end.max(Instant::now() + GIVEN_BACK);
            self.was_cut = true;
        }
    }
}

/// The session is what keeps the lock: the server gives it back when that ends, however it ends.
struct Guard {
    held: Held,
    _session: Mutex<Opened>,
}

impl StartLockGuard for Guard {}

impl Drop for Guard {
    fn drop(&mut self) {
        self.held.by(None);
    }
}
