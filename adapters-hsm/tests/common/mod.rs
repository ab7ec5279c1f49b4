//! What the tests on real modules share.
//!
//! A module reads its configuration from the environment and once per process, and one that hangs
//! takes its process along. So each test runs its body in a process of its own: the test binary
//! runs itself again for that one test.

#![expect(dead_code, reason = "each test binary uses its own part")]

#[path = "../../../xtask/src/token.rs"]
pub mod token;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use adapters_hsm::{Daemon, HsmConfig, Interrupts, Pkcs11Blobs, Pkcs11Module};
use camino::Utf8PathBuf;
use ports::contract::token::{PIN, Rig, SO_PIN, in_full};
use ports::fake::FakePinMemory;
use ports::{
    DekBlobs, FaultKind, Patience, PinMemory, ReachedModule, Secret, Token, TokenError,
    TokenModule, TokenQuery, TokenSession,
};
use token::{CHOICE, Kind, Store};

/// SoftHSM's module.
pub const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";

const CHILD: &str = "HSM_TEST_CHILD";

/// Runs `body` in a process of its own, with an empty store of the tokens of this run, or of those that
/// `environment` names, and with `environment`, in which `{dir}` stands for the directory of the test.
/// `name` is the name of the test.
pub fn isolated(name: &str, environment: &[(&str, &str)], body: impl FnOnce(&Sandbox)) {
    if std::env::var_os(CHILD).is_some_and(|child| child == name) {
        return body(&Sandbox::of_child());
    }
    let dir = tempfile::tempdir().unwrap();
    let named = environment.iter().find(|(key, _)| *key == CHOICE);
    let kind = named.map_or_else(Kind::of_this_run, |(_, name)| Kind::named(name));
    let store = Store::new(kind.unwrap(), dir.path());
    store.create().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, name)
        .env("HSM_TEST_DIR", dir.path())
        .env("SHIM_MODULE", store.kind().module())
        .env("XDG_RUNTIME_DIR", dir.path())
        .envs(store.environment())
        .stdin(Stdio::null());
    for (key, value) in environment {
        child.env(key, value.replace("{dir}", dir.path().to_str().unwrap()));
    }
    let output = child.output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{name}: {}\n{text}", output.status);
    assert!(text.contains("1 passed"), "{name} did not run:\n{text}");
}

/// The directory of one test, with its tokens.
#[derive(Clone)]
pub struct Sandbox {
    dir: PathBuf,
    /// The tokens.
    pub store: Store,
}

impl Sandbox {
    fn of_child() -> Self {
        let dir: PathBuf = std::env::var_os("HSM_TEST_DIR").unwrap().into();
        let store = Store::new(Kind::of_this_run().unwrap(), &dir);
        Self { dir, store }
    }

    /// A path in the directory.
    pub fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(self.dir.join(name)).unwrap()
    }

    /// Writes a file.
    pub fn file(&self, name: &str, bytes: &[u8]) -> Utf8PathBuf {
        let path = self.path(name);
        write(path.as_std_path(), bytes);
        path
    }

    /// Builds a PKCS#11 module of `tests/modules`.
    pub fn module(&self, source: &str) -> Utf8PathBuf {
        let path = self.path(&format!("{source}.so"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/modules")
            .join(source);
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-o", path.as_str()])
            .arg(source)
            .arg("-ldl")
            .status()
            .expect("the C compiler `cc` (package gcc) is needed to build a module");
        assert!(built.success());
        path
    }

    /// A token made by another tool.
    pub fn token(&self, label: &str) {
        self.require_module();
        self.store.initialise(label, SO_PIN, PIN).unwrap();
    }

    /// Fails where the module is not there: a suite that skips proves nothing.
    pub fn require_module(&self) {
        let module = self.store.kind().module();
        let is_there = module.exists();
        assert!(
            is_there,
            "{} is missing; `cargo xtask test` provides it",
            module.display()
        );
    }

    /// The module of the tokens, as they are now.
    pub fn direct(&self) -> HsmConfig {
        self.behind(Utf8PathBuf::from_path_buf(self.store.kind().module()).unwrap())
    }

    /// The same behind the shim of `tests/modules`, which fails as the environment tells it.
    pub fn shimmed(&self) -> HsmConfig {
        self.behind(self.module("shim.c"))
    }

    fn behind(&self, module: Utf8PathBuf) -> HsmConfig {
        HsmConfig {
            module_init: self.store.module_init().unwrap(),
            ..config(module)
        }
    }

    /// Every file of the token directory with its content.
    pub fn tokens(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut open = vec![self.store.tokens()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let bytes = fs::read(&path).unwrap();
                    files.push((path, bytes));
                }
            }
        }
        files.sort();
        files
    }
}

fn write(path: &Path, bytes: &[u8]) {
    File::create(path).unwrap().write_all(bytes).unwrap();
}

