//! The tests that run on every token, and what stays out on which.

use std::process::Command;

use super::Tally;
use crate::run::{self, Result};
use crate::token::{self, Kind};

/// A test binary whose tests run on every token.
struct Suite {
    package: &'static str,
    test: &'static str,
    /// What the names of its tests begin with; empty where all are meant.
    modules: &'static [&'static str],
}

const SUITES: [Suite; 4] = [
    Suite {
        package: "adapters-hsm",
        test: "contract",
        modules: &[],
    },
    Suite {
        package: "adapters-hsm",
        test: "wrapping",
        modules: &[],
    },
    Suite {
        package: "adapters-hsm",
        test: "pin_budget",
        modules: &[],
    },
    Suite {
        package: "app-cli",
        test: "outside",
        modules: &[
            "contradictions::",
            "corrections::recovery::",
            "corrections::traces::",
            "corrections::unreachable::",
            "corrections::wrapping::",
            "doctor::",
            "keys::",
            "last_copy::",
            "pin_budget::",
            "recovery::",
            "scenarios::softhsm::",
            "setup::",
        ],
    },
];

/// A test that cannot be true of a token.
struct LeftOut {
    test: &'static str,
    on: &'static [Kind],
    why: &'static str,
}

const NO_GCM: &str = "asked how much room AES_GCM needs, it says less than it does";

const LEFT_OUT: [LeftOut; 5] = [
    LeftOut {
        test: "c16_without_the_key_wrap_gcm_keeps_the_contract",
        on: &[Kind::Softokn],
        why: NO_GCM,
    },
    LeftOut {
        test: "c16_a_blob_is_unwrapped_in_its_own_format",
        on: &[Kind::Softokn],
        why: NO_GCM,
    },
    LeftOut {
        test: "doctor::c18_a_count_of_wrong_pins_that_is_low_is_warned_about",
        on: &[Kind::Kryoptic, Kind::Softokn],
        why: "Kryoptic's count is low after the seventh wrong PIN, and softokn has none",
    },
    LeftOut {
        test: "keys::the_check_value_of_the_kek_is_what_it_makes_of_zeros",
        on: &[Kind::Kryoptic, Kind::Softokn],
        why: "it gives keys no check value",
    },
    LeftOut {
        test: "recovery::without_a_free_slot_the_tokens_there_are_named_and_left_alone",
        on: &[Kind::Kryoptic, Kind::Softokn],
        why: "the p11-kit server of the test serves SoftHSM",
    },
];

/// Builds Kryoptic as a module, where that is not done yet. `cargo install` takes no library.
pub fn build_kryoptic() -> Result<()> {
    let root = run::root()?;
    let manifest = root.join("xtask/tokens/kryoptic/Cargo.toml");
    let mut build = run::cargo();
    build
        .args(["build", "--quiet", "--locked", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(root.join("target/tokens"));
    run::run(&mut build)
}

/// Runs every suite on the token.
pub fn run(kind: Kind, tally: &mut Tally) -> Result<()> {
    let mut failed = Vec::new();
    let mut seen = Vec::new();
    for suite in &SUITES {
        println!("{} on {}", suite.test, kind.name());
        let tests = suite.tests(kind)?;
        for left_out in LEFT_OUT.iter().filter(|test| test.on.contains(&kind)) {
            if tests.iter().any(|test| test == left_out.test) {
                println!("left out: {}: {}", left_out.test, left_out.why);
                seen.push(left_out.test);
            }
        }
        let kept = tests.iter().filter(|test| !seen.contains(&test.as_str()));
        let mut command = suite.command(kind);
        command.arg("--exact").args(kept);
        if let Err(error) = tally.run(&mut command) {
            failed.push(format!("{}: {error}", suite.test));
        }
    }
    let missing = LEFT_OUT
        .iter()
        .find(|test| test.on.contains(&kind) && !seen.contains(&test.test));
    if let Some(missing) = missing {
        failed.push(format!("there is no test {} to leave out", missing.test));
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(failed.join(", "))
    }
}

impl Suite {
    /// `cargo test` on the token; arguments of the test binary follow.
    fn command(&self, kind: Kind) -> Command {
        let mut command = run::cargo();
        command
            .args(["test", "--package", self.package, "--test", self.test, "--"])
            .env(token::CHOICE, kind.name());
        command
    }

    /// The names of its tests.
    fn tests(&self, kind: Kind) -> Result<Vec<String>> {
        let mut command = self.command(kind);
        command.arg("--list").current_dir(run::root()?);
        let listed = run::text_of(&mut command)?;
        let names = listed
            .lines()
            .filter_map(|line| line.strip_suffix(": test"));
        let is_meant = |name: &&str| {
            self.modules.is_empty() || self.modules.iter().any(|module| name.starts_with(module))
        };
        Ok(names.filter(is_meant).map(str::to_owned).collect())
    }
}
