//! The embedded migrations, and how the applied ones stand to them (C6).

use std::cmp::Ordering;

use domain::SchemaState;
use ports::StoreError;
use refinery::{Migration, Runner};
use rusqlite::types::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::defect::defect;
use crate::sql::Row;

/// "TPCT", in the header of every database of this project.
pub(crate) const APPLICATION_ID: i64 = 0x5450_4354;
/// Where refinery keeps what was applied.
pub(crate) const HISTORY_TABLE: &str = "refinery_schema_history";

/// The migrations of a database, by the name of their folder: the same numbers in each.
macro_rules! embedded {
    ($folder:literal) => {
        &[
            embedded!($folder, "V1__node"),
            embedded!($folder, "V2__token"),
            embedded!($folder, "V3__credential"),
            embedded!($folder, "V4__history"),
            embedded!($folder, "V5__rotation"),
            embedded!($folder, "V6__event"),
            embedded!($folder, "V7__copies"),
            embedded!($folder, "V8__nodes"),
            #[cfg(feature = "next-migration")]
            (
                "V9__note",
                include_str!(concat!("../migrations-next/", $folder, "/V9__note.sql")),
            ),
        ]
    };
    ($folder:literal, $name:literal) => {
        (
            $name,
            include_str!(concat!("../migrations/", $folder, "/", $name, ".sql")),
        )
    };
}

type Embedded = [(&'static str, &'static str)];

const OF_SQLITE: &Embedded = embedded!("sqlite");
const OF_POSTGRES: &Embedded = embedded!("postgres");

/// The runner of the embedded migrations: all that is pending in one transaction.
pub(crate) fn runner() -> Result<Runner, StoreError> {
    runner_of(OF_SQLITE)
}

/// The same migrations for PostgreSQL.
pub(crate) fn runner_of_postgres() -> Result<Runner, StoreError> {
    runner_of(OF_POSTGRES)
}

fn runner_of(embedded: &Embedded) -> Result<Runner, StoreError> {
    embedded
        .iter()
        .map(|(name, sql)| Migration::unapplied(name, sql))
        .collect::<Result<Vec<_>, _>>()
        .map(|migrations| Runner::new(&migrations).set_grouped(true))
        .map_err(|error| defect("an embedded migration has a wrong name", Some(error.into())))
}

/// A row of the migration history. `None` for what refinery can not have written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Applied {
    version: Option<i64>,
    name: Option<String>,
    checksum: Option<u64>,
    dated: bool,
}

impl Applied {
    fn of(row: &Row) -> Self {
        let text = |column| row.text(column).ok().flatten();
        let parsed = |text: String| OffsetDateTime::parse(&text, &Rfc3339).is_ok();
        Self {
            version: row.number(0).ok().flatten(),
            name: text(1),
            checksum: text(2).and_then(|text| text.parse().ok()),
            dated: text(3).is_some_and(parsed),
        }
    }

    /// Whether it is this migration, as it is embedded.
    fn is(&self, migration: &Migration) -> bool {
        self.version == Some(i64::from(migration.version()))
            && self.name.as_deref() == Some(migration.name())
            && self.checksum == Some(migration.checksum())
            && self.dated
    }
}

/// Asks for the applied migrations, oldest first: here and not by refinery, which makes its table
/// where it is missing and panics at a row it did not write.
pub(crate) const APPLIED: &str = "SELECT CAST(version AS INTEGER), name, checksum, applied_on \
     FROM refinery_schema_history ORDER BY version";

/// The applied migrations, of the rows of [`APPLIED`].
pub(crate) fn applied(rows: Vec<Vec<Value>>) -> Vec<Applied> {
    rows.into_iter()
        .map(|row| Applied::of(&Row::new(row)))
        .collect()
}

/// Compares. What differs weighs more than what is newer: neither may be touched, and the first
/// cannot be put right by a newer program.
pub(crate) fn compare(applied: &[Applied], runner: &Runner) -> SchemaState {
    let mut embedded: Vec<&Migration> = runner.get_migrations().iter().collect();
    embedded.sort();
    let newest = embedded
        .last()
        .map(|migration| i64::from(migration.version()));
    let (known, beyond): (Vec<_>, Vec<_>) = applied
        .iter()
        .partition(|row| row.version.is_none() || row.version <= newest);
    let same = known
        .iter()
        .zip(&embedded)
        .all(|(row, migration)| row.is(migration));
    match known.len().cmp(&embedded.len()) {
        Ordering::Equal if same && beyond.is_empty() => SchemaState::Current,
        Ordering::Equal if same => SchemaState::Newer,
        Ordering::Less if same && beyond.is_empty() => SchemaState::Behind,
        _ => SchemaState::Diverged,
    }
}

/// Whether the first applied migration is ours: what `.dump` and `.read` leave of a database that
/// is ours, without its application id.
pub(crate) fn begins_as_ours(applied: &[Applied], runner: &Runner) -> bool {
    let first = runner.get_migrations().iter().min();
    matches!((applied.first(), first), (Some(row), Some(migration)) if row.is(migration))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied_of(runner: &Runner) -> Vec<Applied> {
        runner
            .get_migrations()
            .iter()
            .map(|migration| Applied {
                version: Some(i64::from(migration.version())),
                name: Some(migration.name().to_owned()),
                checksum: Some(migration.checksum()),
                dated: true,
            })
            .collect()
    }

    #[test]
    fn every_migration_file_is_embedded() {
        for (folder, embedded) in [("sqlite", OF_SQLITE), ("postgres", OF_POSTGRES)] {
            let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
            let mut files: Vec<String> = std::fs::read_dir(format!("{directory}/{folder}"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            files.sort();
            let names: Vec<String> = embedded
                .iter()
                .filter(|(name, _)| !name.starts_with("V9"))
                .map(|(name, _)| format!("{name}.sql"))
                .collect();
            assert_eq!(files, names, "{folder}");
        }
    }

    #[test]
    fn c06_every_way_in_which_the_schema_can_stand() {
        let runner = runner().unwrap();
        let all = applied_of(&runner);
        assert_eq!(compare(&all, &runner), SchemaState::Current);
        assert_eq!(compare(&all[..2], &runner), SchemaState::Behind);

        let mut newer = all.clone();
        newer.push(Applied {
            version: Some(99),
            name: Some("later".to_owned()),
            checksum: Some(1),
            dated: true,
        });
        assert_eq!(compare(&newer, &runner), SchemaState::Newer);

        let mut gap = newer.clone();
        gap.remove(3);
        assert_eq!(compare(&gap, &runner), SchemaState::Diverged);

        for change in [
            |row: &mut Applied| row.name = Some("other".to_owned()),
            |row: &mut Applied| row.checksum = None,
            |row: &mut Applied| row.version = None,
            |row: &mut Applied| row.dated = false,
        ] {
            let mut changed = all.clone();
            change(&mut changed[1]);
            assert_eq!(compare(&changed, &runner), SchemaState::Diverged);
        }
    }
}