/// Runs a tool to its end and returns what it printed.
pub fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

/// A configuration without a daemon.
pub fn config(module: impl Into<Utf8PathBuf>) -> HsmConfig {
    HsmConfig {
        module: module.into(),
        module_init: None,
        daemon: None,
        call_deadline: Duration::from_secs(20),
    }
}

/// The same with a daemon.
pub fn with_daemon(module: &str, daemon: &str) -> HsmConfig {
    HsmConfig {
        daemon: Some(daemon.parse::<Daemon>().unwrap()),
        ..config(module)
    }
}

/// Nobody ends these processes.
struct Undisturbed;

impl Interrupts for Undisturbed {
    fn hold(&self) {}

    fn release(&self) {}
}

/// A module with this ledger.
pub fn module_with(config: HsmConfig, memory: &FakePinMemory) -> Pkcs11Module {
    let memory = Box::new(memory.clone());
    Pkcs11Module::new(config, memory, Rc::new(Undisturbed))
}

/// A module with a ledger of its own.
pub fn module(config: HsmConfig) -> Pkcs11Module {
    module_with(config, &FakePinMemory::default())
}

/// Tries whose end nobody saw, and hashes of rejected PINs.
pub fn ledger(memory: &dyn PinMemory, serial: &str) -> (u8, Vec<String>) {
    let ledger = memory.open(serial, Duration::ZERO).unwrap();
    (ledger.unseen(), ledger.rejected().to_vec())
}

/// SoftHSM.
pub fn softhsm() -> Pkcs11Module {
    module(config(SOFTHSM))
}

/// The module, reached in one try.
pub fn reach(module: &Pkcs11Module) -> Result<Box<dyn ReachedModule>, TokenError> {
    module.reach(&mut Patience::none())
}

/// Why the token with this label could not be looked for.
pub fn not_found(module: &Pkcs11Module, label: &str) -> TokenError {
    reach(module)
        .and_then(|reached| reached.find(&query(label), &mut Patience::none()))
        .err()
        .unwrap()
}

/// Initialises a token.
pub fn initialise(
    module: &Pkcs11Module,
    label: &str,
    so_pin: &str,
    pin: &str,
) -> Result<Box<dyn Token>, TokenError> {
    let reached = reach(module).unwrap();
    reached.initialise(label, &secret(so_pin), &secret(pin))
}

/// A secret.
pub fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}

/// A query by label.
pub fn query(label: &str) -> TokenQuery {
    ports::contract::token::by_label(label)
}

/// The token with the label.
pub fn present(module: &Pkcs11Module, label: &str) -> Box<dyn Token> {
    ports::contract::token::present(module, &query(label))
}

/// One login to the token with the label.
pub fn log_in(
    module: &Pkcs11Module,
    label: &str,
    pin: &str,
) -> Result<Box<dyn TokenSession>, TokenError> {
    present(module, label).log_in(&secret(pin))
}

/// Why the token with the label could not be logged in to.
pub fn refused(module: &Pkcs11Module, label: &str, pin: &str) -> TokenError {
    log_in(module, label, pin).err().unwrap()
}

/// A session on the token with the label.
pub fn logged_in(module: &Pkcs11Module, label: &str) -> Box<dyn TokenSession> {
    log_in(module, label, PIN).unwrap()
}

/// A rig on the tokens of a sandbox. Each new rig empties them.
pub struct StoreRig {
    sandbox: Sandbox,
    module: Utf8PathBuf,
    book: FakePinMemory,
}

impl StoreRig {
    /// Over a module that shows the tokens.
    pub fn new(sandbox: &Sandbox, module: impl Into<Utf8PathBuf>) -> Self {
        sandbox.require_module();
        fs::remove_dir_all(sandbox.store.tokens()).unwrap();
        sandbox.store.create().unwrap();
        Self {
            sandbox: sandbox.clone(),
            module: module.into(),
            book: FakePinMemory::default(),
        }
    }
}

impl Rig for StoreRig {
    fn module(&self) -> Box<dyn TokenModule> {
        let config = self.sandbox.behind(self.module.clone());
        Box::new(module_with(config, &self.book))
    }

    fn blobs(&self) -> Box<dyn DekBlobs> {
        Box::new(Pkcs11Blobs)
    }

    fn memory(&self) -> Box<dyn PinMemory> {
        Box::new(self.book.clone())
    }

    fn add_token(&self, label: &str) {
        self.sandbox.token(label);
    }
}

/// The error says that the HSM cannot be reached, and names `word`.
pub fn unavailable(error: &TokenError, word: &str) {
    assert_eq!(error.kind(), FaultKind::HsmUnavailable, "{error}");
    let all = in_full(error);
    assert!(all.contains(word), "no {word:?} in {all}");
}
