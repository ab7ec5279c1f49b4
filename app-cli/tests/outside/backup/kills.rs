//! `restore` and `create`, killed at a sample of their steps and run again. With `ALL_KILLS=1` in
//! the environment it is every step.

use std::collections::BTreeMap;
use std::fs;

use super::create;
use crate::sandbox::{Sandbox, but_events, tool};

const CALLS: &str = "rename,renameat,renameat2,link,linkat,unlink,unlinkat,fsync,fdatasync,mkdir,\
                     ftruncate,write,pwrite64,openat,fchmod";
const SAMPLE: usize = 30;

/// Each step of an undisturbed run: the call and its number.
fn steps(sandbox: &Sandbox, arguments: &[&str]) -> Vec<(String, usize)> {
    let (run, log) = sandbox.run_traced(&["-qq", "-e", &format!("trace={CALLS}")], arguments);
    run.expect(0);
    let mut counts = BTreeMap::<String, usize>::new();
    let mut steps = Vec::new();
    for line in log.lines() {
        let call = line.split_once(' ').map(|(_, rest)| rest.trim());
        let Some((call, _)) = call.and_then(|call| call.split_once('(')) else {
            continue;
        };
        let count = counts.entry(call.to_owned()).or_default();
        *count += 1;
        // Opening the program's libraries is no step of it.
        if call != "openat" || line.contains("O_CREAT") {
            steps.push((call.to_owned(), *count));
        }
    }
    steps
}

fn kill_at(sandbox: &Sandbox, (call, number): &(String, usize), arguments: &[&str]) -> bool {
    let inject = format!("inject={call}:signal=SIGKILL:when={number}");
    let trace = format!("trace={CALLS}");
    let options = ["-qq", "-e", &trace, "-e", &inject];
    sandbox.run_traced(&options, arguments).0.code == -1
}

fn sample(steps: &[(String, usize)]) -> impl Iterator<Item = &(String, usize)> {
    let every = match std::env::var_os("ALL_KILLS") {
        Some(_) => 1,
        None => steps.len().div_ceil(SAMPLE),
    };
    steps.iter().step_by(every)
}

fn copy(sandbox: &Sandbox, from: &str, to: &str) {
    let (from, to) = (sandbox.path(from), sandbox.path(to));
    let _ = fs::remove_dir_all(&to);
    tool("cp", ["-a".as_ref(), from.as_os_str(), to.as_os_str()]);
}

/// A dump without what tells when a restore was.
fn dump(dump: &str) -> String {
    but_events(dump, "'backup_restored'")
}

/// What a node has come to: the whole database, the state, what is cached, what is kept.
fn state(sandbox: &Sandbox) -> (String, String, bool, Vec<String>) {
    let snapshots = fs::read_dir(sandbox.root("var/lib/trustpoint/snapshots"));
    let mut kept: Vec<_> = snapshots
        .into_iter()
        .flatten()
        .map(|entry| {
            let path = entry.unwrap().path();
            // The name has the time in it.
            dump(&tool("sqlite3", [path.to_str().unwrap(), ".dump"]))
        })
        .collect();
    kept.sort();
    (
        dump(&sandbox.sql(".dump")),
        sandbox.wizard(),
        sandbox.dek_cache().exists(),
        kept,
    )
}

