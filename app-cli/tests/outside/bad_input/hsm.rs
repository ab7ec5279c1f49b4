//! PINs, modules and daemons that cannot be used.

use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use super::assert_names;
use crate::sandbox::{PIN, Sandbox, put, tool};

/// A ready SoftHSM node that is patient for a second.
fn node() -> Sandbox {
    let mut sandbox = Sandbox::softhsm();
    sandbox.set("TRUSTPOINT_HSM_WAIT", "1s");
    sandbox
}

/// The start says that the HSM is unavailable and changes nothing, with the DEK cached and not; a
/// new container finds no lost KEK either (C3).
#[track_caller]
fn is_unavailable(sandbox: &Sandbox, words: &[&str]) {
    let said = sandbox.fails_unchanged(&["startup"], 69, "hsm_unavailable");
    assert_names(&said, words);
    sandbox.lose_runtime();
    let run = sandbox.run(&["startup"]);
    let said = run.expect_error(69, "hsm_unavailable");
    assert_names(&said, words);
    assert_eq!(run.restore_scenario(), "");
    assert_eq!(sandbox.wizard(), "WIZARD_COMPLETED");
}

fn library(name: &str) -> PathBuf {
    let path = format!("/lib/{}-linux-gnu/{name}", std::env::consts::ARCH);
    PathBuf::from(path)
}

#[test]
fn a_pin_file_that_is_missing_or_empty_is_denied() {
    let mut sandbox = Sandbox::softhsm();
    let file = sandbox.path("pin").display().to_string();
    sandbox.set("HSM_PIN_FILE", &file);
    let said = sandbox.fails_unchanged(&["startup"], 77, "denied");
    assert_names(&said, &[&file, "HSM_PIN_FILE", "hsm.pin_file"]);
    for empty in ["", "\n"] {
        put(&sandbox.path("pin"), empty);
        let said = sandbox.fails_unchanged(&["startup"], 77, "denied");
        assert_names(&said, &[&file, "empty"]);
    }
}

#[test]
fn a_pin_file_with_a_line_break_at_its_end_is_accepted() {
    let mut sandbox = Sandbox::softhsm();
    sandbox.unset("HSM_PIN");
    let file = sandbox.path("pin").display().to_string();
    sandbox.set("HSM_PIN_FILE", &file);
    for text in [PIN.to_owned(), format!("{PIN}\n"), format!("{PIN}\r\n")] {
        put(&sandbox.path("pin"), text);
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.outcome(), "ready");
    }
}

#[test]
fn a_wrong_pin_is_denied_and_names_the_token() {
    let mut sandbox = Sandbox::softhsm();
    sandbox.set("HSM_PIN", "0000-0000");
    let said = sandbox.fails_unchanged(&["startup"], 77, "denied");
    assert_names(&said, &["Trustpoint-SoftHSM", "rejected", "else HSM_PIN"]);
}

#[test]
fn c03_a_module_that_is_none_is_unavailable() {
    let text = "banana\n";
    for (name, word) in [
        ("missing.so", "does not exist"),
        ("text.so", "cannot be loaded"),
        ("libc.so.6", "no PKCS#11 module"),
    ] {
        let mut sandbox = node();
        put(&sandbox.path("text.so"), text);
        let module = match name {
            "libc.so.6" => library(name),
            name => sandbox.path(name),
        };
        let module = module.display().to_string();
        sandbox.set("TRUSTPOINT_HSM_MODULE", &module);
        is_unavailable(&sandbox, &[&module, word, "hsm.module"]);
    }
}

/// A module whose C_GetFunctionList never comes back.
const HANGS: &str = "#include <unistd.h>
unsigned long C_GetFunctionList(void **list) { (void)list; for (;;) pause(); }
";

#[test]
fn c03_a_module_that_hangs_is_unavailable() {
    let mut sandbox = node();
    let module = sandbox.path("hangs.so").display().to_string();
    let source = sandbox.path("hangs.c");
    put(&source, HANGS);
    let source = source.to_str().unwrap();
    tool("cc", ["-shared", "-fPIC", "-o", &module, source]);
    sandbox.set("TRUSTPOINT_HSM_MODULE", &module);
    is_unavailable(&sandbox, &[&module, "never answers"]);
}

#[test]
fn a_daemon_address_that_is_none_is_named_with_its_place() {
    let mut sandbox = node();
    let file = sandbox.root("etc/trustpoint/trustpointctl.toml");
    put(&file, "[hsm]\ndaemon = \"softhsm:5657\"\n");
    let said = sandbox.fails_unchanged(&["startup"], 78, "config");
    assert_names(&said, &["softhsm:5657", file.to_str().unwrap(), "tcp://"]);
    sandbox.set("TRUSTPOINT_HSM_DAEMON", "tcp://host:banana");
    let said = sandbox.fails_unchanged(&["startup"], 78, "config");
    assert_names(&said, &["host:banana", "TRUSTPOINT_HSM_DAEMON"]);
}

#[test]
fn c03_a_daemon_that_refuses_is_unavailable() {
    let mut sandbox = node();
    let tcp = "tcp://127.0.0.1:1".to_owned();
    let unix = format!("unix:{}", sandbox.path("no-socket").display());
    for daemon in [tcp, unix] {
        sandbox.set("TRUSTPOINT_HSM_DAEMON", &daemon);
        let said = sandbox.fails_unchanged(&["startup"], 69, "hsm_unavailable");
        assert_names(&said, &[&daemon, "hsm.daemon"]);
    }
}

#[test]
fn c03_a_daemon_that_accepts_and_never_answers_is_unavailable() {
    let mut sandbox = node();
    let socket = sandbox.path("socket");
    let _never_answers = UnixListener::bind(&socket).unwrap();
    let socket = socket.display().to_string();
    let module = format!(
        "/usr/lib/{}-linux-gnu/pkcs11/p11-kit-client.so",
        std::env::consts::ARCH
    );
    sandbox.set("TRUSTPOINT_HSM_MODULE", &module);
    sandbox.set("TRUSTPOINT_HSM_DAEMON", &format!("unix:{socket}"));
    sandbox.set("P11_KIT_SERVER_ADDRESS", &format!("unix:path={socket}"));
    is_unavailable(&sandbox, &["never answers"]);
}
