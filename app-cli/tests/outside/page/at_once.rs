//! Several who do at once what can be done once: in browsers, and in the container.

use std::thread;
use std::time::Duration;

use super::client::Answer;
use super::footprint::Footprint;
use super::{Waiting, lost};
use crate::sandbox::{PASSWORD, Run, Sandbox};

/// How many browsers there are.
const MANY: usize = 6;

/// Memory of one derivation of a key from a password.
const DERIVATION_KIB: u64 = 64 << 10;

/// What each of these browsers, and the shell beside them, got.
fn at_once(
    waiting: &Waiting,
    path: &str,
    fields: &[(&str, &str)],
    shell: impl FnOnce() -> Option<Run> + Send,
) -> (Vec<Answer>, Option<Run>) {
    let operators: Vec<_> = (0..MANY).map(|_| waiting.operator()).collect();
    thread::scope(|scope| {
        let shell = scope.spawn(shell);
        let send = |(mut client, token): (super::Client, String)| {
            let mut all = vec![("form_token", token.as_str())];
            all.extend(fields);
            client.post(path, &all)
        };
        let sending: Vec<_> = operators
            .into_iter()
            .map(|operator| scope.spawn(move || send(operator)))
            .collect();
        let answers = sending.into_iter().map(|one| one.join().unwrap()).collect();
        (answers, shell.join().unwrap())
    })
}

#[test]
fn setups_in_browsers_and_in_a_shell_set_the_node_up_once() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    let fields = [("storage", "softhsm"), ("no_backup_password", "yes")];
    let shell = || Some(sandbox.run(&["setup", "--storage", "software"]));
    let (answers, shell) = at_once(&waiting, "/setup", &fields, shell);
    // 0: the page ended under this one, since the node was ready.
    for answer in &answers {
        assert!(matches!(answer.status, 303 | 409 | 0), "{answer:?}");
    }
    let pages: String = answers.into_iter().map(|answer| answer.body).collect();
    let page = pages + &waiting.running.rest();
    is_set_up_once(&sandbox, &page, &shell.unwrap());
}

#[test]
fn a_shell_that_comes_second_says_that_the_node_is_set_up() {
    let sandbox = Sandbox::new();
    let mut waiting = Waiting::start(&sandbox);
    let (mut client, token) = waiting.operator();
    let fields = [
        ("form_token", token.as_str()),
        ("storage", "softhsm"),
        ("no_backup_password", "yes"),
    ];
    let shell = thread::scope(|scope| {
        scope.spawn(|| client.post("/setup", &fields).expect_redirect("/progress"));
        waiting
            .running
            .wait_for_output("done  configure_storage: softhsm");
        sandbox.run(&["setup", "--storage", "software"])
    });
    is_set_up_once(&sandbox, &waiting.running.rest(), &shell);
    shell.expect_error(78, "config");
    assert_eq!(sandbox.keys_on_token().len(), 1);
}

/// That one of both has set the node up, and the other says so.
#[track_caller]
fn is_set_up_once(sandbox: &Sandbox, page: &str, shell: &Run) {
    let loser = if shell.code == 0 { page } else { &shell.said() };
    assert!(loser.contains("this node is set up already"), "{loser}");
    assert!(page.contains("application "), "{page}");
    let history = sandbox.run(&["history", "--limit", "100"]).expect(0).report;
    let events = history["history"].as_array().unwrap();
    let set_up = events.iter().filter(|event| event["event"] == "set_up");
    assert_eq!(set_up.count(), 1, "{history}");
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

#[test]
fn one_password_is_checked_at_a_time() {
    let sandbox = lost();
    let waiting = Waiting::start(&sandbox);
    let id = waiting.running.child.id();
    let before = sandbox.picture();
    let peak = Footprint::of(id).peak_kib;
    for _ in 0..3 {
        let wrong = [("password", "wrong horse battery staple")];
        let (answers, _) = at_once(&waiting, "/recover", &wrong, || None);
        for answer in &answers {
            assert_eq!(answer.status, 422, "{answer:?}");
        }
    }
    assert_eq!(sandbox.picture(), before);
    let grown = Footprint::of(id).peak_kib - peak;
    assert!(
        (DERIVATION_KIB * 3 / 4..2 * DERIVATION_KIB).contains(&grown),
        "{grown} KiB"
    );

    // The right one in the container, while wrong ones are sent.
    let file = sandbox.password_file(PASSWORD);
    let recover = ["recover", "--backup-password-file", file.to_str().unwrap()];
    let wrong = [("password", "wrong horse battery staple")];
    let shell = || Some(sandbox.run(&recover));
    let (_, shell) = at_once(&waiting, "/recover", &wrong, shell);
    shell.unwrap().expect(0);
    waiting.application();
}

#[test]
fn the_right_password_is_checked_after_the_wrong_ones_before_it() {
    let sandbox = lost();
    let waiting = Waiting::start(&sandbox);
    let (mut client, token) = waiting.operator();
    let right = [("form_token", token.as_str()), ("password", PASSWORD)];
    let wrong = [("password", "wrong horse battery staple")];
    let in_between = || {
        thread::sleep(Duration::from_millis(150));
        client.post("/recover", &right).expect_redirect("/progress");
        None
    };
    at_once(&waiting, "/recover", &wrong, in_between);
    waiting.application();
}
