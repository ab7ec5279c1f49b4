//! What is printed, for people and for programs.

use std::fs;

use serde_json::Value;

use super::steps;
use crate::sandbox::{Run, Sandbox, is_on_server, tool};
use crate::schema;

/// What every report has.
const FIELDS: [&str; 8] = [
    "schema",
    "command",
    "time",
    "outcome",
    "exit_code",
    "steps",
    "warnings",
    "error",
];

/// What `startup` and `status` have beside, be it null.
const START_FIELDS: [&str; 7] = [
    "startup_scenario",
    "restore_scenario",
    "description",
    "version",
    "context",
    "token",
    "tls",
];

/// One object with every field on standard output, JSON lines on standard error.
#[track_caller]
fn is_json(run: &Run) {
    assert_eq!(run.stdout.trim_end().lines().count(), 1, "{}", run.stdout);
    let report = run.report.as_object().unwrap();
    for field in FIELDS {
        assert!(report.contains_key(field), "{field}: {}", run.stdout);
    }
    let is_start = ["startup", "status"].contains(&run.text("/command").as_str());
    for field in START_FIELDS {
        let is_there = report.contains_key(field);
        assert!(
            is_there == is_start || field == "tls",
            "{field}: {}",
            run.stdout
        );
    }
    assert_eq!(run.report["schema"], 2);
    assert_eq!(run.report["exit_code"], run.code);
    fields(&run.report["version"], &["database", "current"]);
    fields(
        &run.report["tls"],
        &["source", "sha256_fingerprint", "not_after"],
    );
    fields(&run.report["token"], &["label", "device"]);
    fields(
        &run.report["token"]["device"],
        &["manufacturer", "model", "serial", "firmware"],
    );
    fields(&run.report["error"], &["kind", "message", "hint", "causes"]);
    let context = [
        "db_initialized",
        "wizard_state",
        "wizard_state_raw",
        "storage_type",
        "dek_cache_state",
        "has_kek",
        "has_backup_encrypted_dek",
    ];
    fields(&run.report["context"], &context);
    for step in run.report["steps"].as_array().unwrap() {
        fields(step, &["step", "result", "detail"]);
    }
    for line in run.stderr.lines() {
        schema::read(line);
    }
}

/// All of them and no others; null where the whole does not apply.
#[track_caller]
fn fields(value: &Value, names: &[&str]) {
    if let Some(object) = value.as_object() {
        let mut keys: Vec<_> = object.keys().map(String::as_str).collect();
        let mut names = names.to_vec();
        keys.sort_unstable();
        names.sort_unstable();
        assert_eq!(keys, names);
    } else {
        assert!(value.is_null(), "{value}");
    }
}

#[test]
fn json_is_one_object_with_every_field() {
    let sandbox = Sandbox::new();
    is_json(&sandbox.run(&["history"]));
    is_json(&sandbox.run(&["status"]));
    is_json(&sandbox.run(&["startup", "--dry-run"]));
    is_json(&sandbox.run(&["startup"]));
    is_json(&sandbox.run(&["setup", "--storage", "physical_hsm"]));
    is_json(&sandbox.run(&["setup", "--storage", "software"]));
    is_json(&sandbox.run(&["startup"]));
    is_json(&sandbox.run(&["config", "show"]));
    is_json(&sandbox.run(&["history"]));
    sandbox.sql("DELETE FROM key_storage_config");
    is_json(&sandbox.run(&["startup"]));
    sandbox.put_wizard(&["WIZARD_COMPLETED", "WIZARD_RESTORE"]);
    is_json(&sandbox.run(&["startup"]));
    is_json(&sandbox.run(&["status"]));
    let sandbox = Sandbox::softhsm();
    is_json(&sandbox.run(&["startup"]));
    sandbox.lose_token();
    sandbox.new_container();
    is_json(&sandbox.run(&["startup"]));
}

