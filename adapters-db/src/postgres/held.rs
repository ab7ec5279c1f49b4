//! What a transaction asks about locks: whether this process still holds the one of all nodes, and
//! that nobody else makes the tables meanwhile.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ring::digest::{SHA256, digest};
use rusqlite::types::Value;

use super::session::Ask;

/// Which row of `pg_locks` is the lock of the key `$1`: a key of 64 bits stands in two columns.
macro_rules! is_of_key {
    () => {
        "locktype = 'advisory' AND granted AND objsubid = 1 \
         AND (classid::bigint << 32 | objid::bigint) = $1"
    };
}
pub(super) use is_of_key;

/// Whether `$1` is locked by the backend `$2` that began at `$3`.
const IS_HELD: &str = concat!(
    "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE ",
    is_of_key!(),
    " AND l.pid = $2 AND (extract(epoch FROM a.backend_start) * 1000000)::bigint = $3)"
);

/// A backend of the server. A server that begins anew in a container gives the same numbers again: the
/// time tells the backend of another node from the one that held the lock before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backend {
    pub(crate) process: i64,
    /// In microseconds, as the server tells it.
    pub(crate) begun: i64,
}

/// A key that is the same on every node, and different for every schema and purpose.
pub(super) fn key(schema: &str, purpose: &str) -> Value {
    let text = format!("trustpointctl/{purpose}/{schema}");
    let digest = digest(&SHA256, text.as_bytes());
    let bytes = digest.as_ref().first_chunk().copied().unwrap_or_default();
    Value::Integer(i64::from_be_bytes(bytes))
}

/// The backend that holds the lock for this process, for as long as it does.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    schema: String,
    backend: Arc<Mutex<Option<Backend>>>,
}

impl Held {
    pub(super) fn of(schema: &str) -> Self {
        Self {
            schema: schema.to_owned(),
            backend: Arc::default(),
        }
    }

    /// Whether the lock is still held, where this process took it: a transaction asks that before it
    /// writes. The lock goes with its session.
    pub(super) fn ask(&self) -> Option<Ask> {
        self.backend().map(|backend| {
            let Backend { process, begun } = backend;
            let key = key(&self.schema, "start");
            Ask::new(
                IS_HELD,
                vec![key, Value::Integer(process), Value::Integer(begun)],
            )
        })
    }

    /// From here on it is this backend that holds it, or none.
    pub(crate) fn by(&self, backend: Option<Backend>) {
        *self.backend() = backend;
    }

    pub(crate) fn backend(&self) -> MutexGuard<'_, Option<Backend>> {
        self.backend.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for whoever makes the tables in this moment, until the end of the transaction.
    pub(super) fn creation(&self) -> Ask {
        Ask::new(
            "SELECT true FROM pg_advisory_xact_lock($1)",
            vec![key(&self.schema, "create")],
        )
    }
}
