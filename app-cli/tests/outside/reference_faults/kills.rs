//! Faults 5, 6 and 7: killed at one point after the other, and a disk that is full. The whole
//! sweep over every system call is `cargo xtask faults`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::sandbox::{Kept, Sandbox, openssl_fingerprint, tool};

/// The calls by which files change places.
const MOVES: &str = "rename,renameat,renameat2,symlink,symlinkat,unlink,unlinkat,link,linkat";
/// The calls that make something last.
const SYNCS: &str = "fsync,fdatasync";
/// The calls that need room on the disk.
const WRITES: &str = "write,pwrite64,mkdir,mkdirat,symlink,symlinkat,fallocate";

/// A node as it stands, so that each kill meets the same one.
struct Saved<'a>(&'a Sandbox, Kept);

impl<'a> Saved<'a> {
    fn of(sandbox: &'a Sandbox) -> Self {
        for name in ["root", "tokens"] {
            copy(sandbox, name, &format!("saved-{name}"));
        }
        Self(sandbox, sandbox.keep_database())
    }

    fn restore(&self) {
        for name in ["root", "tokens"] {
            let _ = fs::remove_dir_all(self.0.path(name));
            copy(self.0, &format!("saved-{name}"), name);
        }
        self.0.put_database_back(&self.1);
    }

    /// Kills `command` before the first, second, … of `calls`, and looks at each node it leaves;
    /// gives back how many there were.
    fn kill_each(&self, calls: &str, command: &[&str], look: impl Fn(&Sandbox)) -> usize {
        for point in 1.. {
            self.restore();
            let inject = format!("inject={calls}:signal=SIGKILL:when={point}");
            let strace = ["strace", "-f", "-o", "/dev/null", "-e", &inject];
            let run = self.0.run_under(&strace, command);
            look(self.0);
            if run.code != -1 {
                run.expect(0);
                return point - 1;
            }
        }
        unreachable!("a program with endless calls")
    }
}

fn copy(sandbox: &Sandbox, from: &str, to: &str) {
    if sandbox.path(from).exists() {
        tool(
            "cp",
            [
                "-a".as_ref(),
                sandbox.path(from).as_os_str(),
                sandbox.path(to).as_os_str(),
            ],
        );
    }
}

/// Nginx has a whole set, whose key nobody else can read.
#[track_caller]
fn assert_tls_is_whole(sandbox: &Sandbox) {
    let key = sandbox.tls("nginx-tls-server-key.key");
    let certificate = sandbox.tls("nginx-tls-server-cert.pem");
    let of_key = ["pkey", "-pubout", "-in", key.to_str().unwrap()];
    let certificate = certificate.to_str().unwrap();
    let of_certificate = ["x509", "-noout", "-pubkey", "-in", certificate];
    assert_eq!(tool("openssl", of_key), tool("openssl", of_certificate));
    let mode = fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// A completed node that will have to make and publish a new credential.
fn about_to_change_its_credential() -> Sandbox {
    let sandbox = Sandbox::software();
    sandbox.sql("DELETE FROM active_tls_server_credential");
    sandbox
}

/// 5: 0644 in a 0775 directory.
#[test]
fn f05_whatever_the_umask_the_key_is_the_users_alone() {
    let sandbox = Sandbox::new();
    let wrapper = ["sh", "-c", "umask 0; exec \"$@\"", "sh"];
    sandbox.run_under(&wrapper, &["startup"]).expect(0);
    assert_tls_is_whole(&sandbox);
    let modes = tool(
        "find",
        [
            sandbox.tls("").as_os_str(),
            "-type".as_ref(),
            "d".as_ref(),
            "-printf".as_ref(),
            "%m\n".as_ref(),
        ],
    );
    assert!(modes.lines().all(|mode| mode == "700"), "{modes}");
    if let Ok(database) = fs::metadata(sandbox.database()) {
        assert_eq!(database.permissions().mode() & 0o777, 0o600);
    }
}

/// 5: killed between key and certificate.
#[test]
fn f05_killed_while_it_changes_the_credential_nginx_has_a_whole_set() {
    let sandbox = about_to_change_its_credential();
    let killed = Saved::of(&sandbox).kill_each(MOVES, &["startup"], |sandbox| {
        assert_tls_is_whole(sandbox);
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.outcome(), "ready");
        assert_tls_is_whole(sandbox);
        let certificate = sandbox.tls("nginx-tls-server-cert.pem");
        assert_eq!(openssl_fingerprint(&certificate), run.fingerprint());
        assert!(
            sandbox
                .sql("SELECT sha256_fingerprint FROM credential")
                .contains(&run.fingerprint())
        );
    });
    assert!(killed >= 3, "{killed}");
}

