//! A database in memory, each of whose methods can be made to fail.

mod credentials;

use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;

use domain::{InstallationId, SchemaState, StorageType};
use time::OffsetDateTime;

use crate::{
    ActiveCredential, CertificateFacts, CredentialOrigin, Database, DatabaseState, Dek, Fault,
    FaultKind, HistoryRow, MadeSnapshot, Migrated, NodeRecord, Secret, Snapshot, StartRecord,
    TlsCredential, TokenRecord,
};

const KEPT_ROWS: usize = 200;
const KEPT_SNAPSHOTS: usize = 5;

/// A method of [`Database`].
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum DatabaseCall {
    /// [`Database::observe`].
    Observe,
    /// [`Database::check_writable`].
    CheckWritable,
    /// [`Database::check_snapshot`].
    CheckSnapshot,
    /// [`Database::check_integrity`].
    CheckIntegrity,
    /// [`Database::migrate`].
    Migrate,
    /// [`Database::snapshot`].
    Snapshot,
    /// [`Database::snapshots`].
    Snapshots,
    /// [`Database::configure_storage`].
    ConfigureStorage,
    /// [`Database::change_storage`].
    ChangeStorage,
    /// [`Database::save_token`].
    SaveToken,
    /// [`Database::active_credential`].
    ActiveCredential,
    /// [`Database::save_active_credential`].
    SaveActiveCredential,
    /// [`Database::seal_credentials`].
    SealCredentials,
    /// [`Database::mark_setup_completed`].
    MarkSetupCompleted,
    /// [`Database::clear_setup_mark`].
    ClearSetupMark,
    /// [`Database::record_start`].
    RecordStart,
    /// [`Database::history`].
    History,
}

/// The database; clones share it, so that a test keeps one and gives the other away.
#[derive(Clone, Debug, Default)]
pub struct FakeDatabase(pub(super) Rc<RefCell<State>>);

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) node: Option<NodeRecord>,
    pub(super) credentials: Vec<Stored>,
    pub(super) active: Option<String>,
    /// Oldest first.
    pub(super) history: Vec<HistoryRow>,
    /// Newest first.
    pub(super) snapshots: Vec<KeptSnapshot>,
    /// Counts changes.
    pub(super) revision: u64,
    pub(super) failures: BTreeMap<DatabaseCall, FaultKind>,
    pub(super) calls: Vec<DatabaseCall>,
}

/// Why a snapshot was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kept {
    Upgrade,
    Replaced,
}

#[derive(Clone, Debug)]
pub(super) struct KeptSnapshot {
    revision: u64,
    why: Kept,
    pub(super) snapshot: Snapshot,
}

#[derive(Clone, Debug)]
pub(super) struct Stored {
    facts: CertificateFacts,
    origin: CredentialOrigin,
    stored_at: OffsetDateTime,
    certificate_pem: String,
    chain_pem: Option<String>,
    key: Secret,
    sealed_under: Option<Dek>,
}

impl FakeDatabase {
    /// From now on each such call fails with this kind.
    pub fn fail(&self, call: DatabaseCall, kind: FaultKind) {
        self.0.borrow_mut().failures.insert(call, kind);
    }

    /// Such calls work again.
    pub fn heal(&self, call: DatabaseCall) {
        self.0.borrow_mut().failures.remove(&call);
    }

    /// The calls so far, failed ones included.
    #[must_use]
    pub fn calls(&self) -> Vec<DatabaseCall> {
        self.0.borrow().calls.clone()
    }

    /// How often something was changed.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.0.borrow().revision
    }

    /// Changes what the database says of the node, as an operator or another version would.
    ///
    /// # Panics
    /// Panics if the database is not initialised.
    pub fn edit(&self, edit: impl FnOnce(&mut NodeRecord)) {
        edit(self.0.borrow_mut().node.as_mut().unwrap());
    }

    /// Takes the mark of the active credential away; the credential stays.
    pub fn forget_active_credential(&self) {
        self.0.borrow_mut().active = None;
    }

    fn call(&self, call: DatabaseCall) -> Result<RefMut<'_, State>, Fault> {
        let mut state = self.0.borrow_mut();
        state.calls.push(call);
        match state.failures.get(&call) {
            None => Ok(state),
            Some(kind) => Err(Fault::new(
                *kind,
                format!("{call:?} of the fake database fails"),
                "the test wants it so",
            )),
        }
    }
}

impl State {
    fn node(&mut self) -> Result<&mut NodeRecord, Fault> {
        let node = self.node.as_mut().ok_or_else(|| {
            Fault::new(
                FaultKind::Internal,
                "the fake database is not initialised",
                "migrate first",
            )
        })?;
        match node.schema {
            SchemaState::Current | SchemaState::Behind => Ok(node),
            SchemaState::Newer | SchemaState::Diverged => Err(unknown_schema()),
        }
    }

