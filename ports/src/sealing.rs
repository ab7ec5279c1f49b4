//! How the secrets of an installation are sealed: one DEK, and every copy of it that is wrapped.

use domain::KekId;
use time::OffsetDateTime;

/// The DEK wrapped by the KEK, in the blob format that names itself (C16).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WrappedDek(pub Vec<u8>);

/// The DEK wrapped by a key derived from the backup password, with salt and parameters (C17).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BackupWrappedDek(pub Vec<u8>);

/// What the database knows of the DEK. All that can be had of it is one copy under the backup
/// password and one for each token, so that a token that was away is right when it comes back.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sealing {
    /// Check value of the DEK: tells whether a DEK is the right one, and nothing about it.
    pub check_value: Option<Vec<u8>>,
    /// The copy under the backup password.
    pub backup: Option<BackupCopy>,
    /// The copies under KEKs, in the order in which their tokens became known. No two are of one
    /// serial number.
    pub copies: Vec<TokenCopy>,
}

/// The DEK under the backup password.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BackupCopy {
    /// The DEK.
    pub dek: BackupWrappedDek,
    /// Since when that password is set, where it is known.
    pub set_at: Option<OffsetDateTime>,
}

/// What the database knows of a token, and the DEK as that token wraps it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenCopy {
    /// Label of the token.
    pub label: String,
    /// Its serial number, by which the copy is known.
    pub serial: String,
    /// The module it was reached through, for people.
    pub module_path: String,
    /// CKA_ID of our KEK on it.
    pub kek: Option<KekId>,
    /// A KEK that is being made: its id is stored before the token generates it. Where it is
    /// `kek` already, a rotation is not finished yet.
    pub pending_kek: Option<KekId>,
    /// KEKs that wrapped the DEK before and may still stand on the token, oldest first.
    pub retired_keks: Vec<KekId>,
    /// The DEK; `None` where a command was cut short before it was wrapped.
    pub wrapped: Option<KekCopy>,
}

/// The DEK under a KEK.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KekCopy {
    /// The DEK.
    pub dek: WrappedDek,
    /// When it was wrapped, where it is known.
    pub at: Option<OffsetDateTime>,
}

impl Sealing {
    /// The copy of the token with this serial number.
    #[must_use]
    pub fn copy_of(&self, serial: &str) -> Option<&TokenCopy> {
        self.copies.iter().find(|copy| copy.serial == serial)
    }

    /// The copy that was wrapped last: of several tokens that are there, this one is meant. Where
    /// none is wrapped, the token that became known last.
    #[must_use]
    pub fn newest_copy(&self) -> Option<&TokenCopy> {
        let age = |copy: &&TokenCopy| copy.wrapped.as_ref().map(|wrapped| wrapped.at);
        self.copies.iter().max_by_key(age)
    }

    /// The one copy, where there is no other: whatever token is found, this is what it is asked for.
    #[must_use]
    pub fn only_copy(&self) -> Option<&TokenCopy> {
        match self.copies.as_slice() {
            [only] => Some(only),
            [] | [_, _, ..] => None,
        }
    }

    /// The copies that a token can open.
    pub fn wrapped_copies(&self) -> impl Iterator<Item = &TokenCopy> {
        self.copies.iter().filter(|copy| copy.wrapped.is_some())
    }

    /// The KEKs of the tokens: that of [`Sealing::newest_copy`] first.
    #[must_use]
    pub fn keks(&self) -> Vec<&KekId> {
        let newest = self.newest_copy();
        let others = self.copies.iter().filter(|copy| Some(*copy) != newest);
        let copies = newest.into_iter().chain(others);
        copies.filter_map(|copy| copy.kek.as_ref()).collect()
    }

    /// Whether it is wrapped for any token.
    #[must_use]
    pub fn is_wrapped(&self) -> bool {
        self.wrapped_copies().next().is_some()
    }

    /// Whether there is a DEK in the database, under a KEK or under the backup password.
    #[must_use]
    pub fn has_dek(&self) -> bool {
        self.backup.is_some() || self.is_wrapped()
    }

    /// Whether anything is sealed under a DEK, as far as the database says.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.has_dek() || self.check_value.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(serial: &str, wrapped_at: Option<Option<i64>>) -> TokenCopy {
        let at = |second| OffsetDateTime::from_unix_timestamp(second).unwrap();
        TokenCopy {
            label: "T".to_owned(),
            serial: serial.to_owned(),
            module_path: String::new(),
            kek: None,
            pending_kek: None,
            retired_keks: Vec::new(),
            wrapped: wrapped_at.map(|second| KekCopy {
                dek: WrappedDek(vec![1]),
                at: second.map(at),
            }),
        }
    }

    fn newest(copies: &[TokenCopy]) -> Option<String> {
        let sealing = Sealing {
            copies: copies.to_vec(),
            ..Sealing::default()
        };
        sealing.newest_copy().map(|copy| copy.serial.clone())
    }

    #[test]
    fn the_newest_copy_is_the_one_that_was_wrapped_last() {
        let (noted, old) = (copy("noted", None), copy("old", Some(None)));
        let (first, second) = (copy("first", Some(Some(1))), copy("second", Some(Some(2))));
        assert_eq!(newest(&[]), None);
        assert_eq!(newest(&[old.clone(), noted]).as_deref(), Some("old"));
        assert_eq!(newest(&[second.clone(), first]).as_deref(), Some("second"));
        assert_eq!(newest(&[second, old]).as_deref(), Some("second"));
        let of_one_second = [copy("one", Some(Some(1))), copy("two", Some(Some(1)))];
        assert_eq!(newest(&of_one_second).as_deref(), Some("two"));
    }

    #[test]
    fn only_one_copy_is_the_only_one() {
        let mut sealing = Sealing::default();
        assert_eq!(sealing.only_copy(), None);
        sealing.copies.push(copy("one", None));
        assert_eq!(sealing.only_copy(), sealing.copy_of("one"));
        sealing.copies.push(copy("two", None));
        assert_eq!(sealing.only_copy(), None);
        assert_eq!(sealing.copy_of("three"), None);
    }

    #[test]
    fn a_kek_that_was_only_noted_seals_nothing() {
        let mut sealing = Sealing::default();
        sealing.copies.push(copy("noted", None));
        assert!(!sealing.is_sealed());
        sealing.copies.push(copy("wrapped", Some(None)));
        assert!(sealing.has_dek() && sealing.is_sealed());
    }
}
