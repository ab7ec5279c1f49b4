//! `restore`: what it brings back, what it keeps, and what the next start makes of it.

use std::fs;
use std::path::PathBuf;

use super::{create, restore, sql_in};
use crate::sandbox::{Run, Sandbox, tool};

/// What stands in the directory of the snapshots.
pub(super) fn kept(sandbox: &Sandbox) -> Vec<PathBuf> {
    let directory = sandbox.root("var/lib/trustpoint/snapshots");
    let mut files: Vec<_> = fs::read_dir(directory)
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default();
    files.sort();
    files
}

/// Nothing is left of the work beside the database.
#[track_caller]
pub(super) fn assert_tidy(sandbox: &Sandbox) {
    let directory = sandbox.root("var/lib/trustpoint");
    for entry in fs::read_dir(directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let expected = [
            "trustpoint.db",
            "trustpoint.db.lock",
            "snapshots",
            "pin-rejected",
        ];
        assert!(expected.contains(&name.as_str()), "{name}");
    }
    sandbox.assert_whole();
    assert!(!sandbox.tables().contains("backup_manifest"));
}

#[track_caller]
pub(super) fn assert_ready(sandbox: &Sandbox, fingerprint: &str) -> Run {
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "ready");
    assert_eq!(run.fingerprint(), fingerprint);
    run
}

/// What the report says of a step.
fn step_detail(run: &Run, name: &str) -> String {
    let steps = run.report["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["step"] == name).unwrap();
    step["detail"].as_str().unwrap().to_owned()
}

#[test]
fn onto_a_live_node_and_what_it_replaces_is_kept() {
    for sandbox in [Sandbox::software(), Sandbox::softhsm()] {
        let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
        let file = create(&sandbox, "node.backup");
        let later = sandbox.run(&["tls", "renew"]).expect(0).fingerprint();
        assert_ne!(later, fingerprint);
        let run = restore(&sandbox, &file).expect(0);
        assert_eq!(run.step("keep_replaced"), "done");
        assert_eq!(run.step("replace_database"), "done");
        assert_tidy(&sandbox);
        let snapshots = kept(&sandbox);
        assert_eq!(snapshots.len(), 1);
        let detail = step_detail(&run, "keep_replaced");
        assert!(detail.contains(snapshots[0].to_str().unwrap()), "{detail}");
        let count = "SELECT count(*) FROM credential";
        assert_eq!(sql_in(snapshots[0].to_str().unwrap(), count), "2\n");
        assert_ready(&sandbox, &fingerprint);

        // Back again, from the snapshot.
        let run = restore(&sandbox, snapshots[0].to_str().unwrap()).expect(0);
        assert!(run.warnings().contains("no manifest"), "{}", run.warnings());
        assert_ready(&sandbox, &later);
    }
}

#[test]
fn a_snapshot_tells_what_a_backup_does_but_for_what_a_manifest_alone_says() {
    let sandbox = Sandbox::softhsm();
    let file = create(&sandbox, "node.backup");
    sandbox.run(&["tls", "renew"]).expect(0);
    restore(&sandbox, &file).expect(0);
    let [snapshot] = kept(&sandbox).try_into().unwrap();
    let snapshot = snapshot.to_str().unwrap();
    let told = |run: Run| run.expect(0).report["backup"].as_object().unwrap().clone();
    for command in ["verify", "restore"] {
        let of_file = told(sandbox.run(&["backup", command, &file]));
        let of_snapshot = told(sandbox.run(&["backup", command, snapshot]));
        assert!(of_file.keys().eq(of_snapshot.keys()), "{of_snapshot:?}");
        for (field, value) in &of_snapshot {
            let is_of_the_file = ["format", "sha256", "created_at"].contains(&field.as_str());
            let is_told = *value == of_file[field] && !value.is_null();
            assert!(
                field == "file"
                    || if is_of_the_file {
                        value.is_null()
                    } else {
                        is_told
                    },
                "{field}: {value}"
            );
        }
    }
    let said = sandbox.run_human(&["backup", "verify", snapshot]).expect(0);
    for line in [
        "  setup_completed: true",
        "  backup_password_set: true",
        "  schema: V",
    ] {
        assert!(said.stdout.contains(line), "{}", said.stdout);
    }
    assert!(!said.stdout.contains("sha256"), "{}", said.stdout);
}

#[test]
fn run_again_it_finds_its_work_done() {
    let sandbox = Sandbox::software();
    let file = create(&sandbox, "node.backup");
    sandbox.run(&["tls", "renew"]).expect(0);
    restore(&sandbox, &file).expect(0);
    let before = sandbox.picture_but_history();
    let run = restore(&sandbox, &file).expect(0);
    assert_eq!(run.step("replace_database"), "unchanged");
    assert_eq!(before, sandbox.picture_but_history());
    sandbox.run(&["startup"]).expect(0);
    let run = restore(&sandbox, &file).expect(0);
    assert_eq!(run.step("replace_database"), "done", "a start came between");
}

#[test]
fn onto_a_node_that_was_never_set_up() {
    let node = Sandbox::softhsm();
    let fingerprint = node.run(&["startup"]).expect(0).fingerprint();
    let file = create(&node, "node.backup");
    let started = Sandbox::new();
    started.run(&["startup"]).expect(0);
    // The token directory of the node, and nothing else of it.
    for sandbox in [Sandbox::new(), started] {
        fs::remove_dir_all(sandbox.path("tokens")).unwrap();
        let tokens = [node.path("tokens"), sandbox.path("tokens")];
        tool(
            "cp",
            ["-a".as_ref(), tokens[0].as_os_str(), tokens[1].as_os_str()],
        );
        restore(&sandbox, &file).expect(0);
        assert_tidy(&sandbox);
        let run = assert_ready(&sandbox, &fingerprint);
        assert_eq!(
            run.restore_scenario(),
            "RESTORE_SOFTHSM_WIZARD_COMPLETED_DEK_CACHED"
        );
        assert_eq!(sandbox.wizard(), "WIZARD_COMPLETED");
    }
}

#[test]
fn c09_a_state_that_setup_left_half_way_does_not_undo_the_backups() {
    let node = Sandbox::software();
    let fingerprint = node.run(&["startup"]).expect(0).fingerprint();
    let file = create(&node, "node.backup");
    for state in [
        "WIZARD_SETUP_MODE",
        "WIZARD_BACKUP_PASSWORD",
        "WIZARD_RESTORE",
        "WIZARD_COMPLETED",
        "WIZARD_AUTO_RESTORE_PASSWORD",
    ] {
        let sandbox = Sandbox::new();
        sandbox.put_wizard(&[state]);
        restore(&sandbox, &file).expect(0);
        assert_ready(&sandbox, &fingerprint);
        assert_eq!(sandbox.wizard(), "WIZARD_COMPLETED", "{state}");
    }
}

#[test]
fn a_backup_of_a_node_in_setup_makes_no_completed_one() {
    let node = Sandbox::new();
    node.run(&["startup"]).expect(0);
    let file = create(&node, "node.backup");
    let sandbox = Sandbox::software();
    sandbox.make_way_for_another_installation();
    let accept = ["backup", "restore", &file, "--accept-other-installation"];
    sandbox.run(&accept).expect(0);
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.outcome(), "setup_required");
    assert_eq!(sandbox.wizard(), "WIZARD_SETUP_CRYPTO_STORAGE");
}

