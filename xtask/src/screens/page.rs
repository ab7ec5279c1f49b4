//! Pictures of the setup page: the tests in a browser take them, in the middle of what they test.

use std::path::Path;
use std::process::Command;

use crate::run::{self, Result};

/// Where the pictures stand, from the workspace's folder.
const FOLDER: &str = "docs/pictures/page";

/// Takes them, and writes each with as few colours as it needs.
pub fn run() -> Result<()> {
    for (program, package) in [
        ("chromium", "chromium"),
        ("chromedriver", "chromium-driver"),
        ("pngquant", "pngquant"),
    ] {
        if !run::has_program(program) {
            return Err(format!("{program} is missing: apt-get install {package}"));
        }
    }
    let root = run::root()?;
    let folder = root.join(FOLDER);
    let taken = tempfile::tempdir().map_err(|error| format!("a temporary directory: {error}"))?;
    run::run(
        run::cargo()
            .args([
                "test",
                "--package",
                "app-cli",
                "--test",
                "browser",
                "story::",
            ])
            .env("TRUSTPOINT_TEST_PICTURES", taken.path())
            .current_dir(&root),
    )?;
    std::fs::create_dir_all(&folder).map_err(in_words(&folder))?;
    let entries = std::fs::read_dir(taken.path()).map_err(in_words(taken.path()))?;
    for entry in entries {
        let entry = entry.map_err(in_words(taken.path()))?;
        let picture = folder.join(entry.file_name());
        run::run(
            Command::new("pngquant")
                .args(["--force", "--strip", "--speed", "1", "--output"])
                .arg(&picture)
                .arg("32")
                .arg(entry.path()),
        )?;
        println!("wrote {FOLDER}/{}", entry.file_name().to_string_lossy());
    }
    Ok(())
}

fn in_words(path: &Path) -> impl Fn(std::io::Error) -> String {
    move |error| format!("{}: {error}", path.display())
}