#[test]
fn a_restore_killed_at_any_step_leaves_a_whole_database_and_is_finished_by_the_next() {
    let (sandbox, other) = (Sandbox::softhsm(), Sandbox::softhsm());
    let file = create(&other, "node.backup");
    sandbox.put_wizard(&["WIZARD_SETUP_MODE"]);
    let arguments = ["backup", "restore", &file, "--accept-other-installation"];
    copy(&sandbox, "root", "saved");
    let old = dump(&sandbox.sql(".dump"));
    let steps = steps(&sandbox, &arguments);
    let expected = state(&sandbox);
    let new = dump(&sandbox.sql(".dump"));
    let (mut killed, mut seen) = (0, [false; 2]);
    for step in sample(&steps) {
        copy(&sandbox, "saved", "root");
        killed += usize::from(kill_at(&sandbox, step, &arguments));
        let dump = dump(&sandbox.sql(".dump"));
        assert!(dump == old || dump == new, "{step:?}: neither old nor new");
        seen[usize::from(dump == new)] = true;
        sandbox.run(&arguments).expect(0);
        let mut came_to = state(&sandbox);
        // Killed while the restore was noted, the next finds a journal, and keeps what it finds.
        came_to.3.retain(|kept| *kept != new);
        assert_eq!(came_to, expected, "{step:?}");
        let noted = "SELECT count(*) FROM event WHERE event = 'backup_restored'";
        assert_ne!(sandbox.sql(noted), "0\n", "{step:?}");
        // Database, lock, ledger of PIN tries, snapshots.
        let names = fs::read_dir(sandbox.root("var/lib/trustpoint")).unwrap();
        assert_eq!(names.count(), 4, "{step:?}: something is left");
    }
    assert!(killed * 2 > SAMPLE.min(steps.len()), "only {killed} kills");
    assert_eq!(seen, [true; 2]);
}

/// What stands beside the root and may be a backup or a part of one.
fn names_with_backup(sandbox: &Sandbox) -> Vec<String> {
    let names = fs::read_dir(sandbox.path("")).unwrap();
    names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("backup") || name.starts_with('.'))
        .collect()
}

#[test]
fn a_backup_killed_at_any_step_is_there_whole_or_not_at_all() {
    let sandbox = Sandbox::software();
    let file = sandbox.path("node.backup").display().to_string();
    let arguments = ["backup", "create", &file];
    let steps = steps(&sandbox, &arguments);
    fs::remove_file(&file).unwrap();
    copy(&sandbox, "root", "saved");
    let mut killed = 0;
    for step in sample(&steps) {
        copy(&sandbox, "saved", "root");
        killed += usize::from(kill_at(&sandbox, step, &arguments));
        // Nothing is left under any other name, before anything else runs.
        let names = names_with_backup(&sandbox);
        if fs::exists(&file).unwrap() {
            assert_eq!(names, ["node.backup"], "{step:?}");
            sandbox.run(&["backup", "verify", &file]).expect(0);
            fs::remove_file(&file).unwrap();
        } else {
            assert_eq!(names, Vec::<String>::new(), "{step:?}");
        }
        sandbox.run(&arguments).expect(0);
        sandbox.run(&["backup", "verify", &file]).expect(0);
        fs::remove_file(&file).unwrap();
    }
    assert!(killed * 2 > SAMPLE.min(steps.len()), "only {killed} kills");
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

/// SIGKILL does not test what a power cut does: the order of the calls does.
#[test]
fn a_restore_is_on_disk_before_it_has_the_name_and_the_name_before_it_is_reported() {
    let sandbox = Sandbox::software();
    let file = create(&sandbox, "node.backup");
    sandbox.run(&["tls", "renew"]).expect(0);
    let options = ["-qq", "-y", "-e", "trace=fsync,rename,renameat,renameat2"];
    let (run, log) = sandbox.run_traced(&options, &["backup", "restore", &file]);
    run.expect(0);
    let lines: Vec<_> = log.lines().collect();
    let named = |line: &&str| line.contains("rename") && line.contains(".trustpoint-");
    let rename = lines.iter().position(named).expect(&log);
    // It had no name when it was opened.
    let synced = |line: &&str| line.contains("fsync(") && line.contains("var/lib/trustpoint/#");
    assert!(lines[..rename].iter().any(synced), "{log}");
    let snapshot = |line: &&str| line.contains("fsync(") && line.contains("snapshots");
    assert!(lines[..rename].iter().any(snapshot), "{log}");
    let directory = |line: &&str| line.contains("fsync(") && line.contains("var/lib/trustpoint>");
    assert!(lines[rename..].iter().any(directory), "{log}");
}
