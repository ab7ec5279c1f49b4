//! Physical HSM storage. A node that is opted in carries its four scenarios out as SoftHSM's; any
//! other refuses them. The token is a real one of SoftHSM's, which its officer has initialised.

mod commands;
mod refused;
mod restored;
mod token;

use std::fs;

use crate::sandbox::{PASSWORD, Run, SO_PIN, SOFTHSM, Sandbox, tool};

const OPT_IN: &str = "TRUSTPOINT_HSM_PHYSICAL";

/// A node that is opted in, before its first start. Whoever reads its SO PIN fails.
pub fn opted_in() -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.set(OPT_IN, "true");
    sandbox.unset("HSM_SO_PIN");
    let unreadable = sandbox.path("so-pin");
    fs::create_dir(&unreadable).unwrap();
    sandbox.set("HSM_SO_PIN_FILE", unreadable.to_str().unwrap());
    sandbox
}

/// A node that was set up on a token of its officer's with a backup password, and started once.
pub fn ready() -> Sandbox {
    let sandbox = opted_in();
    sandbox.initialise_token();
    sandbox.run(&["startup"]).expect(0);
    set_up(&sandbox).expect(0);
    sandbox.run(&["startup"]).expect(0);
    sandbox
}

/// The same without a backup password.
fn ready_without_password() -> Sandbox {
    let sandbox = opted_in();
    sandbox.initialise_token();
    let setup = ["setup", "--storage", "physical_hsm", "--no-backup-password"];
    sandbox.run(&setup).expect(0);
    sandbox.run(&["startup"]).expect(0);
    sandbox
}

/// The old device is gone, and its officer has initialised a new one of the same label.
pub fn replace_token(sandbox: &Sandbox) {
    sandbox.lose_token();
    sandbox.initialise_token();
    sandbox.new_container();
}

const SETUP: [&str; 3] = ["setup", "--storage", "physical_hsm"];

/// A command that takes a backup password, with the right one.
fn with_password(sandbox: &Sandbox, command: &[&str]) -> Vec<String> {
    let file = sandbox.password_file(PASSWORD);
    let file = ["--backup-password-file", file.to_str().unwrap()];
    let all = command.iter().chain(&file);
    all.map(ToString::to_string).collect()
}

fn run(sandbox: &Sandbox, arguments: &[String]) -> Run {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    sandbox.run(&arguments)
}

fn set_up(sandbox: &Sandbox) -> Run {
    run(sandbox, &with_password(sandbox, &SETUP))
}

fn recover(sandbox: &Sandbox) -> Run {
    run(sandbox, &with_password(sandbox, &["recover"]))
}

/// A token with this label that its officer has initialised, and given no user PIN.
fn initialise_without_user_pin(sandbox: &Sandbox, label: &str) {
    let slot = ["--init-token", "--slot-index", "0"];
    let officer = ["--so-pin", SO_PIN, "--label", label];
    without_login(sandbox, &[&slot[..], &officer].concat());
}

/// Runs pkcs11-tool as anybody can.
fn without_login(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let conf = format!("SOFTHSM2_CONF={}", sandbox.path("softhsm2.conf").display());
    let program = [&conf, "pkcs11-tool", "--module", SOFTHSM];
    tool("env", program.iter().chain(arguments))
}

/// The serial number of the token, as pkcs11-tool sees it.
fn serial(sandbox: &Sandbox) -> String {
    let slots = without_login(sandbox, &["--list-token-slots"]);
    let serial = slots.lines().find_map(|line| line.split_once("serial num"));
    let (_, serial) = serial.unwrap();
    serial.trim_start_matches([' ', ':']).trim().to_owned()
}

/// A command that must fail and change nothing, neither of the node nor on a token: no token, key or
/// other object came or went. (SoftHSM writes its own notes anew at each login.)
#[track_caller]
fn fails_unchanged(sandbox: &Sandbox, arguments: &[String], code: i32, kind: &str) -> String {
    let objects = || -> Vec<_> {
        let tokens = Sandbox::picture_below(&sandbox.path("tokens"));
        tokens.into_keys().collect()
    };
    let before = objects();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let said = sandbox.fails_unchanged(&arguments, code, kind);
    assert_eq!(objects(), before);
    said
}
