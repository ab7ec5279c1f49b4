//! What reaches a terminal, a full device, a closed pipe, and the application after `--`.

use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Stdio};

use crate::sandbox::{Run, Sandbox, is_on_server, put};

/// A command's standard output goes to where nothing can be written.
fn unwritable(mut command: Command, out: impl Into<Stdio>) -> (i32, String) {
    command.stdout(out).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut said = String::new();
    let mut errors = child.stderr.take().unwrap();
    errors.read_to_string(&mut said).unwrap();
    crate::schema::check_all_in(&said);
    (child.wait().unwrap().code().unwrap_or(-1), said)
}

fn full() -> fs::File {
    fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap()
}

/// A pipe that nobody reads.
fn closed() -> std::io::PipeWriter {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer
}

#[test]
fn a_report_that_cannot_be_written_is_74_and_says_so() {
    let sandbox = Sandbox::software();
    for format in ["json", "human"] {
        for command in [
            &["startup"][..],
            &["status"],
            &["doctor"],
            &["history"],
            &["tls", "show"],
            &["config", "show"],
            &["completions", "bash"],
            &["--help"],
            &["tls", "--help"],
            &["--version"],
        ] {
            let arguments = [&["--format", format], command].concat();
            let (code, said) = unwritable(sandbox.command(&arguments), full());
            assert_eq!(code, 74, "{arguments:?}: {said}");
            assert!(said.contains("standard output"), "{arguments:?}: {said}");
            let (code, said) = unwritable(sandbox.command(&arguments), closed());
            assert_eq!(code, 74, "{arguments:?}: {said}");
            assert!(said.contains("standard output"), "{arguments:?}: {said}");
        }
    }
}

/// The first failure counts, and is not lost with the report.
#[test]
fn a_failure_whose_report_cannot_be_written_keeps_its_code() {
    let sandbox = Sandbox::software();
    sandbox.damage_database();
    let why = if is_on_server() {
        "is not the one its migrations make"
    } else {
        "is no SQLite database"
    };
    let command = sandbox.command(&["--format", "json", "startup"]);
    let (code, said) = unwritable(command, full());
    assert_eq!(code, 65, "{said}");
    for part in ["standard output", why] {
        assert!(said.contains(part), "{said}");
    }
    // For people, all that there is to say is on standard error.
    let (code, said) = unwritable(sandbox.command(&["startup"]), full());
    assert_eq!(code, 65, "{said}");
    assert!(said.contains(why), "{said}");
}

/// 74 is not 0: the application is not started by a start whose report nobody got.
#[test]
fn a_command_is_not_run_where_the_report_cannot_be_written() {
    let sandbox = Sandbox::software();
    let marker = sandbox.path("marker");
    let arguments = ["startup", "--", "touch", marker.to_str().unwrap()];
    let (code, _) = unwritable(sandbox.command(&arguments), full());
    assert_eq!(code, 74);
    assert!(!marker.exists());
}

#[test]
fn c21_the_application_gets_no_pin_and_no_password() {
    let mut sandbox = Sandbox::softhsm();
    sandbox.set("TRUSTPOINT_DATABASE_PASSWORD", "a database password");
    sandbox.set("OTHER", "kept");
    let run = sandbox
        .run_human(&["startup", "--", "cat", "/proc/self/environ"])
        .expect(0);
    assert!(run.stdout.contains("OTHER=kept"), "{}", run.stdout);
    assert!(
        run.stdout.contains("TRUSTPOINT_DEK_FILE="),
        "{}",
        run.stdout
    );
    for secret in ["HSM_PIN=", "HSM_SO_PIN=", "TRUSTPOINT_DATABASE_PASSWORD="] {
        assert!(!run.stdout.contains(secret), "{secret} is inherited");
    }
}

/// The numbers in a listing of /proc/self/fd.
fn descriptors(listing: &str) -> Vec<String> {
    let links = listing.lines().filter_map(|line| line.split_once(" -> "));
    let number = |(link, _): (&str, &str)| link.rsplit(' ').next().unwrap().to_owned();
    let mut numbers: Vec<_> = links.map(number).collect();
    numbers.sort();
    numbers
}

#[test]
fn the_application_gets_no_descriptor_of_ours_and_default_signals() {
    let sandbox = Sandbox::softhsm();
    let run = sandbox
        .run_human(&["startup", "--", "ls", "-l", "/proc/self/fd"])
        .expect(0);
    // Those that a child of this test has as well, and nothing of ours.
    let plain = crate::sandbox::tool("ls", ["-l", "/proc/self/fd"]);
    assert_eq!(
        descriptors(&run.stdout),
        descriptors(&plain),
        "{}",
        run.stdout
    );
    let status = ["startup", "--", "cat", "/proc/self/status"];
    let run = sandbox.run_human(&status).expect(0);
    let plain = crate::sandbox::tool("cat", ["/proc/self/status"]);
    for field in ["SigBlk", "SigIgn", "SigCgt"] {
        let mask = |status: &str| {
            let line = status.lines().find(|line| line.starts_with(field));
            let mask = line.and_then(|line| line.split_whitespace().nth(1));
            // The C library has 32 and 33 for itself.
            u64::from_str_radix(mask.unwrap(), 16).unwrap() & 0x7fff_ffff
        };
        assert_eq!(mask(&run.stdout), mask(&plain), "{field}");
        for signal in [2, 13, 15] {
            assert_eq!(mask(&run.stdout) >> (signal - 1) & 1, 0, "{field} {signal}");
        }
    }
}

