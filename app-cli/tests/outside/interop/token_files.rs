//! The files of a SoftHSM token: synced before the database needs them, and nobody else's.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use crate::sandbox::{NOBODY, Sandbox, is_root, put, tool};

const SETUP: [&str; 4] = ["setup", "--storage", "softhsm", "--no-backup-password"];
const SYNCS: [&str; 3] = ["-y", "-e", "trace=sync,syncfs,fsync,fdatasync"];

/// The token's directory and every file in it.
fn files(sandbox: &Sandbox) -> Vec<PathBuf> {
    let token = fs::read_dir(sandbox.path("tokens")).unwrap().next();
    let token = token.unwrap().unwrap().path();
    let files = fs::read_dir(&token).unwrap();
    let mut all: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    all.push(token);
    all
}

#[track_caller]
fn assert_synced(calls: &str, files: &[PathBuf]) {
    for file in files {
        let name = format!("<{}>", file.display());
        let is_synced = |line: &str| line.contains("fsync(") && line.contains(&name);
        assert!(
            calls.lines().any(is_synced),
            "{name} is not synced\n{calls}"
        );
    }
    for other in [" sync(", " syncfs("] {
        assert!(!calls.contains(other), "{calls}");
    }
}

#[test]
fn what_a_command_has_made_on_the_token_is_synced_and_no_other_file_system() {
    let sandbox = Sandbox::new();
    let (run, calls) = sandbox.run_traced(&SYNCS, &SETUP);
    run.expect(0);
    let mut expected = files(&sandbox);
    assert!(expected.len() > 3, "{expected:?}");
    expected.push(sandbox.path("tokens"));
    assert_synced(&calls, &expected);
    let rotate = ["keys", "rotate-kek", "--destroy-old"];
    let (run, calls) = sandbox.run_traced(&SYNCS, &rotate);
    run.expect(0);
    assert_synced(&calls, &files(&sandbox));
}

#[test]
fn a_ready_start_syncs_nothing_of_the_token() {
    let sandbox = Sandbox::softhsm();
    let (run, calls) = sandbox.run_traced(&SYNCS, &["startup"]);
    run.expect(0);
    assert!(!calls.contains("/tokens"), "{calls}");
}

#[test]
fn files_of_the_token_that_are_not_found_are_a_warning() {
    let mut sandbox = Sandbox::new();
    sandbox.use_shim();
    put(
        &sandbox.path("other.conf"),
        "directories.tokendir = /nowhere\n",
    );
    let other = sandbox.path("other.conf").display().to_string();
    // From then on the program sees another configuration than the module has read.
    sandbox.set("SHIM_CONF", &other);
    let (run, calls) = sandbox.run_traced(&SYNCS, &SETUP);
    let warnings = run.expect(0).warnings();
    assert!(warnings.contains("/nowhere"), "{warnings}");
    assert!(warnings.contains("power cut"), "{warnings}");
    assert!(!calls.contains(" sync("), "{calls}");
}

#[test]
fn what_root_makes_on_the_token_belongs_to_the_owner_of_its_directory() {
    // Nobody else can give files away.
    if !is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    let tokens = sandbox.path("tokens");
    let owner = format!("{NOBODY}:{NOBODY}");
    tool("chown", [&owner, tokens.to_str().unwrap()]);
    sandbox.run(&SETUP).expect(0);
    for file in files(&sandbox) {
        assert_eq!(fs::metadata(&file).unwrap().uid(), NOBODY, "{file:?}");
    }
    // Not to be given away: further names of a file that is root's elsewhere.
    let secret = sandbox.path("secret");
    put(&secret, "of root");
    let token = files(&sandbox).pop().unwrap();
    fs::hard_link(&secret, token.join("hard.object")).unwrap();
    std::os::unix::fs::symlink(&secret, token.join("link.object")).unwrap();
    sandbox.run(&["keys", "rotate-kek"]).expect(0);
    assert_eq!(fs::metadata(&secret).unwrap().uid(), 0);
}
