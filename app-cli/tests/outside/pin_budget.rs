//! The PIN budget (C18) and what is kept of secrets (C21), on a real token, every C_Login counted.

pub mod ledger;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::sandbox::{NOBODY, PASSWORD, PIN, Run, SO_PIN, Sandbox, is_root, put, wrapped};

const WRONG: &str = "3141-5926";

/// A ready SoftHSM node, each login to whose token is counted from now on.
fn watched() -> Sandbox {
    let mut sandbox = Sandbox::softhsm();
    count_logins(&mut sandbox);
    sandbox
}

/// Each login of later runs adds a byte to a file.
pub fn count_logins(sandbox: &mut Sandbox) {
    sandbox.use_shim();
    let counter = sandbox.path("logins").display().to_string();
    sandbox.set("SHIM_LOGINS", &counter);
}

/// How often a module was asked to log in, so far.
pub fn logins(sandbox: &Sandbox) -> usize {
    fs::read(sandbox.path("logins")).map_or(0, |bytes| bytes.len())
}

/// A watched node whose token has rejected [`WRONG`] once.
fn rejected() -> Sandbox {
    let mut sandbox = watched();
    sandbox.set("HSM_PIN", WRONG);
    let said = sandbox.fails_unchanged(&["startup"], 77, "denied");
    assert!(said.contains("rejected"), "{said}");
    assert_eq!(logins(&sandbox), 1);
    sandbox
}

fn memory(sandbox: &Sandbox) -> PathBuf {
    sandbox.database().with_file_name("pin-rejected")
}

#[test]
fn c18_a_start_logs_in_once() {
    let sandbox = watched();
    sandbox.run(&["startup"]).expect(0);
    assert_eq!(logins(&sandbox), 1);
}

#[test]
fn a_ready_start_makes_no_more_calls_than_it_needs() {
    let mut sandbox = watched();
    let calls = sandbox.path("calls").display().to_string();
    sandbox.set("SHIM_CALLS", &calls);
    sandbox.run(&["startup"]).expect(0);
    let calls = fs::read(calls).unwrap();
    // By their place in CK_FUNCTION_LIST.
    for (place, function, times) in [
        (0, "C_Initialize", 1),
        (12, "C_OpenSession", 1),
        // Whose token it is is seen before it is given a PIN (C23), and the KEK only after that.
        (26, "C_FindObjectsInit", 2),
        (18, "C_Login", 1),
        (61, "C_UnwrapKey", 1),
        (60, "C_WrapKey", 0),
        (20, "C_CreateObject", 0),
        (58, "C_GenerateKey", 0),
        (13, "C_CloseSession", 1),
        (1, "C_Finalize", 1),
    ] {
        let made = calls.iter().filter(|call| **call == place).count();
        assert_eq!(made, times, "{function}");
    }
}

#[test]
fn c18_a_rejected_pin_is_tried_once_in_all() {
    let sandbox = rejected();
    for _ in 0..10 {
        let said = sandbox.fails_unchanged(&["startup"], 77, "denied");
        assert!(said.contains("not tried again"), "{said}");
        assert!(said.contains("pin-rejected"), "{said}");
    }
    // A new container: the memory stands on the data volume.
    sandbox.lose_runtime();
    sandbox.run(&["startup"]).expect_error(77, "denied");
    assert_eq!(logins(&sandbox), 1);
}

#[test]
fn c18_what_is_remembered_tells_nothing_about_the_pin() {
    let sandbox = rejected();
    let metadata = fs::metadata(memory(&sandbox)).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o600);
    let text = fs::read_to_string(memory(&sandbox)).unwrap();
    assert!(text.contains("$argon2id$"), "{text}");
    assert!(!text.contains(WRONG), "{text}");
}

#[test]
fn c18_another_pin_is_tried_and_one_that_works_ends_the_memory() {
    let mut sandbox = rejected();
    sandbox.set("HSM_PIN", "2718-2818");
    sandbox.fails_unchanged(&["startup"], 77, "denied");
    sandbox.fails_unchanged(&["startup"], 77, "denied");
    assert_eq!(logins(&sandbox), 2);
    sandbox.set("HSM_PIN", PIN);
    sandbox.run(&["startup"]).expect(0);
    assert_eq!(logins(&sandbox), 3);
    let text = fs::read_to_string(memory(&sandbox)).unwrap();
    assert!(
        text.ends_with(" unseen=0\n") && !text.contains("hash"),
        "{text}"
    );
}

