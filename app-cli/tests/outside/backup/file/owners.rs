//! What root does on a node, or in a directory, of another user.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::backup::{create, restore};
use crate::sandbox::{NOBODY, Run, Sandbox, is_root, put, tool};

fn owner(path: &Path) -> (u32, u32, u32) {
    let metadata = fs::metadata(path).unwrap();
    (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777)
}

#[test]
fn a_restore_by_root_leaves_files_that_the_nodes_own_user_can_use() {
    if !is_root() {
        // Nobody else can be two users.
        return;
    }
    let sandbox = Sandbox::software();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    let file = create(&sandbox, "node.backup");
    let data = sandbox.root("var/lib/trustpoint");
    sandbox.run(&["tls", "renew"]).expect(0);
    let later = fs::read(sandbox.database()).unwrap();
    // Over a database that can be read, over one that cannot, and over none.
    for bytes in [Some(later), Some(b"noise".repeat(200)), None] {
        match bytes {
            Some(bytes) => put(&sandbox.database(), bytes),
            None => fs::remove_file(sandbox.database()).unwrap(),
        }
        let _ = fs::remove_dir_all(data.join("snapshots"));
        let _ = fs::remove_file(data.join("trustpoint.db.lock"));
        // The node is another user's.
        let status = ["--format", "json", "status"];
        Run::end_of(&mut sandbox.command_of_a_user(&status));
        fs::remove_file(sandbox.path("trustpointctl")).unwrap();
        restore(&sandbox, &file).expect(0);
        assert_eq!(owner(&sandbox.database()), (NOBODY, NOBODY, 0o600));
        if let Ok(kept) = fs::read_dir(data.join("snapshots")) {
            assert_eq!(owner(&data.join("snapshots")), (NOBODY, NOBODY, 0o700));
            for entry in kept {
                assert_eq!(owner(&entry.unwrap().path()), (NOBODY, NOBODY, 0o600));
            }
        }
        let _ = fs::remove_file(data.join("trustpoint.db.lock"));
        let start = Run::end_of(&mut sandbox.command_of_a_user(&["--format", "json", "startup"]));
        assert_eq!(start.expect(0).fingerprint(), fingerprint);
    }
}

/// A directory's owner may move and make names in it at any time, but gets nothing of a backup.
#[test]
fn c21_the_owner_of_the_directory_cannot_exchange_a_backup_of_root_on_its_way() {
    if !is_root() {
        // Nobody else can be two users.
        return;
    }
    let sandbox = Sandbox::software();
    let directory = sandbox.path("theirs");
    fs::create_dir(&directory).unwrap();
    tool(
        "chown",
        [&format!("{NOBODY}:{NOBODY}"), directory.to_str().unwrap()],
    );
    tool("chmod", ["755", sandbox.path("").to_str().unwrap()]);
    // Puts a file of its own in the place of every private name that it sees.
    let script = "cd \"$1\" && while [ ! -e stop ]; do for name in .trust*; do \
                  [ -e \"$name\" ] && : > mine && mv -f mine \"$name\"; done; done";
    let user = format!("--reuid={NOBODY}");
    let group = format!("--regid={NOBODY}");
    let mut thief = std::process::Command::new("setpriv")
        .args([&user, &group, "--clear-groups", "sh", "-c", script, "sh"])
        .arg(&directory)
        .spawn()
        .unwrap();
    let file = directory.join("node.backup").display().to_string();
    for _ in 0..40 {
        let made = sandbox.run(&["backup", "create", &file]);
        if made.code == 0 {
            sandbox.run(&["backup", "verify", &file]).expect(0);
            assert_eq!(owner(file.as_ref()), (0, 0, 0o600));
        }
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let is_theirs = fs::metadata(&path).is_ok_and(|metadata| metadata.uid() == NOBODY);
            let bytes = fs::read(&path).unwrap_or_default();
            assert!(!is_theirs || bytes.is_empty(), "{path:?} has bytes");
        }
        made.expect(0);
        fs::remove_file(&file).unwrap();
    }
    put(&directory.join("stop"), "");
    thief.wait().unwrap();
}