    pub(super) fn newest(&self, why: Kept) -> Option<&KeptSnapshot> {
        self.snapshots.iter().find(|kept| kept.why == why)
    }

    /// `None` where the newest of its kind is of this state.
    pub(super) fn keep(
        &mut self,
        now: OffsetDateTime,
        why: Kept,
    ) -> Result<Option<Snapshot>, Fault> {
        let revision = self.revision;
        let version = self.node()?.version.clone();
        if self
            .newest(why)
            .is_some_and(|kept| kept.revision == revision)
        {
            return Ok(None);
        }
        let path = format!("fake/{why:?}-{}-{revision}", now.unix_timestamp());
        let snapshot = Snapshot { path, version };
        let kept = KeptSnapshot {
            revision,
            why,
            snapshot: snapshot.clone(),
        };
        self.snapshots.insert(0, kept);
        Ok(Some(snapshot))
    }

    pub(super) fn change<T>(&mut self, value: T) -> Result<T, Fault> {
        self.revision += 1;
        Ok(value)
    }
}

pub(super) fn unknown_schema() -> Fault {
    Fault::new(
        FaultKind::VersionDowngrade,
        "the fake database has a schema that is not known",
        "start the version that wrote it",
    )
}

impl Database for FakeDatabase {
    fn observe(&self) -> Result<DatabaseState, Fault> {
        let state = self.call(DatabaseCall::Observe)?;
        Ok(match &state.node {
            None => DatabaseState::NotInitialised,
            Some(node) => DatabaseState::Initialised(Box::new(node.clone())),
        })
    }

    fn check_writable(&self) -> Result<(), Fault> {
        self.call(DatabaseCall::CheckWritable).map(drop)
    }

    fn check_snapshot(&self) -> Result<(), Fault> {
        self.call(DatabaseCall::CheckSnapshot).map(drop)
    }

    fn check_integrity(&self) -> Result<(), Fault> {
        self.call(DatabaseCall::CheckIntegrity).map(drop)
    }

    fn migrate(&self) -> Result<Migrated, Fault> {
        let mut state = self.call(DatabaseCall::Migrate)?;
        let Some(node) = state.node.as_mut() else {
            state.node = Some(NodeRecord {
                schema: SchemaState::Current,
                version: None,
                container_id: None,
                installation: Some(InstallationId::from_random([0xFA; 16])),
                setup_completed_at: None,
                storage: None,
                token: None,
            });
            return state.change(Migrated::Applied(vec!["V1__fake".to_owned()]));
        };
        match node.schema {
            SchemaState::Current => Ok(Migrated::Unchanged),
            SchemaState::Behind => {
                node.schema = SchemaState::Current;
                state.change(Migrated::Applied(vec!["V2__fake".to_owned()]))
            }
            SchemaState::Newer | SchemaState::Diverged => Err(unknown_schema()),
        }
    }

    fn snapshot(&self, now: OffsetDateTime) -> Result<Option<MadeSnapshot>, Fault> {
        let mut state = self.call(DatabaseCall::Snapshot)?;
        let Some(snapshot) = state.keep(now, Kept::Upgrade)? else {
            return Ok(None);
        };
        let mut upgrades = 0;
        let mut removed = Vec::new();
        state.snapshots.retain(|kept| {
            upgrades += usize::from(kept.why == Kept::Upgrade);
            let stays = kept.why == Kept::Replaced || upgrades <= KEPT_SNAPSHOTS;
            if !stays {
                removed.push(kept.snapshot.path.clone());
            }
            stays
        });
        Ok(Some(MadeSnapshot { snapshot, removed }))
    }

    fn snapshots(&self) -> Result<Vec<Snapshot>, Fault> {
        let state = self.call(DatabaseCall::Snapshots)?;
        Ok(state
            .snapshots
            .iter()
            .map(|kept| kept.snapshot.clone())
            .collect())
    }

    fn configure_storage(&self, storage: StorageType) -> Result<bool, Fault> {
        let mut state = self.call(DatabaseCall::ConfigureStorage)?;
        let node = state.node()?;
        if node.storage.is_some() {
            return Ok(false);
        }
        node.storage = Some(storage);
        state.change(true)
    }

    fn change_storage(&self, storage: StorageType) -> Result<(), Fault> {
        let mut state = self.call(DatabaseCall::ChangeStorage)?;
        state.node()?.storage = Some(storage);
        state.change(())
    }

    fn save_token(&self, token: &TokenRecord) -> Result<(), Fault> {
        let mut state = self.call(DatabaseCall::SaveToken)?;
        state.node()?.token = Some(token.clone());
        state.change(())
    }

