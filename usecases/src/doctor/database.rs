//! The database and the wizard's state, and whether they agree.

use domain::{SchemaState, SetupWizardState, StorageType, Version};
use ports::{FaultKind, NodeRecord};

use super::Doctor;
use crate::refused::Refused;
use crate::{dek_ways, record, storage};

impl Doctor<'_> {
    /// Gives back what the database says, where it can be read.
    pub(super) fn database(&mut self) -> Option<NodeRecord> {
        const NAME: &str = "database";
        if self.is_server_away {
            self.not_asked(NAME, "its server is not reached");
            self.wizard(None, false);
            return None;
        }
        let path = self.node.settings.database_path.clone();
        let read = record::find(self.node);
        let is_missing = matches!(read, Ok(None));
        let record = match read {
            Ok(Some(record)) => {
                self.pass(NAME, format!("{path} is a database of this program"));
                Some(record)
            }
            Ok(None) => {
                self.no_database(NAME, &path);
                None
            }
            Err(fault) => {
                self.fault(NAME, fault);
                None
            }
        };
        match self.node.store.record.check_integrity() {
            Ok(()) if record.is_some() => {
                let seen = if self.node.store.is_shared() {
                    "every row is right"
                } else {
                    "every page is right"
                };
                self.pass("database_integrity", seen);
            }
            Ok(()) => {}
            Err(fault) => self.fault("database_integrity", fault),
        }
        if let Some(record) = &record {
            self.version(record);
        }
        self.wizard(record.as_ref(), is_missing);
        if let Some(record) = &record {
            self.backup_password(record);
        }
        record
    }

    /// A start would refuse to make one where the wizard says that the node was set up (C14).
    fn no_database(&mut self, name: &'static str, path: &str) {
        let directory = self.node.host.wizard.read().ok();
        let state = directory.and_then(|directory| directory.state());
        if state.is_some_and(SetupWizardState::counts_as_completed) {
            let how = if self.is_database_empty() {
                format!("the database {path} is empty")
            } else {
                format!("there is no database {path}")
            };
            let detail = format!("{how}, and this node was set up before");
            self.warn(name, detail, self.way_to_the_database());
        } else {
            let detail = format!("there is no database {path} yet");
            self.warn(
                name,
                detail,
                "run `trustpointctl startup`, or restore a backup",
            );
        }
    }

    /// Whether its file is there all the same.
    fn is_database_empty(&self) -> bool {
        // A path that cannot be looked at could not be read either, which is told already.
        record::is_empty_file(self.node).unwrap_or(false)
    }

    /// What to do where the database of a node that was set up is not there.
    fn way_to_the_database(&self) -> &'static str {
        if self.node.store.is_shared() {
            "see that the node is told the server, the database and the schema of its installation, \
             or restore a backup"
        } else if self.is_database_empty() {
            "find out what emptied its file, then bring the newest snapshot or a backup back: \
             `trustpointctl backup restore FILE`"
        } else {
            "mount the volume of the database, or restore a backup"
        }
    }

    fn version(&mut self, record: &NodeRecord) {
        const NAME: &str = "version";
        let ours = &self.node.settings.app_version;
        let recorded = record.version.as_deref().unwrap_or("none");
        let seen = format!("the database is of version {recorded}, this program of {ours}");
        let parsed = record.version.as_deref().map(str::parse::<Version>);
        let is_newer = matches!(&parsed, Some(Ok(version)) if ours.precedence(version).is_lt());
        let is_older = matches!(&parsed, Some(Ok(version)) if ours.precedence(version).is_gt());
        match record.schema {
            _ if matches!(parsed, Some(Err(_))) => self.fail(
                NAME,
                FaultKind::DataCorrupt,
                format!("the version recorded in the database cannot be read: {recorded}"),
                "restore a backup, or correct the one row of app_version",
            ),
            SchemaState::Newer | SchemaState::Diverged => self.fail(
                NAME,
                FaultKind::VersionDowngrade,
                format!("{seen}, which does not know its migrations"),
                "run the newer program again, or restore a backup of this version",
            ),
            _ if is_newer => self.fail(
                NAME,
                FaultKind::VersionDowngrade,
                seen,
                "run the newer program again, or restore a backup of this version",
            ),
            SchemaState::Behind => self.warn(
                NAME,
                format!("{seen}; migrations are pending"),
                "the next start makes a snapshot and migrates",
            ),
            SchemaState::Current if is_older => {
                self.warn(NAME, seen, "the next start makes a snapshot and upgrades");
            }
            SchemaState::Current => self.pass(NAME, seen),
        }
    }

    fn wizard(&mut self, record: Option<&NodeRecord>, is_missing: bool) {
        const NAME: &str = "wizard_state";
        let raw = match self.node.host.wizard.read() {
            Ok(directory) => directory.state(),
            Err(fault) => return self.fault(NAME, fault),
        };
        let name = raw.map_or("none", SetupWizardState::name);
        let Some(record) = record else {
            return match raw {
                Some(state) if is_missing && state.counts_as_completed() => self.fail(
                    NAME,
                    FaultKind::DataCorrupt,
                    if self.is_database_empty() {
                        format!("{name}, but the database is empty")
                    } else {
                        format!("{name}, but there is no database")
                    },
                    self.way_to_the_database(),
                ),
                _ => self.pass(NAME, name),
            };
        };
        let completed = dek_ways::is_completed(record, raw);
        match raw {
            Some(state) if state.is_auto_restore() => {
                let hint = if record.sealing.is_sealed() {
                    dek_ways::way_back_without_kek(self.node, record)
                } else {
                    "run `trustpointctl startup`".to_owned()
                };
                let waits = format!("{name}: the node waits for its backup password");
                self.warn(NAME, waits, hint);
            }
            _ if !completed => self.warn(
                NAME,
                format!("{name}: setup is not finished"),
                "run `trustpointctl setup`",
            ),
            Some(SetupWizardState::Completed) => self.pass(NAME, name),
            _ => self.warn(
                NAME,
                format!("{name}, but the database remembers that setup was completed"),
                "the next start repairs it",
            ),
        }
    }

    fn backup_password(&mut self, record: &NodeRecord) {
        const NAME: &str = "backup_password";
        match (record.storage, &record.sealing.backup) {
            (Some(StorageType::Software), _) => self.warn(
                "storage",
                "software storage: private keys stand in the database in the clear",
                "guard the database and its backups like a key",
            ),
            (storage, _) if storage::is_refused(self.node, storage) => {
                let is_set_up = record.setup_completed_at.is_some();
                self.fault("storage", Refused::PhysicalHsm { is_set_up });
            }
            (Some(hsm), Some(_)) => {
                self.pass("storage", hsm.name());
                match dek_ways::damaged_password_blob(self.node, record) {
                    None => self.pass(NAME, "one is set"),
                    Some(refused) => self.fault(NAME, refused),
                }
            }
            (Some(hsm), None) => {
                self.pass("storage", hsm.name());
                self.warn(
                    NAME,
                    "none is set: if the token is lost, so is everything that is sealed",
                    "run `trustpointctl keys set-backup-password`",
                );
            }
            (None, _) if record.setup_completed_at.is_some() => self.fail(
                "storage",
                FaultKind::Config,
                "the database names no storage",
                "restore a backup or snapshot of the database",
            ),
            (None, _) => self.pass("storage", "none is chosen yet"),
        }
    }
}
