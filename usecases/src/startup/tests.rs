//! A start whose ports fail one by one: what the real parts cannot be made to do. A call that a
//! test does not expect fails it.

mod mocks;
mod token;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use domain::{InstallationId, Outcome, SchemaState, SetupWizardState};
use ports::{ActiveCredential, CachedDek, FaultKind, FileError};

use super::{Mode, Request, run};
use crate::recorder::Recorder;
use crate::report::{Report, StepResult};

use mocks::Mocks;
use token::{Call, Failure, FakeToken};

fn start(mocks: Mocks) -> (Report, Option<FaultKind>) {
    let mut report = Report::new("startup");
    let request = Request {
        mode: Mode::CarryOut,
        lock_wait: Duration::ZERO,
        accept_new_database: false,
    };
    let node = mocks.into_node();
    let result = run(&mut Recorder::new(&node, &mut report, |_| ()), request);
    (report, result.err().map(|fault| fault.kind()))
}

fn full_disk<T, E: From<FileError>>() -> Result<T, E> {
    let full = FileError::Full {
        directory: "/var".to_owned(),
        free: 0,
        needed: 1,
    };
    Err(full.into())
}

#[test]
fn a_ready_start_takes_no_lock_of_what_nodes_share() {
    type Change = fn(&mut Mocks);
    let cases: [(usize, Change); 5] = [
        (0, |_| ()),
        (1, |mocks| mocks.record = None),
        (1, |mocks| {
            mocks.record.as_mut().unwrap().schema = SchemaState::Behind;
        }),
        (1, |mocks| {
            mocks.record.as_mut().unwrap().setup_completed_at = None;
        }),
        (1, |mocks| {
            mocks.record.as_mut().unwrap().active_credential = ActiveCredential::None;
        }),
    ];
    for (number, (expected, change)) in cases.into_iter().enumerate() {
        let taken = Rc::new(Cell::new(0));
        let token = FakeToken::default();
        let mut mocks = Mocks::softhsm(&token, CachedDek::Present(mocks::dek()));
        mocks.shared_lock = Some(Rc::clone(&taken));
        change(&mut mocks);
        mocks.allow_changes();
        // How it ends is not what is asked here.
        let _ = start(mocks);
        assert_eq!(taken.get(), expected, "{number}");
    }
}

#[test]
fn c05_whatever_step_fails_ends_the_start_and_nothing_is_recorded() {
    type Break = fn(&mut Mocks);
    let failing: [(&str, Break); 8] = [
        ("migrate_database", |mocks| {
            mocks.node.expect_migrate().return_once(full_disk);
        }),
        ("collect_static_files", |mocks| {
            mocks.static_files.expect_collect().return_once(full_disk);
        }),
        ("compile_messages", |mocks| {
            mocks.messages.expect_compile().return_once(full_disk);
        }),
        ("configure_storage", |mocks| {
            let configure = mocks.node.expect_configure_storage();
            configure.return_once(|_| full_disk());
        }),
        ("provide_tls", |mocks| {
            mocks.tls.expect_publish().return_once(|_, _| full_disk());
        }),
        ("provide_tls", |mocks| {
            let save = mocks.credentials.expect_save_active();
            save.return_once(|_, _, _| full_disk());
        }),
        ("set_wizard_state", |mocks| {
            mocks.wizard.expect_go_to().return_once(|_| full_disk());
        }),
        ("record_start", |mocks| {
            let record = mocks.history.expect_record_start();
            record.times(1).return_once(|_| full_disk());
        }),
    ];
    for (step, break_it) in failing {
        let mut mocks = Mocks::without_database();
        break_it(&mut mocks);
        if step != "record_start" {
            mocks.history.expect_record_start().never();
        }
        mocks.allow_changes();
        let (report, fault) = start(mocks);
        assert_eq!(fault, Some(FaultKind::Io), "{step}");
        let last = report.steps.last().unwrap();
        let last = (last.step.as_str(), last.result);
        assert_eq!(last, (step, StepResult::Failed));
    }
}