/// 5: a full disk, from the first, second, … write on.
#[test]
fn f05_on_a_full_disk_nginx_keeps_a_whole_set() {
    let sandbox = about_to_change_its_credential();
    let saved = Saved::of(&sandbox);
    let mut failed = 0;
    for point in 1.. {
        saved.restore();
        let inject = format!("inject={WRITES}:error=ENOSPC:when={point}+");
        let strace = ["strace", "-f", "-o", "/dev/null", "-e", &inject];
        let run = sandbox.run_under(&strace, &["startup"]);
        assert_tls_is_whole(&sandbox);
        assert!([0, 74].contains(&run.code), "{}: {}", run.code, run.stderr);
        let next = sandbox.run(&["startup"]).expect(0);
        assert_eq!(next.outcome(), "ready");
        assert_tls_is_whole(&sandbox);
        if !run.stdout.is_empty() {
            break;
        }
        failed += usize::from(run.code == 74);
    }
    assert!(failed >= 3, "{failed}");
}

/// 6: "Unexpected storage configuration: None" at every later start.
#[test]
fn f06_a_first_start_that_is_killed_is_made_good_by_the_next() {
    let sandbox = Sandbox::new();
    let saved = Saved::of(&sandbox);
    for calls in [SYNCS, MOVES] {
        let killed = saved.kill_each(calls, &["startup"], |sandbox| {
            let run = sandbox.run(&["startup"]).expect(0);
            assert_eq!(run.outcome(), "setup_required");
            assert_tls_is_whole(sandbox);
            assert_eq!(sandbox.wizard(), "WIZARD_SETUP_CRYPTO_STORAGE");
            let storage = sandbox.sql("SELECT storage_type FROM key_storage_config");
            assert_eq!(storage.trim(), "software");
            assert_eq!(sandbox.sql("SELECT count(*) FROM credential").trim(), "1");
            let again = sandbox.run(&["startup"]).expect(0);
            assert_eq!(again.startup_scenario(), "VERSION_MATCH");
            assert_eq!(again.fingerprint(), run.fingerprint());
        });
        assert!(killed >= 3, "{calls}: {killed}");
    }
}

/// There is one wizard state, and with setup run again where it is asked for the node is ready,
/// with one credential.
fn assert_setup_goes_on(sandbox: &Sandbox, setup: &[&str]) {
    let one = sandbox.wizard();
    assert!(one.starts_with("WIZARD_") && !one.contains(' '), "{one:?}");
    let run = sandbox.run(&["startup"]).expect(0);
    if run.outcome() == "setup_required" {
        sandbox.run(setup).expect(0);
    }
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
    assert_eq!(sandbox.sql("SELECT count(*) FROM credential").trim(), "1");
}

/// 7: an empty state directory, and at each later start another credential.
#[test]
fn f07_killed_in_a_wizard_move_of_setup_there_is_one_state_and_setup_goes_on() {
    let sandbox = Sandbox::new();
    sandbox.run(&["startup"]).expect(0);
    let setup = ["setup", "--storage", "software"];
    let killed = Saved::of(&sandbox).kill_each("rename,renameat,renameat2", &setup, |sandbox| {
        assert_setup_goes_on(sandbox, &setup);
    });
    assert!(killed >= 4, "{killed}");
}

#[test]
fn f07_killed_in_a_softhsm_setup_no_second_token_or_kek_is_made_and_setup_goes_on() {
    let sandbox = Sandbox::new();
    sandbox.run(&["startup"]).expect(0);
    let file = sandbox.password_file(crate::sandbox::PASSWORD);
    let file = file.to_str().unwrap();
    let setup = [
        "setup",
        "--storage",
        "softhsm",
        "--backup-password-file",
        file,
    ];
    let killed = Saved::of(&sandbox).kill_each("rename,renameat,renameat2", &setup, |sandbox| {
        assert_setup_goes_on(sandbox, &setup);
        assert_eq!(fs::read_dir(sandbox.path("tokens")).unwrap().count(), 1);
        let keys = sandbox.pkcs11_tool(&["--list-objects", "--type", "secrkey"]);
        assert_eq!(keys.matches("Secret Key Object").count(), 1, "{keys}");
    });
    assert!(killed >= 4, "{killed}");
}

/// 7: the move to the recovery page.
#[test]
fn f07_killed_on_the_way_to_recovery_the_next_start_waits_for_the_password() {
    let sandbox = Sandbox::softhsm();
    sandbox.lose_token();
    sandbox.new_container();
    let saved = Saved::of(&sandbox);
    let killed = saved.kill_each(MOVES, &["startup"], |sandbox| {
        let one = sandbox.wizard();
        assert!(one.starts_with("WIZARD_") && !one.contains(' '), "{one:?}");
        assert_tls_is_whole(sandbox);
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.outcome(), "recovery_required");
        assert_eq!(sandbox.wizard(), "WIZARD_AUTO_RESTORE_PASSWORD");
    });
    assert!(killed >= 2, "{killed}");
}
