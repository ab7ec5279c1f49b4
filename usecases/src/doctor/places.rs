//! Rights and modes, the runtime directory, free space.

use ports::{FaultKind, NodeRecord, PathFacts, StoreError};

use super::{Advice, Doctor, Place, Verdict};
use crate::error::Error;

/// A start cannot record itself below this.
const LITTLE: u64 = 256 << 10;
/// Below this, a snapshot before the next upgrade may not fit.
const ENOUGH: u64 = 16 << 20;

impl Doctor<'_> {
    /// Each place: what stands there, whose it is, who else may read it.
    pub(super) fn rights(&mut self, watched: &[Place]) {
        for place in watched {
            match self.node.host.file_system.look(&place.path) {
                Ok(None) => self.pass(place.check, format!("{} is not there yet", place.path)),
                Ok(Some(facts)) => self.rights_of(place, facts),
                Err(fault) => self.fault(place.check, fault),
            }
        }
        let database = self.node.store.record.check_writable();
        self.is_server_away = matches!(database, Err(StoreError::NotConnected { .. }));
        let writable = [
            ("database_writable", database.map_err(Error::from)),
            (
                "wizard_writable",
                self.node.host.wizard.check_writable().map_err(Error::from),
            ),
            (
                "tls_writable",
                self.node.web.tls.check_writable().map_err(Error::from),
            ),
        ];
        for (name, result) in writable {
            match result {
                Ok(()) => self.pass(name, "a start could write there"),
                Err(fault) => self.fault(name, fault),
            }
        }
    }

    fn rights_of(&mut self, place: &Place, facts: PathFacts) {
        const ROOT: u32 = 0;
        let seen = format!("{} has mode {:04o}", place.path, facts.mode);
        if facts.is_open_to_all() {
            let detail =
                format!("{seen}: every user may replace files in it, and starts refuse it");
            let hint = format!("`chmod o-w {}`", place.path);
            return self.fail(place.check, FaultKind::Config, detail, hint);
        }
        let wide = facts.mode & place.forbidden;
        if wide != 0 {
            let right = facts.mode & !place.forbidden;
            let hint = format!("chmod {right:04o} {}", place.path);
            if place.secret {
                let detail = format!("{seen}: others can read the secrets in it");
                self.fail(place.check, FaultKind::Config, detail, hint);
            } else {
                self.warn(
                    place.check,
                    format!("{seen}, which is wider than needed"),
                    hint,
                );
            }
        } else if facts.is_own || (place.only_read && facts.owner == ROOT) {
            self.pass(place.check, seen);
        } else {
            self.warn(
                place.check,
                format!("{seen} and belongs to user {}", facts.owner),
                "give it to the user that runs this program, or see that it can use it",
            );
        }
    }

    /// The plain DEK may stand on a tmpfs alone (C22).
    pub(super) fn runtime(&mut self, record: Option<&NodeRecord>, directory: &str) {
        const NAME: &str = "runtime_tmpfs";
        match self.node.secrets.cache.check().map_err(Error::from) {
            Ok(None) => self.pass(NAME, format!("{directory} is, or would be, on a tmpfs")),
            Ok(Some(warning)) => self.warn(NAME, warning, format!("mount a tmpfs at {directory}")),
            Err(fault) if self.has_token(record) => self.fault(NAME, fault),
            // No DEK, no harm yet.
            Err(fault) => self.add(
                NAME,
                Verdict::Warn,
                fault.to_string(),
                Advice::For(fault.into()),
            ),
        }
    }

    /// Free space for what a start writes.
    pub(super) fn free_space(&mut self, runtime_dir: &str) {
        // A database on a server has its own room; snapshots of it stand here.
        let settings = &self.node.settings;
        let (name, data) = if self.node.store.is_shared() {
            ("room_data_directory", &settings.lock_directory)
        } else {
            ("room_database", &settings.database_path)
        };
        let tls = self.node.web.tls.directory();
        let wizard = self.node.host.wizard.directory();
        for (name, path, enough) in [
            (name, data.as_str(), ENOUGH),
            ("room_tls", tls.as_str(), LITTLE),
            ("room_wizard", wizard.as_str(), LITTLE),
            ("room_runtime", runtime_dir, LITTLE),
        ] {
            match self.node.host.file_system.free_space(path) {
                Err(fault) => self.fault(name, fault),
                Ok(space) => {
                    let seen = format!("{} are free for {path}", size(space.free));
                    let hint = "free space on that file system";
                    if space.has(enough) {
                        self.pass(name, seen);
                    } else if space.has(LITTLE) {
                        self.warn(name, seen, hint);
                    } else {
                        self.fail(name, FaultKind::Io, seen, hint);
                    }
                }
            }
        }
    }
}

fn size(bytes: u64) -> String {
    if bytes >= 1 << 30 {
        format!("{} GiB", bytes >> 30)
    } else if bytes >= 1 << 20 {
        format!("{} MiB", bytes >> 20)
    } else {
        format!("{} KiB", bytes >> 10)
    }
}
