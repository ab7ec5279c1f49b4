//! The PIN budget (C18): a PIN that the token has rejected is not tried again.
//!
//! A token counts wrong PINs and locks itself, and a container that restarts for ever would use
//! them up in a minute. So each try is noted in a ledger beside the database before it is made, and
//! a PIN that was rejected is kept there as a slow salted hash.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use ports::{MOST_UNSEEN_TRIES, PinLedger, PinState, Secret, TokenError, TokenName};

use crate::random;

/// 64 MiB, 3 passes, 1 lane.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;

/// Refuses where the token has no try to spare.
pub(crate) fn ensure_try_to_spare(token: &TokenName, pin: PinState) -> Result<(), TokenError> {
    let token = token.clone();
    Err(match pin {
        PinState::Fine | PinState::CountLow => return Ok(()),
        PinState::FinalTry => TokenError::LastPinTry(token),
        PinState::Locked => TokenError::PinLocked(token),
        PinState::NotInitialised => TokenError::NoUserPin(token),
    })
}

/// Who wants a PIN to be tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wanted {
    /// The program, as at every start.
    ByProgram,
    /// An operator, who was asked just now.
    ByOperator,
}

/// Refuses a PIN that the token has rejected before, and every PIN where nobody saw how the last
/// tries ended, unless an operator wants the try.
pub(crate) fn ensure_allowed(
    token: &TokenName,
    ledger: &dyn PinLedger,
    pin: &Secret,
    wanted: Wanted,
) -> Result<(), TokenError> {
    for hash in ledger.rejected() {
        if matches(&token.serial, hash, pin)? {
            return Err(TokenError::PinRejectedBefore(token.clone()));
        }
    }
    if ledger.unseen() < MOST_UNSEEN_TRIES || wanted == Wanted::ByOperator {
        return Ok(());
    }
    Err(TokenError::UnseenTries {
        token: token.clone(),
        tries: ledger.unseen(),
    })
}

/// What is kept of a PIN that was rejected.
pub(crate) fn hash(pin: &Secret) -> Result<String, TokenError> {
    let salt = random::bytes::<16>()?;
    let hash: PasswordHash = hasher()?
        .hash_password_with_salt(pin.expose(), &salt)
        .map_err(|error| defect("hashing the rejected PIN failed", error))?;
    Ok(hash.to_string())
}

fn matches(serial: &str, kept: &str, pin: &Secret) -> Result<bool, TokenError> {
    let unreadable = |source: Option<Error>| TokenError::RejectedPinUnreadable {
        serial: serial.to_owned(),
        source: source.map(Into::into),
    };
    let hash = PasswordHash::new(kept).map_err(|error| unreadable(Some(error.into())))?;
    let params = Params::try_from(&hash).map_err(|error| unreadable(Some(error)))?;
    // A damaged file must not make this program take all the memory there is.
    if params.m_cost() > MEMORY_KIB || params.t_cost() > PASSES || params.p_cost() > LANES {
        return Err(unreadable(None));
    }
    match hasher()?.verify_password(pin.expose(), &hash) {
        Ok(()) => Ok(true),
        Err(Error::PasswordInvalid) => Ok(false),
        Err(error @ Error::OutOfMemory) => Err(defect(
            "there is no memory to compare the PIN with the rejected ones",
            error,
        )),
        Err(error) => Err(unreadable(Some(error))),
    }
}

fn hasher() -> Result<Argon2<'static>, TokenError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| defect("the Argon2 parameters are refused", error))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn defect(
    what: &'static str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> TokenError {
    TokenError::Defect {
        what,
        source: source.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ports::fake::FakePinMemory;
    use ports::{FaultKind, PinMemory as _, TryEnd};

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::from(text.to_owned())
    }

    /// A ledger after rejections with these hashes.
    fn ledger(hashes: &[&str]) -> Box<dyn PinLedger> {
        let open = |memory: &FakePinMemory| memory.open("serial", Duration::ZERO).unwrap();
        let memory = FakePinMemory::default();
        for hash in hashes {
            let mut ledger = open(&memory);
            ledger.note_try().unwrap();
            let hash = (*hash).to_owned();
            ledger.end_try(TryEnd::Rejected { hash }).unwrap();
        }
        open(&memory)
    }

    fn token() -> TokenName {
        TokenName {
            label: "T".into(),
            serial: "serial".into(),
        }
    }

    fn check(ledger: &dyn PinLedger, pin: &str) -> Result<(), TokenError> {
        ensure_allowed(&token(), ledger, &secret(pin), Wanted::ByProgram)
    }

    #[test]
    fn c18_every_rejected_pin_is_known_again_and_no_other() {
        let hashes = ["1234", "4321", "1234"].map(|pin| hash(&secret(pin)).unwrap());
        assert_ne!(hashes[0], hashes[2], "each has its own salt");
        let ledger = ledger(&[&hashes[0], &hashes[1]]);
        for rejected in ["1234", "4321"] {
            let fault = check(&*ledger, rejected).unwrap_err();
            assert!(matches!(fault, TokenError::PinRejectedBefore(_)), "{fault}");
        }
        check(&*ledger, "12345").unwrap();
    }

    #[test]
    fn c18_a_damaged_ledger_is_an_error_and_no_permission() {
        let good = hash(&secret("1234")).unwrap();
        for damaged in [
            String::new(),
            "banana".into(),
            good.replace("argon2id", "argon2x"),
            good.replace("m=65536", "m=4194304"),
            good.replace("t=3", "t=4000000"),
            good[..good.len() / 2].to_owned(),
        ] {
            let fault = check(&*ledger(&[&good, &damaged]), "other").unwrap_err();
            assert_eq!(fault.kind(), FaultKind::DataCorrupt, "{damaged:?}");
        }
    }

    #[test]
    fn c18_one_try_after_one_whose_end_nobody_saw_and_none_after_two() {
        let mut ledger = ledger(&[]);
        for allowed in [true, true, false, false] {
            assert_eq!(check(&*ledger, "1234").is_ok(), allowed);
            ensure_allowed(&token(), &*ledger, &secret("1234"), Wanted::ByOperator).unwrap();
            ledger.note_try().unwrap();
        }
    }

    #[test]
    fn c18_no_try_without_one_to_spare() {
        for (state, tried) in [
            (PinState::Fine, true),
            (PinState::CountLow, true),
            (PinState::FinalTry, false),
            (PinState::Locked, false),
            (PinState::NotInitialised, false),
        ] {
            assert_eq!(
                ensure_try_to_spare(&token(), state).is_ok(),
                tried,
                "{state:?}"
            );
        }
    }
}
