//! The adapter on a real server.

use std::process::Stdio;
use std::time::Duration;

use camino::Utf8PathBuf;
use ports::contract::backups::{BackupsRig, suite as backups_suite};
use ports::contract::store::{Store, StoreRig, moment, node, start, suite};
use ports::{Backups, Secret};
use tempfile::TempDir;

use super::every_port::*;
use super::flip_a_bit;
use super::server::{self, Server, new_name};
use crate::postgres::{PostgresDatabase, Target, round_trips};

/// How long these tests wait for the server.
pub(super) const WAIT: Duration = Duration::from_secs(5);

/// A schema for one database, and a directory for its node.
pub(super) struct ServerRig {
    _keep: TempDir,
    root: Utf8PathBuf,
    pub(super) schema: String,
}

impl ServerRig {
    pub(super) fn new() -> Self {
        let keep = TempDir::new().unwrap();
        Self {
            root: Utf8PathBuf::from_path_buf(keep.path().to_owned()).unwrap(),
            _keep: keep,
            schema: new_name("rig"),
        }
    }

    pub(super) fn open(&self) -> PostgresDatabase {
        self.open_at(&Server::shared().url("tests", "postgres"))
    }

    pub(super) fn open_at(&self, url: &str) -> PostgresDatabase {
        self.open_with(url, None)
    }

    pub(super) fn open_with(&self, url: &str, password: Option<&'static str>) -> PostgresDatabase {
        self.open_for(url, password, WAIT)
    }

    pub(super) fn open_for(
        &self,
        url: &str,
        password: Option<&'static str>,
        wait: Duration,
    ) -> PostgresDatabase {
        let target = Target {
            address: url.parse().unwrap(),
            schema: self.schema.parse().unwrap(),
            node: "contract".to_owned(),
            wait,
            password: Box::new(move || Ok(password.map(|text| Secret::from(text.to_owned())))),
            ask: Box::new(|| Ok(None)),
            waiting: Box::new(|_| ()),
        };
        let beside = self.root.join("trustpoint.db");
        PostgresDatabase::new(target, beside, self.root.join("snapshots"))
    }

    /// What an administrator types.
    pub(super) fn sql(&self, sql: &str) -> String {
        let sql = format!("SET search_path = {}; {sql}", self.schema);
        Server::shared().sql("postgres", &sql)
    }
}

impl StoreRig for ServerRig {
    fn store(&self) -> Box<dyn Store> {
        Box::new(self.open())
    }
}

impl BackupsRig for ServerRig {
    fn backups(&self) -> Box<dyn Backups> {
        Box::new(self.open())
    }

    fn file(&self, name: &str) -> String {
        self.root.join(name).into_string()
    }

    fn damage(&self, file: &str) {
        flip_a_bit(file);
    }
}

#[test]
fn the_postgres_adapter_keeps_the_contract() {
    suite(&mut || Box::new(ServerRig::new()));
    backups_suite(&mut || Box::new(ServerRig::new()));
}

#[test]
fn a_ready_start_asks_six_times() {
    let rig = ServerRig::new();
    rig.open().migrate().unwrap();
    rig.open().record_start(&start("1.0.0", moment(0))).unwrap();
    let database = rig.open();
    round_trips::take();
    node(&database);
    database.check_writable().unwrap();
    database.migrate().unwrap();
    database.record_start(&start("1.0.0", moment(1))).unwrap();
    assert_eq!(round_trips::take(), 6);
}

#[test]
fn a_server_whose_tests_are_killed_at_once_ends_too() {
    let directory = server::new_directory();
    let programs = server::newest_programs();
    let mut script = server::script(&programs, &directory, server::free_port(), "", "");
    assert!(script.stdin(Stdio::null()).status().unwrap().success());
    assert!(!directory.exists());
}
