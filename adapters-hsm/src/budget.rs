//! The PIN budget (C18): a PIN that the token has rejected is not tried again.
//!
//! A token counts wrong PINs and locks itself, and a container that restarts for ever would use
//! them up in a minute. So each try is noted in a ledger beside the database before it is made, and
//! a PIN that was rejected is kept there as a slow salted hash.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use ports::{Fault, FaultKind, MOST_UNSEEN_TRIES, PinLedger, PinState, Secret};
use ring::rand::{SecureRandom, SystemRandom};

/// 64 MiB, 3 passes, 1 lane.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;

/// Refuses where the token has no try to spare.
pub(crate) fn check_flags(label: &str, serial: &str, pin: PinState) -> Result<(), Fault> {
    match pin {
        PinState::Fine | PinState::CountLow => Ok(()),
        PinState::FinalTry | PinState::Locked | PinState::NotInitialised => {
            Err(refusal(label, serial, pin))
        }
    }
}

/// Why there is no login.
pub(crate) fn refusal(label: &str, serial: &str, pin: PinState) -> Fault {
    let (why, hint) = match pin {
        PinState::NotInitialised => (
            "has no user PIN yet",
            "let `trustpointctl startup` find out what the node needs (`setup` or `recover` \
             finishes the token), or set the PIN with the SO PIN: pkcs11-tool --login \
             --login-type so --init-pin",
        ),
        PinState::Locked => (
            "has locked its user PIN after too many wrong ones",
            "set the user PIN anew with the SO PIN (pkcs11-tool --login --login-type so \
             --init-pin); the keys stay",
        ),
        PinState::FinalTry | PinState::Fine | PinState::CountLow => (
            "has one try of the user PIN left, and it is not used up",
            "make sure of the PIN and log in once by hand (pkcs11-tool --login --list-objects \
             asks for it), or set it anew with the SO PIN; then start again",
        ),
    };
    Fault::new(
        FaultKind::Denied,
        format!("the token {label:?} (serial {serial}) {why}"),
        hint,
    )
}

/// Refuses an empty PIN, which is never right.
pub(crate) fn check_pin(label: &str, serial: &str, pin: &Secret) -> Result<(), Fault> {
    if !pin.is_empty() {
        return Ok(());
    }
    Err(Fault::new(
        FaultKind::Denied,
        format!("the user PIN for the token {label:?} (serial {serial}) is empty; it is not tried"),
        "write the PIN to the file that hsm.pin_file names",
    ))
}

/// Refuses a PIN that the token has rejected before, and every PIN where nobody saw how the last
/// tries ended.
pub(crate) fn check_ledger(
    label: &str,
    serial: &str,
    ledger: &dyn PinLedger,
    pin: &Secret,
) -> Result<(), Fault> {
    for hash in ledger.rejected() {
        if matches(serial, hash, pin)? {
            return Err(Fault::new(
                FaultKind::Denied,
                format!(
                    "the user PIN for the token {label:?} (serial {serial}) was already rejected \
                     by it and is not tried again"
                ),
                "put the right PIN where hsm.pin_file says and start again; where the token's PIN \
                 was changed to this very one, remove the file pin-rejected beside the database",
            ));
        }
    }
    if ledger.unseen() < MOST_UNSEEN_TRIES {
        return Ok(());
    }
    Err(Fault::new(
        FaultKind::Denied,
        format!(
            "{} tries of the user PIN on the token {label:?} (serial {serial}) were made, and \
             nobody saw how they ended (the process was killed, the token hung, or the power was \
             cut): a further one might lock the token and is not made",
            ledger.unseen()
        ),
        "make sure of the PIN where hsm.pin_file says, and with `pkcs11-tool --list-slots` that \
         the token answers and is not on its last try; then remove the file pin-rejected beside \
         the database and start again",
    ))
}

/// What is kept of a PIN that was rejected.
pub(crate) fn hash(pin: &Secret) -> Result<String, Fault> {
    let mut salt = [0; 16];
    SystemRandom::new()
        .fill(&mut salt)
        .map_err(|_| failed("the system's random generator failed"))?;
    let hash: PasswordHash = hasher()?
        .hash_password_with_salt(pin.expose(), &salt)
        .map_err(|error| failed("hashing the rejected PIN failed").because(error))?;
    Ok(hash.to_string())
}

fn matches(serial: &str, kept: &str, pin: &Secret) -> Result<bool, Fault> {
    let damaged = || {
        Fault::new(
            FaultKind::DataCorrupt,
            format!(
                "what is kept of a rejected PIN of the token with serial {serial} cannot be right"
            ),
            "make sure of the PIN, then remove the file pin-rejected beside the database",
        )
    };
    let hash = PasswordHash::new(kept).map_err(|error| damaged().because(error))?;
    let params = Params::try_from(&hash).map_err(|error| damaged().because(error))?;
    // A damaged file must not make this program take all the memory there is.
    if params.m_cost() > MEMORY_KIB || params.t_cost() > PASSES || params.p_cost() > LANES {
        return Err(damaged());
    }
    match hasher()?.verify_password(pin.expose(), &hash) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(argon2::password_hash::Error::OutOfMemory) => Err(failed(
            "there is no memory to compare the PIN with the rejected ones",
        )),
        Err(error) => Err(damaged().because(error)),
    }
}

fn hasher() -> Result<Argon2<'static>, Fault> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| failed("the Argon2 parameters are refused").because(error))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn failed(what: &str) -> Fault {
    Fault::new(
        FaultKind::Internal,
        what,
        "start again; if it stays, report it as a defect of this program",
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ports::fake::FakePinMemory;
    use ports::{PinMemory as _, TryEnd};

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

    fn check(ledger: &dyn PinLedger, pin: &str) -> Result<(), Fault> {
        check_ledger("T", "serial", ledger, &secret(pin))
    }

    #[test]
    fn c18_every_rejected_pin_is_known_again_and_no_other() {
        let hashes = ["1234", "4321", "1234"].map(|pin| hash(&secret(pin)).unwrap());
        assert_ne!(hashes[0], hashes[2], "each has its own salt");
        let ledger = ledger(&[&hashes[0], &hashes[1]]);
        for rejected in ["1234", "4321"] {
            let fault = check(&*ledger, rejected).unwrap_err();
            assert_eq!(fault.kind(), FaultKind::Denied);
            assert!(fault.to_string().contains("serial"), "{fault}");
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
                check_flags("T", "serial", state).is_ok(),
                tried,
                "{state:?}"
            );
        }
    }
}