#[test]
fn a_cached_dek_of_another_database_is_removed_and_its_own_stays() {
    let (sandbox, other) = (Sandbox::softhsm(), Sandbox::softhsm());
    let own = create(&sandbox, "node.backup");
    sandbox.run(&["tls", "renew"]).expect(0);
    restore(&sandbox, &own).expect(0);
    assert!(sandbox.dek_cache().exists());
    let file = create(&other, "node.backup");
    let accept = ["backup", "restore", &file, "--accept-other-installation"];
    let run = sandbox.run(&accept).expect(0);
    assert_eq!(run.step("drop_dek_cache"), "done");
    assert!(!sandbox.dek_cache().exists());
}

#[test]
fn a_missing_database_on_a_node_that_was_set_up_is_what_restore_is_for() {
    let sandbox = Sandbox::softhsm();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    let file = create(&sandbox, "node.backup");
    sandbox.lose_database();
    let said = sandbox.fails_unchanged(&["startup"], 65, "data_corrupt");
    assert!(said.contains("restore a backup"), "{said}");
    restore(&sandbox, &file).expect(0);
    assert_ready(&sandbox, &fingerprint);
}

#[test]
fn a_backup_of_an_older_version_is_upgraded_by_the_next_start() {
    let mut sandbox = Sandbox::software();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    let file = create(&sandbox, "node.backup");
    sandbox.set("TRUSTPOINT_APP_VERSION", "9.0.0");
    sandbox.run(&["startup"]).expect(0);
    restore(&sandbox, &file).expect(0);
    let run = assert_ready(&sandbox, &fingerprint);
    assert_eq!(run.startup_scenario(), "VERSION_UPGRADE");
}

#[test]
fn what_seven_restores_replaced_is_all_kept_and_upgrades_remove_none_of_it() {
    let mut sandbox = Sandbox::software();
    let file = create(&sandbox, "node.backup");
    for _ in 0..7 {
        sandbox.run(&["tls", "renew"]).expect(0);
        restore(&sandbox, &file).expect(0);
    }
    let replaced = kept(&sandbox);
    assert_eq!(replaced.len(), 7);
    let mut removed = Vec::new();
    for number in 1..=7 {
        sandbox.set("TRUSTPOINT_APP_VERSION", &format!("9.{number}.0"));
        let run = sandbox.run(&["startup"]).expect(0);
        let detail = step_detail(&run, "snapshot_database");
        let named = detail.split_once("removed for it: ");
        removed.extend(named.map(|(_, name)| PathBuf::from(name)));
    }
    let left = kept(&sandbox);
    assert_eq!(left.len(), 7 + 5);
    assert!(replaced.iter().all(|path| left.contains(path)));
    assert_eq!(removed.len(), 2, "{removed:?}");
    assert!(removed.iter().all(|path| !path.exists()));
    assert!(
        removed
            .iter()
            .all(|path| path.to_str().unwrap().contains("snapshots/trustpoint-"))
    );
}
