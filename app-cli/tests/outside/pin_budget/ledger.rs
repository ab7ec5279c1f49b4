//! The ledger of PIN tries: whatever happens, a wrong PIN costs the token two tries at most.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Stdio};

use super::{WRONG, count_logins, logins, memory, rejected, watched};
use crate::mounts::Mounts;
use crate::sandbox::{NOBODY, PIN, Run, Sandbox, put};

/// A watched node in a new container, whose module fails as it is told.
fn counted(fault: &str) -> Sandbox {
    let mut sandbox = watched();
    sandbox.set("SHIM_FAULT", fault);
    sandbox.new_container();
    sandbox
}

fn text(sandbox: &Sandbox) -> String {
    fs::read_to_string(memory(sandbox)).unwrap()
}

/// After C_Login has come back from the token.
pub const KILLED: &str = "18:kill";

#[test]
fn c18_looks_side_by_side_use_one_try_in_all() {
    let mut sandbox = watched();
    sandbox.set("HSM_PIN", WRONG);
    sandbox.set("TRUSTPOINT_HSM_WAIT", "10m");
    sandbox.new_container();
    let look = || -> Child {
        let mut command = sandbox.command(&["status"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let running: Vec<Child> = (0..20).map(|_| look()).collect();
    for mut child in running {
        assert_eq!(child.wait().unwrap().code(), Some(77));
    }
    assert_eq!(logins(&sandbox), 1);
}

#[test]
fn c18_starts_that_are_killed_right_after_the_login_use_two_tries_in_all() {
    for command in [&["startup"][..], &["status"], &["startup", "--dry-run"]] {
        let mut sandbox = counted(KILLED);
        sandbox.set("HSM_PIN", WRONG);
        for start in 0..15 {
            let run = sandbox.run(command);
            if start < 2 {
                assert_eq!(run.code, -1, "{}", run.said());
            } else {
                let said = run.expect_error(77, "denied");
                assert!(said.contains("nobody saw"), "{said}");
                assert!(said.contains("removing the file pin-rejected"), "{said}");
            }
        }
        assert_eq!(logins(&sandbox), 2);
    }
}

#[test]
fn c18_a_setup_that_is_killed_right_after_the_login_uses_two_tries_in_all() {
    let mut sandbox = Sandbox::new();
    sandbox.initialise_token();
    count_logins(&mut sandbox);
    sandbox.set("SHIM_FAULT", KILLED);
    sandbox.set("HSM_PIN", WRONG);
    let setup = ["setup", "--storage", "softhsm", "--no-backup-password"];
    for code in [-1, -1, 77, 77] {
        sandbox.run(&setup).expect(code);
    }
    assert_eq!(logins(&sandbox), 2);
    sandbox.set("HSM_PIN", PIN);
    sandbox.unset("SHIM_FAULT");
    fs::remove_file(memory(&sandbox)).unwrap();
    sandbox.run(&setup).expect(0);
}

#[test]
fn c18_a_power_cut_in_the_login_costs_nothing_and_two_in_a_row_need_somebody_to_look() {
    let mut sandbox = counted(KILLED);
    sandbox.run(&["startup"]).expect(-1);
    assert!(
        text(&sandbox).ends_with(" unseen=1\n"),
        "{}",
        text(&sandbox)
    );
    sandbox.unset("SHIM_FAULT");
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
    assert!(
        text(&sandbox).ends_with(" unseen=0\n"),
        "{}",
        text(&sandbox)
    );
    sandbox.new_container();
    sandbox.set("SHIM_FAULT", KILLED);
    for _ in 0..2 {
        sandbox.run(&["startup"]).expect(-1);
    }
    sandbox.unset("SHIM_FAULT");
    let before = logins(&sandbox);
    sandbox.fails_unchanged(&["startup"], 77, "denied");
    assert_eq!(logins(&sandbox), before);
    fs::remove_file(memory(&sandbox)).unwrap();
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

#[test]
fn c18_a_login_that_never_answers_is_a_try() {
    let mut sandbox = counted("18:hang");
    sandbox.set("TRUSTPOINT_HSM_WAIT", "3s");
    for (code, kind) in [
        (69, "hsm_unavailable"),
        (69, "hsm_unavailable"),
        (77, "denied"),
    ] {
        sandbox.run(&["startup"]).expect_error(code, kind);
    }
    assert_eq!(logins(&sandbox), 2);
}

/// CKR_SESSION_HANDLE_INVALID: the token did not look at the PIN.
#[test]
fn c18_an_error_before_the_token_looks_at_the_pin_is_no_try() {
    let mut sandbox = counted("18:B3");
    for _ in 0..4 {
        let said = sandbox.fails_unchanged(&["startup"], 69, "hsm_unavailable");
        assert!(said.contains("CKR_SESSION_HANDLE_INVALID"), "{said}");
    }
    sandbox.unset("SHIM_FAULT");
    sandbox.run(&["startup"]).expect(0);
}

/// A connection that is cut in C_Login comes back as CKR_DEVICE_ERROR, and the token behind it may
/// have counted a wrong PIN: CKR_DEVICE_ERROR, one of a vendor, CKR_FUNCTION_FAILED.
#[test]
fn c18_an_error_that_may_hide_a_wrong_pin_is_a_try_whose_end_nobody_saw() {
    for code in ["30", "80000123", "6"] {
        let mut sandbox = counted(&format!("18:{code}"));
        for _ in 0..2 {
            sandbox.fails_unchanged(&["startup"], 69, "hsm_unavailable");
        }
        for _ in 0..3 {
            sandbox.fails_unchanged(&["startup"], 77, "denied");
        }
        assert_eq!(logins(&sandbox), 2, "{code}");
        sandbox.unset("SHIM_FAULT");
        fs::remove_file(memory(&sandbox)).unwrap();
        sandbox.run(&["startup"]).expect(0);
    }
}

#[test]
fn c18_pins_that_take_turns_are_tried_once_each() {
    let mut sandbox = watched();
    for start in 0..10 {
        sandbox.set("HSM_PIN", [WRONG, "2718-2818"][start % 2]);
        sandbox.fails_unchanged(&["startup"], 77, "denied");
    }
    assert_eq!(logins(&sandbox), 2);
}

#[test]
fn c18_the_ledger_of_the_version_before_is_honoured() {
    let sandbox = rejected();
    let text = text(&sandbox);
    let hash = text.lines().find(|line| line.contains("hash=")).unwrap();
    put(
        &memory(&sandbox),
        format!("trustpointctl pin-rejected 1\n{hash}\n"),
    );
    let said = sandbox.fails_unchanged(&["startup"], 77, "denied");
    assert!(said.contains("not tried again"), "{said}");
    assert_eq!(logins(&sandbox), 1);
}

const READ_ONLY: &str = "mount --bind $1 $1
    mount -o remount,bind,ro $1";

#[test]
fn c18_nobody_logs_in_on_a_read_only_volume() {
    for with_file in [true, false] {
        let mut sandbox = counted("");
        sandbox.set("HSM_PIN", WRONG);
        if !with_file {
            fs::remove_file(memory(&sandbox)).unwrap();
        }
        let mounts = Mounts::of(&sandbox, READ_ONLY);
        for _ in 0..3 {
            let said = mounts.run(&sandbox, &["status"]).expect_error(74, "io");
            for word in ["is not tried", "pin-rejected", "writable"] {
                assert!(said.contains(word), "{said}");
            }
        }
        assert_eq!(logins(&sandbox), 0);
    }
}

/// The volume of the database, and nothing else, is full.
fn full(sandbox: &Sandbox) -> Mounts {
    let volume = "mount -t tmpfs -o size=512k small $1/var/lib/trustpoint";
    let script = format!(
        "cp -a $1/var/lib/trustpoint $1/copy\n{volume}\ncp -a $1/copy/. $1/var/lib/trustpoint\n\
         rm -r $1/copy\ndd if=/dev/zero of=$1/var/lib/trustpoint/filler 2>&1 || true >&2"
    );
    Mounts::of(sandbox, &format!("{{ {script}\n}} >/dev/null 2>&1"))
}

#[test]
fn c18_nobody_logs_in_on_a_full_volume_that_has_no_ledger() {
    let mut sandbox = counted("");
    sandbox.set("HSM_PIN", WRONG);
    fs::remove_file(memory(&sandbox)).unwrap();
    let mounts = full(&sandbox);
    for _ in 0..3 {
        let said = mounts.run(&sandbox, &["status"]).expect_error(74, "io");
        for word in ["is not tried", "pin-rejected", "free space"] {
            assert!(said.contains(word), "{said}");
        }
    }
    assert_eq!(logins(&sandbox), 0);
    mounts.shell(&sandbox, "rm $1/var/lib/trustpoint/filler");
    mounts.run(&sandbox, &["status"]).expect_error(77, "denied");
    assert_eq!(logins(&sandbox), 1);
}

#[test]
fn c18_a_rejection_on_a_full_volume_allows_one_more_try() {
    let mut sandbox = counted("");
    let mounts = full(&sandbox);
    // A try is noted without more room.
    mounts.run(&sandbox, &["status"]).expect(0);
    fs::remove_file(sandbox.path("logins")).unwrap();
    sandbox.set("HSM_PIN", WRONG);
    for word in [
        "could not be noted",
        "could not be noted",
        "nobody saw",
        "nobody saw",
    ] {
        let said = mounts.run(&sandbox, &["status"]).expect_error(77, "denied");
        assert!(said.contains(word), "{said}");
    }
    assert_eq!(logins(&sandbox), 2);
}

#[test]
fn c18_a_rejection_without_memory_for_its_hash_allows_one_more_try() {
    let mut sandbox = counted("");
    let limited = |sandbox: &Sandbox, kib: u32| -> Run {
        let script = format!("ulimit -v {kib} && exec \"$@\"");
        sandbox.run_under(&["bash", "-c", &script, "bash"], &["status"])
    };
    // Room for the program and the module, and then for far less than the 64 MiB of Argon2.
    let mut limits = (40_000..400_000).step_by(4_000);
    let room = limits.find(|kib| {
        // A try that crashes would be one that nobody saw.
        let _ = fs::remove_file(memory(&sandbox));
        limited(&sandbox, *kib).code == 0
    });
    let room = room.expect("it needs more than that") + 16_000;
    fs::remove_file(sandbox.path("logins")).unwrap();
    sandbox.set("HSM_PIN", WRONG);
    for word in [
        "could not be noted",
        "could not be noted",
        "nobody saw",
        "nobody saw",
    ] {
        let said = limited(&sandbox, room).expect_error(77, "denied");
        assert!(said.contains(word), "{said}");
    }
    assert_eq!(logins(&sandbox), 2);
}

#[test]
fn c18_a_ledger_that_died_before_its_first_line_is_gone_on_with() {
    let sandbox = counted("");
    put(&memory(&sandbox), "");
    sandbox.run(&["startup"]).expect(0);
}

#[test]
fn c18_a_ledger_that_root_makes_belongs_to_the_owner_of_the_volume() {
    let sandbox = counted("");
    let owner = fs::metadata(sandbox.path("")).unwrap().uid();
    let owner = if owner == 0 { NOBODY } else { owner };
    let volume = sandbox.root("var/lib/trustpoint");
    std::os::unix::fs::chown(&volume, Some(owner), None).unwrap();
    fs::remove_file(memory(&sandbox)).unwrap();
    sandbox.run(&["status"]).expect(0);
    assert_eq!(fs::metadata(memory(&sandbox)).unwrap().uid(), owner);
}
