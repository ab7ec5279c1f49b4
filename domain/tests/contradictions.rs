//! Contradictions, over every combination of what can be known.

#![expect(clippy::unwrap_used, reason = "test code")]

use domain::{Contradiction, DekFacts, KekId, StorageType, TokenFacts, WrappedBy};

fn kek(byte: u8) -> KekId {
    KekId::new(&[byte; 16]).unwrap()
}

/// A node that was set up with a token and is whole.
fn whole() -> DekFacts {
    DekFacts {
        storage: Some(StorageType::SoftHsm),
        completed: true,
        token: Some(TokenFacts {
            kek: Some(kek(1)),
            wrapped: WrappedBy::Kek(kek(1)),
            has_password_blob: true,
            check_value: Some(vec![0xAB]),
            unwrapped: Some(vec![0xAB]),
        }),
    }
}

/// Damages one value of the whole node.
fn with(change: impl FnOnce(&mut TokenFacts)) -> DekFacts {
    let mut facts = whole();
    change(facts.token.as_mut().unwrap());
    facts
}

#[test]
fn a_whole_node_and_its_honest_losses_contradict_nothing() {
    for facts in [
        whole(),
        with(|token| token.has_password_blob = false),
        with(|token| token.unwrapped = None),
        with(|token| token.wrapped = WrappedBy::Nothing),
        // Bytes that are no blob: the token says so, or the password makes them anew.
        with(|token| token.wrapped = WrappedBy::Unreadable),
    ] {
        assert_eq!(Contradiction::of(&facts), None, "{facts:?}");
    }
}

#[test]
fn each_damaged_value_is_named_with_its_other_side() {
    for (facts, named) in [
        (
            with(|token| token.kek = Some(kek(2))),
            &["02020202", "01010101"][..],
        ),
        (
            with(|token| token.wrapped = WrappedBy::Kek(kek(3))),
            &["03030303", "01010101"],
        ),
        (with(|token| token.kek = None), &["01010101", "names none"]),
        (
            with(|token| {
                token.kek = None;
                token.wrapped = WrappedBy::Unreadable;
            }),
            &["wrapped DEK", "neither"],
        ),
        (
            with(|token| token.check_value = None),
            &["dek_check_value", "sealed"],
        ),
        (
            with(|token| token.unwrapped = Some(vec![0xCD])),
            &["cd", "ab"],
        ),
        (
            DekFacts {
                token: None,
                ..whole()
            },
            &["softhsm", "pkcs11_token"],
        ),
        (
            DekFacts {
                storage: Some(StorageType::Software),
                ..whole()
            },
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
    let begun = |token| DekFacts {
        completed: false,
        token,
        ..whole()
    };
    let noted = TokenFacts {
        kek: None,
        wrapped: WrappedBy::Nothing,
        has_password_blob: false,
        check_value: None,
        unwrapped: None,
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
        ..with(|token| token.kek = Some(kek(9)))
    };
    assert_eq!(Contradiction::of(&facts), None);
}

#[test]
fn of_a_physical_hsm_the_same_is_said_as_of_softhsm() {
    let changes: [fn(&mut TokenFacts); 4] = [
        |_| (),
        |token| token.kek = None,
        |token| token.kek = Some(kek(9)),
        |token| token.check_value = None,
    ];
    for change in changes {
        let facts = with(change);
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
    assert!(about(with(|token| token.kek = None)));
    assert!(about(with(|token| token.kek = Some(kek(2)))));
    assert!(!about(with(|token| token.check_value = None)));
}
