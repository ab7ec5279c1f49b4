//! Wizard states, runtime and TLS directories, assets.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::assert_names;
use crate::mounts::Mounts;
use crate::sandbox::{Run, Sandbox, put};

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A start without root's rights, while the directory has this mode, fails and changes nothing.
#[track_caller]
fn is_denied(sandbox: &Sandbox, directory: &Path, mode: u32) -> String {
    let mut start = sandbox.command_of_a_user(&["--format", "json", "startup"]);
    let before = sandbox.picture();
    let standing = fs::metadata(directory).unwrap().permissions().mode();
    set_mode(directory, mode);
    let run = Run::end_of(&mut start);
    set_mode(directory, standing);
    let said = run.expect_error(77, "denied");
    assert_eq!(sandbox.picture(), before, "{said}");
    said
}

#[test]
fn c08_two_wizard_states_are_listed() {
    let sandbox = Sandbox::software();
    sandbox.put_wizard(&["WIZARD_COMPLETED", "WIZARD_SETUP_MODE"]);
    let said = sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    let directory = sandbox.wizard_dir().display().to_string();
    assert_names(
        &said,
        &[
            &directory,
            "WIZARD_COMPLETED, WIZARD_SETUP_MODE",
            "remove all but one",
        ],
    );
    assert!(!said.contains("WIZARD_RESTORE"), "{said}");
}

#[test]
fn c08_a_wizard_state_with_an_unknown_name_is_corrupt_where_no_setup_was_completed() {
    for name in ["WIZARD_BANANA", "wizard_completed", "WIZARD_COMPLETED.bak"] {
        let sandbox = Sandbox::new();
        sandbox.run(&["startup"]).expect(0);
        sandbox.put_wizard(&[name]);
        let said = sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
        let directory = sandbox.wizard_dir().display().to_string();
        assert_names(&said, &[&directory, name, "WIZARD_AUTO_RESTORE_PASSWORD"]);
    }
}

#[test]
fn an_unreadable_wizard_directory_is_denied() {
    let sandbox = Sandbox::software();
    let directory = sandbox.wizard_dir();
    let said = is_denied(&sandbox, &directory, 0o000);
    assert_names(&said, &[directory.to_str().unwrap(), "right"]);
}

#[test]
fn a_file_in_the_place_of_the_wizard_directory_is_no_empty_directory() {
    let sandbox = Sandbox::software();
    fs::remove_dir_all(sandbox.wizard_dir()).unwrap();
    put(&sandbox.wizard_dir(), "WIZARD_COMPLETED");
    let said = sandbox.fails_unchanged(&["startup"], 74, "io");
    assert_names(&said, &[sandbox.wizard_dir().to_str().unwrap()]);
}

/// A root that was never started on, with the directories that lock and report stand in.
fn fresh() -> Sandbox {
    let sandbox = Sandbox::new();
    for directory in ["var/lib/trustpoint", "run/trustpoint", "etc/trustpoint/tls"] {
        fs::create_dir_all(sandbox.root(directory)).unwrap();
    }
    sandbox
}

/// Bind-mounts the TLS directory read-only.
const READ_ONLY: &str = "mount --bind $1/etc/trustpoint/tls $1/etc/trustpoint/tls
    mount -o remount,bind,ro $1/etc/trustpoint/tls";

#[test]
fn a_fresh_start_leaves_nothing_where_the_tls_directory_cannot_be_written() {
    let sandbox = fresh();
    let directory = sandbox.root("etc/trustpoint/tls");
    let name = directory.display().to_string();
    let said = is_denied(&sandbox, &directory, 0o500);
    assert_names(&said, &[&name, "right"]);

    let sandbox = fresh();
    let name = sandbox.root("etc/trustpoint/tls").display().to_string();
    let mounts = Mounts::of(&sandbox, READ_ONLY);
    let said = mounts.fails_unchanged(&sandbox, 74, "io");
    assert_names(&said, &[&name, "writable"]);
    let dry = mounts.run(&sandbox, &["startup", "--dry-run"]);
    dry.expect_error(74, "io");
}

#[test]
fn a_fresh_start_leaves_nothing_where_the_wizard_directory_cannot_be_written() {
    let sandbox = fresh();
    fs::create_dir_all(sandbox.wizard_dir()).unwrap();
    let directory = sandbox.wizard_dir();
    let said = is_denied(&sandbox, &directory, 0o500);
    assert_names(&said, &[directory.to_str().unwrap()]);
}

#[test]
fn a_read_only_tls_directory_fails_a_start_only_where_a_write_is_due() {
    let sandbox = Sandbox::software();
    let mounts = Mounts::of(&sandbox, READ_ONLY);
    mounts.run(&sandbox, &["startup"]).expect(0);
    drop(mounts);

    fs::remove_file(sandbox.tls("current")).unwrap();
    let mounts = Mounts::of(&sandbox, READ_ONLY);
    let said = mounts.fails_unchanged(&sandbox, 74, "io");
    let directory = sandbox.root("etc/trustpoint/tls").display().to_string();
    assert_names(&said, &[&directory, "writable"]);
}

#[test]
fn c22_a_runtime_directory_on_a_disk_is_refused_for_a_dek() {
    let mut sandbox = Sandbox::softhsm();
    let disk = tempfile::tempdir_in("/var/tmp").unwrap();
    let runtime = disk.path().join("trustpoint").display().to_string();
    sandbox.set("TRUSTPOINT_RUNTIME_DIR", &runtime);
    let said = sandbox.fails_unchanged(&["startup"], 78, "config");
    assert_names(&said, &[&runtime, "tmpfs", "runtime.allow_non_tmpfs"]);
    assert!(!Path::new(&runtime).join("dek").exists());

    put(
        &sandbox.root("etc/trustpoint/trustpointctl.toml"),
        "[runtime]\nallow_non_tmpfs = true\n",
    );
    for _ in 0..2 {
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.outcome(), "ready");
        assert_names(&run.warnings(), &[&runtime, "not on a tmpfs"]);
    }
    assert!(Path::new(&runtime).join("dek").exists());
}

/// A fresh root with this configuration file.
#[track_caller]
fn fresh_refuses(configuration: &str, code: i32, kind: &str) -> String {
    let sandbox = fresh();
    let text = configuration.replace("ROOT", sandbox.path("root").to_str().unwrap());
    put(&sandbox.root("etc/trustpoint/trustpointctl.toml"), text);
    put(
        &sandbox.root("locale/de/LC_MESSAGES/app.po"),
        "msgid \"Hello\"\nmsgstr \"Hallo\n",
    );
    sandbox.fails_unchanged(&["startup"], code, kind)
}

#[test]
fn messages_that_do_not_parse_leave_nothing_half_made() {
    let said = fresh_refuses("[messages]\ndirs = [\"ROOT/locale\"]\n", 65, "data_corrupt");
    assert_names(&said, &["app.po:2", "msgfmt"]);
    let said = fresh_refuses("[messages]\ndirs = [\"ROOT/missing\"]\n", 78, "config");
    assert_names(&said, &["missing"]);
}

#[test]
fn static_files_that_are_missing_leave_nothing_half_made() {
    let said = fresh_refuses(
        "[static]\nsources = [\"ROOT/missing\"]\nroot = \"ROOT/static\"\n",
        78,
        "config",
    );
    assert_names(&said, &["missing", "static"]);
}