#[test]
fn an_argument_that_is_no_text_is_usage() {
    let sandbox = Sandbox::software();
    let bad = OsStr::from_bytes(b"\xff\xfe");
    let all = |arguments: &[&OsStr]| Run::end_of(&mut sandbox.command(arguments));
    for arguments in [
        &[bad][..],
        &["status".as_ref(), bad],
        &["--config".as_ref(), bad, "status".as_ref()],
        &["tls".as_ref(), "renew".as_ref(), "--san".as_ref(), bad],
        &["backup".as_ref(), "create".as_ref(), bad],
    ] {
        let run = all(arguments).expect(2);
        assert!(run.stderr.starts_with("error:"), "{}", run.stderr);
        let json = [&["--format".as_ref(), "json".as_ref()], arguments].concat();
        all(&json).expect_error(2, "usage");
    }
}

#[test]
fn a_variable_that_is_no_text_is_config() {
    let sandbox = Sandbox::software();
    for variable in [
        "TRUSTPOINT_ROOT",
        "TRUSTPOINT_CONFIG",
        "TRUSTPOINT_DATABASE",
        "TRUSTPOINT_APP_VERSION",
        "TRUSTPOINT_TLS_SAN",
        "TRUSTPOINT_HSM_WAIT",
        "HSM_PIN_FILE",
    ] {
        let mut command = sandbox.command(&["--format", "json", "status"]);
        command.env(variable, OsStr::from_bytes(b"a\xff"));
        if variable == "TRUSTPOINT_ROOT" {
            // Without the flag, which wins.
            let mut without = Command::new(command.get_program());
            without.args(["--format", "json", "status"]).env_clear();
            without.env(variable, OsStr::from_bytes(b"a\xff"));
            command = without;
        }
        let said = Run::end_of(&mut command).expect_error(78, "config");
        assert!(said.contains(variable), "{said}");
    }
}

#[test]
fn a_command_that_is_no_text_is_run() {
    let sandbox = Sandbox::software();
    let program = sandbox.path("").join(OsStr::from_bytes(b"prog\xffram"));
    let text = sandbox.path("text");
    put(&text, "#!/bin/sh\nprintf %s \"$1\" | od -An -tx1\n");
    // By another process: see exec.rs.
    crate::sandbox::tool("cp", [text.as_os_str(), program.as_os_str()]);
    crate::sandbox::tool("chmod", [OsStr::new("0700"), program.as_os_str()]);
    let argument = OsStr::from_bytes(b"\xfe\x01");
    let start = [
        OsStr::new("startup"),
        OsStr::new("--"),
        program.as_os_str(),
        argument,
    ];
    let run = Run::end_of(&mut sandbox.command(&start)).expect(0);
    assert!(run.stdout.contains("fe 01"), "{}", run.stdout);
}

/// ESC, a C1 control, a bidi override and a line break.
const HOSTILE: &str = "\u{1b}[31mred\u{9b}0m\u{202e}left\nwarning: forged\r\u{7}";

/// Nothing but the line breaks of our own lines controls the terminal.
#[track_caller]
fn is_harmless(run: &Run) {
    let said = run.said();
    let control = said.chars().find(|letter| {
        (letter.is_control() && *letter != '\n')
            || ('\u{202a}'..='\u{202e}').contains(letter)
            || ('\u{2066}'..='\u{2069}').contains(letter)
    });
    assert_eq!(control, None, "{said:?}");
    assert!(!said.contains("\nwarning: forged"), "{said:?}");
    assert!(said.contains("red"), "{said:?}");
}

#[test]
fn c21_no_value_of_others_controls_the_terminal() {
    let sandbox = Sandbox::software();
    sandbox.sql(&format!(
        "UPDATE startup_history SET container_id = '{HOSTILE}'"
    ));
    is_harmless(&sandbox.run_human(&["history"]).expect(0));
    let run = sandbox.run(&["history"]).expect(0);
    assert_eq!(
        run.text("/history/0/container_id"),
        HOSTILE,
        "JSON keeps it"
    );
    sandbox.sql(&format!("UPDATE app_version SET version = '{HOSTILE}'"));
    for command in [&["startup"][..], &["status"], &["doctor"]] {
        is_harmless(&sandbox.run_human(command).expect(65));
    }
    let file = sandbox.path(HOSTILE);
    is_harmless(&sandbox.run_human(&["backup", "verify", file.to_str().unwrap()]));
    let typed = HOSTILE.replace('\n', "");
    is_harmless(&sandbox.run_human(&[&typed]).expect(2));
    let sandbox = Sandbox::softhsm();
    sandbox.sql(&format!("UPDATE pkcs11_token SET label = '{HOSTILE}'"));
    is_harmless(&sandbox.run_human(&["keys", "show"]).expect(0));
    sandbox.put_wizard(&[&HOSTILE.replace('/', "")]);
    is_harmless(&sandbox.run_human(&["startup"]).expect(0));
}

#[test]
fn a_huge_value_does_not_flood_the_terminal() {
    let sandbox = Sandbox::software();
    sandbox.sql("UPDATE app_version SET version = hex(zeroblob(500000))");
    for command in [&["startup"][..], &["doctor"]] {
        let run = sandbox.run_human(command).expect(65);
        assert!(run.said().len() < 20_000, "{} bytes", run.said().len());
        assert!(run.said().contains("1000000 bytes"), "{}", run.said());
    }
}
