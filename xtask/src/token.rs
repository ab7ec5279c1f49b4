//! The PKCS#11 tokens that the tests run on, and how one is made by other means than the program's
//! own. The tests of the adapter and those from outside include this file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment variable that names the token of a test run; SoftHSM where it is not set.
pub const CHOICE: &str = "TEST_TOKEN";

/// How many slots Kryoptic is configured with: it shows these, whether they hold a token or not.
const KRYOPTIC_SLOTS: usize = 4;

/// A make of token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Always has a free slot, and never locks a PIN.
    SoftHsm,
    /// Locks the user PIN at the tenth wrong try.
    Kryoptic,
    /// The one of NSS: is told its tokens at C_Initialize, has no free slots, and never locks a PIN.
    Softokn,
}

impl Kind {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::SoftHsm, Self::Kryoptic, Self::Softokn];

    /// Its name for `--token` and [`CHOICE`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::SoftHsm => "softhsm",
            Self::Kryoptic => "kryoptic",
            Self::Softokn => "softokn",
        }
    }

    /// The one with this name.
    ///
    /// # Errors
    /// There is none.
    pub fn named(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("{name:?} is no token of the tests: {names}")
        })
    }

    /// The one of this test run.
    ///
    /// # Errors
    /// The environment names none that there is.
    pub fn of_this_run() -> Result<Self, String> {
        std::env::var(CHOICE).map_or(Ok(Self::SoftHsm), |name| Self::named(&name))
    }

    /// Its module, where Debian or `cargo xtask test` puts it.
    pub fn module(self) -> PathBuf {
        let libraries = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
        match self {
            Self::SoftHsm => "/usr/lib/softhsm/libsofthsm2.so".into(),
            Self::Kryoptic => {
                Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tokens/debug/libkryoptic.so")
            }
            Self::Softokn => {
                let beside = Path::new(&libraries).join("nss/libsoftokn3.so");
                if beside.exists() {
                    beside
                } else {
                    Path::new(&libraries).join("libsoftokn3.so")
                }
            }
        }
    }

    /// Whether it shows slots that a token can be initialised in.
    pub const fn has_free_slots(self) -> bool {
        !matches!(self, Self::Softokn)
    }
}

/// Tokens of one kind below a directory, and the configuration that leads the module to them.
#[derive(Clone, Debug)]
pub struct Store {
    kind: Kind,
    dir: PathBuf,
}

impl Store {
    /// The one in this directory, which is empty or was made by [`Store::create`].
    pub fn new(kind: Kind, dir: &Path) -> Self {
        Self {
            kind,
            dir: dir.to_owned(),
        }
    }

    /// The kind of its tokens.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The directory of the tokens' files.
    pub fn tokens(&self) -> PathBuf {
        self.dir.join("tokens")
    }

