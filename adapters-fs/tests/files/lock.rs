use std::time::Duration;

use adapters_fs::FileLock;
use ports::{FaultKind, StartLock as _};

use crate::child::Ready;
use crate::support::{Sandbox, assert_fault, mode, put};

fn kind(lock: &FileLock, wait: Duration) -> Option<FaultKind> {
    lock.acquire(wait, &mut || ()).err().map(|f| f.kind())
}

#[test]
fn c11_the_kernel_releases_the_lock_of_a_process_that_dies() {
    let sandbox = Sandbox::new();
    let lock = FileLock::new(sandbox.join("lock"), false);
    let holder = Ready::start("holds_the_lock", sandbox.path());
    let fault = lock.acquire(Duration::ZERO, &mut || ()).err().unwrap();
    assert_eq!(fault.kind(), FaultKind::Busy);
    assert!(
        fault.to_string().contains(sandbox.path().as_str()),
        "{fault}"
    );
    holder.kill();
    assert_eq!(kind(&lock, Duration::ZERO), None);
}

#[test]
fn c11_the_one_that_waits_gets_the_lock() {
    let sandbox = Sandbox::new();
    let lock = FileLock::new(sandbox.join("lock"), false);
    let holder = Ready::start("holds_the_lock", sandbox.path());
    std::thread::scope(|scope| {
        let (announce, announced) = std::sync::mpsc::channel();
        let waits = scope.spawn({
            let lock = lock.clone();
            move || {
                let wait = Duration::from_secs(60);
                lock.acquire(wait, &mut || announce.send(()).unwrap())
                    .map(drop)
            }
        });
        announced.recv().unwrap();
        holder.kill();
        waits.join().unwrap().unwrap();
    });
}

#[test]
fn c11_a_program_that_is_started_does_not_inherit_the_lock() {
    let sandbox = Sandbox::new();
    let lock = FileLock::new(sandbox.join("lock"), false);
    let guard = lock.acquire(Duration::ZERO, &mut || ()).unwrap();
    let mut program = std::process::Command::new("sleep")
        .arg("600")
        .spawn()
        .unwrap();
    drop(guard);
    // Children that other tests fork have the file until they exec: for a moment, not for long.
    let result = kind(&lock, Duration::from_secs(60));
    program.kill().unwrap();
    program.wait().unwrap();
    assert_eq!(result, None);
}

#[test]
fn the_lock_file_is_empty_and_private() {
    let sandbox = Sandbox::new();
    let path = sandbox.join("new/directory/lock");
    let lock = FileLock::new(path.clone(), true);
    let _guard = lock.acquire(Duration::ZERO, &mut || ()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
}

#[test]
fn a_directory_that_is_missing_is_not_created_unasked() {
    let sandbox = Sandbox::new();
    let missing = sandbox.join("volume");
    let file = sandbox.join("file");
    put(&file, "", 0o600);
    for directory in [missing.clone(), file] {
        let lock = FileLock::new(directory.join("lock"), false);
        let result = lock.acquire(Duration::ZERO, &mut || ());
        assert_fault(result, FaultKind::DatabaseUnavailable, directory.as_str());
    }
    assert!(!missing.exists());
}
