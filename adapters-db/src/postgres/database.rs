//! [`PostgresDatabase`]: what is special of a server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use domain::SchemaState;
use ports::{DatabaseTrouble, Migrated, NodeRecord, ServerTrouble, StoreError};
use rusqlite::types::Value;

use super::catalogue::unmark_scrub;
use super::connection::Connections;
use super::held::Held;
use super::migrate;
use super::server::Server;
use super::session::Ask;
use super::target::Target;
use super::transaction::{Access, Transaction};
use crate::content::Content;
use crate::sql::Tables;
use crate::store::{Database, Engine};
use crate::watch::Watch;
use crate::{credential, history, node};

/// Other writers wait, readers do not.
const LOCK_SHARED: &str = "LOCK TABLE installation IN SHARE ROW EXCLUSIVE MODE";

/// Writes the tables anew without what was removed from them, as `VACUUM FULL` does, but within a
/// transaction, which has time-outs. Whoever waits for a table keeps all readers from it who come later,
/// so this waits for a moment only: a dump of the database must not stop every node. The tables come in
/// the order in which a start reads them.
const REBUILD: [&str; 3] = [
    "SELECT set_config('lock_timeout', '2000', true)",
    "CLUSTER pkcs11_token USING pkcs11_token_pkey",
    "CLUSTER credential USING credential_pkey",
];

/// How long transactions that still see what was removed are waited for, and the time between two tries.
const OTHERS_END: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);

/// The database that nodes share, on a PostgreSQL server.
pub type PostgresDatabase = Database<Server>;

impl PostgresDatabase {
    /// The database of the target. `beside` is a path in the node's own directory, where its lock
    /// stands; snapshots go to the directory `snapshots`. Nothing is connected yet.
    #[must_use]
    pub fn new(target: Target, beside: Utf8PathBuf, snapshots: Utf8PathBuf) -> Self {
        Self(Server {
            held: Held::of(target.schema.as_str()),
            connections: Arc::new(Connections::new(target)),
            beside,
            snapshots,
            watch: Watch::default(),
        })
    }

    /// The same; `watch` hears how far a copy or a check is.
    #[must_use]
    pub fn watched(mut self, watch: Watch) -> Self {
        self.0.watch = watch;
        self
    }
}

impl Engine for Server {
    const KEPT_STARTS: i64 = 10_000;

    fn read<T>(
        &self,
        read: impl Fn(&Tables<'_>, Content) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let read = self.connections.read("reading", |opened| {
            let mut transaction = Transaction::begin(opened, Access::Read, &[])?;
            let content = transaction.identify(&[])?;
            let value = read(&transaction.tables(), content)?;
            transaction.end()?;
            Ok(value)
        });
        read.map(Some)
    }

    fn write<T>(
        &self,
        doing: &'static str,
        write: impl Fn(&Tables<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.connections.write(doing, |opened| {
            let lock: Vec<Ask> = self.held.ask().into_iter().collect();
            let mut transaction = Transaction::begin(opened, Access::Write, &lock)?;
            let is_made = transaction.catalogue.has_column("installation", "id");
            let first = [Ask::from(LOCK_SHARED)];
            let content = transaction.identify(if is_made { &first } else { &[] })?;
            let tables = transaction.tables();
            content.ensure_initialised(tables.name)?;
            let value = write(&tables)?;
            Ok((value, transaction.into_pending()))
        })
    }

    fn write_history<T>(
        &self,
        doing: &'static str,
        write: impl Fn(&Tables<'_>, Content, Option<&str>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.connections.write(doing, |opened| {
            let mut transaction = Transaction::begin_again(opened, Access::Write)?;
            let is_made = transaction.catalogue.has_column("app_version", "version");
            // It stays so until the end. It comes first: while this waits for a restore, it holds
            // nothing that the restore would have to wait for.
            let recorded = [Ask::from(
                "SELECT version FROM app_version WHERE id = 1 FOR UPDATE",
            )];
            let first = if is_made { &recorded[..] } else { &[] };
            let (content, answers) = transaction.identify_with(first, &[], &[])?;
            let recorded = match answers.into_iter().flatten().flatten().next() {
                Some(Value::Text(recorded)) => Some(recorded),
                _ => None,
            };
            let value = write(&transaction.tables(), content, recorded.as_deref())?;
            Ok((value, transaction.into_pending()))
        })
    }

    fn may_note(&self) -> Result<bool, StoreError> {
        Ok(true)
    }

    fn record(&self) -> Result<Option<NodeRecord>, StoreError> {
        self.connections.read("reading", |opened| {
            let mut transaction = Transaction::begin(opened, Access::Read, &[])?;
            let content = transaction.read_ahead(|tables| {
                let mut statements = node::statements(tables)?;
                statements.push(history::NODES);
                Ok(statements)
            })?;
            let tables = transaction.tables();
            let mut record = node::record(&tables, content)?;
            if let Some(record) = &mut record
                && record.schema == SchemaState::Current
            {
                record.nodes = history::nodes(&tables)?;
            }
            transaction.end()?;
            Ok(record)
        })
    }

    fn check_writable(&self) -> Result<(), StoreError> {
        let is_writable = match self.connections.is_writable() {
            Some(is_writable) => is_writable,
            None => self.connections.read("looking at the rights", |opened| {
                let transaction = Transaction::begin(opened, Access::Read, &[])?;
                let is_writable = transaction.catalogue.is_writable();
                transaction.end()?;
                Ok(is_writable)
            })?,
        };
        if is_writable {
            return Ok(());
        }
        let target = &self.connections.target;
        let (user, name) = (target.address.user.clone(), target.name());
        Err(StoreError::NotWritable {
            what: format!("the user {user} may not write to the database {name}"),
            trouble: DatabaseTrouble::Server(ServerTrouble::NoRight { user }),
        })
    }

    fn check_integrity(&self) -> Result<(), StoreError> {
        let all = usize::MAX;
        self.read(|tables, content| match content {
            Content::Nothing => Ok(()),
            Content::Schema(_) => {
                node::record(tables, content)?;
                credential::list(tables)?;
                history::read(tables, all).map(drop)
            }
        })
        .map(drop)
    }

    fn migrate(&self) -> Result<Migrated, StoreError> {
        migrate::migrate(self)
    }

    fn scrub(&self) -> Result<(), StoreError> {
        // What the server has logged of it is out of reach.
        let doing = "rebuilding the tables without what was removed";
        let end = Instant::now() + OTHERS_END;
        while self.read(|tables, _| tables.is_scrub_due())? == Some(true) {
            self.connections.write(doing, |opened| {
                Transaction::begin(opened, Access::Write, &[])?;
                opened.forget();
                let mut asks = vec![Ask::from(LOCK_SHARED)];
                asks.extend(REBUILD.map(Ask::from));
                // Within the transaction: what another node removes meanwhile is noted after it.
                asks.push(unmark_scrub(&opened.target));
                Ok(((), asks))
            })?;
            if Instant::now() > end {
                // The next start does it.
                break;
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}
