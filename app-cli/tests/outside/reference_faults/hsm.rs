//! Faults 2, 4 and 10: unreachable is not lost, no integrity, no deadline.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::sandbox::{PIN, Run, Sandbox, flip_in_hex, put};

/// Where Debian puts p11-kit's client module.
const P11_KIT_CLIENT: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so",
    "/usr/lib/aarch64-linux-gnu/pkcs11/p11-kit-client.so",
];

fn p11_kit_client() -> &'static str {
    P11_KIT_CLIENT
        .into_iter()
        .find(|place| Path::new(place).exists())
        .expect("p11-kit-client.so is missing; `cargo xtask test` installs it")
}

/// A set-up node in a new container, so that everything hangs on the token.
fn in_a_new_container() -> (Sandbox, Vec<u8>) {
    let mut sandbox = Sandbox::softhsm();
    let dek = fs::read(sandbox.dek_cache()).unwrap();
    sandbox.new_container();
    sandbox.set("TRUSTPOINT_HSM_WAIT", "1s");
    (sandbox, dek)
}

/// The KEK is intact: with the fault gone, the node is what it was.
#[track_caller]
fn nothing_was_lost(sandbox: &Sandbox, dek: &[u8]) {
    let mut start = sandbox.command(&["--format", "json", "startup"]);
    let run = Run::end_of(start.env("TRUSTPOINT_HSM_WAIT", "60s")).expect(0);
    assert_eq!(run.outcome(), "ready");
    assert!(fs::read(sandbox.dek_cache()).unwrap() == dek);
}

/// 2: "KEK does not exist on HSM" was said of all of these.
#[test]
fn f02_a_daemon_that_refuses_is_no_lost_kek() {
    let (mut sandbox, dek) = in_a_new_container();
    let socket = sandbox.path("daemon");
    drop(UnixListener::bind(&socket).unwrap());
    let closed = format!("unix:{}", socket.display());
    for daemon in ["tcp://127.0.0.1:1", &closed, "unix:/nonexistent/socket"] {
        sandbox.set("TRUSTPOINT_HSM_DAEMON", daemon);
        let said = sandbox.fails_unchanged(&["startup"], 69, "hsm_unavailable");
        assert!(said.contains(daemon), "{said}");
    }
    sandbox.unset("TRUSTPOINT_HSM_DAEMON");
    nothing_was_lost(&sandbox, &dek);
}

#[test]
fn f02_a_wrong_or_missing_pin_is_no_lost_kek() {
    let (mut sandbox, dek) = in_a_new_container();
    sandbox.unset("HSM_PIN");
    let said = sandbox.fails_unchanged(&["startup"], 77, "denied");
    assert!(said.contains("HSM_PIN"), "{said}");
    sandbox.set("HSM_PIN", "wrong-4711");
    let said = sandbox.fails_unchanged(&["startup"], 77, "denied");
    assert!(!said.contains("wrong-4711"), "{said}");
    sandbox.set("HSM_PIN", PIN);
    nothing_was_lost(&sandbox, &dek);
}

#[test]
fn f02_a_module_that_does_not_load_is_no_lost_kek() {
    let (mut sandbox, dek) = in_a_new_container();
    let noise = sandbox.path("noise.so");
    put(&noise, [7; 100]);
    for module in [noise.to_str().unwrap(), "/nonexistent/module.so"] {
        sandbox.set("TRUSTPOINT_HSM_MODULE", module);
        let said = sandbox.fails_unchanged(&["startup"], 69, "hsm_unavailable");
        assert!(said.contains(module), "{said}");
    }
    sandbox.configure_module();
    nothing_was_lost(&sandbox, &dek);
}

/// 2: a port is open, and behind it nobody serves a slot.
#[test]
fn f02_an_open_port_with_a_dead_daemon_is_no_lost_kek() {
    let (mut sandbox, dek) = in_a_new_container();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let daemon = format!("tcp://{}", port.local_addr().unwrap());
    sandbox.set("TRUSTPOINT_HSM_DAEMON", &daemon);
    sandbox.set("TRUSTPOINT_HSM_MODULE", p11_kit_client());
    sandbox.set("P11_KIT_SERVER_ADDRESS", "unix:path=/nonexistent/pkcs11");
    sandbox.fails_unchanged(&["startup"], 69, "hsm_unavailable");
    sandbox.unset("TRUSTPOINT_HSM_DAEMON");
    sandbox.configure_module();
    nothing_was_lost(&sandbox, &dek);
}

