//! Suites of lock, PIN memory, DEK cache and wizard state.

use std::time::Duration;

use domain::SetupWizardState as S;

use super::{Case, Fresh, kind_of, run};
use crate::{
    CachedDek, Dek, DekCache, FaultKind, PinMemory, RejectedPin, StartLock, WizardDirectory,
    WizardStore,
};

/// Suite of [`StartLock`].
pub fn start_lock(fresh: Fresh<'_, dyn StartLock>) {
    const CASES: [Case<dyn StartLock>; 3] = [
        ("c11: held by one alone", |open| {
            let (first, second) = (open(), open());
            let guard = first.acquire(Duration::ZERO, &mut || ()).unwrap();
            assert_eq!(
                kind_of(second.acquire(Duration::ZERO, &mut || ())),
                FaultKind::Busy
            );
            drop(guard);
            second.acquire(Duration::ZERO, &mut || ()).unwrap();
        }),
        ("a wait is announced once", |open| {
            let mut announced = 0;
            let _guard = open().acquire(Duration::ZERO, &mut || ()).unwrap();
            let result = open().acquire(Duration::from_millis(150), &mut || announced += 1);
            assert_eq!(kind_of(result), FaultKind::Busy);
            assert_eq!(announced, 1);
        }),
        ("a free lock is not announced", |open| {
            let wait = Duration::from_secs(60);
            let announce = &mut || panic!("nobody holds the lock");
            for _ in 0..3 {
                drop(open().acquire(wait, announce).unwrap());
            }
        }),
    ];
    run("start lock", &CASES, fresh);
}

fn rejected(token_serial: &str, hash: &str) -> RejectedPin {
    RejectedPin {
        token_serial: token_serial.to_owned(),
        hash: hash.to_owned(),
    }
}

/// Suite of [`PinMemory`].
pub fn pin_memory(fresh: Fresh<'_, dyn PinMemory>) {
    const CASES: [Case<dyn PinMemory>; 4] = [
        ("nothing is remembered at first", |open| {
            assert_eq!(open().recall("1").unwrap(), None);
            open().forget("1").unwrap();
        }),
        ("c18: a rejected PIN is remembered over a restart", |open| {
            open().remember(&rejected("1", "$a$b")).unwrap();
            assert_eq!(open().recall("1").unwrap(), Some(rejected("1", "$a$b")));
            assert_eq!(open().recall("2").unwrap(), None);
        }),
        ("one hash a token", |open| {
            open().remember(&rejected("1", "$a$b")).unwrap();
            open().remember(&rejected("2 x", "$c$d")).unwrap();
            open().remember(&rejected("1", "$e$f")).unwrap();
            assert_eq!(open().recall("1").unwrap(), Some(rejected("1", "$e$f")));
            assert_eq!(open().recall("2 x").unwrap(), Some(rejected("2 x", "$c$d")));
        }),
        ("one token is forgotten, the others are not", |open| {
            open().remember(&rejected("1", "$a$b")).unwrap();
            open().remember(&rejected("2", "$c$d")).unwrap();
            open().forget("1").unwrap();
            assert_eq!(open().recall("1").unwrap(), None);
            assert_eq!(open().recall("2").unwrap(), Some(rejected("2", "$c$d")));
            open().forget("2").unwrap();
            assert_eq!(open().recall("2").unwrap(), None);
        }),
    ];
    run("PIN memory", &CASES, fresh);
}

fn dek(byte: u8) -> Dek {
    Dek::from_bytes(&[byte; 32]).unwrap()
}

fn holds(cache: &dyn DekCache, byte: u8) -> bool {
    matches!(cache.read().unwrap(), CachedDek::Present(cached) if cached.is_same(&dek(byte)))
}

/// Suite of [`DekCache`], in a place where a DEK is allowed.
pub fn dek_cache(fresh: Fresh<'_, dyn DekCache>) {
    const CASES: [Case<dyn DekCache>; 4] = [
        ("empty at first", |open| {
            assert!(matches!(open().read().unwrap(), CachedDek::Absent));
            assert!(!open().exists().unwrap());
            assert!(!open().remove().unwrap());
            assert!(!open().path().is_empty());
        }),
        ("a DEK is there for the next start", |open| {
            assert!(open().write(&dek(1)).unwrap());
            assert!(holds(&*open(), 1));
            assert!(open().exists().unwrap());
        }),
        ("what is there is not written again", |open| {
            assert!(open().write(&dek(1)).unwrap());
            assert!(!open().write(&dek(1)).unwrap());
            assert!(open().write(&dek(2)).unwrap());
            assert!(holds(&*open(), 2));
        }),
        ("c22: removed is gone", |open| {
            open().write(&dek(1)).unwrap();
            assert!(open().remove().unwrap());
            assert!(matches!(open().read().unwrap(), CachedDek::Absent));
            assert!(!open().remove().unwrap());
        }),
    ];
    run("DEK cache", &CASES, fresh);
}

/// Suite of [`WizardStore`].
pub fn wizard_store(fresh: Fresh<'_, dyn WizardStore>) {
    const CASES: [Case<dyn WizardStore>; 4] = [
        ("empty at first", |open| {
            assert_eq!(open().read().unwrap(), WizardDirectory::Empty);
            assert!(!open().directory().is_empty());
        }),
        ("c08: the state is there for the next start", |open| {
            assert!(open().go_to(S::SetupCryptoStorage).unwrap());
            assert!(open().go_to(S::SetupMode).unwrap());
            assert_eq!(open().read().unwrap(), WizardDirectory::State(S::SetupMode));
        }),
        ("to stay is no change", |open| {
            assert!(open().go_to(S::Completed).unwrap());
            assert!(!open().go_to(S::Completed).unwrap());
        }),
        ("a move that is forbidden is a defect", |open| {
            assert_eq!(kind_of(open().go_to(S::SetupHsm)), FaultKind::Internal);
            assert_eq!(open().read().unwrap(), WizardDirectory::Empty);
            open().go_to(S::SetupCryptoStorage).unwrap();
            open().go_to(S::SetupHsm).unwrap();
            assert_eq!(kind_of(open().go_to(S::Restore)), FaultKind::Internal);
            assert_eq!(open().read().unwrap(), WizardDirectory::State(S::SetupHsm));
        }),
    ];
    run("wizard store", &CASES, fresh);
}