#[test]
fn c18_a_look_never_logs_in_with_a_rejected_pin() {
    let sandbox = rejected();
    for look in [&["startup", "--dry-run"][..], &["status"]] {
        sandbox.run(look).expect(0);
        sandbox.lose_runtime();
        sandbox.fails_unchanged(look, 77, "denied");
        sandbox.run(&["startup"]).expect_error(77, "denied");
        put_cache_back(&sandbox);
    }
    assert_eq!(logins(&sandbox), 1);
}

/// The right PIN for one start, so that the DEK is cached again.
fn put_cache_back(sandbox: &Sandbox) {
    let kept = fs::read(memory(sandbox)).unwrap();
    let mut start = sandbox.command(&["startup"]);
    start.env("HSM_PIN", PIN).env_remove("SHIM_LOGINS");
    Run::end_of(&mut start).expect(0);
    put(&memory(sandbox), kept);
}

#[test]
fn c18_a_look_logs_in_only_where_the_dek_is_not_cached() {
    let sandbox = watched();
    for look in [&["startup", "--dry-run"][..], &["status"]] {
        sandbox.run(look).expect(0);
    }
    assert_eq!(logins(&sandbox), 0);
    sandbox.lose_runtime();
    for (look, total) in [(&["startup", "--dry-run"][..], 1), (&["status"], 2)] {
        let before = sandbox.picture();
        let run = sandbox.run(look).expect(0);
        assert_eq!(
            run.restore_scenario(),
            "RESTORE_SOFTHSM_WIZARD_COMPLETED_DEK_CACHED"
        );
        assert_eq!(sandbox.picture(), before);
        assert_eq!(logins(&sandbox), total);
    }
}

#[test]
fn c18_a_missing_pin_is_denied_and_nothing_is_tried() {
    let mut sandbox = watched();
    sandbox.unset("HSM_PIN");
    fs::remove_file(memory(&sandbox)).unwrap();
    let said = sandbox.fails_unchanged(&["startup"], 77, "denied");
    for word in ["HSM_PIN_FILE", "hsm.pin_file", "HSM_PIN "] {
        assert!(said.contains(word), "{said}");
    }
    assert_eq!(logins(&sandbox), 0);
    assert!(!memory(&sandbox).exists());
}

#[test]
fn c18_a_damaged_memory_is_an_error_and_no_permission_to_try() {
    let sandbox = rejected();
    let right = fs::read(memory(&sandbox)).unwrap();
    let cut = &right[..right.len() / 2];
    for wrong in [&b"banana\n"[..], b"\xff\xfe", cut] {
        put(&memory(&sandbox), wrong);
        let said = sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
        assert!(said.contains("pin-rejected"), "{said}");
        assert_eq!(fs::read(memory(&sandbox)).unwrap(), wrong);
    }
    assert_eq!(logins(&sandbox), 1);
}