    /// Makes the directory and the configuration, with no token in it.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn create(&self) -> Result<(), String> {
        fs::create_dir_all(self.tokens()).map_err(|error| in_words(&self.tokens(), &error))?;
        let tokens = self.tokens();
        let text = match self.kind {
            Kind::SoftHsm => format!(
                "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
                tokens.display()
            ),
            Kind::Kryoptic => kryoptic_conf(&tokens, 0..KRYOPTIC_SLOTS, &[]),
            Kind::Softokn => return Ok(()),
        };
        self.put_conf(&text)
    }

    /// Replaces the configuration file of the module.
    ///
    /// # Errors
    /// It cannot be written.
    #[expect(
        clippy::disallowed_methods,
        reason = "a file that lives as long as one test"
    )]
    pub fn put_conf(&self, text: &str) -> Result<(), String> {
        fs::write(self.conf(), text).map_err(|error| in_words(&self.conf(), &error))
    }

    /// The configuration file of the module. That of softokn is a string: [`Store::module_init`].
    pub fn conf(&self) -> PathBuf {
        self.dir.join(match self.kind {
            Kind::SoftHsm => "softhsm2.conf",
            Kind::Kryoptic => "kryoptic.conf",
            Kind::Softokn => "none",
        })
    }

    /// What the module reads in the environment.
    pub fn environment(&self) -> Option<(&'static str, PathBuf)> {
        match self.kind {
            Kind::SoftHsm => Some(("SOFTHSM2_CONF", self.conf())),
            Kind::Kryoptic => Some(("KRYOPTIC_CONF", self.conf())),
            Kind::Softokn => None,
        }
    }

    /// The string that the module is given at C_Initialize.
    ///
    /// # Errors
    /// The tokens cannot be listed.
    pub fn module_init(&self) -> Result<Option<String>, String> {
        if self.kind != Kind::Softokn {
            return Ok(None);
        }
        let tokens = self.softokn_tokens()?;
        Ok(Some(match tokens.as_slice() {
            [(label, dir)] => format!(
                "configdir='sql:{}' certPrefix='' keyPrefix='' secmod='' \
                 dbTokenDescription='{label}' flags=",
                dir.display()
            ),
            several => {
                // The slots 1 and 2 are the module's own.
                let told = several.iter().zip(4..).map(|((label, dir), slot)| {
                    let dir = dir.display();
                    format!("0x{slot:x}=[configDir='sql:{dir}' tokenDescription='{label}']")
                });
                let told: Vec<_> = told.collect();
                format!(
                    "configdir='' flags=noCertDB,noKeyDB,noModDB tokens=<{}>",
                    told.join(" ")
                )
            }
        }))
    }

    /// Label and directory of each token, in the order in which they were made.
    fn softokn_tokens(&self) -> Result<Vec<(String, PathBuf)>, String> {
        let labelled = |path: PathBuf| {
            let name = path.file_name()?.to_str()?;
            let (_, label) = name.split_once('-')?;
            Some((label.to_owned(), path.clone()))
        };
        let files = self.list()?;
        Ok(files.into_iter().filter_map(labelled).collect())
    }

    /// Initialises a further token, as its operator would.
    ///
    /// # Errors
    /// The tool is missing, or fails.
    pub fn initialise(&self, label: &str, so_pin: &str, pin: &str) -> Result<(), String> {
        match self.kind {
            Kind::SoftHsm => {
                let mut tool = Command::new("softhsm2-util");
                tool.args(["--init-token", "--free", "--label", label]);
                self.run(tool.args(["--so-pin", so_pin, "--pin", pin]))
            }
            Kind::Kryoptic => {
                let slot = self.half_initialise(label, so_pin)?.to_string();
                let mut tool = self.pkcs11_tool(&self.kind.module());
                tool.args(["--slot", &slot, "--login", "--login-type", "so"]);
                tool.args(["--so-pin", so_pin, "--init-pin", "--new-pin", pin]);
                self.run(&mut tool)
            }
            Kind::Softokn => self.make_softokn(label, pin),
        }
    }

    /// The same without a user PIN; the place of the slot among the slots.
    ///
    /// # Errors
    /// The tool is missing, or fails; a token of this kind gets its PIN when it is made.
    pub fn half_initialise(&self, label: &str, so_pin: &str) -> Result<usize, String> {
        let slot = match self.kind {
            Kind::SoftHsm => self.count()?,
            Kind::Kryoptic => self.free_slot()?,
            Kind::Softokn => return Err("certutil makes no token without its PIN".to_owned()),
        };
        let index = slot.to_string();
        let mut tool = self.pkcs11_tool(&self.kind.module());
        tool.args(["--init-token", "--slot-index", &index, "--label", label]);
        self.run(tool.args(["--so-pin", so_pin])).map(|()| slot)
    }

    /// How many tokens there are.
    ///
    /// # Errors
    /// They cannot be listed.
    pub fn count(&self) -> Result<usize, String> {
        self.list().map(|tokens| tokens.len())
    }

    /// The file or directory of each token.
    ///
    /// # Errors
    /// They cannot be listed.
    pub fn list(&self) -> Result<Vec<PathBuf>, String> {
        Self::listed(&self.tokens())
    }

    /// In the order of their names.
    fn listed(tokens: &Path) -> Result<Vec<PathBuf>, String> {
        let entries = fs::read_dir(tokens).map_err(|error| in_words(tokens, &error))?;
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| in_words(tokens, &error))?.path();
            // Kryoptic makes an empty file for a slot that holds no token, and has SQLite's journals
            // beside the others.
            let is_file = path.is_file();
            let is_token = path.extension().is_some_and(|name| name == "sql")
                && fs::metadata(&path).is_ok_and(|file| file.len() > 0);
            if is_token || !is_file {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    /// The tokens of another directory stand here from now on, beside those that are here already.
    ///
    /// # Errors
    /// They cannot be moved.
    pub fn add_from(&self, others: &Path) -> Result<(), String> {
        for from in Self::listed(others)? {
            let name = from.file_name().unwrap_or_default().to_string_lossy();
            let to = match (self.kind, name.split_once('-')) {
                (Kind::Kryoptic, _) => kryoptic_file(&self.tokens(), self.free_slot()?),
                (Kind::Softokn, Some((_, label))) => self.softokn_directory(label)?,
                (Kind::SoftHsm | Kind::Softokn, _) => self.tokens().join(&*name),
            };
            fs::rename(&from, &to).map_err(|error| in_words(&to, &error))?;
        }
        Ok(())
    }

    /// The first slot of Kryoptic whose file holds no token.
    fn free_slot(&self) -> Result<usize, String> {
        let taken = self.list()?;
        let is_free = |slot: &usize| !taken.contains(&kryoptic_file(&self.tokens(), *slot));
        let free = (0..KRYOPTIC_SLOTS).find(is_free);
        free.ok_or_else(|| format!("no slot is free in {}", self.tokens().display()))
    }

    /// Of the next token with the label.
    fn softokn_directory(&self, label: &str) -> Result<PathBuf, String> {
        let count = self.count()?;
        Ok(self.tokens().join(format!("{count}-{label}")))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a file that lives as long as one test"
    )]
    fn make_softokn(&self, label: &str, pin: &str) -> Result<(), String> {
        let dir = self.softokn_directory(label)?;
        let pins = dir.join("pin");
        fs::create_dir_all(&dir)
            .and_then(|()| fs::write(&pins, format!("{pin}\n")))
            .map_err(|error| in_words(&dir, &error))?;
        let database = format!("sql:{}", dir.display());
        let mut certutil = Command::new("certutil");
        self.run(certutil.args(["-N", "-d", &database, "-f"]).arg(&pins))?;
        fs::remove_file(&pins).map_err(|error| in_words(&pins, &error))
    }

    /// pkcs11-tool on the module, or on one before it.
    pub fn pkcs11_tool(&self, module: &Path) -> Command {
        let mut tool = Command::new("pkcs11-tool");
        tool.arg("--module").arg(module);
        tool.envs(self.environment());
        tool
    }

    /// Runs a tool that must work on these tokens.
    fn run(&self, tool: &mut Command) -> Result<(), String> {
        let output = tool
            .envs(self.environment())
            .output()
            .map_err(|error| format!("{tool:?}: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{tool:?} ended with {}: {said}", output.status))
    }
}

/// The configuration of Kryoptic with these slots, each with its file in the directory, and without
/// these mechanisms.
pub fn kryoptic_conf(
    tokens: &Path,
    slots: impl IntoIterator<Item = usize>,
    denied: &[&str],
) -> String {
    let mut text = String::new();
    for slot in slots {
        let file = kryoptic_file(tokens, slot);
        text.push_str(&format!(
            "[[slots]]\nslot = {slot}\ndbtype = \"sqlite\"\ndbargs = {file:?}\n"
        ));
        if !denied.is_empty() {
            text.push_str(&format!(
                "mechanisms = {:?}\n",
                [&["DENY"], denied].concat()
            ));
        }
    }
    text
}

fn kryoptic_file(tokens: &Path, slot: usize) -> PathBuf {
    tokens.join(format!("{slot}.sql"))
}

fn in_words(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
