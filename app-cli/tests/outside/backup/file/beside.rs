//! Backups beside starts and beside an application at work.

use std::fs;
use std::process::{Command, Stdio};

use crate::sandbox::{Sandbox, put};

/// How many backups; a stress test takes more: `STRESS=2000`.
fn rounds() -> usize {
    std::env::var("STRESS").map_or(30, |text| text.parse().unwrap())
}

#[test]
fn c15_beside_starts_and_a_writer_every_backup_is_made_and_whole() {
    let mut sandbox = Sandbox::software();
    let database = sandbox.database().display().to_string();
    let script = "while [ ! -e \"$1\" ]; do sleep 0.001; echo \"UPDATE startup_history SET container_id = \
                  hex(randomblob(1 + abs(random() % 2000)));\"; done | \
                  sqlite3 -cmd '.timeout 60000' \"$2\"";
    let stop = sandbox.path("stop");
    let mut writer = Command::new("sh")
        .args(["-c", script, "sh"])
        .args([stop.as_os_str(), database.as_ref()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let file = sandbox.path("node.backup").display().to_string();
    for number in 0..rounds() {
        sandbox.set("TRUSTPOINT_APP_VERSION", &format!("9.0.{number}"));
        let mut start = sandbox
            .command(&["startup"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let run = sandbox.run(&["backup", "create", &file]);
        let started = start.wait().unwrap();
        if run.code != 0 || !started.success() {
            put(&stop, "");
        }
        assert!(started.success(), "start {number}: {started}");
        run.expect(0);
        sandbox.run(&["backup", "verify", &file]).expect(0);
        fs::remove_file(&file).unwrap();
    }
    put(&stop, "");
    writer.wait().unwrap();
}
