//! Where a backup may be written.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Stdio;

use super::create;
use crate::sandbox::{Run, Sandbox, put, tool};

#[test]
fn what_stands_there_is_not_overwritten_unless_that_is_wanted() {
    let (sandbox, other) = (Sandbox::software(), Sandbox::software());
    let file = create(&other, "node.backup");
    let notes = sandbox.path("notes.txt").display().to_string();
    put(notes.as_ref(), "mine");
    let link = sandbox.path("link").display().to_string();
    symlink(sandbox.path("nowhere"), &link).unwrap();
    for there in [&file, &notes, &link] {
        let before = fs::read(there).ok();
        let said = sandbox.fails_unchanged(&["backup", "create", there], 74, "io");
        assert!(said.contains("not overwritten"), "{said}");
        assert!(said.contains("--force"), "{said}");
        assert_eq!(fs::read(there).ok(), before);
    }
    assert!(!sandbox.path("nowhere").exists());
    for there in [&file, &notes] {
        sandbox
            .run(&["backup", "create", there, "--force"])
            .expect(0);
        sandbox.run(&["backup", "verify", there]).expect(0);
    }
}

#[test]
fn what_is_no_file_is_never_overwritten() {
    let sandbox = Sandbox::software();
    let directory = sandbox.path("directory").display().to_string();
    fs::create_dir(&directory).unwrap();
    let fifo = sandbox.path("fifo").display().to_string();
    tool("mkfifo", [&fifo]);
    for there in [&directory, &fifo] {
        for force in [&[][..], &["--force"]] {
            let arguments = [&["backup", "create", there], force].concat();
            sandbox.fails_unchanged(&arguments, 74, "io");
        }
    }
    let nowhere = sandbox.path("missing/node.backup").display().to_string();
    sandbox.fails_unchanged(&["backup", "create", &nowhere], 74, "io");
}

#[test]
fn the_nodes_own_files_are_never_overwritten() {
    let sandbox = Sandbox::softhsm();
    sandbox.run(&["startup"]).expect(0);
    fs::create_dir_all(sandbox.root("var/lib/trustpoint/snapshots")).unwrap();
    let database = sandbox.database().display().to_string();
    let link = sandbox.path("link").display().to_string();
    symlink(sandbox.root("var/lib/trustpoint"), &link).unwrap();
    let mut own: Vec<String> = ["", "-journal", "-wal", "-shm", ".lock", ".new"]
        .iter()
        .flat_map(|part| {
            [
                format!("{database}{part}"),
                format!("{link}/trustpoint.db{part}"),
            ]
        })
        .collect();
    own.extend(
        [
            "var/lib/trustpoint/pin-rejected",
            "var/lib/trustpoint/snapshots/trustpoint-1.0.0-20260101T000000Z.db",
            "etc/trustpoint/wizard/state/WIZARD_SETUP_MODE",
            "etc/trustpoint/tls/nginx-tls-server-key.key",
            "run/trustpoint/dek",
        ]
        .iter()
        .map(|path| sandbox.root(path).display().to_string()),
    );
    own.push(sandbox.path("elsewhere.db-journal").display().to_string());
    for path in &own {
        for force in [&[][..], &["--force"]] {
            let arguments = [&["backup", "create", path], force].concat();
            sandbox.fails_unchanged(&arguments, 2, "usage");
        }
    }
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

#[test]
fn what_the_node_reads_at_each_start_is_never_overwritten() {
    let mut sandbox = Sandbox::software();
    let config = sandbox.root("etc/trustpoint/trustpointctl.toml");
    put(&config, "[tls]\nsan = [\"127.0.0.1\"]\n");
    let pin = sandbox.path("pin");
    put(&pin, "1234\n");
    sandbox.set("HSM_PIN_FILE", pin.to_str().unwrap());
    for file in [config, pin] {
        let file = file.to_str().unwrap();
        sandbox.fails_unchanged(&["backup", "create", file, "--force"], 2, "usage");
    }
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

#[test]
fn of_two_at_once_to_one_path_one_is_made_and_the_other_says_so() {
    let sandbox = Sandbox::software();
    let file = sandbox.path("node.backup").display().to_string();
    for _ in 0..10 {
        let arguments = ["--format", "json", "backup", "create", &file];
        let children: Vec<_> = (0..3)
            .map(|_| {
                let mut command = sandbox.command(&arguments);
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
                command.spawn().unwrap()
            })
            .collect();
        let runs: Vec<_> = children
            .into_iter()
            .map(|child| Run::of(child.wait_with_output().unwrap()))
            .collect();
        let made: Vec<_> = runs.iter().filter(|run| run.code == 0).collect();
        let refused = runs.iter().filter(|run| run.code == 74).count();
        let codes: Vec<_> = runs.iter().map(|run| run.code).collect();
        assert_eq!((made.len(), refused), (1, 2), "{codes:?}");
        let verified = sandbox.run(&["backup", "verify", &file]).expect(0);
        assert_eq!(
            verified.text("/backup/sha256"),
            made[0].text("/backup/sha256")
        );
        fs::remove_file(&file).unwrap();
    }
}