#[test]
fn c03_an_hsm_that_fails_in_any_way_changes_nothing() {
    for call in [
        Call::Reach,
        Call::Find,
        Call::LogIn,
        Call::HasKek,
        Call::Unwrap,
    ] {
        for with in [Failure::Vanished, Failure::Hangs, Failure::NoSlots] {
            let token = FakeToken::default();
            token.fail_at(call, with);
            // No change is expected.
            for mocks in [
                Mocks::softhsm(&token, CachedDek::Absent),
                Mocks::physical(&token, CachedDek::Absent, true),
            ] {
                let (report, fault) = start(mocks);
                assert_eq!(fault, Some(FaultKind::HsmUnavailable), "{call:?} {with:?}");
                assert!(report.steps.is_empty(), "{report:?}");
            }
        }
    }
}

#[test]
fn a_physical_hsm_that_is_not_opted_in_to_is_not_even_reached() {
    for cached in [CachedDek::Absent, CachedDek::Present(mocks::dek())] {
        let token = FakeToken::default();
        token.fail_at(Call::Reach, Failure::Hangs);
        // No change is expected, and the file in the cache is not read.
        let (report, fault) = start(Mocks::physical(&token, cached, false));
        assert_eq!(fault, Some(FaultKind::StorageUnsupported));
        assert!(report.steps.is_empty(), "{report:?}");
    }
}

#[test]
fn a_physical_hsm_that_is_opted_in_to_is_logged_in_to_once() {
    let token = FakeToken::default();
    let mut mocks = Mocks::physical(&token, CachedDek::Absent, true);
    mocks.allow_changes();
    let (report, fault) = start(mocks);
    let ended = (report.outcome, fault);
    assert_eq!(ended, (Some(Outcome::Ready), None), "{report:?}");
    assert_eq!(token.logins(), 1);
}

#[test]
fn c23_a_token_of_another_installation_is_not_logged_in_to() {
    let token = FakeToken::default();
    token.mark_as(InstallationId::from_random([7; 16]));
    let (_, fault) = start(Mocks::softhsm(&token, CachedDek::Absent));
    assert_eq!(fault, Some(FaultKind::Config));
    assert_eq!(token.logins(), 0);
}

#[test]
fn c18_one_start_logs_in_once() {
    let token = FakeToken::default();
    let mut mocks = Mocks::softhsm(&token, CachedDek::Absent);
    mocks.allow_changes();
    let (report, fault) = start(mocks);
    let ended = (report.outcome, fault);
    assert_eq!(ended, (Some(Outcome::Ready), None), "{report:?}");
    assert_eq!(token.logins(), 1);
}

#[test]
fn c22_a_start_that_fails_takes_back_what_the_kek_gives_again_and_nothing_else() {
    let fails = |token: &FakeToken, cached, removals| {
        let mut mocks = Mocks::softhsm(token, cached);
        let record = mocks.history.expect_record_start();
        record.return_once(|_| full_disk());
        let remove = mocks.cache.expect_remove();
        remove.times(removals).returning(|| Ok(true));
        mocks.allow_changes();
        assert_eq!(start(mocks).1, Some(FaultKind::Io));
    };
    let token = FakeToken::default();
    fails(&token, CachedDek::Absent, 1);
    // The last copy, and one that stood there before.
    token.lose_kek();
    fails(&token, CachedDek::Present(mocks::dek()), 0);
}

#[test]
fn c03_a_token_that_goes_while_it_is_looked_at_is_warned_about() {
    // Seen when it was looked for, and empty when its KEK was asked for.
    let token = FakeToken::default();
    token.lose_kek();
    let mut mocks = Mocks::softhsm(&token, CachedDek::Absent);
    mocks.allow_changes();
    let (report, _) = start(mocks);
    let warnings = report.warnings.join("\n");
    assert!(warnings.contains(&token.serial()), "{warnings}");
    assert!(warnings.contains("mounted and readable"), "{warnings}");
}

/// ADR 4: a file that cannot move leaves no mark.
#[test]
fn a_completed_setup_is_not_marked_before_its_file_has_moved() {
    let token = FakeToken::default();
    let mut mocks = Mocks::softhsm(&token, CachedDek::Absent);
    mocks.record.as_mut().unwrap().setup_completed_at = None;
    mocks.wizard_state = Some(SetupWizardState::AutoRestorePassword);
    mocks.wizard.expect_go_to().return_once(|_| full_disk());
    mocks.node.expect_mark_setup_completed().never();
    mocks.allow_changes();
    assert_eq!(start(mocks).1, Some(FaultKind::Io));
}