/// 4: another key, under the label and even the id of ours, opens nothing.
#[test]
fn f04_another_kek_under_the_same_name_is_not_taken_for_ours() {
    let (sandbox, _) = in_a_new_container();
    let id = sandbox.sql("SELECT hex(key_id) FROM pkcs11_key");
    sandbox.delete_keks();
    let keygen = ["--keygen", "--key-type", "AES:32", "--sensitive"];
    let ours = ["--label", "trustpoint-kek", "--id", id.trim()];
    let theirs = ["--label", "trustpoint-kek", "--id", "0815"];

    sandbox.pkcs11_tool(&[&keygen[..], &theirs[..]].concat());
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "recovery_required");
    assert!(!sandbox.dek_cache().exists());

    sandbox.pkcs11_tool(&[&keygen[..], &ours[..]].concat());
    sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    assert!(!sandbox.dek_cache().exists());
}

/// 4: each byte of the blob counts.
#[test]
fn f04_one_flipped_bit_in_the_wrapped_dek_is_found() {
    let (sandbox, dek) = in_a_new_container();
    let blob = sandbox.sql("SELECT hex(encrypted_dek) FROM pkcs11_token");
    let blob = blob.trim();
    let put_blob = |blob: &str| {
        sandbox.sql(&format!(
            "UPDATE pkcs11_token SET encrypted_dek = X'{blob}'"
        ));
    };
    let last = blob.len() / 2 - 1;
    for place in [0, last / 2, last - 20, last] {
        put_blob(&flip_in_hex(blob, place));
        sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    }
    put_blob(blob);
    nothing_was_lost(&sandbox, &dek);
}

/// Were there no deadline, this would end the process and not the test.
const LIMIT: [&str; 4] = ["timeout", "-s", "KILL", "120"];

#[track_caller]
fn ends_with_unavailable(sandbox: &Sandbox) {
    for command in [&["startup"][..], &["startup", "--dry-run"], &["status"]] {
        // Two logins that hung are the last until somebody has looked (C18).
        let _ = fs::remove_file(sandbox.database().with_file_name("pin-rejected"));
        let before = sandbox.picture();
        let run = sandbox.run_under(&LIMIT, command);
        run.expect_error(69, "hsm_unavailable");
        assert_eq!(before, sandbox.picture());
    }
}

/// 10: p11-kit's own client waits for the answer for ever.
#[test]
fn f10_a_daemon_that_accepts_and_never_answers_is_unavailable() {
    let (mut sandbox, dek) = in_a_new_container();
    let socket = sandbox.path("silent");
    let _silent = UnixListener::bind(&socket).unwrap();
    let socket = socket.display();
    sandbox.set("TRUSTPOINT_HSM_DAEMON", &format!("unix:{socket}"));
    sandbox.set("TRUSTPOINT_HSM_MODULE", p11_kit_client());
    sandbox.set("P11_KIT_SERVER_ADDRESS", &format!("unix:path={socket}"));
    ends_with_unavailable(&sandbox);
    sandbox.unset("TRUSTPOINT_HSM_DAEMON");
    sandbox.configure_module();
    nothing_was_lost(&sandbox, &dek);
}

/// 10: each call in turn, by its place in CK_FUNCTION_LIST: C_Initialize, C_GetSlotList, C_Login,
/// C_FindObjectsInit.
#[test]
fn f10_a_module_that_hangs_in_a_call_is_unavailable() {
    let (mut sandbox, dek) = in_a_new_container();
    sandbox.use_shim();
    for function in [0, 4, 18, 26] {
        sandbox.set("SHIM_FAULT", &format!("{function}:hang"));
        ends_with_unavailable(&sandbox);
    }
    sandbox.unset("SHIM_FAULT");
    nothing_was_lost(&sandbox, &dek);
}
