//! Contradictions, over every combination of what can be known.

#![expect(clippy::unwrap_used, reason = "test code")]

use domain::{Contradiction, CopyFacts, DekFacts, KekId, StorageType, WrappedBy};

fn kek(byte: u8) -> KekId {
    KekId::new(&[byte; 16]).unwrap()
}

/// A node that was set up with a token and is whole.
fn whole() -> DekFacts {
    DekFacts {
        storage: Some(StorageType::SoftHsm),
        completed: true,
        has_wrapped: true,
        has_password_blob: true,
        check_value: Some(vec![0xAB]),
        copy: Some(CopyFacts {
            serial: "0815".to_owned(),
            kek: Some(kek(1)),
            wrapped: WrappedBy::Kek(kek(1)),
        }),
        unwrapped: Some(vec![0xAB]),
    }
}

/// Damages one value of the whole node.
fn with(change: impl FnOnce(&mut DekFacts)) -> DekFacts {
    let mut facts = whole();
    change(&mut facts);
    facts
}

/// Damages one value of its token's copy.
fn with_copy(change: impl FnOnce(&mut CopyFacts)) -> DekFacts {
    with(|facts| change(facts.copy.as_mut().unwrap()))
}

#[test]
fn a_whole_node_and_its_honest_losses_contradict_nothing() {
    for facts in [
        whole(),
        with(|facts| facts.has_password_blob = false),
        with(|facts| facts.unwrapped = None),
        with_copy(|copy| copy.wrapped = WrappedBy::Nothing),
        // Bytes that are no blob: the token says so, or the password makes them anew.
        with_copy(|copy| copy.wrapped = WrappedBy::Unreadable),
        // No way to the DEK is left but the cache: nothing is damaged.
        with(|facts| {
            facts.has_wrapped = false;
            facts.has_password_blob = false;
        }),
        // Another token than those that have a copy.
        with(|facts| facts.copy = None),
        // Every token was forgotten, and the password is left.
        with(|facts| {
            facts.copy = None;
            facts.has_wrapped = false;
        }),
    ] {
        assert_eq!(Contradiction::of(&facts), None, "{facts:?}");
    }
}

#[test]
fn each_damaged_value_is_named_with_its_other_side() {
    for (facts, named) in [
        (
            with_copy(|copy| copy.kek = Some(kek(2))),
            &["02020202", "01010101", "0815"][..],
        ),
        (
            with_copy(|copy| copy.wrapped = WrappedBy::Kek(kek(3))),
            &["03030303", "01010101", "0815"],
        ),
        (
            with_copy(|copy| copy.kek = None),
            &["01010101", "names none", "0815"],
        ),
        (
            with_copy(|copy| {
                copy.kek = None;
                copy.wrapped = WrappedBy::Unreadable;
            }),
            &["wrapped DEK", "neither", "0815"],
        ),
        (
            with(|facts| facts.check_value = None),
            &["dek_check_value", "sealed"],
        ),
        (
            with(|facts| facts.unwrapped = Some(vec![0xCD])),
            &["cd", "ab"],
        ),
        (
            with(|facts| {
                facts.has_wrapped = false;
                facts.has_password_blob = false;
                facts.check_value = None;
            }),
            &["softhsm", "pkcs11_token", "sealing"],
        ),
        (
            with(|facts| facts.storage = Some(StorageType::Software)),
            &["software", "pkcs11_token"],
        ),
    ] {
        let found = Contradiction::of(&facts).unwrap().to_string();
        for part in named {
            assert!(found.contains(part), "{part}: {found}");
        }
    }
}

#[test]
fn a_setup_that_is_half_way_contradicts_nothing() {
    let begun = |copy| DekFacts {
        completed: false,
        has_wrapped: false,
        has_password_blob: false,
        check_value: None,
        unwrapped: None,
        copy,
        ..whole()
    };
    let noted = CopyFacts {
        serial: "0815".to_owned(),
        kek: None,
        wrapped: WrappedBy::Nothing,
    };
    assert_eq!(Contradiction::of(&begun(None)), None);
    assert_eq!(Contradiction::of(&begun(Some(noted.clone()))), None);
    let facts = DekFacts {
        storage: Some(StorageType::Software),
        ..begun(Some(noted))
    };
    assert_eq!(Contradiction::of(&facts), None, "a KEK that was only noted");
}

#[test]
fn nothing_is_said_of_a_storage_that_is_missing() {
    let facts = DekFacts {
        storage: None,
        ..with_copy(|copy| copy.kek = Some(kek(9)))
    };
    assert_eq!(Contradiction::of(&facts), None);
}

#[test]
fn of_a_physical_hsm_the_same_is_said_as_of_softhsm() {
    for facts in [
        whole(),
        with_copy(|copy| copy.kek = None),
        with_copy(|copy| copy.kek = Some(kek(9))),
        with(|facts| facts.check_value = None),
    ] {
        let physical = DekFacts {
            storage: Some(StorageType::PhysicalHsm),
            ..facts.clone()
        };
        assert_eq!(Contradiction::of(&physical), Contradiction::of(&facts));
    }
}

#[test]
fn only_the_kek_can_be_asked_of_the_blob() {
    let about = |facts| Contradiction::of(&facts).unwrap().is_about_the_kek();
    assert!(about(with_copy(|copy| copy.kek = None)));
    assert!(about(with_copy(|copy| copy.kek = Some(kek(2)))));
    assert!(!about(with(|facts| facts.check_value = None)));
}
