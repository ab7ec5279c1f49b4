//! One state of a database whose pages do not stand in its file alone (write-ahead logging, or a
//! private copy in memory): copied by SQLite, compared row by row.

use std::io::ErrorKind;

use ports::{FileError, ResultExt as _, StoreError};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Error, ErrorCode};

use crate::defect::defect;
use crate::sqlite::contents::{Rows, contents};
use crate::sqlite::db::Db;
use crate::sqlite::draft::Draft;
use crate::sqlite::file_bytes::copy_as_it_is;
use crate::sqlite::file_header::without_log;

/// Pages that are copied at a time.
const PAGES: i32 = 1024;

/// Copies the state of a transaction into a draft, and makes sure that it says what the state says,
/// row by row. `progress` hears how many pages of how many are copied.
pub(crate) fn copy(
    state: &Db<'_>,
    draft: &Draft,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), StoreError> {
    // SQLite has to open it, and it is not what gets a name.
    let mut between = draft.another()?.with_private_name()?;
    back_up(state, &between, progress)?;
    let what = || draft.copying(state.path);
    without_log(between.file()).or_io(what)?;
    let copy = between.read()?;
    between.remove_name()?;
    let reading = state.failed("comparing with a copy");
    let of_state = contents(state, Rows::All).map_err(&reading)?;
    if of_state != contents(&copy, Rows::All).map_err(reading)? {
        return Err(StoreError::CopyDiffers {
            path: state.path.to_string(),
        });
    }
    Ok(copy_as_it_is(between.file(), draft.file(), &mut |_, _| ()).or_io(what)?)
}

fn back_up(
    state: &Db<'_>,
    draft: &Draft,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), StoreError> {
    let failed = |error: Error| match error.sqlite_error_code() {
        // It is the draft's: the state is only read.
        Some(ErrorCode::DiskFull) => {
            FileError::new(draft.copying(state.path), ErrorKind::StorageFull.into()).into()
        }
        _ => state.failed("copying the database")(error),
    };
    let mut to = draft.edit()?;
    let backup = Backup::new(state, &mut to).map_err(&failed)?;
    loop {
        let step = backup.step(PAGES).map_err(&failed)?;
        let pages = backup.progress();
        let count = |pages: i32| u64::try_from(pages).unwrap_or_default();
        progress(
            count(pages.pagecount.saturating_sub(pages.remaining)),
            count(pages.pagecount),
        );
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            // The state is held and the draft is ours alone.
            other => {
                let what = format!("copying the database {} stopped: {other:?}", state.path);
                return Err(defect(what, None));
            }
        }
    }
}
