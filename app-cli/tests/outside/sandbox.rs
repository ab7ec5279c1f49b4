//! A node in a directory of its own, on a tmpfs, with a store of tokens beside it.

mod database;
mod run;
#[expect(dead_code, reason = "the tests of the adapter and xtask use the rest")]
#[path = "../../../xtask/src/token.rs"]
pub mod token;
mod tokens;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

pub use database::{Kept, is_on_server};
pub use run::Run;
use token::{Kind, Store};
pub use tokens::LABEL;

/// The default module of Debian's softhsm2.
pub const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// User PIN of every sandbox.
pub const PIN: &str = "4711-0815";
/// SO PIN of every sandbox.
pub const SO_PIN: &str = "so-0815-4711";
/// Backup password of every sandbox.
pub const PASSWORD: &str = "correct horse battery staple";

/// The tables of a database in a file, one a line.
pub const TABLES_OF_A_FILE: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' \
                                    AND name NOT LIKE 'sqlite_%' ORDER BY name";

/// A node in a directory of its own.
pub struct Sandbox {
    dir: TempDir,
    variables: BTreeMap<String, String>,
    /// Where its database stands on the tests' server, where it is not a file.
    schema: Option<String>,
    store: Store,
}

impl Sandbox {
    /// An empty one, with the kind of tokens of this run.
    pub fn new() -> Self {
        Self::on(Kind::of_this_run().unwrap())
    }

