//! What an operator does next about the token.

use ports::CallFailure as Call;
use ports::FaultKind;
use ports::TokenError as E;

const NOTHING_ABOUT_KEYS: &str =
    "check the token and its daemon, then start again; no key is taken for lost";
/// The place of the user PIN.
const PIN_PLACE: &str = "where this node takes it from (the file of hsm.pin_file, else HSM_PIN)";

/// The hint for a failure of the token port.
pub(super) fn of(error: &E) -> String {
    let hint = match error {
        E::DaemonUnreachable { .. } => {
            "start the token's daemon or container, and check hsm.daemon; no key is taken for lost"
        }
        E::ModuleUnusable { .. } | E::NotPkcs11 { .. } => {
            "set hsm.module to a PKCS#11 module, for SoftHSM \
             /usr/lib/softhsm/libsofthsm2.so of the package softhsm2"
        }
        E::InitString { .. } => {
            "set hsm.module_init to the string that the module's manual asks for at C_Initialize (NSS \
             softokn: configdir='sql:DIRECTORY' and the rest), or take it away where it asks for none"
        }
        E::NoSlots { .. } => {
            "start the daemon behind the module and check the address that the module is given \
             (P11_KIT_SERVER_ADDRESS); no key is taken for lost"
        }
        E::NoThread { .. } => {
            "raise the limits on threads and memory of this process, then start again"
        }
        E::Hangs { .. } => {
            "check the token's daemon: it accepts connections and does not serve them; restart \
             it, or raise hsm.wait where it is slow"
        }
        E::ProcessEnded { .. } => {
            "keep the files of the token as they are, see what the module has said in its log, and \
             put an object that is damaged back from a backup of the token; no other key is taken \
             for lost"
        }
        E::ThreadEnded { .. } => "this is a defect of this program or of the module: report it",
        E::Call { failure, .. } => call(*failure),
        E::ImpossibleLabel(_) => "set hsm.token_label to 1 to 32 bytes that do not end in a space",
        E::Ambiguous { .. } => {
            "name the one that is meant in hsm.uri: pkcs11:token=LABEL;serial=NUMBER"
        }
        E::SlotUnreadable { .. } => {
            return format!(
                "{NOTHING_ABOUT_KEYS}; only where the initialisation of a token was cut short just \
                 now is this what SoftHSM left of it: its newest token directory, without a key in \
                 it, which is then to be moved away"
            );
        }
        E::SlotEmpty { .. } | E::TokenVanished(_) => NOTHING_ABOUT_KEYS,
        E::OtherSerials { .. } => {
            "name the token that is meant in hsm.uri, or have the security officer of the device \
             initialise it under this label; nothing was changed"
        }
        E::TokenAway { .. } => {
            "plug the token in or switch it on, then start again; no key is taken for lost. Where it is \
             gone for good, have the security officer of a new one initialise it under this label \
             and set its user PIN: the next start then asks for the backup password"
        }
        E::NoTokenFiles { .. } => {
            "see that hsm.module_init names the directory of the token and that its volume is mounted, \
             then start again; no key is taken for lost. For a token that is to be new: `certutil -N -d \
             sql:DIRECTORY`"
        }
        E::WriteProtected(_) => {
            "let the token be written to (its officer, or the flags in hsm.module_init): a KEK is made \
             on it"
        }
        E::MarkerDamaged { .. } => {
            "look at the data objects with `pkcs11-tool --list-objects --type data`, find out who \
             wrote to the token, and remove the object that is wrong"
        }
        E::OtherInstallation { .. } => {
            "use another token, or restore the database of the installation that the token \
             belongs to"
        }
        E::AlreadyInitialised(_) => {
            "use it with its own PIN, or choose another label in hsm.token_label"
        }
        E::NoFreeSlot(_) => {
            "add a slot, or name one of these tokens in hsm.token_label; a token that is \
             initialised is never overwritten"
        }
        E::InitialisedNotShown { .. } => {
            "start again: a token that was initialised is found by its label"
        }
        // Some tokens say 0 for "as long as you like".
        E::PinLength { min, max, .. } if max < min => {
            return format!("choose a PIN of at least {min} bytes");
        }
        E::PinLength { min, max, .. } => return format!("choose a PIN of {min} to {max} bytes"),
        E::PinNotText(_) => "PKCS#11 takes a new PIN as UTF-8; choose one of letters and digits",
        E::NoSoPinTry(_) => {
            "make sure of the SO PIN and set the user PIN by hand (`pkcs11-tool --login \
             --login-type so --init-pin`)"
        }
        E::SoPinRejected { .. } => {
            "put the SO PIN that the token was initialised with where this node takes it from (the \
             file of hsm.so_pin_file, else HSM_SO_PIN)"
        }
        E::NoUserPin(_) => {
            "let `trustpointctl startup` find out what the node needs (`setup` or `recover` \
             finishes the token), or set the PIN with the SO PIN: `pkcs11-tool --login \
             --login-type so --init-pin`"
        }
        E::PinLocked(_) => {
            "set the user PIN anew with the SO PIN (`pkcs11-tool --login --login-type so \
             --init-pin`); the keys stay"
        }
        E::LastPinTry(_) => {
            "make sure of the PIN and log in once by hand (`pkcs11-tool --login --list-objects` \
             asks for it), or set it anew with the SO PIN; then start again"
        }
        E::EmptyPin(_) => "write the PIN to the file that hsm.pin_file names, or into HSM_PIN",
        E::PinTriedAlready(_) => return format!("start again with the right PIN {PIN_PLACE}"),
        E::PinRejectedBefore(_) => {
            return format!(
                "put the right PIN {PIN_PLACE} and start again; where the token's PIN was changed \
                 to this very one, remove the file pin-rejected beside the database"
            );
        }
        E::UnseenTries { .. } => {
            return format!(
                "make sure of the PIN {PIN_PLACE}, and let `trustpointctl hsm check` log in with it: it \
                 shows how the token stands to PINs and asks first, and a login that works ends \
                 this; so does removing the file pin-rejected beside the database"
            );
        }
        E::RejectedPinUnreadable { .. } => {
            "make sure of the PIN, then remove the file pin-rejected beside the database"
        }
        E::Ledger(source) | E::TryNotNoted { source, .. } => {
            return super::files::pin_memory(source);
        }
        E::EndNotNoted { failure, .. } => {
            return format!(
                "{}; at most one more try is made until this can be noted",
                of(failure)
            );
        }
        E::LoginForgotten(_) => "start again; this says nothing about the keys on the token",
        E::SeveralKeks { .. } => {
            "find out with `pkcs11-tool --login --list-objects` which of them this program \
             generated, and who made the other; remove neither before the DEK is unwrapped"
        }
        E::UnprotectedKek { .. } => {
            "see in the manual of the token whether its configuration forbids that; else use another, \
             SoftHSM for example"
        }
        E::WrappedDekDamaged(_) => {
            "restore a backup of the database that belongs to this token (`backup restore`), or \
             bring the DEK back by the backup password (`recover`); nothing was changed"
        }
        E::NoWrapMechanism { .. } => {
            "load the token's own module in process (hsm.module), or reach it through p11-kit \
             0.25.5 or newer; a token that has none of the three cannot hold a KEK"
        }
        E::OwnIv { .. } => {
            "this program cannot use the AES_GCM of this token; let it offer AES_KEY_WRAP or \
             AES_KEY_WRAP_KWP (its manual says how), or use another token"
        }
        E::PinPad(_) => {
            "let the officer of the token switch the keypad off, so that the PIN comes from the \
             program, or use a token without one"
        }
        E::NoLoginRequired(_) => {
            "give the token a user PIN (NSS softokn: `certutil -W -d sql:DIRECTORY`), then start again"
        }
        E::NothingPublic { .. } => {
            "let the officer of the token allow public objects to be read without a login, or use \
             another token"
        }
        E::NotInitialised { .. } => {
            "see that hsm.module_init names the directory of the token and that its volume is mounted; a \
             new token is made with the module's own tool (NSS softokn: `certutil -N -d \
             sql:DIRECTORY`); no key is taken for lost"
        }
        E::OtherLabels { .. } => {
            "make hsm.token_label one of these, or name the token in hsm.module_init \
             (dbTokenDescription='LABEL' for NSS softokn); no key is taken for lost"
        }
        E::MechanismMissing { .. } => {
            "reach the token in process (hsm.module of the token itself), or through a daemon that \
             passes this mechanism"
        }
        E::WrapMismatch(_) => "do not use this token: it computes wrongly; nothing was stored",
        E::NotSynced(error) if error.kind() == FaultKind::Denied => {
            return super::files::file(error);
        }
        E::NotSynced(_) => {
            "check the file system that the token stands on; nothing that needs the new key was \
             stored"
        }
        E::NoRandomBytes => "start again; if it stays, check the kernel's random device",
        E::Defect { .. } => "start again; if it stays, report it as a defect of this program",
    };
    hint.to_owned()
}

const fn call(failure: Call) -> &'static str {
    match failure {
        Call::Unreachable | Call::Vague => {
            "check that the token's daemon runs and answers, and what its log says, then start \
             again; this says nothing about the keys on the token"
        }
        Call::Denied => {
            "check the PIN that this node takes (the file of hsm.pin_file, else HSM_PIN; for the SO \
             PIN hsm.so_pin_file, else HSM_SO_PIN) against the token"
        }
        Call::Gone => {
            "something changed the token while it was in use; start again when nothing else \
             writes to it"
        }
        Call::Corrupt => {
            "keep the database and the token as they are, and restore the backup of the database \
             that belongs to this token"
        }
        Call::Config => {
            "check hsm.module, and with `pkcs11-tool --list-mechanisms` what the token offers"
        }
        Call::Internal => "this is a defect of this program: report it with the causes above",
    }
}
