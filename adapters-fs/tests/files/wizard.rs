use std::time::Duration;

use adapters_fs::WizardDir;
use domain::SetupWizardState as S;
use ports::{FaultKind, WizardDirectory, WizardStore as _};

use crate::child::Ready;
use crate::support::{Sandbox, assert_fault, mode, names, put};

#[test]
fn c08_one_file_at_every_moment_whatever_is_killed() {
    let sandbox = Sandbox::in_memory();
    let wizard = WizardDir::new(sandbox.join("wizard"));
    wizard.go_to(S::Completed).unwrap();
    for round in 0..30 {
        let child = Ready::start("moves_the_wizard_for_ever", sandbox.path());
        std::thread::sleep(Duration::from_micros(137 * round));
        child.kill();
        let state = wizard.read().unwrap().state();
        assert!(
            matches!(state, Some(S::Completed | S::AutoRestorePassword)),
            "{state:?}"
        );
        assert_eq!(names(&sandbox.join("wizard")).len(), 1);
    }
}

#[test]
fn c08_a_reader_never_sees_none_or_two() {
    let sandbox = Sandbox::in_memory();
    let wizard = WizardDir::new(sandbox.join("wizard"));
    wizard.go_to(S::Completed).unwrap();
    let _child = Ready::start("moves_the_wizard_for_ever", sandbox.path());
    for _ in 0..2000 {
        assert!(wizard.read().unwrap().state().is_some());
    }
}

#[test]
fn c08_more_than_one_file_is_corrupt_and_the_names_are_listed() {
    let sandbox = Sandbox::new();
    let wizard = WizardDir::new(sandbox.path().to_owned());
    put(&sandbox.join(S::Completed.name()), "", 0o600);
    put(&sandbox.join(S::SetupMode.name()), "", 0o600);
    for result in [
        wizard.read().map(drop),
        wizard.go_to(S::SetupCryptoStorage).map(drop),
    ] {
        let fault = result.unwrap_err();
        assert_eq!(fault.kind(), FaultKind::DataCorrupt);
        for part in [
            "WIZARD_COMPLETED",
            "WIZARD_SETUP_MODE",
            sandbox.path().as_str(),
        ] {
            assert!(fault.to_string().contains(part), "{fault}");
        }
    }
    assert_eq!(names(sandbox.path()).len(), 2);
}

#[test]
fn c08_a_name_that_is_no_state_is_corrupt() {
    let sandbox = Sandbox::new();
    for name in ["WIZARD_NOWHERE", "wizard_completed", "WIZARD_COMPLETED.bak"] {
        let dir = sandbox.join(&format!("of {name}"));
        put(&dir.join(name), "", 0o600);
        assert_fault(WizardDir::new(dir).read(), FaultKind::DataCorrupt, name);
    }
    let dir = sandbox.join("of a directory");
    std::fs::create_dir_all(dir.join("WIZARD_COMPLETED")).unwrap();
    let result = WizardDir::new(dir).read();
    assert_fault(result, FaultKind::DataCorrupt, "WIZARD_COMPLETED");
}

#[test]
fn what_is_no_state_by_nature_is_ignored() {
    let sandbox = Sandbox::new();
    put(&sandbox.join(".keep"), "", 0o600);
    std::fs::create_dir(sandbox.join("lost+found")).unwrap();
    let wizard = WizardDir::new(sandbox.path().to_owned());
    assert_eq!(wizard.read().unwrap(), WizardDirectory::Empty);
    assert!(wizard.go_to(S::Completed).unwrap());
    assert_eq!(wizard.read().unwrap().state(), Some(S::Completed));
    assert_eq!(names(sandbox.path()).len(), 3);
}

#[test]
fn a_missing_directory_is_made_private() {
    let sandbox = Sandbox::new();
    let dir = sandbox.join("etc/wizard/state");
    let wizard = WizardDir::new(dir.clone());
    assert_eq!(wizard.read().unwrap(), WizardDirectory::Empty);
    assert!(!dir.exists(), "to read creates nothing");
    wizard.go_to(S::SetupCryptoStorage).unwrap();
    assert_eq!(mode(&dir), 0o700);
}

#[test]
fn a_file_in_the_place_of_the_directory_is_an_io_fault() {
    let sandbox = Sandbox::new();
    let path = sandbox.join("state");
    put(&path, "", 0o600);
    let wizard = WizardDir::new(path.clone());
    assert_fault(wizard.read(), FaultKind::Io, path.as_str());
    assert_fault(wizard.go_to(S::Completed), FaultKind::Io, path.as_str());
}
