//! The ports of a database, written once for every kind of it: what is special of a kind is its
//! [`Engine`].

use domain::{SchemaState, StorageType};
use ports::{
    BackupCopy, CredentialStore, CredentialWithKey, Dek, Event, History, HistoryRow, Migrated,
    NewCredential, NodeRecord, NodeStore, StartRecord, StoreError, StoredCredential, TokenCopy,
};

use crate::content::{Content, not_initialised};
use crate::sql::Tables;
use crate::{credential, history, installation, node, sealing};

/// A kind of database.
pub trait Engine {
    /// Gives `read` one state of the database and what it holds; `None` where there is none.
    fn read<T>(
        &self,
        read: impl Fn(&Tables<'_>, Content) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError>;

    /// Gives `write` a transaction on a database whose schema is known; it is committed where `write`
    /// works. `doing` is like "storing the token".
    fn write<T>(
        &self,
        doing: &'static str,
        write: impl Fn(&Tables<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError>;

    /// As [`Engine::write`], for what goes into the history alone: writers need not wait for each
    /// other. `write` hears what the database holds, and the version that is recorded.
    fn write_history<T>(
        &self,
        doing: &'static str,
        write: impl Fn(&Tables<'_>, Content, Option<&str>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError>;

    /// Whether anything may be written to the history by who is no start: see [`History::note`].
    fn may_note(&self) -> Result<bool, StoreError>;

    /// So many rows of starts are kept, of all nodes.
    const KEPT_STARTS: i64;

    /// See [`NodeStore::read`].
    fn record(&self) -> Result<Option<NodeRecord>, StoreError>;

    /// See [`NodeStore::check_writable`].
    fn check_writable(&self) -> Result<(), StoreError>;

    /// See [`NodeStore::check_integrity`].
    fn check_integrity(&self) -> Result<(), StoreError>;

    /// See [`NodeStore::migrate`].
    fn migrate(&self) -> Result<Migrated, StoreError>;

    /// See [`NodeStore::scrub`].
    fn scrub(&self) -> Result<(), StoreError>;
}

/// A database. Clones share one connection.
#[derive(Clone, Debug)]
pub struct Database<E>(pub(crate) E);

impl<E: Engine> Database<E> {
    /// Reads a list from one state of the database, which is empty where there is no schema yet.
    fn read_list<T>(
        &self,
        read: impl Fn(&Tables<'_>) -> Result<Vec<T>, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let list = self.0.read(|tables, content| match content {
            Content::Nothing => Ok(Vec::new()),
            Content::Schema(_) => read(tables),
        })?;
        Ok(list.unwrap_or_default())
    }
}

/// Notes the event in the transaction of what was done, where anything was.
fn noted_where(is_done: bool, tables: &Tables<'_>, event: &Event) -> Result<bool, StoreError> {
    if is_done {
        history::note(tables, event)?;
    }
    Ok(is_done)
}

impl<E: Engine> NodeStore for Database<E> {
    fn read(&self) -> Result<Option<NodeRecord>, StoreError> {
        self.0.record()
    }

    fn check_writable(&self) -> Result<(), StoreError> {
        self.0.check_writable()
    }

    fn check_integrity(&self) -> Result<(), StoreError> {
        self.0.check_integrity()
    }

    fn migrate(&self) -> Result<Migrated, StoreError> {
        self.0.migrate()
    }

    fn configure_storage(&self, storage: StorageType) -> Result<bool, StoreError> {
        self.0.write(node::WRITING_STORAGE, |tables| {
            node::configure_storage(tables, storage)
        })
    }

    fn set_storage(&self, storage: StorageType) -> Result<bool, StoreError> {
        self.0.write(node::WRITING_STORAGE, |tables| {
            node::set_storage(tables, storage)
        })
    }

    fn save_copy(
        &self,
        copy: &TokenCopy,
        check_value: Option<&[u8]>,
        event: Option<&Event>,
    ) -> Result<(), StoreError> {
        self.0
            .write("storing what is known of the token", |tables| {
                sealing::save_copy(tables, copy, check_value)?;
                event.map_or(Ok(()), |event| history::note(tables, event))
            })
    }

    fn replace_dek(&self, copy: &TokenCopy, check_value: &[u8]) -> Result<(), StoreError> {
        self.0.write("storing a new DEK", |tables| {
            sealing::replace_dek(tables, copy, check_value)
        })
    }

    fn save_backup_copy(&self, copy: &BackupCopy, event: &Event) -> Result<(), StoreError> {
        let doing = "storing the DEK under the backup password";
        self.0.write(doing, |tables| {
            sealing::save_backup_copy(tables, copy)?;
            history::note(tables, event)
        })
    }

    fn forget_copy(&self, serial: &str, event: &Event) -> Result<bool, StoreError> {
        let doing = "removing what is known of the token";
        self.0.write(doing, |tables| {
            let was_known = sealing::forget_copy(tables, serial)?;
            if was_known {
                tables.mark_scrub()?;
            }
            noted_where(was_known, tables, event)
        })
    }

    fn scrub(&self) -> Result<(), StoreError> {
        self.0.scrub()
    }

    fn mark_setup_completed(&self, event: &Event) -> Result<bool, StoreError> {
        self.0.write("writing the setup mark", |tables| {
            let is_new = installation::mark_setup_completed(tables, event.at)?;
            noted_where(is_new, tables, event)
        })
    }

    fn clear_setup_mark(&self, event: &Event) -> Result<bool, StoreError> {
        self.0.write("writing the setup mark", |tables| {
            let was_set = installation::clear_setup_mark(tables)?;
            noted_where(was_set, tables, event)
        })
    }
}

impl<E: Engine> CredentialStore for Database<E> {
    fn list(&self) -> Result<Vec<StoredCredential>, StoreError> {
        self.read_list(credential::list)
    }

    fn find(&self, fingerprint: &str) -> Result<Option<CredentialWithKey>, StoreError> {
        let found = self.0.read(|tables, content| match content {
            Content::Nothing => Ok(None),
            Content::Schema(_) => credential::find(tables, fingerprint),
        })?;
        Ok(found.flatten())
    }

    fn save_active(
        &self,
        credential: &NewCredential<'_>,
        dek: Option<&Dek>,
        event: &Event,
    ) -> Result<(), StoreError> {
        let saved = self.0.write("saving the TLS credential", |tables| {
            let is_changed = credential::save_active(tables, credential, dek, event.at)?;
            noted_where(is_changed, tables, event)
        });
        saved.map(drop)
    }

    fn seal_all(&self, dek: &Dek) -> Result<usize, StoreError> {
        self.0.write("sealing the private keys", |tables| {
            credential::seal_all(tables, dek)
        })
    }
}

impl<E: Engine> History for Database<E> {
    fn record_start(&self, start: &StartRecord) -> Result<(), StoreError> {
        let doing = "recording the start";
        self.0.write_history(doing, |tables, content, recorded| {
            if content.ensure_initialised(tables.name)? != SchemaState::Current {
                return Err(not_initialised(tables.name));
            }
            history::ensure_not_newer(tables, recorded, &start.version)?;
            history::record(tables, start, E::KEPT_STARTS)
        })
    }

    fn note(&self, event: &Event) -> Result<bool, StoreError> {
        if !self.0.may_note()? {
            return Ok(false);
        }
        let doing = "noting it in the history";
        self.0.write_history(doing, |tables, content, _| {
            let is_current = content == Content::Schema(SchemaState::Current);
            noted_where(is_current, tables, event)
        })
    }

    fn rows(&self, limit: usize) -> Result<Vec<HistoryRow>, StoreError> {
        self.read_list(|tables| history::read(tables, limit))
    }
}
