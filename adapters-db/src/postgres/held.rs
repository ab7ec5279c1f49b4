//! What a transaction asks about locks: whether this process still holds the one of all nodes, and
//! that nobody else makes the tables meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ring::digest::{SHA256, digest};
use rusqlite::types::Value;

use super::session::Ask;

/// Whether `$1` is locked by the backend `$2`. A key of 64 bits stands in two columns.
const IS_HELD: &str = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted \
     AND objsubid = 1 AND (classid::bigint << 32 | objid::bigint) = $1 AND pid = $2)";
/// A key that is the same on every node, and different for every schema and purpose.
pub(super) fn key(schema: &str, purpose: &str) -> Value {
    let text = format!("trustpointctl/{purpose}/{schema}");
    let digest = digest(&SHA256, text.as_bytes());
    let bytes = digest.as_ref().first_chunk().copied().unwrap_or_default();
    Value::Integer(i64::from_be_bytes(bytes))
}

/// The backend that holds the lock for this process, for as long as it does.
#[derive(Clone, Debug)]
pub(super) struct Held {
    schema: String,
    backend: Arc<AtomicI64>,
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
        let backend = self.backend.load(Ordering::SeqCst);
        (backend != 0).then(|| {
            let values = vec![key(&self.schema, "start"), Value::Integer(backend)];
            Ask::new(IS_HELD, values)
        })
    }

    /// From here on it is this backend that holds it; none where it is 0.
    pub(super) fn by(&self, backend: i64) {
        self.backend.store(backend, Ordering::SeqCst);
    }

    /// Waits for whoever makes the tables in this moment, until the end of the transaction.
    pub(super) fn creation(&self) -> Ask {
        Ask::new(
            "SELECT true FROM pg_advisory_xact_lock($1)",
            vec![key(&self.schema, "create")],
        )
    }
}