    fn active_credential(&self, dek: Option<&Dek>) -> Result<Option<ActiveCredential>, Fault> {
        let state = self.call(DatabaseCall::ActiveCredential)?;
        let Some(fingerprint) = state.active.as_ref() else {
            return Ok(None);
        };
        let stored = state
            .credentials
            .iter()
            .find(|stored| stored.facts.sha256_fingerprint == *fingerprint)
            .ok_or_else(|| corrupt("the active credential is missing"))?;
        State::read(stored, dek).map(Some)
    }

    fn save_active_credential(
        &self,
        credential: &TlsCredential,
        facts: &CertificateFacts,
        dek: Option<&Dek>,
        now: OffsetDateTime,
    ) -> Result<(), Fault> {
        let mut state = self.call(DatabaseCall::SaveActiveCredential)?;
        state.save(credential, facts, CredentialOrigin::Generated, dek, now)
    }

    fn seal_credentials(&self, dek: &Dek) -> Result<usize, Fault> {
        let mut state = self.call(DatabaseCall::SealCredentials)?;
        state.node()?;
        let mut sealed = 0;
        for stored in &mut state.credentials {
            if stored.sealed_under.is_none() {
                stored.sealed_under = Some(dek.clone());
                sealed += 1;
            }
        }
        state.change(sealed)
    }

    fn mark_setup_completed(&self, now: OffsetDateTime) -> Result<bool, Fault> {
        let mut state = self.call(DatabaseCall::MarkSetupCompleted)?;
        let node = state.node()?;
        if node.setup_completed_at.is_some() {
            return Ok(false);
        }
        node.setup_completed_at = Some(now);
        state.change(true)
    }

    fn clear_setup_mark(&self) -> Result<bool, Fault> {
        let mut state = self.call(DatabaseCall::ClearSetupMark)?;
        if state.node()?.setup_completed_at.take().is_none() {
            return Ok(false);
        }
        state.change(true)
    }

    fn record_start(&self, start: &StartRecord) -> Result<(), Fault> {
        let mut state = self.call(DatabaseCall::RecordStart)?;
        let node = state.node()?;
        node.version = Some(start.version.clone());
        node.container_id = Some(start.container_id.clone());
        match state.history.last_mut() {
            Some(row) if is_equal(row, start) => {
                row.starts += 1;
                row.last_at = start.at;
            }
            _ => state.history.push(HistoryRow {
                first_at: start.at,
                last_at: start.at,
                starts: 1,
                version: start.version.clone(),
                container_id: start.container_id.clone(),
                startup_scenario: start.startup_scenario.clone(),
                restore_scenario: start.restore_scenario.clone(),
                outcome: start.outcome.clone(),
                changes: start.changes.clone(),
            }),
        }
        let beyond = state.history.len().saturating_sub(KEPT_ROWS);
        state.history.drain(..beyond);
        state.change(())
    }

    fn history(&self, limit: usize) -> Result<Vec<HistoryRow>, Fault> {
        let state = self.call(DatabaseCall::History)?;
        Ok(state.history.iter().rev().take(limit).cloned().collect())
    }
}

fn is_equal(row: &HistoryRow, start: &StartRecord) -> bool {
    row.version == start.version
        && row.container_id == start.container_id
        && row.startup_scenario == start.startup_scenario
        && row.restore_scenario == start.restore_scenario
        && row.outcome == start.outcome
        && row.changes == start.changes
}

pub(super) fn corrupt(what: &str) -> Fault {
    Fault::new(FaultKind::DataCorrupt, what, "the test wants it so")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Credentials;
    use crate::contract::credentials::{self, CredentialsRig};
    use crate::contract::database::{DatabaseRig, suite};

    impl DatabaseRig for FakeDatabase {
        fn database(&self) -> Box<dyn Database> {
            Box::new(self.clone())
        }
    }

    impl CredentialsRig for FakeDatabase {
        fn database(&self) -> Box<dyn Database> {
            Box::new(self.clone())
        }

        fn credentials(&self) -> Box<dyn Credentials> {
            Box::new(self.clone())
        }
    }

    #[test]
    fn the_fake_keeps_the_contract() {
        suite(&mut || Box::new(FakeDatabase::default()));
        credentials::suite(&mut || Box::new(FakeDatabase::default()));
    }

    #[test]
    fn an_injected_failure_changes_nothing_and_heals() {
        let fake = FakeDatabase::default();
        fake.fail(DatabaseCall::Migrate, FaultKind::Io);
        assert_eq!(fake.migrate().unwrap_err().kind(), FaultKind::Io);
        assert_eq!(fake.revision(), 0);
        fake.heal(DatabaseCall::Migrate);
        fake.migrate().unwrap();
        assert_eq!(fake.calls(), [DatabaseCall::Migrate; 2]);
    }
}
