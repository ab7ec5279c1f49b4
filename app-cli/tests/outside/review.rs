//! Faults that a review found, one test each.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use crate::mounts::Mounts;
use crate::sandbox::{PASSWORD, PIN, SO_PIN, Sandbox, put, tool};

/// In each of the commands the new key is on the disk before the database is told of it: between
/// each file that SoftHSM made and the commit after it there is a sync of that file.
#[test]
fn a_new_kek_is_on_the_disk_before_the_database_names_it() {
    let sandbox = Sandbox::new();
    sandbox.run(&["startup"]).expect(0);
    let file = sandbox.password_file(PASSWORD);
    let file = file.to_str().unwrap();
    let password = ["--backup-password-file", file];
    let setup = [&["setup", "--storage", "softhsm"][..], &password].concat();
    is_synced_before_the_commit(&sandbox, &setup);
    is_synced_before_the_commit(&sandbox, &["keys", "rotate-kek"]);
    fs::remove_dir_all(sandbox.lose_token()).unwrap();
    sandbox.lose_runtime();
    sandbox.run(&["startup"]).expect(0);
    is_synced_before_the_commit(&sandbox, &[&["recover"][..], &password].concat());
}

#[track_caller]
fn is_synced_before_the_commit(sandbox: &Sandbox, arguments: &[&str]) {
    let calls = "trace=openat,open,fsync,unlink";
    let (run, trace) = sandbox.run_traced(&["-qq", "-y", "-e", calls], arguments);
    run.expect(0);
    let tokens = format!("{}/", sandbox.path("tokens").display());
    let token_file = |line: &str| -> Option<String> {
        let name = line.split(&tokens).nth(1)?.split(['"', '>']).next()?;
        name.ends_with(".object").then(|| name.to_owned())
    };
    let mut dirty = BTreeSet::new();
    let (mut made, mut commits) = (0, 0);
    for line in trace.lines() {
        if line.contains("O_CREAT") {
            dirty.extend(token_file(line).inspect(|_| made += 1));
        } else if line.contains(" fsync(") {
            dirty.retain(|name| token_file(line).as_ref() != Some(name));
        } else if line.contains("unlink(") && line.contains("trustpoint.db-journal\"") {
            commits += 1;
            assert!(dirty.is_empty(), "{dirty:?} {arguments:?}: {trace}");
        }
    }
    assert!(commits > 0 && made > 0, "{arguments:?}: {trace}");
}

/// A sqlite3 program that has begun a transaction and keeps it.
struct Holder(Child);

