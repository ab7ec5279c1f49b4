//! A database whose writer died: a start recovers it where it stands, whoever only looks needs a
//! copy in memory, and nothing is left of that.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::mounts::Mounts;
use crate::sandbox::{Run, Sandbox, put, tool, wrapped};

/// Runs these statements in another process, which is killed with its transaction still open.
fn killed_writer(sandbox: &Sandbox, statements: &str) {
    let mut writer = Command::new("sqlite3")
        .arg(sandbox.database())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(
        writer.stdin.as_mut().unwrap(),
        "{statements}; SELECT 'done';"
    )
    .unwrap();
    let output = BufReader::new(writer.stdout.take().unwrap());
    assert!(output.lines().any(|line| line.unwrap() == "done"));
    writer.kill().unwrap();
    writer.wait().unwrap();
}

/// Half of a transaction is in the file, and the journal knows how it was before.
fn with_journal(sandbox: &Sandbox) {
    killed_writer(
        sandbox,
        "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN; \
         UPDATE app_version SET version = '9.9.9'; \
         UPDATE credential SET chain_pem = hex(randomblob(100000))",
    );
    let journal = sandbox.root("var/lib/trustpoint/trustpoint.db-journal");
    assert!(journal.metadata().unwrap().len() > 0);
}

/// The newest version is in the log alone.
fn with_log(sandbox: &Sandbox) {
    killed_writer(
        sandbox,
        "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; \
         UPDATE startup_history SET changes = hex(randomblob(50000))",
    );
    let log = sandbox.root("var/lib/trustpoint/trustpoint.db-wal");
    assert!(log.metadata().unwrap().len() > 100_000);
}

/// A namespace in which /dev/shm, /run and /tmp are tmpfs of so many KiB, and the sandbox and the
/// program stand where they stood, below /tmp too.
fn with_memory(sandbox: &Sandbox, kib: usize) -> Mounts {
    let program = Path::new(env!("CARGO_BIN_EXE_trustpointctl"));
    let program = program.parent().unwrap().display();
    let script = format!(
        "node=$(dirname $1)
        mount --bind $node /mnt
        mount --bind '{program}' /media
        for place in /dev/shm /run /tmp; do
            mount -t tmpfs -o size={kib}k,mode=1777 small $place
        done
        mkdir -p $node '{program}'
        mount --bind /mnt $node
        mount --bind /media '{program}'"
    );
    Mounts::of(sandbox, &script)
}

fn large() -> Sandbox {
    let sandbox = Sandbox::software();
    sandbox.sql("INSERT INTO credential (chain_pem) VALUES (hex(randomblob(400000)))");
    sandbox
}

#[test]
fn c05_a_start_recovers_a_database_that_no_copy_of_would_fit_into_memory() {
    for died in [with_journal, with_log] {
        let sandbox = large();
        died(&sandbox);
        let mounts = with_memory(&sandbox, 300);
        for reader in [&["status"][..], &["startup", "--dry-run"], &["history"]] {
            let said = mounts.run(&sandbox, reader).expect_error(74, "io");
            for word in ["KiB", "/dev/shm has", "/run has", "`startup`"] {
                assert!(said.contains(word), "no {word:?} in {said}");
            }
        }
        let run = mounts.run(&sandbox, &["startup"]).expect(0);
        assert_eq!(run.outcome(), "ready");
        assert_eq!(run.startup_scenario(), "VERSION_MATCH");
        let journal = sandbox.root("var/lib/trustpoint/trustpoint.db-journal");
        assert!(!journal.exists());
    }
    // A rolled back database needs no copy any more.
    let sandbox = large();
    with_journal(&sandbox);
    let mounts = with_memory(&sandbox, 300);
    mounts.run(&sandbox, &["startup"]).expect(0);
    mounts.run(&sandbox, &["status"]).expect(0);
}

#[test]
fn c04_whoever_only_looks_sees_through_a_journal_and_changes_nothing() {
    for died in [with_journal, with_log] {
        let sandbox = Sandbox::software();
        died(&sandbox);
        let before = sandbox.picture();
        let mut status = sandbox.command_of_a_user(&["--format", "json", "status"]);
        let run = Run::end_of(&mut status).expect(0);
        assert_eq!(run.outcome(), "ready");
        let file = sandbox.path("node.backup");
        let create = ["backup", "create", file.to_str().unwrap()];
        sandbox.run(&create).expect(0);
        sandbox
            .run(&["backup", "verify", file.to_str().unwrap()])
            .expect(0);
        assert_eq!(sandbox.picture(), before);
    }
}

