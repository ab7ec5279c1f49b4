//! `cargo xtask test`: the programs that the tests run, then the tests.

mod databases;
mod needs;
mod suites;
mod tally;

use crate::run::{self, Result};
use crate::token::Kind;
use databases::Tests;
use tally::Tally;

pub use suites::build_kryoptic;

/// Installs what is missing and runs the tests: all of them with `arguments`, and where there are
/// none those of the token once more on the other tokens, and those of the database on PostgreSQL;
/// with `--token NAME` those of the token on this one, with `--database postgres` all from outside on
/// that, but for what is about a file.
pub fn run(arguments: &[String]) -> Result<()> {
    let token = match arguments {
        [flag, name] if flag == "--token" => Some(Kind::named(name)?),
        [flag, ..] if flag == "--token" => return Err("--token takes one name".to_owned()),
        _ => None,
    };
    let on_postgres = match arguments {
        [flag, name] if flag == "--database" && name == "postgres" => true,
        [flag, ..] if flag == "--database" => return Err("--database takes postgres".to_owned()),
        _ => false,
    };
    needs::provide()?;
    build_kryoptic()?;
    let mut tally = Tally::default();
    let mut failed = Vec::new();
    let mut end = |what: String, ended: Result<()>| {
        failed.extend(ended.err().map(|error| format!("{what}: {error}")));
    };
    match token {
        Some(kind) => end(kind.name().to_owned(), suites::run(kind, &mut tally)),
        None if on_postgres => end(
            "postgres".to_owned(),
            databases::run_on_postgres(Tests::All, &mut tally),
        ),
        None => {
            let mut all = run::cargo();
            all.args(["test", "--workspace", "--no-fail-fast"]);
            end("all".to_owned(), tally.run(all.args(arguments)));
            if arguments.is_empty() {
                for kind in [Kind::Kryoptic, Kind::Softokn] {
                    end(kind.name().to_owned(), suites::run(kind, &mut tally));
                }
                end(
                    "postgres".to_owned(),
                    databases::run_on_postgres(Tests::OfDatabase, &mut tally),
                );
            }
        }
    }
    println!(
        "{} passed, {} failed, {} skipped",
        tally.passed, tally.failed, tally.skipped
    );
    if failed.is_empty() {
        Ok(())
    } else {
        Err(failed.join("; "))
    }
}
