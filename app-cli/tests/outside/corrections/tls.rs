//! C7: the TLS set changes as one, and its key is nobody else's for a moment.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use time::Duration;

use super::{save_credential, text};
use crate::sandbox::{Sandbox, is_on_server, put};

const CERTIFICATE: &str = "nginx-tls-server-cert.pem";
const KEY: &str = "nginx-tls-server-key.key";

/// Reads certificate, then key; `None` where the set was swapped meanwhile. The open file keeps
/// its inode from being used again.
fn read_pair(sandbox: &Sandbox) -> Option<(Vec<u8>, Vec<u8>)> {
    let path = sandbox.tls(CERTIFICATE);
    let mut open = File::open(&path).expect("there is no moment without a certificate");
    let mut certificate = Vec::new();
    std::io::Read::read_to_end(&mut open, &mut certificate).unwrap();
    let key = fs::read(sandbox.tls(KEY)).expect("there is no moment without a key");
    let now = fs::metadata(&path).expect("there is no moment without a certificate");
    (now.ino() == open.metadata().unwrap().ino()).then_some((certificate, key))
}

#[test]
fn c07_a_reader_sees_a_whole_set_at_every_moment() {
    let sandbox = Sandbox::software();
    let one = read_pair(&sandbox).unwrap();
    save_credential(&sandbox, Duration::ZERO);
    sandbox.run(&["startup"]).expect(0);
    let two = read_pair(&sandbox).unwrap();
    assert_ne!(one, two);
    let (ended, seen) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                if let Some(pair) = read_pair(&sandbox) {
                    assert!(pair == one || pair == two, "a pair that does not match");
                    seen.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        for round in 0..20 {
            let id = round % 2 + 1;
            sandbox.sql(&format!(
                "UPDATE active_tls_server_credential SET credential_id = {id}"
            ));
            let run = sandbox.run(&["startup"]).expect(0);
            assert_eq!(run.step("provide_tls"), "done");
        }
        ended.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    assert!(seen.load(Ordering::Relaxed) > 20);
    let sets = fs::read_dir(sandbox.tls("sets")).unwrap().count();
    assert_eq!(sets, 3, "the last sets are kept");
}

/// All files and directories below the root.
fn below(directory: PathBuf) -> Vec<PathBuf> {
    let mut all = vec![directory.clone()];
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.symlink_metadata().unwrap().is_dir() {
            all.extend(below(path));
        } else {
            all.push(path);
        }
    }
    all
}

/// A first start, a setup with SoftHSM and an upgrade, without a umask and under strace.
fn lives_without_a_umask(sandbox: &mut Sandbox) -> String {
    let password = sandbox.password_file(crate::sandbox::PASSWORD);
    let setup = ["setup", "--storage", "softhsm", "--backup-password-file"];
    let setup = [&setup[..], &[text(&password)]].concat();
    let wanted = "trace=open,openat,creat,mkdir,mkdirat,chmod,fchmod,fchmodat";
    let without_umask = [
        "-y",
        "-e",
        wanted,
        "sh",
        "-c",
        "umask 000; exec \"$@\"",
        "sh",
    ];
    let mut all = String::new();
    for arguments in [&["startup"][..], &setup, &["startup"], &["startup"]] {
        let (run, calls) = sandbox.run_traced(&without_umask, arguments);
        let run = run.expect(0);
        all.push_str(&calls);
        if run.outcome() == "ready" {
            sandbox.set("TRUSTPOINT_APP_VERSION", "9.0.0");
        }
    }
    all
}

#[test]
fn c07_no_secret_is_readable_for_others_for_a_moment_even_without_a_umask() {
    let mut sandbox = Sandbox::new();
    let calls = lives_without_a_umask(&mut sandbox);
    let root = sandbox.path("root");
    for path in below(root.clone()) {
        let metadata = path.symlink_metadata().unwrap();
        let name = path.display().to_string();
        let is_public = name.contains("cert") || name.contains("/wizard/");
        let is_public = is_public || name.ends_with("/source") || metadata.is_symlink();
        let mode = metadata.permissions().mode() & 0o777;
        let is_tls = name.contains("/tls");
        if metadata.is_dir() {
            assert!(!is_tls || mode & 0o077 == 0, "{name} {mode:o}");
            assert_eq!(mode & 0o022, 0, "{name} {mode:o} is writable for others");
        } else if !is_public {
            assert_eq!(mode & 0o077, 0, "{name} {mode:o}");
        }
    }
    let mut secrets = 0;
    for call in calls.lines().filter(|call| call.contains("O_CREAT")) {
        let is_secret = [KEY, ".db", "/dek", "/run/trustpoint>"]
            .iter()
            .any(|name| call.contains(name));
        if is_secret && call.contains(text(&root)) {
            let mode = call.split_once(") = ").unwrap().0;
            assert!(mode.ends_with("0600"), "made with another mode: {call}");
            secrets += 1;
        }
    }
    // A database on a server has no file, and no journal.
    let least = if is_on_server() { 3 } else { 8 };
    assert!(secrets > least, "{calls}");
    for call in calls.lines().filter(|call| call.contains("chmod")) {
        // The path before it can have any number in it.
        let (arguments, _) = call.split_once(") = ").unwrap();
        let mode = arguments.rsplit(' ').next().unwrap();
        assert!(!mode.contains("044") && !mode.contains("066"), "{call}");
    }
}

#[test]
fn c07_a_key_that_is_not_of_its_certificate_never_replaces_a_set() {
    let sandbox = Sandbox::software();
    let before = read_pair(&sandbox).unwrap();
    save_credential(&sandbox, Duration::ZERO);
    let swap = "UPDATE credential SET private_key = (SELECT private_key FROM credential WHERE \
                id = 1)";
    sandbox.sql(swap);
    sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    assert_eq!(read_pair(&sandbox).unwrap(), before);
}

#[test]
fn c07_a_set_that_is_right_is_not_written_again_and_a_foreign_one_is_kept() {
    let sandbox = Sandbox::software();
    let before = sandbox.picture();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.step("provide_tls"), "unchanged");
    let after = sandbox.picture();
    let tls = sandbox.root("etc");
    assert!(
        before
            .iter()
            .filter(|(path, _)| path.starts_with(&tls))
            .all(|(path, was)| after.get(path) == Some(was))
    );

    fs::remove_file(sandbox.tls(KEY)).unwrap();
    put(&sandbox.tls(KEY), "somebody's only key");
    sandbox.run(&["startup"]).expect(0);
    super::assert_usable(&sandbox);
    let kept = below(sandbox.tls("sets"))
        .into_iter()
        .any(|path| fs::read(path).is_ok_and(|bytes| bytes == b"somebody's only key"));
    assert!(kept, "a key that stood there is not destroyed");
}
