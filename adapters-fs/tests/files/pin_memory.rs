use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use adapters_fs::PinMemoryFile;
use ports::{FaultKind, PinLedger, PinMemory as _, TryEnd};

use crate::support::{Sandbox, assert_fault, mode, names, put};

const PATIENCE: Duration = Duration::from_secs(60);

const HASH: &str = "$argon2id$v=19$m=8$c2FsdA$aGFzaA";

/// Patient: a child that another test is about to run has the locked file open until its exec.
fn open(memory: &PinMemoryFile, serial: &str) -> Box<dyn PinLedger> {
    memory.open(serial, PATIENCE).unwrap()
}

fn rejected(memory: &PinMemoryFile, serial: &str) {
    let mut ledger = open(memory, serial);
    ledger.note_try().unwrap();
    let hash = HASH.to_owned();
    ledger.end_try(TryEnd::Rejected { hash }).unwrap();
}

#[test]
fn c18_the_ledger_is_private_and_a_try_is_noted_in_place() {
    let sandbox = Sandbox::new();
    let path = sandbox.join("pin-rejected");
    let memory = PinMemoryFile::new(path.clone());
    open(&memory, "1").note_try().unwrap();
    assert_eq!(mode(&path), 0o600);
    let before = path.metadata().unwrap();
    open(&memory, "1").note_try().unwrap();
    let after = path.metadata().unwrap();
    assert_eq!((after.ino(), after.len()), (before.ino(), before.len()));
    assert_eq!(open(&memory, "1").unseen(), 2);
    open(&memory, "1").end_try(TryEnd::Accepted).unwrap();
    assert_eq!(path.metadata().unwrap().ino(), before.ino());
    assert_eq!(names(sandbox.path()), ["pin-rejected"]);
}

#[test]
fn c18_a_file_that_is_replaced_stays_locked() {
    let sandbox = Sandbox::new();
    let memory = PinMemoryFile::new(sandbox.join("pin-rejected"));
    let mut ledger = open(&memory, "1");
    // Both replace the file.
    ledger.note_try().unwrap();
    let hash = HASH.to_owned();
    ledger.end_try(TryEnd::Rejected { hash }).unwrap();
    let second = memory.open("1", Duration::ZERO).map(drop);
    assert_fault(second, FaultKind::Busy, "pin-rejected");
    drop(ledger);
    assert_eq!(open(&memory, "1").rejected(), [HASH]);
}

#[test]
fn c18_the_format_before_is_honoured() {
    let sandbox = Sandbox::new();
    let path = sandbox.join("pin-rejected");
    let memory = PinMemoryFile::new(path.clone());
    put(
        &path,
        format!("trustpointctl pin-rejected 1\nserial=1 hash={HASH}\n"),
        0o600,
    );
    let mut ledger = open(&memory, "1");
    assert_eq!((ledger.unseen(), ledger.rejected().len()), (0, 1));
    ledger.note_try().unwrap();
    drop(ledger);
    let ledger = open(&memory, "1");
    assert_eq!((ledger.unseen(), ledger.rejected().len()), (1, 1));
}

#[test]
fn c18_a_ledger_that_cannot_be_trusted_is_never_an_empty_one() {
    let sandbox = Sandbox::new();
    let path = sandbox.join("pin-rejected");
    let memory = PinMemoryFile::new(path.clone());
    let open = || memory.open("1", PATIENCE).map(drop);
    for content in ["\n", "noise\n", "serial=1 hash=$a\n", "\u{0}"] {
        put(&path, content, 0o600);
        assert_fault(open(), FaultKind::DataCorrupt, path.as_str());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    }
    put(&path, b"\xff", 0o600);
    assert_fault(open(), FaultKind::DataCorrupt, path.as_str());
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_fault(open(), FaultKind::Io, path.as_str());
}

#[test]
fn c18_what_died_before_its_first_line_is_gone_on_with() {
    let sandbox = Sandbox::new();
    let path = sandbox.join("pin-rejected");
    put(&path, "", 0o600);
    let memory = PinMemoryFile::new(path);
    rejected(&memory, "1");
    assert_eq!(open(&memory, "1").rejected(), [HASH]);
}

#[test]
fn c18_what_root_makes_belongs_to_the_owner_of_the_directory() {
    // Nobody else can give files away.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    let data = sandbox.join("data");
    std::fs::create_dir(&data).unwrap();
    std::os::unix::fs::chown(&data, Some(65534), Some(65534)).unwrap();
    let path = data.join("pin-rejected");
    let owner = || {
        let metadata = path.metadata().unwrap();
        (metadata.uid(), metadata.gid())
    };
    let memory = PinMemoryFile::new(path.clone());
    drop(open(&memory, "1"));
    assert_eq!(owner(), (65534, 65534));
    rejected(&memory, "1");
    assert_eq!(owner(), (65534, 65534));
}