impl Holder {
    fn of(sandbox: &Sandbox, statements: &str) -> Self {
        let mut child = Command::new("sqlite3")
            .arg(sandbox.database())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{statements}").unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines().next();
        assert_eq!(said.unwrap().unwrap(), "held");
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A start whose last step, the record, would wait in vain says so before its first.
#[track_caller]
fn changes_nothing_beside(statements: &str) {
    let sandbox = Sandbox::software();
    fs::remove_dir_all(sandbox.root("etc/trustpoint/tls")).unwrap();
    let holder = Holder::of(&sandbox, statements);
    let said = sandbox.fails_unchanged(&["startup"], 69, "database_unavailable");
    assert!(said.contains("another process"), "{said}");
    drop(holder);
    sandbox.run(&["startup"]).expect(0);
}

#[test]
fn a_start_beside_a_writer_changes_nothing() {
    changes_nothing_beside("BEGIN IMMEDIATE; SELECT 'held';");
}

#[test]
fn a_start_beside_a_reader_that_stays_changes_nothing() {
    changes_nothing_beside("BEGIN; SELECT 'held' FROM app_version;");
}

#[test]
fn an_upgrade_without_room_for_its_snapshot_changes_nothing() {
    let mut sandbox = Sandbox::software();
    let volume = "cp -a $1/var/lib/trustpoint $1/kept
        mount -t tmpfs -o size=1m,mode=700 small $1/var/lib/trustpoint
        cp -a $1/kept/. $1/var/lib/trustpoint
        rm -r $1/kept $1/etc/trustpoint/tls
        free=$(df --output=avail -k $1/var/lib/trustpoint | tail -n 1)
        head -c $((free - 64))k /dev/zero > $1/var/lib/trustpoint/filler";
    let mounts = Mounts::of(&sandbox, volume);
    sandbox.set("TRUSTPOINT_APP_VERSION", "99.0.0");
    let said = mounts.fails_unchanged(&sandbox, 74, "io");
    assert!(said.contains("snapshot") && said.contains("full"), "{said}");
    mounts.shell(&sandbox, "rm $1/var/lib/trustpoint/filler");
    let run = mounts.run(&sandbox, &["startup"]).expect(0);
    assert_eq!(run.startup_scenario(), "VERSION_UPGRADE");
}

#[test]
fn a_directory_in_the_place_of_the_dek_cache_is_found_before_the_first_change() {
    let sandbox = Sandbox::softhsm();
    sandbox.lose_runtime();
    fs::create_dir_all(sandbox.dek_cache()).unwrap();
    fs::remove_dir_all(sandbox.root("etc/trustpoint/tls")).unwrap();
    let said = sandbox.fails_unchanged(&["startup"], 74, "io");
    assert!(
        said.contains(sandbox.dek_cache().to_str().unwrap()),
        "{said}"
    );
}

#[test]
fn a_fifo_in_the_place_of_a_file_fails_the_start_and_hangs_none() {
    let sandbox = Sandbox::softhsm();
    for path in [
        sandbox.tls("nginx-tls-server-key.key"),
        sandbox.root("var/lib/trustpoint/pin-rejected"),
    ] {
        let _ = fs::remove_file(&path);
        tool("mkfifo", [&path]);
        sandbox.lose_runtime();
        let run = sandbox.run_under(&["timeout", "20"], &["startup"]);
        let said = run.expect_error(74, "io");
        assert!(said.contains("no regular file"), "{said}");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_secret_by_process_substitution_is_waited_for() {
    let sandbox = Sandbox::softhsm();
    let script = format!("exec \"$@\" --backup-password-file <(sleep 0.3; echo '{PASSWORD}')");
    let run = sandbox.run_under(
        &["bash", "-c", &script, "bash"],
        &["keys", "verify-backup-password"],
    );
    run.expect(0);
}

#[test]
fn a_stray_dek_file_is_not_handed_to_the_application_of_a_software_node() {
    let sandbox = Sandbox::software();
    put(&sandbox.dek_cache(), [7; 32]);
    fs::set_permissions(sandbox.dek_cache(), fs::Permissions::from_mode(0o600)).unwrap();
    let show = "echo \"dek file: [$TRUSTPOINT_DEK_FILE]\"";
    let run = sandbox.run(&["startup", "--", "sh", "-c", show]).expect(0);
    assert!(run.stdout.contains("dek file: []"), "{}", run.stdout);
}

#[test]
fn tls_commands_on_an_empty_root_create_nothing() {
    let sandbox = Sandbox::new();
    let fingerprint = vec!["AB"; 32].join(":");
    for arguments in [&["tls", "renew"][..], &["tls", "activate", &fingerprint]] {
        sandbox.run(arguments).expect_error(78, "config");
        assert!(!sandbox.path("root").exists(), "{arguments:?}");
    }
}

#[test]
fn setup_again_without_a_password_keeps_the_one_of_before_and_says_so() {
    let sandbox = Sandbox::softhsm();
    sandbox.run(&["setup", "--reset"]).expect(0);
    let again = ["setup", "--storage", "softhsm", "--no-backup-password"];
    let run = sandbox.run(&again).expect(0);
    assert!(
        !run.warnings().contains("no backup password"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout.contains("the one of before is kept"),
        "{}",
        run.stdout
    );
    let file = sandbox.password_file(PASSWORD);
    let file = ["--backup-password-file", file.to_str().unwrap()];
    sandbox
        .run(&[&["keys", "verify-backup-password"][..], &file].concat())
        .expect(0);
}

#[test]
fn a_pin_of_the_environment_loses_its_line_break_as_one_of_a_file_does() {
    let mut sandbox = Sandbox::new();
    sandbox.set("HSM_PIN", &format!("{PIN}\n"));
    sandbox.set("HSM_SO_PIN", &format!("{SO_PIN}\r\n"));
    sandbox.setup_softhsm();
    sandbox.set("HSM_PIN", PIN);
    sandbox.lose_runtime();
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}