    /// An empty one. It stands on /dev/shm, so that its runtime directory is on a tmpfs.
    pub fn on(kind: Kind) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("trustpoint-")
            .tempdir_in("/dev/shm")
            .unwrap();
        let store = Store::new(kind, dir.path());
        let mut sandbox = Self {
            dir,
            variables: BTreeMap::new(),
            schema: None,
            store,
        };
        if is_on_server() {
            sandbox.move_to_server();
        }
        sandbox.set("HSM_PIN", PIN);
        sandbox.set("HSM_SO_PIN", SO_PIN);
        sandbox.new_tokens();
        sandbox.configure_module();
        sandbox
    }

    /// A node that was set up with software storage, and started once.
    pub fn software() -> Self {
        let sandbox = Self::new();
        sandbox.run(&["startup"]).expect(0);
        sandbox.run(&["setup", "--storage", "software"]).expect(0);
        sandbox.run(&["startup"]).expect(0);
        sandbox
    }

    /// A node that was set up with SoftHSM storage and a backup password, and started once.
    pub fn softhsm() -> Self {
        Self::softhsm_on(Kind::of_this_run().unwrap())
    }

    /// The same with this kind of token in the place of SoftHSM's.
    pub fn softhsm_on(kind: Kind) -> Self {
        let sandbox = Self::on(kind);
        sandbox.run(&["startup"]).expect(0);
        sandbox.setup_softhsm();
        sandbox.run(&["startup"]).expect(0);
        sandbox
    }

    /// A node that was set up with SoftHSM storage and no backup password, and started once.
    pub fn softhsm_without_password() -> Self {
        let sandbox = Self::new();
        sandbox
            .run(&["setup", "--storage", "softhsm", "--no-backup-password"])
            .expect(0);
        sandbox.run(&["startup"]).expect(0);
        sandbox
    }

    pub fn setup_softhsm(&self) -> Run {
        let file = self.password_file(PASSWORD);
        let file = file.to_str().unwrap();
        self.run(&[
            "setup",
            "--storage",
            "softhsm",
            "--backup-password-file",
            file,
        ])
        .expect(0)
    }

    /// Writes a password file and gives back its path.
    pub fn password_file(&self, password: &str) -> PathBuf {
        let file = self.path("backup-password");
        put(&file, format!("{password}\n"));
        file
    }

    /// Sets an environment variable of every later run.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Leaves a variable out of every later run.
    pub fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// A path in the sandbox, beside the root.
    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// A path below `--root`.
    pub fn root(&self, below: &str) -> PathBuf {
        self.path("root").join(below)
    }

    pub fn wizard_dir(&self) -> PathBuf {
        self.root("etc/trustpoint/wizard/state")
    }

    pub fn tls(&self, name: &str) -> PathBuf {
        self.root("etc/trustpoint/tls").join(name)
    }

    pub fn dek_cache(&self) -> PathBuf {
        self.root("run/trustpoint/dek")
    }

    /// The program with this sandbox's root and variables, and nothing else of the environment.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trustpointctl"));
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(&self.variables)
            .arg("--root")
            .arg(self.path("root"))
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// The same as a user without root's rights: this one, or nobody, who is given the sandbox.
    pub fn command_of_a_user<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        if !is_root() {
            return self.command(arguments);
        }
        // The program may stand where nobody has no way to.
        let program = self.path("trustpointctl");
        if !program.exists() {
            // By another process: while this one writes, the test beside it may start a program, which
            // then has the file open too, and what is written by somebody cannot be run (ETXTBSY).
            let built = env!("CARGO_BIN_EXE_trustpointctl");
            tool("cp", [built, program.to_str().unwrap()]);
        }
        let owner = format!("{NOBODY}:{NOBODY}");
        tool("chown", ["-R", &owner, self.dir.path().to_str().unwrap()]);
        let user = format!("--reuid={NOBODY}");
        let group = format!("--regid={NOBODY}");
        let mut command = wrapped(
            &["setpriv", &user, &group, "--clear-groups", "--"],
            &self.command(arguments),
            Some(&program),
        );
        command.current_dir(self.dir.path());
        command
    }

    /// Runs with `--format json`.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Run {
        let mut all = vec!["--format", "json"];
        all.extend(arguments);
        Run::end_of(&mut self.command(&all))
    }

    /// Runs with `--format json` under another program, such as strace or timeout.
    pub fn run_under(&self, wrapper: &[&str], arguments: &[&str]) -> Run {
        let mut all = vec!["--format", "json"];
        all.extend(arguments);
        Run::end_of(&mut wrapped(wrapper, &self.command(&all), None))
    }

    /// Runs under strace with these options, and gives back the run and the calls.
    ///
    /// The program is not dumpable, so only root can look into it: whoever is not becomes root in
    /// a user namespace.
    #[track_caller]
    pub fn run_traced(&self, options: &[&str], arguments: &[&str]) -> (Run, String) {
        let trace = self.path("trace");
        let is_root = fs::metadata(self.dir.path()).unwrap().uid() == 0;
        let namespace: &[&str] = if is_root {
            &[]
        } else {
            &["unshare", "--map-root-user"]
        };
        let strace = ["strace", "-f", "-o", trace.to_str().unwrap()];
        let run = self.run_under(&[namespace, &strace, options].concat(), arguments);
        let calls = fs::read_to_string(&trace);
        let calls = calls.unwrap_or_else(|_| panic!("strace does not work: {}", run.stderr));
        (run, calls)
    }

    /// Runs for people.
    #[track_caller]
    pub fn run_human(&self, arguments: &[&str]) -> Run {
        Run::end_of(&mut self.command(arguments))
    }

    /// Puts the wizard into a state by hand; `""` empties the directory.
    pub fn put_wizard(&self, states: &[&str]) {
        let _ = fs::remove_dir_all(self.wizard_dir());
        fs::create_dir_all(self.wizard_dir()).unwrap();
        for state in states {
            put(&self.wizard_dir().join(state), "");
        }
    }

    /// The names in the wizard's state directory.
    pub fn wizard(&self) -> String {
        let mut names: Vec<_> = fs::read_dir(self.wizard_dir())
            .map(|entries| {
                entries
                    .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                    .collect()
            })
            .unwrap_or_default();
        names.sort();
        names.join(" ")
    }

    /// A new container: the tmpfs of the runtime directory is gone.
    pub fn lose_runtime(&self) {
        let _ = fs::remove_dir_all(self.root("run"));
    }

    /// A new container: an empty tmpfs is mounted as the runtime directory.
    pub fn new_container(&self) {
        self.lose_runtime();
        fs::create_dir_all(self.root("run/trustpoint")).unwrap();
    }

    /// Every file below the root with its kind, mode and content, but the lock file, `pin-rejected`
    /// and the last report with its directory, which a start that fails may write.
    pub fn picture(&self) -> BTreeMap<PathBuf, String> {
        let mut picture = Self::picture_below(&self.path("root"));
        if self.schema.is_some() {
            picture.insert(self.database(), self.dump());
        }
        picture
    }

    /// The same, but of the database what it holds beside the events of its history.
    pub fn picture_but_history(&self) -> BTreeMap<PathBuf, String> {
        let mut picture = self.picture();
        let database = self.database();
        let dump = but_events(&self.dump(), "");
        picture.insert(database, dump);
        picture
    }

    /// The same of another directory.
    pub fn picture_below(directory: &Path) -> BTreeMap<PathBuf, String> {
        let mut picture = BTreeMap::new();
        picture_of(directory, &mut picture);
        picture.retain(|path, _| {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let is_reports_directory =
                path.ends_with("root/run") || path.ends_with("root/run/trustpoint");
            !(name.ends_with(".lock")
                || name == "pin-rejected"
                || name == "startup.json"
                || is_reports_directory)
        });
        picture
    }

    /// Runs a start that must fail with this code and kind, and change nothing; gives back what
    /// the error says.
    #[track_caller]
    pub fn fails_unchanged(&self, arguments: &[&str], code: i32, kind: &str) -> String {
        let before = self.picture();
        let run = self.run(arguments);
        let said = run.expect_error(code, kind);
        let after = self.picture();
        let changed: Vec<_> = before
            .keys()
            .chain(after.keys())
            .filter(|path| before.get(*path) != after.get(*path))
            .collect();
        assert!(changed.is_empty(), "changed {changed:?} although: {said}");
        said
    }
}

