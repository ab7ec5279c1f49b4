//! What never ends, or is far too long, where a file is expected: an error, and no start that hangs
//! or is aborted.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use super::assert_names;
use crate::sandbox::{PIN, Run, Sandbox, put, tool};

/// Far more than the memory of any machine.
const HUGE: u64 = 1 << 46;

fn fifo(path: &Path) {
    let _ = fs::remove_file(path);
    tool("mkfifo", [path]);
}

fn huge(path: &Path) {
    let _ = fs::remove_file(path);
    File::create(path).unwrap().set_len(HUGE).unwrap();
}

/// Runs with a limit that is far beyond what any of this takes.
fn run(sandbox: &Sandbox, arguments: &[&str]) -> Run {
    sandbox.run_under(&["timeout", "100"], arguments)
}

#[test]
fn a_configuration_that_is_no_regular_file_or_too_long() {
    let sandbox = Sandbox::software();
    let file = sandbox.root("etc/trustpoint/trustpointctl.toml");
    let name = file.display().to_string();
    let before = sandbox.picture();
    let shapes: [&dyn Fn(); 4] = [
        &|| fifo(&file),
        &|| symlink("/dev/zero", &file).unwrap(),
        &|| huge(&file),
        &|| fs::create_dir(&file).unwrap(),
    ];
    for shape in shapes {
        shape();
        let said = run(&sandbox, &["startup"]).expect_error(78, "config");
        assert_names(&said, &[&name, "regular file", "--config"]);
        fs::remove_file(&file)
            .or_else(|_| fs::remove_dir(&file))
            .unwrap();
    }
    let said = run(&sandbox, &["--config", "/dev/zero", "startup"]).expect_error(78, "config");
    assert_names(&said, &["/dev/zero"]);
    assert_eq!(sandbox.picture(), before);
}

#[test]
fn a_pin_file_that_nobody_writes_or_that_is_too_long() {
    let mut sandbox = Sandbox::softhsm();
    sandbox.new_container();
    let file = sandbox.path("pin");
    sandbox.unset("HSM_PIN");
    sandbox.set("HSM_PIN_FILE", file.to_str().unwrap());
    fifo(&file);
    let said = run(&sandbox, &["startup"]).expect_error(77, "denied");
    assert_names(&said, &[file.to_str().unwrap(), "nobody has written"]);
    huge(&file);
    let said = run(&sandbox, &["startup"]).expect_error(77, "denied");
    assert_names(&said, &[file.to_str().unwrap(), "longer"]);
    put(&file, PIN);
    sandbox.run(&["startup"]).expect(0);
}

#[test]
fn a_secret_out_of_a_process_is_taken() {
    let sandbox = Sandbox::softhsm();
    let script =
        "exec \"$0\" \"$@\" --backup-password-file <(sleep 0.1; echo 'another password 1')";
    let arguments = ["--format", "json", "keys", "set-backup-password"];
    let mut command =
        crate::sandbox::wrapped(&["bash", "-c", script], &sandbox.command(&arguments), None);
    Run::end_of(&mut command).expect(0);
}

#[test]
fn a_catalogue_or_static_file_that_never_ends() {
    let sandbox = Sandbox::software();
    let root = sandbox.path("root").display().to_string();
    put(
        &sandbox.root("etc/trustpoint/trustpointctl.toml"),
        format!(
            "[messages]\ndirs = [\"{root}/locale\"]\nlanguages = [\"de\"]\n\
             [static]\nsources = [\"{root}/source\"]\nroot = \"{root}/static\"\n"
        ),
    );
    let catalogue = sandbox.root("locale/de/LC_MESSAGES/app.po");
    put(&catalogue, "");
    put(&sandbox.root("source/site.css"), "a {}");
    fifo(&sandbox.root("source/fifo.css"));
    let made = run(&sandbox, &["startup"]).expect(0);
    assert_names(&made.warnings(), &["fifo.css", "left out"]);
    for shape in [fifo, huge] {
        shape(&catalogue);
        let said = run(&sandbox, &["startup"]).expect_error(74, "io");
        assert_names(&said, &[catalogue.to_str().unwrap(), "move away"]);
    }
}

#[test]
fn files_of_the_node_that_are_far_too_long() {
    let sandbox = Sandbox::softhsm();
    let key = fs::canonicalize(sandbox.tls("nginx-tls-server-key.key")).unwrap();
    huge(&key);
    let said = run(&sandbox, &["startup"]).expect_error(74, "io");
    assert_names(&said, &[key.file_name().unwrap().to_str().unwrap(), "KiB"]);
    fs::remove_file(&key).unwrap();
    sandbox.run(&["startup"]).expect(0);

    huge(&sandbox.dek_cache());
    let run = run(&sandbox, &["startup"]).expect(0);
    assert_names(&run.warnings(), &["dek", "mode"]);
    let lock = sandbox.root("var/lib/trustpoint/trustpoint.db.lock");
    fifo(&lock);
    let said = sandbox.run(&["startup"]).expect_error(74, "io");
    assert_names(&said, &[lock.to_str().unwrap(), "regular file"]);
}

#[test]
fn a_key_to_import_that_nobody_writes() {
    let sandbox = Sandbox::software();
    let key = sandbox.path("key");
    fifo(&key);
    let name = key.display().to_string();
    let certificate = sandbox
        .tls("nginx-tls-server-cert.pem")
        .display()
        .to_string();
    let import = ["tls", "import", "--cert", &certificate, "--key"];
    let said = run(&sandbox, &[&import[..], &[&name]].concat()).expect_error(74, "io");
    assert_names(&said, &[&name, "nobody has written"]);
    let said = run(&sandbox, &[&import[..], &["/dev/zero"]].concat());
    assert_names(&said.expect_error(65, "data_corrupt"), &["too long"]);
}
