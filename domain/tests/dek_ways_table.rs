//! The rule about the last copy of a DEK, over its whole input space.

use domain::{CacheCopy, CacheEvent, CacheFate, DekWays, Forgotten, KekState, WayBack};

fn all() -> Vec<DekWays> {
    let mut all = Vec::new();
    for kek in KekState::ALL {
        for has_backup_password in [false, true] {
            for cache in CacheCopy::ALL {
                all.push(DekWays {
                    kek,
                    has_backup_password,
                    cache,
                });
            }
        }
    }
    all
}

#[test]
fn c22_nothing_goes_that_may_be_the_last_copy() {
    for ways in all() {
        for event in CacheEvent::ALL {
            let may_be_the_last = ways.cache != CacheCopy::Absent
                && ways.kek != KekState::Unwraps
                && !ways.has_backup_password;
            if may_be_the_last {
                assert_ne!(ways.fate(event), CacheFate::Drop, "{ways:?} {event:?}");
            }
        }
    }
}

#[test]
fn c22_a_start_drops_only_what_the_kek_has_just_given() {
    for ways in all() {
        let drops = ways.fate(CacheEvent::NotReady) == CacheFate::Drop;
        let expected = ways.kek == KekState::Unwraps || ways.cache == CacheCopy::Absent;
        assert_eq!(drops, expected, "{ways:?}");
        assert_ne!(
            ways.fate(CacheEvent::NotReady),
            CacheFate::Refuse,
            "a start goes on: {ways:?}"
        );
    }
}

#[test]
fn a_restore_is_refused_where_something_can_be_done_and_nowhere_else() {
    for ways in all() {
        let refused = ways.fate(CacheEvent::OtherDatabase) == CacheFate::Refuse;
        let can_be_wrapped = matches!(ways.cache, CacheCopy::Ours | CacheCopy::Untrusted);
        let is_last = ways.kek != KekState::Unwraps && !ways.has_backup_password;
        assert_eq!(refused, can_be_wrapped && is_last, "{ways:?}");
    }
}

#[test]
fn a_new_dek_is_made_only_where_no_way_to_the_old_one_is_left() {
    for ways in all()
        .into_iter()
        .filter(|ways| ways.kek != KekState::Unwraps)
    {
        let allowed = ways.fate(CacheEvent::NewDek) == CacheFate::Drop;
        let nothing_left = ways.cache == CacheCopy::Absent && !ways.has_backup_password;
        assert_eq!(allowed, nothing_left, "{ways:?}");
    }
}

#[test]
fn no_hint_leads_away_from_a_cached_dek() {
    for ways in all() {
        let expected = match (ways.cache, ways.has_backup_password) {
            (CacheCopy::Ours, _) => WayBack::RotateKek,
            (_, true) => WayBack::Recover,
            (CacheCopy::Untrusted, false) => WayBack::RepairCache,
            (CacheCopy::Absent | CacheCopy::Unknown, false) => WayBack::OldToken,
        };
        assert_eq!(ways.way_back(), expected, "{ways:?}");
        let alone = ways.kek == KekState::Absent && ways.cache == CacheCopy::Ours;
        assert_eq!(ways.is_in_cache_alone(), alone, "{ways:?}");
    }
}

#[test]
fn no_copy_is_forgotten_that_may_be_the_last() {
    for ways in all() {
        for which in [Forgotten::OfAnother, Forgotten::InUse] {
            assert!(ways.may_forget(which, true), "proven: {ways:?}");
        }
        assert!(!ways.may_forget(Forgotten::InUse, false), "{ways:?}");
        let is_left = ways.kek == KekState::Unwraps || ways.has_backup_password;
        let allowed = ways.may_forget(Forgotten::OfAnother, false);
        assert_eq!(allowed, is_left, "{ways:?}");
    }
}
