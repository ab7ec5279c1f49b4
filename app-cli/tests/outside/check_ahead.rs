//! What would make a start fail half way is found before its first change.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use crate::mounts::Mounts;
use crate::sandbox::{Sandbox, tool};

/// A transaction beside which nobody else reads.
pub const EXCLUSIVE: &str = "BEGIN EXCLUSIVE; SELECT 'held';";

/// A sqlite3 program that has begun a transaction and keeps it.
pub struct Holder(Child);

impl Holder {
    pub fn of(sandbox: &Sandbox, statements: &str) -> Self {
        // A page beside it looks at the database now and then.
        let mut child = Command::new("sqlite3")
            .args(["-bail", "-cmd", ".timeout 60000"])
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
