//! One start at a time (C11), and signals while something is waited for.

use std::os::unix::net::UnixListener;
use std::process::Stdio;

use super::{Running, changes_nothing};
use crate::sandbox::Sandbox;

/// Another start, played by util-linux's flock.
pub(super) struct Holder(Running);

impl Holder {
    pub(super) fn of(sandbox: &Sandbox) -> Self {
        let mut command = std::process::Command::new("flock");
        command
            .arg(sandbox.root("var/lib/trustpoint/trustpoint.db.lock"))
            .args(["sh", "-c", "echo held; read line"])
            .stdin(Stdio::piped());
        let mut running = Running::start(&mut command);
        running.wait_for_output("held");
        Self(running)
    }

    pub(super) fn release(mut self) {
        drop(self.0.child.stdin.take());
        self.0.child.wait().unwrap();
    }
}

#[test]
fn a_lock_that_is_held_for_too_long_is_busy() {
    let sandbox = Sandbox::software();
    let holder = Holder::of(&sandbox);
    let said = sandbox.fails_unchanged(&["startup", "--lock-wait", "0"], 75, "busy");
    assert!(said.contains("trustpoint.db.lock"), "{said}");
    sandbox.fails_unchanged(&["startup", "--lock-wait", "1"], 75, "busy");
    let reset = ["setup", "--reset", "--lock-wait", "0"];
    sandbox.fails_unchanged(&reset, 75, "busy");
    holder.release();
    sandbox.run(&["startup", "--lock-wait", "0"]).expect(0);
}

/// A health check does not wait, and neither does a dry run.
#[test]
fn status_and_a_dry_run_work_while_a_start_holds_the_lock() {
    let sandbox = Sandbox::softhsm();
    let _holder = Holder::of(&sandbox);
    for command in [&["status"][..], &["startup", "--dry-run"], &["history"]] {
        changes_nothing(&sandbox, || sandbox.run(command)).expect(0);
    }
}

/// The start that had the lock may have changed everything.
#[test]
fn a_start_that_waited_looks_at_the_node_after_it_got_the_lock() {
    let sandbox = Sandbox::software();
    let holder = Holder::of(&sandbox);
    let mut waiting = Running::start(&mut sandbox.command(&["--format", "json", "startup"]));
    waiting.wait_for_error("waiting for another start");
    sandbox.sql("DELETE FROM app_version");
    holder.release();
    let (status, report) = waiting.end();
    assert_eq!(status.code(), Some(0));
    let report = crate::schema::read(&report);
    assert_eq!(report["startup_scenario"], "DB_INITIALIZED_NO_VERSION");
}

/// As PID 1 a process without a handler would ignore it.
#[test]
fn sigterm_ends_a_start_that_waits_for_the_lock() {
    let sandbox = Sandbox::software();
    let before = sandbox.picture();
    let _holder = Holder::of(&sandbox);
    let mut waiting = Running::start(&mut sandbox.command(&["--format", "json", "startup"]));
    waiting.wait_for_error("waiting for another start");
    waiting.terminate();
    assert_eq!(waiting.end().0.code(), Some(143));
    assert_eq!(before, sandbox.picture());
}

#[test]
fn sigterm_ends_a_start_that_waits_for_the_hsm() {
    let mut sandbox = Sandbox::softhsm();
    let socket = sandbox.path("daemon");
    drop(UnixListener::bind(&socket).unwrap());
    sandbox.set("TRUSTPOINT_HSM_WAIT", "1000days");
    let address = format!("unix:{}", socket.display());
    sandbox.set("TRUSTPOINT_HSM_DAEMON", &address);
    let before = sandbox.picture();
    let mut waiting = Running::start(&mut sandbox.command(&["--format", "json", "startup"]));
    let line = waiting.wait_for_error("waiting for the HSM");
    assert!(line.contains(&address), "{line}");
    waiting.terminate();
    assert_eq!(waiting.end().0.code(), Some(143));
    assert_eq!(before, sandbox.picture());
    // The kernel has released the lock.
    sandbox.unset("TRUSTPOINT_HSM_DAEMON");
    sandbox.run(&["startup", "--lock-wait", "0"]).expect(0);
}

/// A call into the module that never comes back does not keep the process either: at its deadline
/// the signal has its way.
#[test]
fn sigterm_ends_a_start_whose_module_hangs() {
    let mut sandbox = Sandbox::softhsm();
    let hung = sandbox.path("hung");
    sandbox.use_shim();
    sandbox.set("TRUSTPOINT_HSM_WAIT", "10s");
    sandbox.set("SHIM_FAULT", "4:hang");
    sandbox.set("SHIM_ONCE", hung.to_str().unwrap());
    let before = sandbox.picture();
    let mut waiting = Running::start(&mut sandbox.command(&["startup"]));
    waiting.wait_for_file(&hung);
    waiting.terminate();
    assert_eq!(waiting.end().0.code(), Some(143));
    assert_eq!(before, sandbox.picture());
}

/// Starts at once, as two containers on one volume make them.
#[test]
fn of_many_starts_at_once_all_work_and_one_makes_the_node() {
    let sandbox = Sandbox::new();
    let start = || Running::start(&mut sandbox.command(&["--format", "json", "startup"]));
    let running: Vec<_> = (0..8).map(|_| start()).collect();
    for run in running {
        let (status, report) = run.end();
        assert_eq!(status.code(), Some(0), "{report}");
    }
    assert_eq!(sandbox.sql("SELECT count(*) FROM credential").trim(), "1");
    let scenarios = sandbox.sql(
        "SELECT startup_scenario, sum(starts) FROM startup_history
                                 GROUP BY 1 ORDER BY 1",
    );
    assert_eq!(scenarios.trim(), "DB_NOT_INITIALIZED|1\nVERSION_MATCH|7");
}
