//! Suites of lock, PIN ledger, DEK cache and wizard state.

use std::time::Duration;

use domain::SetupWizardState as S;

use super::cases::{Case, Fresh, kind_of, run};
use crate::{
    CachedDek, Dek, DekCache, FaultKind, PinLedger, PinMemory, StartLock, TryEnd, WizardDirectory,
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
            let result = open().acquire(Duration::from_secs(1), &mut || announced += 1);
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

fn ledger(memory: Box<dyn PinMemory>, serial: &str) -> Box<dyn PinLedger> {
    memory.open(serial, Duration::from_secs(60)).unwrap()
}

/// One try that ended so.
fn tried(memory: Box<dyn PinMemory>, serial: &str, end: TryEnd) {
    let mut ledger = ledger(memory, serial);
    ledger.note_try().unwrap();
    ledger.end_try(end).unwrap();
}

fn rejected(hash: &str) -> TryEnd {
    TryEnd::Rejected {
        hash: hash.to_owned(),
    }
}

fn assert_ledger(memory: Box<dyn PinMemory>, serial: &str, unseen: u8, hashes: &[&str]) {
    let ledger = ledger(memory, serial);
    assert_eq!(ledger.unseen(), unseen, "{serial}");
    assert_eq!(ledger.rejected(), hashes, "{serial}");
}

/// Suite of [`PinMemory`].
pub fn pin_memory(fresh: Fresh<'_, dyn PinMemory>) {
    const CASES: [Case<dyn PinMemory>; 7] = [
        ("nothing is noted at first", |open| {
            assert_ledger(open(), "1", 0, &[]);
            assert_ledger(open(), "1", 0, &[]);
        }),
        ("c18: one process at a time", |open| {
            let first = ledger(open(), "1");
            for serial in ["1", "2"] {
                let second = open().open(serial, Duration::ZERO);
                assert_eq!(kind_of(second), FaultKind::Busy);
            }
            drop(first);
            assert_ledger(open(), "1", 0, &[]);
        }),
        ("c18: tries whose end nobody saw are counted", |open| {
            for unseen in 1..=2 {
                ledger(open(), "1").note_try().unwrap();
                assert_ledger(open(), "1", unseen, &[]);
                assert_ledger(open(), "2", 0, &[]);
            }
        }),
        (
            "c18: a login that works ends the count and forgets",
            |open| {
                tried(open(), "1", rejected("$a$b"));
                tried(open(), "2", rejected("$c$d"));
                ledger(open(), "1").note_try().unwrap();
                tried(open(), "1", TryEnd::Accepted);
                assert_ledger(open(), "1", 0, &[]);
                assert_ledger(open(), "2", 0, &["$c$d"]);
                tried(open(), "1", TryEnd::Accepted);
                assert_ledger(open(), "1", 0, &[]);
            },
        ),
        ("c18: every rejected PIN is kept", |open| {
            for (serial, hash) in [("1", "$a$b"), ("2 x", "$c$d"), ("1", "$e$f")] {
                tried(open(), serial, rejected(hash));
            }
            assert_ledger(open(), "1", 0, &["$a$b", "$e$f"]);
            assert_ledger(open(), "2 x", 0, &["$c$d"]);
        }),
        ("c18: a rejection crosses out its own try alone", |open| {
            ledger(open(), "1").note_try().unwrap();
            tried(open(), "1", rejected("$a$b"));
            assert_ledger(open(), "1", 1, &["$a$b"]);
        }),
        ("c18: another end crosses out its own try alone", |open| {
            tried(open(), "1", rejected("$a$b"));
            ledger(open(), "1").note_try().unwrap();
            tried(open(), "1", TryEnd::Other);
            assert_ledger(open(), "1", 1, &["$a$b"]);
        }),
    ];
    run("PIN ledger", &CASES, fresh);
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