#[test]
fn c21_no_secret_in_anything_that_is_said_or_kept() {
    let mut sandbox = Sandbox::new();
    let mut said = String::new();
    let mut run = |sandbox: &Sandbox, arguments: &[&str]| {
        for format in ["json", "human"] {
            let global = ["--verbose", "--format", format];
            let mut command = sandbox.command(&[&global[..], arguments].concat());
            said.push_str(&Run::end_of(&mut command).said());
        }
    };
    let password = sandbox.password_file(PASSWORD);
    let password = password.to_str().unwrap();
    run(&sandbox, &["startup"]);
    let setup = ["setup", "--storage", "softhsm", "--backup-password-file"];
    run(&sandbox, &[&setup[..], &[password]].concat());
    for arguments in [
        &["startup"][..],
        &["startup", "--dry-run"],
        &["status"],
        &["history"],
        &["config", "show"],
    ] {
        run(&sandbox, arguments);
        sandbox.set("HSM_PIN", WRONG);
        run(&sandbox, arguments);
        sandbox.lose_runtime();
        run(&sandbox, arguments);
        sandbox.set("HSM_PIN", PIN);
        run(&sandbox, arguments);
    }
    run(&sandbox, &["startup"]);
    let dek = fs::read(sandbox.dek_cache()).unwrap();
    let hex: String = dek.iter().map(|byte| format!("{byte:02x}")).collect();
    let key = fs::read_to_string(sandbox.tls("nginx-tls-server-key.key")).unwrap();
    let key = key.lines().nth(1).unwrap().to_owned();
    let secrets = [PIN, SO_PIN, WRONG, PASSWORD, &hex, &key];
    assert!(
        said.contains("rejected") && said.contains("ready"),
        "{said}"
    );
    for secret in secrets {
        assert!(
            !said.to_lowercase().contains(&secret.to_lowercase()),
            "{secret}: {said}"
        );
        for kept in files_below(&sandbox.path("root")) {
            let is_the_key = kept.ends_with("nginx-tls-server-key.key");
            let bytes = fs::read(&kept).unwrap();
            let found = bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(is_the_key || !found, "{secret} in {}", kept.display());
        }
    }
    let cache = files_below(&sandbox.path("root"))
        .into_iter()
        .filter(|file| fs::read(file).unwrap().windows(32).any(|part| part == dek));
    assert_eq!(cache.collect::<Vec<_>>(), [sandbox.dek_cache()]);
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            files.extend(files_below(&entry.path()));
        } else if entry.file_type().unwrap().is_file() {
            files.push(entry.path());
        }
    }
    files
}

/// A process that is ended with the test.
struct Waiting(Child);

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A start that waits for the lock, which is held until the file is dropped.
fn waiting(sandbox: &Sandbox) -> (File, Waiting) {
    let lock = File::open(sandbox.database().with_extension("db.lock")).unwrap();
    lock.lock().unwrap();
    let mut command = sandbox.command_of_a_user(&["startup", "--lock-wait", "600"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    let waiting = Waiting(child);
    let line = BufReader::new(stdout).lines().next().unwrap().unwrap();
    assert!(line.contains("waiting for another start"), "{line}");
    (lock, waiting)
}

#[test]
fn c21_a_process_leaves_no_core_and_its_memory_to_nobody() {
    let sandbox = Sandbox::software();
    let mut control = Command::new("sleep");
    control.arg("600");
    if is_root() {
        let user = format!("--reuid={NOBODY}");
        control = wrapped(&["setpriv", &user, "--clear-groups", "--"], &control, None);
    }
    let (_lock, mut waiting) = waiting(&sandbox);
    // The kernel gives the files in /proc of a process that is not dumpable to root.
    let owner = |pid: u32| fs::metadata(format!("/proc/{pid}/environ")).unwrap().uid();
    let control = Waiting(control.spawn().unwrap());
    while fs::read_to_string(format!("/proc/{}/comm", control.0.id())).unwrap() != "sleep\n" {
        std::thread::yield_now();
    }
    assert_ne!(owner(control.0.id()), 0, "this machine cannot show it");
    assert_eq!(owner(waiting.0.id()), 0);

    let pid = waiting.0.id().to_string();
    let dump = Command::new("kill").args(["-ABRT", &pid]).status().unwrap();
    assert!(dump.success());
    let status = waiting.0.wait().unwrap();
    assert_eq!(status.signal(), Some(6));
    assert!(!status.core_dumped());
}

#[test]
fn c21_no_secret_on_the_command_line() {
    let sandbox = Sandbox::softhsm();
    let (_lock, waiting) = waiting(&sandbox);
    let mut line = String::new();
    let mut file = File::open(format!("/proc/{}/cmdline", waiting.0.id())).unwrap();
    file.read_to_string(&mut line).unwrap();
    assert!(line.contains("startup"), "{line}");
    for secret in [PIN, SO_PIN, PASSWORD] {
        assert!(!line.contains(secret), "{line}");
    }
}
