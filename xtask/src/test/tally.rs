//! What test binaries close with, summed up.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::run::{self, Result};

/// How many tests run at once; what the harness asks for.
const THREADS: &str = "RUST_TEST_THREADS";

/// The sum over all test binaries.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Tally {
    /// Runs `cargo test`, shows what it says, and adds what it closes with.
    pub fn run(&mut self, tests: &mut Command) -> Result<()> {
        let before = self.passed;
        // A test from outside waits half of its time: for a process, a token, a second.
        if std::env::var_os(THREADS).is_none() {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            tests.env(THREADS, (2 * cores).to_string());
        }
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
