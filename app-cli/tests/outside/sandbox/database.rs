//! The database of a sandbox: a file, or a schema on the tests' own server.

use std::fs;
use std::path::PathBuf;
use std::sync::Once;

use super::{Sandbox, put, run_tool, tool};
use crate::server::{Server, new_name};

/// Functions that SQLite has, too.
const AS_SQLITE: &str = "
    CREATE FUNCTION hex(bytea) RETURNS text LANGUAGE sql
        AS 'SELECT upper(encode($1, ''hex''))';
    CREATE FUNCTION hex(text) RETURNS text LANGUAGE sql
        AS 'SELECT upper(encode(convert_to($1, ''UTF8''), ''hex''))';
    CREATE FUNCTION zeroblob(integer) RETURNS bytea LANGUAGE sql
        AS 'SELECT decode(repeat(''00'', $1), ''hex'')';";

/// The tests' server.
fn server() -> &'static Server {
    static PREPARED: Once = Once::new();
    let server = Server::shared();
    PREPARED.call_once(|| {
        server.sql("postgres", AS_SQLITE);
    });
    server
}

/// Whether the databases of this run stand on a server (`cargo xtask test --database postgres`).
pub fn is_on_server() -> bool {
    std::env::var("TRUSTPOINT_TEST_DATABASE").is_ok_and(|database| database == "postgres")
}

/// A database as it was at one moment; `None` where there was none.
pub struct Kept(Option<Vec<u8>>);

impl Sandbox {
    /// One whose database will stand in an empty schema of the tests' server.
    pub fn on_server() -> Self {
        let mut sandbox = Self::new();
        sandbox.move_to_server();
        sandbox
    }

    /// One whose database is a file, whatever this run is on.
    pub fn in_file() -> Self {
        let mut sandbox = Self::new();
        sandbox.unset("TRUSTPOINT_DATABASE_URL");
        sandbox.unset("TRUSTPOINT_DATABASE_SCHEMA");
        sandbox.schema = None;
        sandbox
    }

    /// Another node on the same database.
    pub fn beside(&self, name: &str) -> Self {
        let mut sandbox = Self::new();
        let schema = self.schema.clone().expect("its database is a file");
        sandbox.use_schema(schema);
        sandbox.set("TRUSTPOINT_NODE_ID", name);
        sandbox
    }

    pub(super) fn move_to_server(&mut self) {
        self.use_schema(new_name("sandbox"));
    }

    fn use_schema(&mut self, schema: String) {
        let url = server().url("tests", "postgres");
        self.set("TRUSTPOINT_DATABASE_URL", &url);
        self.set("TRUSTPOINT_DATABASE_SCHEMA", &schema);
        self.schema = Some(schema);
    }

    /// The URL of its server and the name of its schema, where it has them.
    pub fn place_on_server(&self) -> Option<(String, String)> {
        let schema = self.schema.clone()?;
        Some((server().url("tests", "postgres"), schema))
    }

    /// Where the database is, where it is a file.
    pub fn database(&self) -> PathBuf {
        self.root("var/lib/trustpoint/trustpoint.db")
    }

    /// The database cannot be reached in any later run.
    pub fn make_database_unavailable(&mut self) {
        if self.schema.is_some() {
            self.set(
                "TRUSTPOINT_DATABASE_URL",
                "postgresql://tests@127.0.0.1:1/tests",
            );
            self.set("TRUSTPOINT_DATABASE_WAIT", "100ms");
        } else {
            self.set("TRUSTPOINT_DATABASE", "/nonexistent/trustpoint.db");
        }
    }

    /// What stands in the place of the database can be read by nobody.
    pub fn damage_database(&self) {
        if self.schema.is_some() {
            self.sql("ALTER TABLE app_version DROP COLUMN version");
        } else {
            put(&self.database(), "noise");
        }
    }

    /// The database is gone, and what was in it.
    pub fn lose_database(&self) {
        match &self.schema {
            Some(schema) => {
                let drop = format!(
                    "SET client_min_messages = error; DROP SCHEMA IF EXISTS {schema} CASCADE"
                );
                server().sql("postgres", &drop);
            }
            None => {
                let _ = fs::remove_file(self.database());
            }
        }
    }

    /// On a server nothing is put in the place of an installation but a backup of its own: its
    /// operator has moved the schema away.
    pub fn make_way_for_another_installation(&self) {
        if self.schema.is_some() {
            self.lose_database();
        }
    }

    /// The database as it is now.
    pub fn keep_database(&self) -> Kept {
        Kept(match &self.schema {
            Some(_) if self.tables().trim().is_empty() => None,
            Some(schema) => {
                let mut pg_dump = server().program("pg_dump", "postgres");
                Some(run_tool(pg_dump.args(["-n", schema])).into_bytes())
            }
            None => fs::read(self.database()).ok(),
        })
    }

    /// The database is again what it was.
    pub fn put_database_back(&self, kept: &Kept) {
        self.lose_database();
        match (&kept.0, &self.schema) {
            (Some(script), Some(_)) => {
                let file = self.path("kept.sql");
                put(&file, script);
                let mut psql = server().program("psql", "postgres");
                run_tool(
                    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"])
                        .arg(file),
                );
            }
            (Some(bytes), None) => put(&self.database(), bytes),
            (None, _) => {}
        }
    }

    /// Whether these bytes stand anywhere in the file, or in a row of the server.
    pub fn holds(&self, bytes: &[u8]) -> bool {
        let all = self.keep_database().0.unwrap();
        let is_in = |part: &[u8]| all.windows(part.len()).any(|window| window == part);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        is_in(bytes) || (self.schema.is_some() && is_in(hex.as_bytes()))
    }

    /// Runs SQL with the sqlite3 program, or with psql, and gives back what it printed.
    #[track_caller]
    pub fn sql(&self, statement: &str) -> String {
        if let Some(schema) = &self.schema {
            // The few words that are not the same.
            let statement = ["x'", "X'"]
                .iter()
                .fold(statement.to_owned(), |sql, word| sql.replace(word, "'\\x"))
                .replace("AS BLOB", "AS BYTEA");
            let statement = format!("SET search_path = {schema}, public; {statement}");
            return server().sql("postgres", &statement) + "\n";
        }
        tool("sqlite3", [self.database().as_os_str(), statement.as_ref()])
    }

    /// The names of its tables, one a line.
    pub fn tables(&self) -> String {
        match &self.schema {
            // Asked, the sqlite3 program would make it.
            None if !self.database().exists() => "\n".to_owned(),
            None => self.sql(super::TABLES_OF_A_FILE),
            Some(schema) => self.sql(&format!(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}' \
                 ORDER BY table_name COLLATE \"C\""
            )),
        }
    }

    /// SQLite finds no damage; a server looks after that itself.
    #[track_caller]
    pub fn assert_whole(&self) {
        if self.schema.is_none() {
            assert_eq!(self.sql("PRAGMA integrity_check"), "ok\n");
        }
    }

    /// All that the database holds, as text.
    pub fn dump(&self) -> String {
        match &self.schema {
            None => self.sql(".dump"),
            Some(schema) => self.sql(&format!(
                "SELECT 'INSERT INTO ' || table_name || ' ' || replace(query_to_xml('SELECT * FROM ' \
                 || table_name || ' ORDER BY 1', true, true, '')::text, E'\\n', '') \
                 FROM information_schema.tables WHERE table_schema = '{schema}' ORDER BY 1"
            )),
        }
    }
}
