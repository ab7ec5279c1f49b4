use adapters_fs::PinMemoryFile;
use ports::{FaultKind, PinMemory as _, RejectedPin};

use crate::support::{Sandbox, assert_fault, mode, names, put};

fn rejected(token_serial: &str) -> RejectedPin {
    RejectedPin {
        token_serial: token_serial.to_owned(),
        hash: "$argon2id$v=19$m=8$c2FsdA$aGFzaA".to_owned(),
    }
}

#[test]
fn c18_the_memory_is_private_and_goes_with_its_last_entry() {
    let sandbox = Sandbox::new();
    let path = sandbox.join("pin-rejected");
    let memory = PinMemoryFile::new(path.clone());
    memory.remember(&rejected("1")).unwrap();
    memory.remember(&rejected("2")).unwrap();
    assert_eq!(mode(&path), 0o600);
    memory.forget("1").unwrap();
    assert!(path.exists());
    memory.forget("2").unwrap();
    assert_eq!(names(sandbox.path()), [""; 0]);
}

#[test]
fn c18_a_memory_that_cannot_be_trusted_is_never_an_empty_one() {
    let sandbox = Sandbox::new();
    let path = sandbox.join("pin-rejected");
    let memory = PinMemoryFile::new(path.clone());
    for content in ["", "\n", "noise\n", "serial=1 hash=$a\n", "\u{0}"] {
        put(&path, content, 0o600);
        assert_fault(memory.recall("1"), FaultKind::DataCorrupt, path.as_str());
        assert_fault(memory.forget("1"), FaultKind::DataCorrupt, path.as_str());
        let remembered = memory.remember(&rejected("1"));
        assert_fault(remembered, FaultKind::DataCorrupt, path.as_str());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    }
    put(&path, b"\xff", 0o600);
    assert_fault(memory.recall("1"), FaultKind::DataCorrupt, path.as_str());
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_fault(memory.recall("1"), FaultKind::Io, path.as_str());
}

#[test]
fn what_is_remembered_already_is_not_written_again() {
    use std::os::unix::fs::MetadataExt as _;
    let sandbox = Sandbox::new();
    let path = sandbox.join("pin-rejected");
    let memory = PinMemoryFile::new(path.clone());
    memory.remember(&rejected("1")).unwrap();
    let before = path.metadata().unwrap().ino();
    memory.remember(&rejected("1")).unwrap();
    assert_eq!(path.metadata().unwrap().ino(), before);
}
