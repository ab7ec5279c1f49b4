//! `cargo xtask test`: the programs that the tests run, then the tests.

mod databases;
mod needs;
pub mod suites;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::run::{self, Result};
use crate::token::Kind;

/// Installs what is missing and runs the tests: all of them with `arguments`, and where there are
/// none those of the token once more on the other tokens, and those of the database on PostgreSQL;
/// with `--token NAME` those of the token on this one, with `--database postgres` those of the database
/// on that.
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
    suites::build_kryoptic()?;
    let mut tally = Tally::default();
    let mut failed = Vec::new();
    let mut end = |what: String, ended: Result<()>| {
        failed.extend(ended.err().map(|error| format!("{what}: {error}")));
    };
    match token {
        Some(kind) => end(kind.name().to_owned(), suites::run(kind, &mut tally)),
        None if on_postgres => end(
            "postgres".to_owned(),
            databases::run_on_postgres(&mut tally),
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
                    databases::run_on_postgres(&mut tally),
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

/// The sum over all test binaries.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Tally {
    /// Runs `cargo test`, shows what it says, and adds what it closes with.
    fn run(&mut self, tests: &mut Command) -> Result<()> {
        let before = self.passed;
        let mut child = tests
            .current_dir(run::root()?)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cargo test: {error}"))?;
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).split(b'\n') {
                let line = line.map_err(|error| format!("output of cargo test: {error}"))?;
                let line = String::from_utf8_lossy(&line);
                println!("{line}");
                self.add(&line);
            }
        }
        let status = child
            .wait()
            .map_err(|error| format!("cargo test: {error}"))?;
        if !status.success() {
            return Err(format!("cargo test ended with {status}"));
        }
        if self.passed == before {
            return Err("not one test ran".to_owned());
        }
        Ok(())
    }

    /// Adds a closing line like `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        for part in result.split([';', '.']) {
            let mut words = part.split_whitespace();
            let Some(Ok(count)) = words.next().map(str::parse::<usize>) else {
                continue;
            };
            match words.next() {
                Some("passed") => self.passed += count,
                Some("failed") => self.failed += count,
                Some("ignored") => self.skipped += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_summed_up_and_others_are_not() {
        let mut tally = Tally::default();
        for line in [
            "running 5 tests",
            "test 7 passed; ... ok",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s",
            "test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s",
        ] {
            tally.add(line);
        }
        let expected = Tally {
            passed: 13,
            failed: 2,
            skipped: 1,
        };
        assert_eq!(tally, expected);
    }
}
