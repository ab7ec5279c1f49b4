//! The program at a real pseudo-terminal: its questions, the answers that nobody sees, and Ctrl-C.

pub mod pty;

use std::fs;

use crate::copies::TwoTokens;
use crate::sandbox::{PASSWORD, PIN, SO_PIN, Sandbox, put};
use pty::{Ended, Terminal};

const PASSWORD_AGAIN: &str = "New backup password again: ";

fn fresh() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.run(&["startup"]).expect(0);
    sandbox
}

/// A node that waits for its backup password.
fn waiting() -> Sandbox {
    let sandbox = Sandbox::softhsm();
    sandbox.lose_token();
    sandbox.new_container();
    sandbox.run(&["startup"]).expect(0);
    sandbox
}

/// Answers the two questions for a new backup password.
fn type_new_password(terminal: &mut Terminal) {
    terminal.answer_unseen("New backup password: ", PASSWORD);
    terminal.answer_unseen(PASSWORD_AGAIN, PASSWORD);
}

#[test]
fn setup_asks_for_what_is_not_given() {
    let sandbox = fresh();
    let mut terminal = Terminal::run(&sandbox, &["setup"]);
    terminal.expect("1  software");
    terminal.expect("2  softhsm");
    terminal.answer("Storage [1, 2 or its name]: ", "2");
    terminal.answer("spaces between [127.0.0.1]: ", "pki.example.org no/name");
    terminal.expect("no/name");
    terminal.answer("spaces between [127.0.0.1]: ", "pki.example.org, 192.0.2.7");
    type_new_password(&mut terminal);
    terminal.end().expect(0).never_shows(PASSWORD);
    assert_eq!(sandbox.wizard(), "WIZARD_COMPLETED");
    let shown = sandbox.run(&["tls", "show"]).expect(0);
    assert_eq!(shown.text("/active/san/0"), "pki.example.org");
    assert_eq!(shown.text("/active/san/1"), "192.0.2.7");
    let file = sandbox.password_file(PASSWORD);
    let file = ["--backup-password-file", file.to_str().unwrap()];
    sandbox
        .run(&[&["keys", "verify-backup-password"][..], &file].concat())
        .expect(0);
}

#[test]
fn questions_read_the_terminal_where_standard_input_is_a_pipe() {
    let sandbox = waiting();
    let mut terminal = Terminal::run_piped(&sandbox, &["recover"]);
    terminal.answer_unseen("Backup password: ", PASSWORD);
    terminal.end().expect(0).never_shows(PASSWORD);
    assert_eq!(sandbox.run(&["status"]).expect(0).outcome(), "ready");
}

#[test]
fn forgetting_a_token_is_asked_about() {
    let node = TwoTokens::new();
    let question = "Forget this token? [yes/no]: ";
    let arguments = ["keys", "forget-token", &node.first];
    for answer in ["no", "", "y"] {
        let mut terminal = Terminal::run(&node.sandbox, &arguments);
        terminal.expect(&node.first);
        terminal.answer(question, answer);
        assert!(terminal.end().expect(2).shown.contains("not yes"));
    }
    let shown = node.sandbox.run(&["keys", "show"]).expect(0);
    assert_eq!(shown.text("/keys/copies/0/serial"), node.first);
    let mut terminal = Terminal::run(&node.sandbox, &arguments);
    terminal.answer(question, "yes");
    terminal.end().expect(0);
    // Nobody is asked about a token that is not known.
    Terminal::run(&node.sandbox, &arguments).end().expect(2);
}

