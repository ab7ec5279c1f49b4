//! The Debian packages that the tests need.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::run::{self, Result};
use crate::token::Kind;

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
    /// Below the directory of some version of LLVM.
    Llvm(&'static str),
    /// Below the directory of some version of PostgreSQL.
    Postgres(&'static str),
    /// The token's module.
    Module(Kind),
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
            FoundBy::Llvm(path) => {
                let entries = std::fs::read_dir("/usr/lib").into_iter().flatten();
                let mut versions = entries.flatten().filter(|entry| {
                    let name = entry.file_name();
                    name.to_string_lossy().starts_with("llvm-")
                });
                versions.any(|version| version.path().join(path).exists())
            }
            FoundBy::Postgres(path) => {
                let versions = std::fs::read_dir("/usr/lib/postgresql")
                    .into_iter()
                    .flatten();
                let mut versions = versions.flatten();
                versions.any(|version| version.path().join(path).exists())
            }
            FoundBy::Module(kind) => kind.module().exists(),
        }
    }
}

const NEEDS: [Need; 25] = [
    Need {
        package: "softhsm2",
        found_by: FoundBy::Program("softhsm2-util"),
    },
    Need {
        package: "softhsm2",
        found_by: FoundBy::Module(Kind::SoftHsm),
    },
    Need {
        package: "libnss3",
        found_by: FoundBy::Module(Kind::Softokn),
    },
    Need {
        package: "libnss3-tools",
        found_by: FoundBy::Program("certutil"),
    },
    // Kryoptic is built from its source.
    Need {
        package: "libclang-dev",
        found_by: FoundBy::Llvm("lib/libclang.so"),
    },
    Need {
        package: "libssl-dev",
        found_by: FoundBy::File("/usr/include/openssl/ssl.h"),
    },
    Need {
        package: "libsqlite3-dev",
        found_by: FoundBy::File("/usr/include/sqlite3.h"),
    },
    Need {
        package: "pkg-config",
        found_by: FoundBy::Program("pkg-config"),
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
        package: "chromium",
        found_by: FoundBy::Program("chromium"),
    },
    Need {
        package: "chromium-driver",
        found_by: FoundBy::Program("chromedriver"),
    },
    // A network in which nothing changes, for the browser.
    Need {
        package: "iproute2",
        found_by: FoundBy::Program("ip"),
    },
    Need {
        package: "opensc",
        found_by: FoundBy::Program("pkcs11-tool"),
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
        found_by: FoundBy::Postgres("bin/initdb"),
    },
    Need {
        package: "pgbouncer",
        found_by: FoundBy::Program("pgbouncer"),
    },
    Need {
        package: "build-essential",
        found_by: FoundBy::Program("cc"),
    },
];

/// Installs what is missing, where that can be done.
pub fn provide() -> Result<()> {
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    if !(run::is_root() && run::has_program("apt-get")) {
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
            .args(&packages),
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

fn missing() -> Vec<&'static str> {
    let mut packages: Vec<_> = NEEDS
        .iter()
        .filter(|need| !need.is_met())
        .map(|need| need.package)
        .collect();
    packages.dedup();
    packages
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .arg("-q")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null());
    command
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
