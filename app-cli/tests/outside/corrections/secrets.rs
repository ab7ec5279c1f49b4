//! C21 and C22: where secrets are, and where they are not.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::text;
use crate::sandbox::{PASSWORD, PIN, SO_PIN, Sandbox, put, tool};

/// The DEK and the TLS key, in the forms in which they could leak.
fn secrets_of(sandbox: &Sandbox) -> Vec<String> {
    let dek = fs::read(sandbox.dek_cache()).unwrap();
    assert_eq!(dek.len(), 32);
    let hex: String = dek.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{dek:?}");
    let key = fs::read_to_string(sandbox.tls("nginx-tls-server-key.key")).unwrap();
    let key = key.lines().nth(1).unwrap().to_owned();
    let fixed = [PIN, SO_PIN, PASSWORD, "PRIVATE KEY"].map(str::to_owned);
    let mut secrets = vec![hex.to_uppercase(), hex, list, key];
    secrets.extend(fixed);
    secrets
}

#[test]
fn c21_no_secret_is_in_any_output() {
    let mut sandbox = Sandbox::softhsm();
    let secrets = secrets_of(&sandbox);
    let password = sandbox.password_file(PASSWORD);
    let setup = ["setup", "--storage", "softhsm", "--backup-password-file"];
    let setup = [&setup[..], &[text(&password)]].concat();
    let commands = [
        &["startup"][..],
        &["startup", "--dry-run"],
        &["status"],
        &["history"],
        &["config", "show"],
        &["setup", "--reset"],
        &setup,
        &["startup"],
    ];
    let mut said = String::new();
    let mut ask = |sandbox: &Sandbox, arguments: &[&str]| {
        for format in ["json", "human"] {
            let arguments = [&["-v", "--format", format][..], arguments].concat();
            let run = sandbox.run_human(&arguments);
            said.push_str(&run.stdout);
            said.push_str(&run.stderr);
        }
    };
    for arguments in commands {
        ask(&sandbox, arguments);
    }
    // What goes wrong with a secret must not show it either.
    sandbox.sql("UPDATE credential SET private_key = substr(private_key, 2)");
    ask(&sandbox, &["startup"]);
    sandbox.lose_runtime();
    sandbox.set("HSM_PIN", "rejected-4711");
    ask(&sandbox, &["startup"]);
    said.push_str(&fs::read_to_string(sandbox.root("run/trustpoint/startup.json")).unwrap());
    assert!(said.len() > 5000, "{said}");
    assert!(said.contains("denied"), "{said}");
    for secret in secrets.iter().map(String::as_str).chain(["rejected-4711"]) {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}

/// The files below a directory that hold the bytes.
fn holders(directory: &Path, wanted: &[u8], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holders(&path, wanted, found);
        } else {
            let bytes = fs::read(&path).unwrap();
            if bytes.windows(wanted.len()).any(|window| window == wanted) {
                found.push(path);
            }
        }
    }
}

#[test]
fn c21_no_private_key_stands_in_the_clear_beside_a_softhsm_node() {
    let mut sandbox = Sandbox::softhsm();
    sandbox.set("TRUSTPOINT_APP_VERSION", "9.0.0");
    sandbox.run(&["startup"]).expect(0);
    let key = fs::read_to_string(sandbox.tls("nginx-tls-server-key.key")).unwrap();
    // The key is the one of the software phase, which the database had in the clear.
    assert_eq!(super::rows(&sandbox, "credential"), 1);
    let data = sandbox.root("var/lib/trustpoint");
    let dek = fs::read(sandbox.dek_cache()).unwrap();
    let line = key.lines().nth(1).unwrap().as_bytes();
    for secret in [
        b"PRIVATE KEY",
        line,
        &dek,
        PIN.as_bytes(),
        PASSWORD.as_bytes(),
    ] {
        let mut found = Vec::new();
        holders(&data, secret, &mut found);
        assert_eq!(found, Vec::<PathBuf>::new());
    }
    let snapshots = fs::read_dir(data.join("snapshots")).unwrap().count();
    assert_eq!(snapshots, 1, "it was looked into as well");
}

#[test]
fn c21_core_dumps_are_off_before_any_secret_is_read() {
    let sandbox = Sandbox::softhsm();
    let (run, calls) = sandbox.run_traced(&["-e", "trace=prctl,openat"], &["startup"]);
    run.expect(0);
    let off = calls.find("PR_SET_DUMPABLE, SUID_DUMP_DISABLE").unwrap();
    let database = calls.find("trustpoint.db").unwrap();
    let module = calls.find("libsofthsm2").unwrap();
    assert!(off < database && off < module, "{calls}");
}