#[test]
fn json_progress_names_each_step_as_it_ends() {
    let sandbox = Sandbox::new();
    let run = sandbox.run(&["startup"]).expect(0);
    let progress: Vec<String> = run
        .stderr
        .lines()
        .filter_map(|line| schema::read(line)["step"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(progress, steps(&run.report));
}

#[test]
fn the_log_and_the_report_have_a_format_each() {
    let mut sandbox = Sandbox::new();
    let logged = sandbox.run_human(&["--log-format", "json", "startup"]);
    let logged = logged.expect(0);
    assert!(
        logged.stdout.contains("setup_required"),
        "{}",
        logged.stdout
    );
    assert!(!logged.stdout.contains("done"), "{}", logged.stdout);
    let mut steps = 0;
    for line in logged.stderr.lines() {
        let line = schema::read(line);
        assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
        assert_eq!(line["level"], "info", "{line}");
        steps += usize::from(line["step"].is_string());
    }
    assert!(steps > 5, "{}", logged.stderr);
    sandbox.set("TRUSTPOINT_BOGUS", "1");
    let warned = sandbox.run_human(&["--log-format", "json", "-q", "status"]);
    sandbox.unset("TRUSTPOINT_BOGUS");
    let warned = warned.expect(10);
    assert_eq!(warned.stdout, "");
    let warning = schema::read(warned.stderr.trim());
    assert_eq!(warning["level"], "warning");
    assert!(
        warning["message"]
            .as_str()
            .unwrap()
            .contains("TRUSTPOINT_BOGUS")
    );

    let read = sandbox.run(&["--log-format", "human", "-v", "startup"]);
    let read = read.expect(0);
    assert_eq!(read.outcome(), "setup_required");
    assert!(
        read.stderr.contains("  migrate_database: "),
        "{}",
        read.stderr
    );

    sandbox.set("TRUSTPOINT_DATABASE", "/nonexistent/trustpoint.db");
    let failed = sandbox.run_human(&["--log-format", "json", "startup"]);
    let failed = failed.expect(69).stderr;
    let error = schema::read(failed.lines().last().unwrap());
    assert_eq!(error["level"], "error");
    assert!(error["error"]["hint"].is_string(), "{error}");
}

#[test]
fn q_says_nothing_but_what_went_wrong_and_vv_when() {
    let mut sandbox = Sandbox::new();
    let quiet = sandbox.run_human(&["-q", "startup"]).expect(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    let quiet = sandbox.run(&["-q", "status"]).expect(10);
    assert_eq!(quiet.outcome(), "setup_required");
    assert_eq!(quiet.stderr, "");
    let timed = sandbox.run_human(&["-vv", "startup"]).expect(0).stdout;
    let step = timed.lines().find(|line| line.contains("migrate_database"));
    let time = step.unwrap().split_once(' ').unwrap().0;
    assert!(time.starts_with("20") && time.ends_with('Z'), "{timed}");
    sandbox.run_human(&["-q", "-v", "status"]).expect(2);
    sandbox.run_human(&["-q", "status", "-v"]).expect(2);
    let wrong = ["--log-format", "json", "status", "--nonsense"];
    let wrong = sandbox.run_human(&wrong).expect(2);
    let line: &str = wrong.stderr.trim();
    assert!(line.starts_with('{') && line.contains("nonsense"), "{line}");
    let problems = sandbox.run_human(&["-q", "doctor"]).stdout;
    assert!(!problems.contains("pass "), "{problems}");

    sandbox.set("TRUSTPOINT_DATABASE", "/nonexistent/trustpoint.db");
    let failed = sandbox.run_human(&["-q", "startup"]).expect(69);
    assert!(failed.stderr.starts_with("error: "), "{}", failed.stderr);
}

#[test]
fn usage_errors_are_2_for_people_and_programs() {
    let sandbox = Sandbox::new();
    for wrong in [
        &["no-such-command"][..],
        &["startup", "--no-such-flag"],
        &["startup", "--lock-wait", "soon"],
        &["setup", "--storage", "paper"],
        &["setup"],
        &["setup", "--reset", "--storage", "software"],
    ] {
        let run = sandbox.run_human(wrong).expect(2);
        assert!(run.stderr.contains("error"), "{}", run.stderr);
        assert_eq!(run.stdout, "");
        let run = sandbox.run(wrong);
        is_json(&run);
        run.expect_error(2, "usage");
        assert_eq!(run.outcome(), "failed");
    }
    let equals = sandbox.run_human(&["--format=json", "no-such-command"]);
    equals.expect_error(2, "usage");
    assert!(!sandbox.path("root").exists(), "nothing was begun");
}

#[test]
fn people_see_progress_on_standard_output_and_errors_with_cause_and_hint_on_standard_error() {
    let mut sandbox = Sandbox::new();
    let run = sandbox.run_human(&["startup"]).expect(0);
    assert_eq!(run.stderr, "");
    for text in [
        "migrate_database",
        "provide_tls",
        "SHA-256",
        "setup_required",
        "trustpointctl setup",
    ] {
        assert!(run.stdout.contains(text), "{text}: {}", run.stdout);
    }
    let again = sandbox.run_human(&["startup"]).expect(0).stdout;
    assert!(again.contains("(nothing to do)"), "{again}");
    assert!(!again.contains("VERSION_MATCH"), "{again}");
    let verbose = sandbox.run_human(&["--verbose", "startup"]).expect(0);
    for text in ["VERSION_MATCH", "compile_messages", "migrate_database"] {
        assert!(verbose.stdout.contains(text), "{text}: {}", verbose.stdout);
    }
    let fingerprint = sandbox.run(&["startup"]).fingerprint();
    assert!(run.stdout.contains(&fingerprint), "{}", run.stdout);

    sandbox.make_database_unavailable();
    let run = sandbox.run_human(&["startup"]).expect(69);
    let mut lines = run.stderr.lines();
    let error = lines.next().unwrap();
    let place = if is_on_server() {
        "127.0.0.1:1"
    } else {
        "/nonexistent"
    };
    assert!(
        error.starts_with("error: ") && error.contains(place),
        "{error}"
    );
    assert!(run.stderr.contains("\nhint: "), "{}", run.stderr);
    // A server is waited for, and that line says why.
    let mut progress = run.stdout.lines();
    let is_free =
        |line: &str| line.starts_with("waiting for the database") || !line.contains("error");
    assert!(progress.all(is_free), "{}", run.stdout);
}

#[test]
fn causes_are_listed_from_the_outermost_on() {
    let mut sandbox = Sandbox::software();
    sandbox.set("TRUSTPOINT_CONFIG", "/nonexistent.toml");
    let run = sandbox.run_human(&["startup"]).expect(78);
    assert!(run.stderr.contains("\n  caused by: "), "{}", run.stderr);
}

/// With a terminal of util-linux's script.
#[test]
fn colour_is_for_terminals_and_not_for_no_color_or_a_dumb_one() {
    let mut sandbox = Sandbox::software();
    let on_a_terminal = |sandbox: &Sandbox, arguments: &str| {
        let command = sandbox.command(&["startup"]);
        let program = command.get_program().to_str().unwrap();
        let root = sandbox.path("root");
        let line = format!("{program} --root {} {arguments} startup", root.display());
        let mut script = std::process::Command::new("script");
        script.env_clear().envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let output = script
            .args(["-qec", &line, "/dev/null"])
            .stdin(std::process::Stdio::null())
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let escape = '\u{1b}';
    let plain = on_a_terminal(&sandbox, "--color never");
    assert!(
        plain.contains("ready") && !plain.contains(escape),
        "{plain:?}"
    );
    assert!(on_a_terminal(&sandbox, "").contains(escape));
    let always = sandbox.run_human(&["--color", "always", "startup"]);
    assert!(always.stdout.contains(escape));
    assert!(!sandbox.run_human(&["startup"]).stdout.contains(escape));
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        sandbox.set(name, value);
        let plain = on_a_terminal(&sandbox, "");
        assert!(
            plain.contains("ready") && !plain.contains(escape),
            "{name}: {plain:?}"
        );
        sandbox.unset(name);
    }
}

/// The error line too: standard error may be a file while standard output is a terminal.
#[test]
fn colour_of_the_error_follows_standard_error() {
    let sandbox = Sandbox::software();
    sandbox.put_wizard(&["WIZARD_COMPLETED", "WIZARD_RESTORE"]);
    let errors = sandbox.path("errors");
    let command = sandbox.command(&["startup"]);
    let program = command.get_program().to_str().unwrap();
    let root = sandbox.path("root");
    let line = format!(
        "{program} --root {} startup 2>{}",
        root.display(),
        errors.display()
    );
    let _ = std::process::Command::new("script")
        .args(["-qc", &line, "/dev/null"])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let text = fs::read_to_string(errors).unwrap();
    assert!(text.starts_with("error: "), "{text:?}");
}

#[test]
fn the_last_report_stands_in_the_runtime_directory() {
    let sandbox = Sandbox::new();
    let kept = || fs::read_to_string(sandbox.root("run/trustpoint/startup.json")).unwrap();
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(kept(), run.stdout);
    sandbox.run(&["status"]);
    sandbox.run(&["startup", "--dry-run"]);
    assert_eq!(
        kept(),
        run.stdout,
        "of the last start, not of the last command"
    );
    sandbox.put_wizard(&["WIZARD_COMPLETED", "WIZARD_RESTORE"]);
    let run = sandbox.run(&["startup"]).expect(65);
    assert_eq!(kept(), run.stdout, "of a failure as well");
    let mode = tool(
        "stat",
        [
            "-c",
            "%a",
            sandbox
                .root("run/trustpoint/startup.json")
                .to_str()
                .unwrap(),
        ],
    );
    assert_eq!(mode.trim(), "600");
}

/// A reader that went away must not stop a start half way.
#[test]
fn a_closed_standard_output_does_not_stop_a_start() {
    let sandbox = Sandbox::new();
    let wrapper = ["sh", "-c", "exec \"$@\" >&- 2>&-", "sh"];
    sandbox.run_under(&wrapper, &["startup"]).expect(0);
    assert_eq!(
        sandbox.run(&["startup"]).startup_scenario(),
        "VERSION_MATCH"
    );
}

/// A node exporter reads what it finds, while it is written or not.
#[test]
fn metrics_of_a_start_are_an_openmetrics_text_that_everybody_may_read() {
    use std::os::unix::fs::PermissionsExt as _;

    let sandbox = Sandbox::software();
    let file = sandbox.path("trustpoint.prom");
    let arguments = ["startup", "--metrics-file", file.to_str().unwrap()];
    let run = sandbox.run(&arguments).expect(0);
    assert!(!run.warnings().contains("metrics"), "{}", run.warnings());
    let text = fs::read_to_string(&file).unwrap();
    for line in [
        "# TYPE trustpoint_start_outcome gauge",
        "trustpoint_start_outcome{outcome=\"ready\"} 1",
        "trustpoint_start_outcome{outcome=\"failed\"} 0",
        "trustpoint_start_scenario{startup=\"VERSION_MATCH\",restore=\"RESTORE_SOFTWARE_WIZARD_COMPLETED\"} 1",
        "trustpoint_certificate_days_left 364",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    assert!(text.ends_with("# EOF\n"));
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);

    // A start that fails says so there, and a file that cannot be written fails no start.
    sandbox.damage_database();
    sandbox.run(&arguments).expect(65);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("outcome=\"failed\"} 1"), "{text}");
    sandbox.run(&["startup", "--metrics-file", ""]).expect(2);
    let sandbox = Sandbox::software();
    let run = sandbox.run(&["startup", "--metrics-file", "/nonexistent/x.prom"]);
    assert!(run.expect(0).warnings().contains("/nonexistent/x.prom"));
}

#[test]
fn a_start_that_cannot_begin_takes_back_that_the_node_is_ready() {
    let mut sandbox = Sandbox::software();
    let file = sandbox.path("trustpoint.prom");
    let arguments = ["startup", "--metrics-file", file.to_str().unwrap()];
    let ready = "outcome=\"ready\"} 1";
    sandbox.run(&arguments).expect(0);
    assert!(fs::read_to_string(&file).unwrap().contains(ready));
    sandbox
        .run(&[&arguments[..], &["--", "/nonexistent/program"]].concat())
        .expect(78);
    assert!(!fs::read_to_string(&file).unwrap().contains(ready));
    sandbox.run(&arguments).expect(0);
    sandbox.set("TRUSTPOINT_HSM_WAIT", "soon");
    sandbox.run(&arguments).expect(78);
    assert!(!fs::read_to_string(&file).unwrap().contains(ready));
}
