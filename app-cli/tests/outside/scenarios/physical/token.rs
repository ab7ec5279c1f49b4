//! What has to be there of the token: its officer has initialised it and given it a user PIN. This
//! program does neither, whatever SO PIN it has.

use super::{
    SETUP, fails_unchanged, initialise_without_user_pin, opted_in, ready, serial, set_up,
    with_password,
};
use crate::sandbox::{SO_PIN, Sandbox, put};

/// A node that is opted in and waits for setup.
fn started() -> Sandbox {
    let sandbox = opted_in();
    sandbox.run(&["startup"]).expect(0);
    sandbox
}

/// An SO PIN that would work.
fn give_so_pin(sandbox: &mut Sandbox) {
    sandbox.unset("HSM_SO_PIN_FILE");
    sandbox.set("HSM_SO_PIN", SO_PIN);
}

/// Commands that write to the token, on a node that has lost it and waits for its password.
fn waiting() -> (Sandbox, [Vec<String>; 2]) {
    let sandbox = ready();
    sandbox.lose_token();
    sandbox.new_container();
    sandbox.run(&["startup"]).expect(0);
    let recover = with_password(&sandbox, &["recover"]);
    let rotate = ["keys", "rotate-kek"].map(str::to_owned).to_vec();
    (sandbox, [recover, rotate])
}

#[test]
fn no_token_is_made_where_there_is_none() {
    let mut sandbox = started();
    give_so_pin(&mut sandbox);
    let setup = with_password(&sandbox, &SETUP);
    let said = fails_unchanged(&sandbox, &setup, 78, "config");
    for part in ["Trustpoint-SoftHSM", "no initialised one", "officer"] {
        assert!(said.contains(part), "{said}");
    }

    let (mut sandbox, commands) = waiting();
    give_so_pin(&mut sandbox);
    for command in commands {
        fails_unchanged(&sandbox, &command, 78, "config");
    }
}

#[test]
fn the_tokens_that_are_there_are_named_with_their_serial_numbers() {
    let mut sandbox = started();
    sandbox.initialise_token();
    let serial = serial(&sandbox);
    let setup = with_password(&sandbox, &SETUP);

    sandbox.set("TRUSTPOINT_HSM_TOKEN_LABEL", "Other");
    let said = fails_unchanged(&sandbox, &setup, 78, "config");
    for part in ["\"Other\"", "Trustpoint-SoftHSM", &serial] {
        assert!(said.contains(part), "{part}: {said}");
    }

    sandbox.unset("TRUSTPOINT_HSM_TOKEN_LABEL");
    let uri = "pkcs11:token=Trustpoint-SoftHSM;serial=";
    sandbox.set("TRUSTPOINT_HSM_URI", &format!("{uri}0123456789abcdef"));
    let said = fails_unchanged(&sandbox, &setup, 78, "config");
    for part in ["0123456789abcdef", &serial] {
        assert!(said.contains(part), "{part}: {said}");
    }

    sandbox.set("TRUSTPOINT_HSM_URI", &format!("{uri}{serial}"));
    set_up(&sandbox).expect(0);
}

#[test]
fn no_user_pin_is_set_where_there_is_none() {
    let mut sandbox = started();
    give_so_pin(&mut sandbox);
    initialise_without_user_pin(&sandbox, "Trustpoint-SoftHSM");
    let setup = with_password(&sandbox, &SETUP);
    let said = fails_unchanged(&sandbox, &setup, 77, "denied");
    for part in ["no user PIN yet", "officer"] {
        assert!(said.contains(part), "{said}");
    }

    let (mut sandbox, commands) = waiting();
    give_so_pin(&mut sandbox);
    initialise_without_user_pin(&sandbox, "Trustpoint-SoftHSM");
    for command in commands {
        fails_unchanged(&sandbox, &command, 77, "denied");
    }
}

#[test]
fn a_wrong_pin_changes_nothing() {
    let mut sandbox = started();
    sandbox.initialise_token();
    sandbox.set("HSM_PIN", "wrong-4711");
    let setup = with_password(&sandbox, &SETUP);
    let said = fails_unchanged(&sandbox, &setup, 77, "denied");
    assert!(said.contains("PIN"), "{said}");
}

/// Of SoftHSM storage as well: a KEK that wraps nothing would be of no use.
#[test]
fn a_token_that_cannot_wrap_is_refused_before_anything_is_made() {
    for storage in ["softhsm", "physical_hsm"] {
        let sandbox = started();
        sandbox.initialise_token();
        let conf = sandbox.path("softhsm2.conf");
        let mechanisms = "slots.mechanisms = CKM_AES_KEY_GEN,CKM_AES_ECB\n";
        put(&conf, std::fs::read_to_string(&conf).unwrap() + mechanisms);
        let setup = with_password(&sandbox, &["setup", "--storage", storage]);
        let said = fails_unchanged(&sandbox, &setup, 78, "config");
        assert!(said.contains("AES_KEY_WRAP"), "{said}");
    }
}