#[test]
fn c22_the_cache_is_the_users_alone_and_removed_when_the_node_is_not_ready() {
    let sandbox = Sandbox::softhsm();
    let metadata = fs::metadata(sandbox.dek_cache()).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let directory = fs::metadata(sandbox.root("run/trustpoint")).unwrap();
    assert_eq!(directory.permissions().mode() & 0o777, 0o700);
    assert_eq!(metadata.uid(), directory.uid());

    sandbox.run(&["setup", "--reset"]).expect(0);
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "setup_required");
    assert!(!sandbox.dek_cache().exists());
}

/// A runtime directory that is not on a tmpfs.
fn on_disk(sandbox: &mut Sandbox) -> tempfile::TempDir {
    let is_disk = |place: &&str| {
        let kind = tool("stat", ["--file-system", "--format=%T", place]);
        !matches!(kind.trim(), "tmpfs" | "ramfs")
    };
    let places = [env!("CARGO_TARGET_TMPDIR"), "/var/tmp"];
    let disk = places
        .into_iter()
        .filter(is_disk)
        .find_map(|place| tempfile::tempdir_in(place).ok());
    let disk = disk.expect("neither the target directory nor /var/tmp is on a disk and writable");
    sandbox.set("TRUSTPOINT_RUNTIME_DIR", text(disk.path()));
    disk
}

#[test]
fn c22_the_cache_refuses_a_directory_that_is_not_on_a_tmpfs() {
    let mut sandbox = Sandbox::softhsm();
    let disk = on_disk(&mut sandbox);
    let said = sandbox.fails_unchanged(&["startup"], 78, "config");
    assert!(said.contains(text(disk.path())), "{said}");
    assert!(!disk.path().join("dek").exists());

    let allowed = "[runtime]\nallow_non_tmpfs = true\n";
    put(&sandbox.root("etc/trustpoint/trustpointctl.toml"), allowed);
    let run = sandbox.run(&["startup"]).expect(0);
    assert!(run.warnings().contains("tmpfs"), "{}", run.warnings());
    assert!(disk.path().join("dek").exists());
}

#[test]
fn c22_a_setup_refuses_it_before_it_changes_anything() {
    let mut sandbox = Sandbox::new();
    sandbox.run(&["startup"]).expect(0);
    let tokens = sandbox.store().count().unwrap();
    let _disk = on_disk(&mut sandbox);
    let setup = ["setup", "--storage", "softhsm", "--no-backup-password"];
    sandbox.fails_unchanged(&setup, 78, "config");
    assert_eq!(sandbox.store().count().unwrap(), tokens);
}

#[test]
fn c22_the_cache_refuses_a_directory_of_another_user() {
    let mut sandbox = Sandbox::softhsm();
    let own = sandbox.root("run/trustpoint");
    let is_root = fs::metadata(&own).unwrap().uid() == 0;
    if !is_root {
        // Root's; a look writes nothing there.
        sandbox.set("TRUSTPOINT_RUNTIME_DIR", "/dev/shm");
    }
    // Root may do what the owner may; nobody may not.
    let mut status = sandbox.command_of_a_user(&["--format", "json", "status"]);
    if is_root {
        std::os::unix::fs::chown(&own, Some(4711), None).unwrap();
        fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let said = crate::sandbox::Run::end_of(&mut status).expect_error(78, "config");
    assert!(said.contains("belongs to user"), "{said}");
}

#[test]
fn c21_a_key_that_a_snapshot_has_in_the_clear_is_not_used_after_setup() {
    let mut sandbox = Sandbox::new();
    sandbox.set("TRUSTPOINT_APP_VERSION", "1.0.0");
    let before = sandbox.run(&["startup"]).expect(0).fingerprint();
    sandbox.set("TRUSTPOINT_APP_VERSION", "1.1.0");
    sandbox.run(&["startup"]).expect(0);
    let run = sandbox.setup_softhsm();
    assert!(run.warnings().contains("snapshots"), "{}", run.warnings());
    assert_ne!(run.fingerprint(), before);
    assert_eq!(
        sandbox.run(&["startup"]).expect(0).fingerprint(),
        run.fingerprint()
    );
}
