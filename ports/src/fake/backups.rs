//! Backups of the fake database, as files in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use domain::SchemaState;
use time::OffsetDateTime;

use super::database::{FakeDatabase, Kept, State, Stored, corrupt, unknown_schema};
use crate::{
    Backup, BackupManifest, BackupOrigin, BackupSource, BackupTarget, Backups, Fault, FaultKind,
    NodeRecord, ResultExt as _, StagedBackup,
};

/// Backups of a [`FakeDatabase`]; clones share their files.
#[derive(Clone, Debug, Default)]
pub struct FakeBackups {
    database: FakeDatabase,
    files: Rc<RefCell<BTreeMap<String, File>>>,
}

#[derive(Clone, Debug)]
enum File {
    Backup(Box<Content>),
    Damaged,
}

#[derive(Clone, Debug)]
struct Content {
    manifest: BackupManifest,
    node: NodeRecord,
    credentials: Vec<Stored>,
    active: Option<String>,
}

impl Content {
    fn is_of(&self, state: &State) -> bool {
        let same = |a: &NodeRecord, b: &NodeRecord| format!("{a:?}") == format!("{b:?}");
        state.active == self.active
            && state.credentials.len() == self.credentials.len()
            && state
                .node
                .as_ref()
                .is_some_and(|node| same(node, &self.node))
    }
}

impl FakeBackups {
    /// Of this database.
    #[must_use]
    pub fn of(database: &FakeDatabase) -> Self {
        Self {
            database: database.clone(),
            files: Rc::default(),
        }
    }

    /// The database that these are the backups of.
    #[must_use]
    pub fn database_value(&self) -> FakeDatabase {
        self.database.clone()
    }

    /// Alters a byte of the file.
    pub fn damage(&self, file: &str) {
        self.files
            .borrow_mut()
            .insert(file.to_owned(), File::Damaged);
    }

    /// A stream says which backup it is.
    fn content_of(&self, source: BackupSource<'_>) -> Result<Content, Fault> {
        match source {
            BackupSource::File(file) => self.content(file),
            BackupSource::Stream(stream) => {
                let mut name = String::new();
                stream
                    .read_to_string(&mut name)
                    .or_io(|| "reading a fake backup")?;
                self.content(&name)
                    .map_err(|_| corrupt("the fake stream is no backup"))
            }
        }
    }

    fn content(&self, file: &str) -> Result<Content, Fault> {
        match self.files.borrow().get(file) {
            Some(File::Backup(content)) => match content.node.schema {
                SchemaState::Current | SchemaState::Behind => Ok((**content).clone()),
                SchemaState::Newer | SchemaState::Diverged => Err(unknown_schema()),
            },
            Some(File::Damaged) => Err(corrupt("the fake backup was altered")),
            None => Err(Fault::new(
                FaultKind::Io,
                format!("there is no fake backup {file}"),
                "make one",
            )),
        }
    }
}

fn backup_of(content: Content) -> Backup {
    Backup {
        manifest: Some(content.manifest),
        record: content.node,
    }
}

impl Backups for FakeBackups {
    fn create(
        &self,
        target: BackupTarget<'_>,
        origin: &BackupOrigin,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<BackupManifest, Fault> {
        if let BackupTarget::New(file) = target
            && self.files.borrow().contains_key(file)
        {
            return Err(Fault::new(
                FaultKind::Io,
                format!("there is a fake backup {file} already"),
                "take another name",
            ));
        }
        let state = self.database.0.borrow();
        let mut node = state.node.clone().ok_or_else(|| {
            Fault::new(
                FaultKind::Config,
                "the fake database is not initialised",
                "migrate first",
            )
        })?;
        if origin.setup_completed && node.setup_completed_at.is_none() {
            node.setup_completed_at = Some(origin.at);
        }
        let token = node.token.as_ref();
        let manifest = BackupManifest {
            format: 2,
            application_version: origin.application_version.clone(),
            schema: "V1__fake".to_owned(),
            sha256: format!("{:064x}", state.revision),
            created_at: origin.at,
            installation: node.installation.clone(),
            storage: node.storage,
            kek: token.and_then(|token| token.kek.clone()),
            dek_check_value: token.and_then(|token| token.dek_check_value.clone()),
            backup_password_set: token.is_some_and(|token| token.backup_encrypted_dek.is_some()),
            setup_completed: node.setup_completed_at.is_some(),
        };
        progress(1, 1);
        let content = Content {
            manifest: manifest.clone(),
            node,
            credentials: state.credentials.clone(),
            active: state.active.clone(),
        };
        let backup = File::Backup(Box::new(content));
        let file = match target {
            BackupTarget::New(file) | BackupTarget::Replace(file) => file.to_owned(),
            BackupTarget::Stream(stream) => {
                let file = format!("fake stream {}", self.files.borrow().len());
                stream
                    .write_all(file.as_bytes())
                    .or_io(|| "writing a fake backup")?;
                file
            }
        };
        self.files.borrow_mut().insert(file, backup);
        Ok(manifest)
    }

    fn read(&self, source: BackupSource<'_>) -> Result<Backup, Fault> {
        Ok(backup_of(self.content_of(source)?))
    }

    fn stage(&self, source: BackupSource<'_>) -> Result<Box<dyn StagedBackup>, Fault> {
        let content = self.content_of(source)?;
        Ok(Box::new(FakeStaged {
            database: self.database.clone(),
            backup: backup_of(content.clone()),
            content,
        }))
    }
}

struct FakeStaged {
    database: FakeDatabase,
    content: Content,
    backup: Backup,
}

impl StagedBackup for FakeStaged {
    fn backup(&self) -> &Backup {
        &self.backup
    }

    fn is_in_place(&self) -> Result<bool, Fault> {
        Ok(self.content.is_of(&self.database.0.borrow()))
    }

    fn keep_replaced(&mut self, now: OffsetDateTime) -> Result<Option<String>, Fault> {
        let mut state = self.database.0.borrow_mut();
        if state.node.is_none() {
            return Ok(None);
        }
        if let Some(made) = state.keep(now, Kept::Replaced)? {
            return Ok(Some(made.path));
        }
        let same = state.newest(Kept::Replaced);
        Ok(same.map(|kept| kept.snapshot.path.clone()))
    }

    fn put_in_place(self: Box<Self>) -> Result<(), Fault> {
        let mut state = self.database.0.borrow_mut();
        state.node = Some(self.content.node);
        state.credentials = self.content.credentials;
        state.active = self.content.active;
        state.change(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Database;
    use crate::contract::backups::{BackupsRig, suite};

    impl BackupsRig for FakeBackups {
        fn database(&self) -> Box<dyn Database> {
            Box::new(self.database_value())
        }

        fn backups(&self) -> Box<dyn Backups> {
            Box::new(self.clone())
        }

        fn file(&self, name: &str) -> String {
            name.to_owned()
        }

        fn damage(&self, file: &str) {
            Self::damage(self, file);
        }
    }

    #[test]
    fn the_fake_keeps_the_contract() {
        suite(&mut || Box::new(FakeBackups::of(&FakeDatabase::default())));
    }
}
