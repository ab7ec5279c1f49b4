//! C11: one start at a time.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use super::rows;
use crate::sandbox::Sandbox;

/// Starts eight at once; their reports.
fn eight_at_once(sandbox: &Sandbox) -> Vec<Value> {
    let start = |_| {
        sandbox
            .command(&["--format", "json", "startup"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children: Vec<Child> = (0..8).map(start).collect();
    let reports = children.into_iter().map(|child| {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        crate::schema::read(&String::from_utf8(output.stdout).unwrap())
    });
    reports.collect()
}

#[test]
fn c11_eight_first_starts_at_once_are_one_first_start() {
    for _ in 0..5 {
        let sandbox = Sandbox::new();
        let reports = eight_at_once(&sandbox);
        let first = reports
            .iter()
            .filter(|report| report["startup_scenario"] == "DB_NOT_INITIALIZED");
        assert_eq!(first.count(), 1, "the others look again: {reports:#?}");
        let match_ = reports
            .iter()
            .filter(|report| report["startup_scenario"] == "VERSION_MATCH");
        assert_eq!(match_.count(), 7);
        let fingerprint = &reports[0]["tls"]["sha256_fingerprint"];
        assert!(
            reports
                .iter()
                .all(|report| report["tls"]["sha256_fingerprint"] == *fingerprint)
        );
        assert_eq!(rows(&sandbox, "credential"), 1);
        assert_eq!(rows(&sandbox, "installation"), 1);
        let twice =
            "(SELECT 1 FROM refinery_schema_history GROUP BY version HAVING count(*) > 1) AS twice";
        assert_eq!(rows(&sandbox, twice), 0);
        let starts = sandbox.sql("SELECT sum(starts) FROM startup_history");
        assert_eq!(starts.trim(), "8", "each is recorded");
    }
}

#[test]
fn c11_eight_starts_of_a_ready_node_do_not_disturb_each_other() {
    let sandbox = Sandbox::softhsm();
    let before = sandbox.run(&["startup"]).expect(0).fingerprint();
    for _ in 0..4 {
        for report in eight_at_once(&sandbox) {
            assert_eq!(report["outcome"], "ready");
            assert_eq!(report["tls"]["sha256_fingerprint"], before.as_str());
        }
    }
    assert_eq!(rows(&sandbox, "credential"), 1);
}

#[test]
fn c11_the_lock_is_kept_while_a_start_runs_and_released_when_it_is_killed() {
    let mut sandbox = Sandbox::softhsm();
    sandbox.set("TRUSTPOINT_HSM_DAEMON", "tcp://127.0.0.1:1");
    sandbox.set("TRUSTPOINT_HSM_WAIT", "10m");
    let mut waiting = sandbox
        .command(&["--format", "json", "startup"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(waiting.stderr.take().unwrap()).lines();
    let holds = { lines }.any(|line| line.unwrap().contains("waiting for the HSM"));
    sandbox.unset("TRUSTPOINT_HSM_DAEMON");
    let held = sandbox.run(&["startup", "--lock-wait", "0"]);
    let seen = sandbox.run(&["status"]);
    waiting.kill().unwrap();
    waiting.wait().unwrap();

    assert!(holds, "it ended before it waited");
    held.expect_error(75, "busy");
    assert_eq!(seen.code, 0, "a look takes no lock: {}", seen.stderr);
    let run = sandbox.run(&["startup", "--lock-wait", "0"]).expect(0);
    assert_eq!(run.outcome(), "ready");
}
