//! `cargo xtask test`: the programs that the tests run, then the tests.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::run::{self, Result};

/// A Debian package that the tests need, and how to see that it is there.
struct Need {
    package: &'static str,
    found_by: FoundBy,
}

enum FoundBy {
    Program(&'static str),
    File(&'static str),
    /// Below the library directory of this machine's architecture.
    Library(&'static str),
    /// Below a directory of any version of it.
    Version(&'static str, &'static str),
}

impl Need {
    fn is_met(&self) -> bool {
        match self.found_by {
            FoundBy::Program(name) => run::has_program(name),
            FoundBy::File(path) => Path::new(path).exists(),
            FoundBy::Library(path) => {
                let directory = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
                Path::new(&directory).join(path).exists()
            }
            FoundBy::Version(directory, path) => std::fs::read_dir(directory)
                .into_iter()
                .flatten()
                .flatten()
                .any(|version| version.path().join(path).exists()),
        }
    }
}

const NEEDS: [Need; 16] = [
    Need {
        package: "softhsm2",
        found_by: FoundBy::Program("softhsm2-util"),
    },
    Need {
        package: "softhsm2",
        found_by: FoundBy::File("/usr/lib/softhsm/libsofthsm2.so"),
    },
    Need {
        package: "nginx-light",
        found_by: FoundBy::Program("nginx"),
    },
    Need {
        package: "openssl",
        found_by: FoundBy::Program("openssl"),
    },
    Need {
        package: "opensc",
        found_by: FoundBy::Program("pkcs11-tool"),
    },
    Need {
        package: "opensc-pkcs11",
        found_by: FoundBy::Library("pkcs11-spy.so"),
    },
    Need {
        package: "p11-kit",
        found_by: FoundBy::Program("p11-kit"),
    },
    Need {
        package: "p11-kit-modules",
        found_by: FoundBy::Library("pkcs11/p11-kit-client.so"),
    },
    Need {
        package: "age",
        found_by: FoundBy::Program("age"),
    },
    Need {
        package: "bsdutils",
        found_by: FoundBy::Program("script"),
    },
    Need {
        package: "strace",
        found_by: FoundBy::Program("strace"),
    },
    Need {
        package: "gettext",
        found_by: FoundBy::Program("msgfmt"),
    },
    Need {
        package: "gettext",
        found_by: FoundBy::Program("msgunfmt"),
    },
    Need {
        package: "sqlite3",
        found_by: FoundBy::Program("sqlite3"),
    },
    Need {
        package: "postgresql",
        found_by: FoundBy::Version("/usr/lib/postgresql", "bin/initdb"),
    },
    Need {
        package: "build-essential",
        found_by: FoundBy::Program("cc"),
    },
];

/// What of the program from outside is run once more with a database on a server. The rest is about
/// files, or about what no database has a part in.
const ON_A_SERVER: [&str; 5] = [
    "scenarios::",
    "setup::",
    "recovery::",
    "keys::",
    "history::",
];

/// Installs what is missing, runs the suite with `arguments`, and sums it up. `--database postgres`
/// runs the tests from outside that are of a database, on PostgreSQL.
pub fn run(arguments: &[String]) -> Result<()> {
    provide(&missing())?;
    let mut cargo = run::cargo();
    match arguments {
        [flag, database, rest @ ..] if flag == "--database" && database == "postgres" => cargo
            .args([
                "test",
                "--no-fail-fast",
                "-p",
                "app-cli",
                "--test",
                "outside",
            ])
            .args(rest)
            .arg("--")
            .args(ON_A_SERVER)
            .env("TRUSTPOINT_TEST_DATABASE", database),
        arguments => cargo
            .args(["test", "--workspace", "--no-fail-fast"])
            .args(arguments),
    };
    let mut child = cargo
        .current_dir(run::root()?)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cargo test: {error}"))?;
    let mut tally = Tally::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.map_err(|error| format!("output of cargo test: {error}"))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            tally.add(&line);
        }
    }
    let status = child
        .wait()
        .map_err(|error| format!("cargo test: {error}"))?;
    println!(
        "{} passed, {} failed, {} skipped",
        tally.passed, tally.failed, tally.skipped
    );
    if !status.success() {
        return Err(format!("cargo test ended with {status}"));
    }
    if tally.passed == 0 {
        return Err("not one test ran".to_owned());
    }
    Ok(())
}

fn missing() -> Vec<&'static str> {
    let mut packages: Vec<_> = NEEDS
        .iter()
        .filter(|need| !need.is_met())
        .map(|need| need.package)
        .collect();
    packages.dedup();
    packages
}

fn provide(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    if !(is_root() && run::has_program("apt-get")) {
        return Err(format!(
            "the tests need programs that are not here; install them with\n    \
             apt-get install --no-install-recommends {}",
            packages.join(" ")
        ));
    }
    println!("installing {}", packages.join(" "));
    let _no_services = NoServices::declare()?;
    run::run(apt_get().arg("update"))?;
    run::run(
        apt_get()
            .args(["install", "-y", "--no-install-recommends"])
            .args(packages),
    )?;
    let still = missing();
    if still.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "installed, and still not here: {}",
            still.join(" ")
        ))
    }
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .arg("-q")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null());
    command
}

fn is_root() -> bool {
    run::text_of(Command::new("id").arg("-u")).is_ok_and(|uid| uid == "0")
}

/// While this lives, a package that is installed starts no service of its own (Debian Policy
/// 9.3.3.1): the tests run their own nginx. A policy that the machine has already is left alone.
struct NoServices(Option<&'static Path>);

impl NoServices {
    fn declare() -> Result<Self> {
        let policy = Path::new("/usr/sbin/policy-rc.d");
        if policy.exists() {
            return Ok(Self(None));
        }
        let in_words = |error| format!("{}: {error}", policy.display());
        std::fs::copy("/bin/false", policy).map_err(in_words)?;
        let guard = Self(Some(policy));
        replace_with_script(policy).map_err(in_words)?;
        Ok(guard)
    }
}

/// The copy brought the executable's mode along; what is in it must answer 101, "not allowed".
fn replace_with_script(policy: &Path) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(policy)?;
    file.write_all(b"#!/bin/sh\nexit 101\n")
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(policy) = self.0
            && let Err(error) = std::fs::remove_file(policy)
        {
            eprintln!("{}: {error}; remove it by hand", policy.display());
        }
    }
}

/// The sum over all test binaries.
#[derive(Debug, Default, Eq, PartialEq)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Tally {
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