/// A dump without the events of this name, or without any where the name is empty.
pub fn but_events(dump: &str, name: &str) -> String {
    let is_event = |line: &&str| line.starts_with("INSERT INTO event ") && line.contains(name);
    let lines = dump.lines().filter(|line| !is_event(line));
    lines.collect::<Vec<_>>().join("\n")
}

fn picture_of(path: &Path, picture: &mut BTreeMap<PathBuf, String>) {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return;
    };
    let mode = metadata.permissions().mode();
    let kind = if metadata.is_symlink() {
        format!("link {}", fs::read_link(path).unwrap().display())
    } else if metadata.is_dir() {
        format!("directory {mode:o}")
    } else {
        let bytes = fs::read(path).unwrap();
        format!("file {mode:o} {} {bytes:02x?}", metadata.ino())
    };
    picture.insert(path.to_owned(), kind);
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            picture_of(&entry.unwrap().path(), picture);
        }
    }
}

/// The user id of nobody.
pub const NOBODY: u32 = 65534;

/// Whether the tests run with root's rights.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The command behind others (`setpriv …`, `nsenter …`), with its own environment; `program` takes
/// the place of its program.
pub fn wrapped(before: &[&str], command: &Command, program: Option<&Path>) -> Command {
    let (first, others) = before.split_first().unwrap();
    let mut all = Command::new(first);
    all.args(others)
        .arg(program.map_or(command.get_program(), Path::as_os_str))
        .args(command.get_args())
        .env_clear()
        .stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            all.env(name, value);
        }
    }
    all
}

/// Writes a file of a test.
#[track_caller]
pub fn put(path: &Path, bytes: impl AsRef<[u8]>) {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).unwrap();
    }
    fs::File::create(path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, bytes.as_ref()))
        .unwrap();
}

/// These hexadecimal digits with a bit of this byte, counted from 0, flipped.
pub fn flip_in_hex(digits: &str, byte: usize) -> String {
    let place = 2 * byte..2 * byte + 2;
    let flipped = u8::from_str_radix(&digits[place.clone()], 16).unwrap() ^ 1;
    let mut altered = digits.to_owned();
    altered.replace_range(place, &format!("{flipped:02X}"));
    altered
}

/// Runs a program that must work, and gives back its standard output.
#[track_caller]
pub fn tool<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> String {
    run_tool(Command::new(program).args(arguments))
}

/// The same of a command with an environment of its own.
#[track_caller]
pub fn run_tool(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let program = command.get_program().display();
    let output = output.unwrap_or_else(|error| {
        panic!("{program} cannot be run ({error}); `cargo xtask test` installs it")
    });
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program}: {}: {stderr}",
        output.status
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The fingerprint of a certificate file, as openssl sees it.
#[track_caller]
pub fn openssl_fingerprint(certificate: &Path) -> String {
    let arguments = ["x509", "-noout", "-fingerprint", "-sha256", "-in"].map(OsStr::new);
    let text = tool(
        "openssl",
        arguments.into_iter().chain([certificate.as_os_str()]),
    );
    text.trim()
        .rsplit('=')
        .next()
        .unwrap_or_default()
        .to_owned()
}
