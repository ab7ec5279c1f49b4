//! This test binary as a child process: for kills, traces and other umasks.
//!
//! The functions below marked as tests are the children's; they need the environment that
//! [`command`] gives them.

use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use adapters_fs::{FileLock, NginxTls, PinMemoryFile, StaticCollector, WizardDir};
use camino::{Utf8Path, Utf8PathBuf};
use domain::SetupWizardState;
use ports::{PinMemory as _, Published, TryEnd, WizardStore as _};
use ports::{Secret, StartLock as _, StaticFiles as _, TlsCredential, TlsSource, TlsStore as _};

use crate::support::put;

const DIRECTORY: &str = "FILES_TEST_DIRECTORY";

/// Arguments with which this binary runs one of the functions below.
pub fn arguments(function: &str) -> [String; 5] {
    [
        format!("child::{function}"),
        "--exact".to_owned(),
        "--ignored".to_owned(),
        "--nocapture".to_owned(),
        "--test-threads=1".to_owned(),
    ]
}

/// `wrapper` runs this binary, which runs one of the functions below.
pub fn wrapped(wrapper: &[&str], function: &str, directory: &Utf8Path) -> Command {
    let binary = std::env::current_exe().unwrap();
    let mut command = match wrapper {
        [] => Command::new(&binary),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(&binary);
            command
        }
    };
    command.args(arguments(function)).env(DIRECTORY, directory);
    command
}

/// This binary, which runs one of the functions below.
pub fn command(function: &str, directory: &Utf8Path) -> Command {
    wrapped(&[], function, directory)
}

fn directory() -> Utf8PathBuf {
    std::env::var(DIRECTORY).unwrap().into()
}

/// Puts a credential where a child finds it.
pub fn save(credential: &TlsCredential, directory: &Utf8Path, name: &str) {
    let file = |what: &str| directory.join(format!("{name}.{what}"));
    put(&file("key"), credential.private_key_pem.expose(), 0o600);
    put(&file("cert"), &credential.certificate_pem, 0o644);
    if let Some(chain) = &credential.chain_pem {
        put(&file("chain"), chain, 0o644);
    }
}

fn load(directory: &Utf8Path, name: &str) -> TlsCredential {
    let read = |what: &str| std::fs::read_to_string(directory.join(format!("{name}.{what}")));
    TlsCredential {
        private_key_pem: Secret::from(read("key").unwrap()),
        certificate_pem: read("cert").unwrap(),
        chain_pem: read("chain").ok(),
    }
}

fn ready() {
    let mut output = std::io::stdout();
    writeln!(output, "\nready").unwrap();
    output.flush().unwrap();
}

#[test]
#[ignore = "a child of other tests"]
fn publishes_a() {
    let directory = directory();
    let store = NginxTls::new(directory.join("tls"));
    let credential = load(&directory, "a");
    store.publish(&credential, TlsSource::Generated).unwrap();
}

#[test]
#[ignore = "a child of other tests"]
fn publishes_a_again() {
    let directory = directory();
    let store = NginxTls::new(directory.join("tls"));
    let credential = load(&directory, "a");
    let published = store.publish(&credential, TlsSource::Generated).unwrap();
    assert_eq!(published, Published::Unchanged);
}

#[test]
#[ignore = "a child of other tests"]
fn publishes_a_and_b_for_ever() {
    let directory = directory();
    let store = NginxTls::new(directory.join("tls"));
    let credentials = [load(&directory, "a"), load(&directory, "b")];
    ready();
    for credential in credentials.iter().cycle() {
        store.publish(credential, TlsSource::Database).unwrap();
    }
}

#[test]
#[ignore = "a child of other tests"]
fn completes_the_wizard() {
    let wizard = WizardDir::new(directory().join("wizard"));
    wizard.go_to(SetupWizardState::Completed).unwrap();
}

#[test]
#[ignore = "a child of other tests"]
fn moves_the_wizard_for_ever() {
    let wizard = WizardDir::new(directory().join("wizard"));
    ready();
    loop {
        wizard.go_to(SetupWizardState::Completed).unwrap();
        wizard.go_to(SetupWizardState::AutoRestorePassword).unwrap();
    }
}

#[test]
#[ignore = "a child of other tests"]
fn logs_in() {
    let memory = PinMemoryFile::new(directory().join("data/pin-rejected"));
    let mut ledger = memory.open("1", Duration::from_secs(60)).unwrap();
    ledger.note_try().unwrap();
    ledger.end_try(TryEnd::Accepted).unwrap();
}

#[test]
#[ignore = "a child of other tests"]
fn holds_the_lock() {
    let lock = FileLock::new(directory().join("lock"), false);
    let _guard = lock.acquire(Duration::ZERO, &mut || ()).unwrap();
    ready();
    std::thread::sleep(Duration::from_secs(600));
}

#[test]
#[ignore = "a child of other tests"]
fn collects_static_files() {
    let directory = directory();
    let root = Some(directory.join("root"));
    let collector = StaticCollector::new(vec![directory.join("source")], root);
    collector.collect().unwrap();
}

/// A child that has said that it is ready; killed with the value.
pub struct Ready(std::process::Child);

impl Ready {
    pub fn start(function: &str, directory: &Utf8Path) -> Self {
        use std::io::{BufRead as _, BufReader};
        let mut child = command(function, directory)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        assert!(output.lines().any(|line| line.unwrap() == "ready"));
        Self(child)
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
