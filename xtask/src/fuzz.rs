//! `cargo xtask fuzz`: damaged requests to the setup page, for as long as one likes. The test is
//! `app-cli/tests/outside/page/fuzz.rs`, which `cargo xtask test` runs for seconds.

use crate::run::{self, Result};

/// How long without `--minutes`.
const MINUTES: u64 = 10;

/// Runs that test alone, with its figures.
pub fn run(arguments: &[String]) -> Result<()> {
    let (mut minutes, mut seed) = (MINUTES, None);
    for pair in arguments.chunks(2) {
        let [flag, number] = pair else {
            return Err(format!("{} needs a number", pair.concat()));
        };
        let number = number
            .parse()
            .map_err(|_| format!("{flag} needs a number"))?;
        match flag.as_str() {
            "--minutes" => minutes = number,
            "--seed" => seed = Some(number),
            _ => return Err(format!("{flag} is unknown: there are --minutes and --seed")),
        }
    }
    let mut test = run::cargo();
    test.args([
        "test",
        "--package",
        "app-cli",
        "--test",
        "outside",
        "page::fuzz::",
    ])
    .args(["--", "--nocapture"])
    .env("TRUSTPOINT_FUZZ_SECONDS", (minutes * 60).to_string())
    .current_dir(run::root()?);
    if let Some(seed) = seed {
        test.env("TRUSTPOINT_FUZZ_SEED", seed.to_string());
    }
    run::run(&mut test)
}
