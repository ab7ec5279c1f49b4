//! A node whose directories other users may change, and one that root works on for its user.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::assert_names;
use crate::sandbox::{NOBODY, Run, Sandbox, is_root, put, tool};

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn directories(sandbox: &Sandbox) -> [PathBuf; 4] {
    [
        sandbox.root("run/trustpoint"),
        sandbox.root("var/lib/trustpoint"),
        sandbox.root("etc/trustpoint/tls"),
        sandbox.wizard_dir(),
    ]
}

#[test]
fn a_directory_that_every_user_may_change_is_refused_before_anything_is_changed() {
    let sandbox = Sandbox::softhsm();
    for directory in directories(&sandbox) {
        set_mode(&directory, 0o777);
        let name = directory.display().to_string();
        for arguments in [
            &["startup"][..],
            &["startup", "--dry-run"],
            &["status"],
            &["tls", "renew"],
            &["keys", "rotate-kek"],
        ] {
            let said = sandbox.fails_unchanged(arguments, 78, "config");
            assert_names(&said, &[&name, "0777", "chmod o-w"]);
        }
        let doctor = sandbox.run(&["doctor"]);
        assert_names(&doctor.expect_error(78, "config"), &[&name, "chmod o-w"]);
        // A group that may write is what shared directories are for; the sticky bit leaves each
        // file to its owner.
        for mode in [0o770, 0o1777, 0o700] {
            set_mode(&directory, mode);
            sandbox.run(&["startup"]).expect(0);
        }
    }
}

#[test]
fn a_fresh_node_refuses_them_as_well() {
    let sandbox = Sandbox::new();
    for directory in directories(&sandbox) {
        fs::create_dir_all(&directory).unwrap();
        set_mode(&directory, 0o777);
        sandbox.fails_unchanged(&["startup"], 78, "config");
        set_mode(&directory, 0o700);
    }
    assert!(
        !sandbox
            .root("var/lib/trustpoint/trustpoint.db.lock")
            .exists()
    );
    sandbox.run(&["startup"]).expect(0);
}

/// All below belongs to nobody; links need no owner.
#[track_caller]
fn assert_nobodys(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            assert_nobodys(&path);
        }
        let owner = (metadata.uid(), metadata.gid());
        let is_right = owner == (NOBODY, NOBODY) || metadata.is_symlink();
        assert!(is_right, "{} belongs to {owner:?}", path.display());
    }
}

#[test]
fn what_root_does_on_a_node_of_another_user_does_not_lock_that_user_out() {
    if !is_root() {
        return;
    }
    for sandbox in [Sandbox::software(), Sandbox::softhsm()] {
        // From here on all belongs to nobody.
        let mut start = sandbox.command_of_a_user(&["--format", "json", "startup"]);
        Run::end_of(&mut start).expect(0);
        let renewed = sandbox.run(&["tls", "renew"]).expect(0).fingerprint();
        assert_nobodys(&sandbox.path("root/etc"));
        let run = Run::end_of(&mut start).expect(0);
        assert_eq!(run.fingerprint(), renewed);
        assert_eq!(run.outcome(), "ready");

        // Root makes the lock, the cache, the report, the wizard's file and a whole TLS directory.
        let _ = fs::remove_file(sandbox.dek_cache());
        fs::remove_file(sandbox.root("run/trustpoint/startup.json")).unwrap();
        fs::remove_file(sandbox.root("var/lib/trustpoint/trustpoint.db.lock")).unwrap();
        fs::remove_dir_all(sandbox.root("etc/trustpoint/tls")).unwrap();
        fs::remove_dir_all(sandbox.wizard_dir()).unwrap();
        sandbox.run(&["startup"]).expect(0);
        assert!(sandbox.root("run/trustpoint/startup.json").exists());
        assert_nobodys(&sandbox.path("root"));
        let run = Run::end_of(&mut start).expect(0);
        assert_eq!(run.outcome(), "ready");
        assert!(
            !run.warnings().contains("could not be kept"),
            "{}",
            run.warnings()
        );
    }
}

#[test]
fn what_root_starts_or_sets_up_first_belongs_to_the_nodes_own_user() {
    if !is_root() {
        return;
    }
    for first in [&["startup"][..], &["setup", "--storage", "software"]] {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.path("root")).unwrap();
        // From here on all belongs to nobody.
        let mut start = sandbox.command_of_a_user(&["--format", "json", "startup"]);
        sandbox.run(first).expect(0);
        assert_nobodys(&sandbox.path("root"));
        Run::end_of(&mut start).expect(0);
        assert_nobodys(&sandbox.path("root"));
    }
}

#[test]
fn a_configuration_that_root_keeps_is_as_it_should_be() {
    let sandbox = Sandbox::software();
    let file = sandbox.root("etc/trustpoint/trustpointctl.toml");
    put(&file, "[tls]\nsan = \"127.0.0.1\"\n");
    let mut doctor = sandbox.command_of_a_user(&["--format", "json", "doctor"]);
    let mut verdict = |owner: &str, mode| {
        if is_root() {
            tool("chown", [owner, file.to_str().unwrap()]);
        }
        set_mode(&file, mode);
        let report = Run::end_of(&mut doctor).report;
        let checks = report["checks"].as_array().unwrap().clone();
        let check = checks.iter().find(|check| check["name"] == "mode_config");
        check.unwrap()["result"].as_str().unwrap().to_owned()
    };
    assert_eq!(verdict("0:0", 0o644), "pass");
    assert_eq!(verdict("65534:65534", 0o600), "pass");
    assert_eq!(verdict("0:0", 0o664), "warn");
    if is_root() {
        assert_eq!(verdict("4711:4711", 0o644), "warn");
    }
}