/// Kills `status` before each call of that kind, and looks what the next one leaves.
fn killed_at_each(sandbox: &Sandbox, mounts: &Mounts, call: &str) -> usize {
    let ours = "ls -A /dev/shm | grep trustpointctl- || true";
    for when in 1.. {
        let mut strace = vec!["strace", "-f", "-qq", "-o", "/dev/null", "-e"];
        let trace = format!("trace={call}");
        let inject = format!("inject={call}:signal=KILL:when={when}");
        strace.extend([trace.as_str(), "-e", &inject]);
        let status = sandbox.command(&["status"]);
        let command = wrapped(&strace, &status, None);
        let words: Vec<_> = std::iter::once(command.get_program())
            .chain(command.get_args())
            .map(|word| word.to_str().unwrap())
            .collect();
        let said = mounts.shell(sandbox, &format!("{} >/dev/null; echo $?", words.join(" ")));
        let is_done = said.trim() == "0";
        mounts.run(sandbox, &["status"]).expect(0);
        assert_eq!(mounts.shell(sandbox, ours), "", "{call} {when}");
        if is_done {
            return when - 1;
        }
        assert!(when < 100, "{call} does not come to an end: {said}");
    }
    0
}

#[test]
fn c21_a_killed_status_leaves_no_copy_of_a_key_in_memory() {
    for died in [with_journal, with_log] {
        let sandbox = Sandbox::software();
        died(&sandbox);
        let mounts = with_memory(&sandbox, 4096);
        let calls = "mkdir,linkat,flock,unlink,unlinkat,rmdir,pwrite64,ftruncate,sendfile,\
                     copy_file_range";
        let killed: usize = calls
            .split(',')
            .map(|call| killed_at_each(&sandbox, &mounts, call))
            .sum();
        assert!(killed > 8, "{killed}");
    }
}

#[test]
fn c21_a_start_removes_what_a_killed_status_left() {
    let sandbox = Sandbox::software();
    with_journal(&sandbox);
    let mounts = with_memory(&sandbox, 4096);
    let leave = "cd /dev/shm
        for name in left used; do
            mkdir -m 700 trustpointctl-database-$name
            cp $1/var/lib/trustpoint/trustpoint.db trustpointctl-database-$name/copy.db
        done
        mkdir other; mkfifo trustpointctl-database-pipe
        flock --no-fork trustpointctl-database-used sleep 60 >&- 2>&- & holder=$!
        while flock --nonblock trustpointctl-database-used true; do sleep 0.01; done
        echo $holder";
    let holder = mounts.shell(&sandbox, leave);
    mounts.run(&sandbox, &["startup"]).expect(0);
    let left = mounts.shell(&sandbox, "ls -A /dev/shm");
    mounts.shell(&sandbox, &format!("kill {holder}"));
    assert!(!left.contains("database-left"), "{left}");
    for kept in ["database-used", "other", "database-pipe"] {
        assert!(left.contains(kept), "{left}");
    }
}

#[test]
fn c04_a_named_pipe_beside_the_database_holds_nobody_up() {
    for suffix in ["-journal", "-wal"] {
        let sandbox = Sandbox::software();
        let pipe = sandbox.root(&format!("var/lib/trustpoint/trustpoint.db{suffix}"));
        tool("mkfifo", [&pipe]);
        for command in [&["status"][..], &["startup"]] {
            let run = sandbox.run_under(&["timeout", "20"], command);
            let said = run.expect_error(69, "database_unavailable");
            assert!(said.contains(pipe.to_str().unwrap()), "{said}");
            assert!(said.contains("named pipe"), "{said}");
        }
    }
    // Nor one with the name of a database that is being made.
    let sandbox = Sandbox::new();
    put(&sandbox.root("var/lib/trustpoint/other"), "");
    let pipe = sandbox.root("var/lib/trustpoint/trustpoint.db.new");
    for suffix in ["", "-journal"] {
        tool(
            "mkfifo",
            [Path::new(&format!("{}{suffix}", pipe.display()))],
        );
    }
    sandbox
        .run_under(&["timeout", "20"], &["startup"])
        .expect(0);
    assert!(!pipe.exists());
}
