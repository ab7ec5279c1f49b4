//! Nothing that is already right is written again.

use std::collections::BTreeSet;
use std::fs;

use crate::sandbox::Sandbox;

const CHANGING: &str = "trace=open,openat,openat2,creat,rename,renameat,renameat2,unlink,unlinkat,\
                        mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,chmod,fchmod,fchmodat,\
                        chown,fchown,lchown,fchownat,truncate,ftruncate,utimensat,setxattr,\
                        write,pwrite64,writev,pwritev,pwritev2,copy_file_range,sendfile,fallocate";

/// The calls of a start that change, or could change, something below the root: name of the call
/// and path below the root, with the random part of a temporary file's name left out.
fn changes(sandbox: &Sandbox) -> BTreeSet<String> {
    let (run, calls) = sandbox.run_traced(&["-y", "-s", "0", "-e", CHANGING], &["startup"]);
    assert_eq!(run.expect(0).outcome(), "ready");
    let root = format!("{}/", sandbox.path("root").display());
    let below_root = calls.lines().filter(|call| call.contains(&root));
    below_root
        .filter(|call| {
            let writes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"];
            !call.contains(" open") || writes.iter().any(|flag| call.contains(flag))
        })
        .map(|call| {
            let name = call.split_whitespace().nth(1).unwrap();
            let name = name.split('(').next().unwrap();
            let path = call.split(&root).nth(1).unwrap();
            // A name that follows is relative to the open directory that was named.
            let path = match path.split_once(">, \"") {
                Some((directory, name)) if !directory.contains('"') && !name.starts_with('"') => {
                    format!("{directory}/{name}")
                }
                _ => path.to_owned(),
            };
            let path = path.split(['"', '>']).next().unwrap();
            let stable = path
                .split_once(".tpctl-")
                .map_or(path, |(stable, _)| stable);
            format!("{name} {stable}")
        })
        .collect()
}

#[test]
fn a_ready_software_start_writes_its_history_and_its_report_alone() {
    let sandbox = Sandbox::software();
    sandbox.run(&["startup"]).expect(0);
    let database = "var/lib/trustpoint/trustpoint.db";
    let report = "run/trustpoint/.startup.json";
    let allowed = [
        // The lock is opened and left as it is.
        format!("openat {database}.lock"),
        // The history row, through the rollback journal.
        format!("openat {database}"),
        format!("pwrite64 {database}"),
        format!("openat {database}-journal"),
        format!("pwrite64 {database}-journal"),
        format!("unlink {database}-journal"),
        // The last report.
        format!("openat {report}"),
        format!("write {report}"),
        format!("renameat {report}"),
    ];
    let mut seen = changes(&sandbox);
    // SQLite gives the journal to the database's owner where it runs as root.
    seen.remove(&format!("fchown {database}-journal"));
    assert_eq!(seen, BTreeSet::from(allowed));
}

#[test]
fn a_ready_softhsm_start_touches_neither_cache_nor_wizard_nor_tls_set() {
    let sandbox = Sandbox::softhsm();
    sandbox.run(&["startup"]).expect(0);
    // The try of the PIN is noted in place, and crossed out.
    let ledger = "var/lib/trustpoint/pin-rejected";
    let mut tries = Vec::new();
    for change in changes(&sandbox) {
        let is_record = change.contains("trustpoint.db") || change.contains("startup.json");
        if change.contains(ledger) {
            tries.push(change);
        } else {
            assert!(is_record, "{change}");
        }
    }
    assert_eq!(
        tries,
        [format!("openat {ledger}"), format!("pwrite64 {ledger}")]
    );
}

#[test]
fn a_look_writes_nothing_at_all() {
    let sandbox = Sandbox::softhsm();
    for arguments in [&["status"][..], &["startup", "--dry-run"], &["history"]] {
        let before = Sandbox::picture_below(&sandbox.path("root"));
        let lock = fs::metadata(sandbox.root("var/lib/trustpoint/trustpoint.db.lock"));
        let lock = lock.unwrap().modified().unwrap();
        sandbox.run(arguments).expect(0);
        assert_eq!(Sandbox::picture_below(&sandbox.path("root")), before);
        let now = fs::metadata(sandbox.root("var/lib/trustpoint/trustpoint.db.lock"));
        assert_eq!(now.unwrap().modified().unwrap(), lock);
    }
}