#[test]
fn setup_with_software_storage_asks_for_no_password() {
    let sandbox = fresh();
    let mut terminal = Terminal::run(&sandbox, &["setup"]);
    terminal.answer("Storage [1, 2 or its name]: ", "physical_hsm");
    terminal.expect("not on the list");
    terminal.answer("Storage [1, 2 or its name]: ", "software");
    terminal.answer("spaces between [127.0.0.1]: ", "");
    terminal.end().expect(0);
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

#[test]
fn setup_asks_for_pins_that_are_nowhere() {
    let mut sandbox = fresh();
    sandbox.unset("HSM_PIN");
    sandbox.unset("HSM_SO_PIN");
    let setup = ["setup", "--storage", "softhsm", "--no-backup-password"];
    let mut terminal = Terminal::run(&sandbox, &setup);
    terminal.answer_unseen("User PIN of the token: ", PIN);
    terminal.answer_unseen("User PIN of the token again: ", PIN);
    terminal.answer_unseen("SO PIN for the new token: ", SO_PIN);
    terminal.answer_unseen("SO PIN for the new token again: ", SO_PIN);
    terminal.expect("hsm.pin_file");
    let ended = terminal.end().expect(0);
    ended.never_shows(PIN);
    ended.never_shows(SO_PIN);
    sandbox.set("HSM_PIN", PIN);
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

#[test]
fn two_entries_that_differ_and_a_short_one_are_asked_for_again() {
    let sandbox = fresh();
    let mut terminal = Terminal::run(&sandbox, &["setup", "--storage", "softhsm"]);
    terminal.expect("at least 12 characters");
    terminal.answer_unseen("New backup password: ", "eleven char");
    terminal.expect("fewer than 12");
    terminal.answer_unseen("New backup password: ", PASSWORD);
    terminal.answer_unseen(PASSWORD_AGAIN, "correct horse battery stapel");
    terminal.expect("not the same");
    type_new_password(&mut terminal);
    terminal.end().expect(0);
}

#[test]
fn three_times_wrong_ends_setup_with_nothing_changed() {
    let sandbox = fresh();
    let before = sandbox.picture();
    let mut terminal = Terminal::run(&sandbox, &["setup", "--storage", "softhsm"]);
    for _ in 0..3 {
        terminal.answer_unseen("New backup password: ", PASSWORD);
        terminal.answer_unseen(PASSWORD_AGAIN, "correct horse battery stapel");
    }
    terminal.end().expect(2).never_shows(PASSWORD);
    assert_eq!(sandbox.picture(), before);
    assert_no_token(&sandbox);
}

fn assert_no_token(sandbox: &Sandbox) {
    let tokens = fs::read_dir(sandbox.path("tokens")).unwrap();
    assert_eq!(tokens.count(), 0);
}

/// Ends the question by what a person can do; the terminal must be as before and nothing changed.
fn ends_at(
    sandbox: &Sandbox,
    arguments: &[&str],
    come_to: &dyn Fn(&mut Terminal),
    way: fn(&mut Terminal),
    code: i32,
) {
    let before = sandbox.picture();
    let tokens = Sandbox::picture_below(&sandbox.path("tokens"));
    let mut terminal = Terminal::run(sandbox, arguments);
    come_to(&mut terminal);
    way(&mut terminal);
    let ended: Ended = terminal.end();
    assert_eq!(ended.modes, ended.modes_before, "{}", ended.shown);
    let ended = ended.expect(code);
    if code == 130 {
        assert!(
            ended.shown.contains("nothing is left half done"),
            "{}",
            ended.shown
        );
    }
    ended.never_shows(PASSWORD);
    assert_eq!(sandbox.picture(), before, "{}", ended.shown);
    assert_eq!(Sandbox::picture_below(&sandbox.path("tokens")), tokens);
}

/// What a person does, and the exit code that answers it.
type Way = (fn(&mut Terminal), i32);

const WAYS: [Way; 5] = [
    (|terminal| terminal.key(0x03), 130),
    (|terminal| terminal.key(0x04), 2),
    (|terminal| terminal.signal("TERM"), 143),
    (|terminal| terminal.signal("HUP"), 129),
    (|terminal| terminal.signal("QUIT"), 131),
];

#[test]
fn ctrl_c_at_any_question_of_setup_leaves_nothing_half_done() {
    let mut sandbox = fresh();
    sandbox.unset("HSM_SO_PIN");
    let questions: [&dyn Fn(&mut Terminal); 5] = [
        &|terminal| terminal.expect("its name]: "),
        &|terminal| {
            terminal.answer("its name]: ", "softhsm");
            terminal.expect("[127.0.0.1]: ");
        },
        &|terminal| {
            terminal.answer("its name]: ", "softhsm");
            terminal.answer("[127.0.0.1]: ", "");
            terminal.expect_unseen("New backup password: ");
        },
        &|terminal| {
            terminal.answer("its name]: ", "softhsm");
            terminal.answer("[127.0.0.1]: ", "");
            terminal.answer_unseen("New backup password: ", PASSWORD);
            terminal.expect_unseen(PASSWORD_AGAIN);
        },
        &|terminal| {
            terminal.answer("its name]: ", "softhsm");
            terminal.answer("[127.0.0.1]: ", "");
            type_new_password(terminal);
            terminal.expect_unseen("SO PIN for the new token: ");
        },
    ];
    for question in questions {
        for (way, code) in WAYS {
            ends_at(&sandbox, &["setup"], question, way, code);
        }
    }
    assert_no_token(&sandbox);
}

#[test]
fn ctrl_c_while_the_hsm_is_waited_for_says_that_nothing_is_half_done() {
    let mut sandbox = Sandbox::softhsm();
    sandbox.lose_runtime();
    sandbox.set("TRUSTPOINT_HSM_DAEMON", "unix:/nonexistent/socket");
    let before = sandbox.picture();
    let mut terminal = Terminal::run(&sandbox, &["startup"]);
    terminal.expect("waiting for the HSM, 30s at most");
    terminal.key(0x03);
    let ended = terminal.end().expect(130);
    assert!(
        ended.shown.contains("nothing is left half done"),
        "{}",
        ended.shown
    );
    assert_eq!(sandbox.picture(), before);
}

#[test]
fn ctrl_c_at_the_password_of_recover_leaves_nothing_half_done() {
    let sandbox = waiting();
    for (way, code) in WAYS {
        let question = |terminal: &mut Terminal| {
            terminal.expect_unseen("Backup password: ");
            terminal.keys("correct horse");
        };
        // The end of the input is one only at the beginning of a line.
        if code != 2 {
            ends_at(&sandbox, &["recover"], &question, way, code);
        }
    }
}

#[test]
fn keys_that_would_stop_the_program_without_a_word_do_nothing() {
    let sandbox = waiting();
    let mut terminal = Terminal::run(&sandbox, &["recover"]);
    terminal.expect_unseen("Backup password: ");
    // Ctrl-U takes back what they leave in the line.
    for key in [0x1a, 0x1c, 0x15] {
        terminal.key(key);
    }
    terminal.keys(&format!("{PASSWORD}\n"));
    terminal.end().expect(0);
}

#[test]
fn recover_asks_for_the_password() {
    let sandbox = waiting();
    let before = sandbox.picture();
    let mut terminal = Terminal::run(&sandbox, &["recover"]);
    for _ in 0..3 {
        terminal.answer_unseen("Backup password: ", "wrong horse battery staple");
    }
    terminal.end().expect(77);
    assert_eq!(sandbox.picture(), before);
    let mut terminal = Terminal::run(&sandbox, &["recover", "--backup-password-file", "-"]);
    terminal.answer_unseen("Backup password: ", PASSWORD);
    terminal.end().expect(0).never_shows(PASSWORD);
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

#[test]
fn keys_ask_for_the_password() {
    let sandbox = Sandbox::softhsm_without_password();
    let mut terminal = Terminal::run(&sandbox, &["keys", "set-backup-password"]);
    type_new_password(&mut terminal);
    terminal.end().expect(0).never_shows(PASSWORD);
    let mut terminal = Terminal::run(&sandbox, &["keys", "verify-backup-password"]);
    terminal.answer_unseen("Backup password: ", "wrong horse battery staple");
    terminal.expect("try again");
    terminal.answer_unseen("Backup password: ", PASSWORD);
    terminal.expect("unwraps the DEK in use");
    terminal.end().expect(0).never_shows(PASSWORD);
}

#[test]
fn nobody_is_asked_where_the_answer_would_be_refused() {
    let software = Sandbox::software();
    for arguments in [
        &["setup"][..],
        &["recover"],
        &["keys", "set-backup-password"],
        &["keys", "verify-backup-password"],
    ] {
        let ended = Terminal::run(&software, arguments).end().expect(78);
        for question in ["ackup password: ", "Storage ["] {
            assert!(!ended.shown.contains(question), "{}", ended.shown);
        }
    }
}

/// It is copied into the next command.
#[test]
fn a_path_is_not_broken_at_the_end_of_a_line() {
    let mut sandbox = Sandbox::new();
    let state = sandbox.root(&format!("{}/state", ["a-long-name"; 9].join("/")));
    let directory = state.to_str().unwrap();
    sandbox.set("TRUSTPOINT_WIZARD_STATE_DIR", directory);
    for name in ["WIZARD_COMPLETED", "WIZARD_SETUP_MODE"] {
        put(&state.join(name), "");
    }
    for (command, code) in [("startup", 65), ("doctor", 65)] {
        let shown = Terminal::run(&sandbox, &[command]).end().expect(code).shown;
        // In the message and in the hint.
        assert!(shown.matches(directory).count() >= 2, "{shown}");
        let is_broken = |line: &str| line.contains("a-long-name") && !line.contains(directory);
        assert!(!shown.lines().any(is_broken), "{shown}");
    }
}

#[test]
fn a_question_does_not_get_into_the_json_report() {
    let sandbox = waiting();
    let out = sandbox.path("report");
    let mut terminal = Terminal::run_into(&sandbox, &["--format", "json", "recover"], &out);
    terminal.answer_unseen("Backup password: ", PASSWORD);
    terminal.end().expect(0);
    let report = crate::schema::read(&fs::read_to_string(out).unwrap());
    assert_eq!(report["outcome"], "ready");
}

#[test]
fn without_a_terminal_the_flag_is_named() {
    let (sandbox, waiting) = (fresh(), waiting());
    for (sandbox, arguments, flag) in [
        (&sandbox, &["setup"][..], "--storage"),
        (
            &sandbox,
            &["setup", "--storage", "softhsm"],
            "--backup-password-file",
        ),
        (&waiting, &["recover"], "--backup-password-file"),
        (
            &waiting,
            &["keys", "set-backup-password"],
            "--backup-password-file",
        ),
        (
            &waiting,
            &["keys", "verify-backup-password"],
            "--backup-password-file",
        ),
    ] {
        let said = sandbox.fails_unchanged(arguments, 2, "usage");
        assert!(said.contains(flag), "{said}");
    }
}
