//! What fails on the page says what to do, changes nothing by halves, and goes through once the fault is
//! gone and the same form is sent again.

use std::fs::{self, File};

use super::client::{Answer, Client};
use super::{APPLICATION, SETUP, Waiting, lost};
use crate::check_ahead::{EXCLUSIVE, Holder};
use crate::mounts::Mounts;
use crate::p11_kit::{self, Served};
use crate::sandbox::{PASSWORD, PIN, Sandbox, put};

const RECOVER: [(&str, &str); 1] = [("password", PASSWORD)];

/// Somebody who sends one form again and again.
struct Operator {
    client: Client,
    token: String,
    path: &'static str,
    fields: Vec<(&'static str, &'static str)>,
}

impl Operator {
    #[track_caller]
    fn of(waiting: &Waiting, path: &'static str, fields: &[(&'static str, &'static str)]) -> Self {
        let (client, token) = waiting.operator();
        let fields = fields.to_vec();
        Self {
            client,
            token,
            path,
            fields,
        }
    }

    #[track_caller]
    fn post(&mut self) -> Answer {
        let token = [("form_token", self.token.as_str())];
        let fields = [&token, self.fields.as_slice()].concat();
        self.client.post(self.path, &fields)
    }

    #[track_caller]
    fn send(&mut self) {
        self.post().expect_redirect("/progress");
    }

    /// Sends it; the page says all of these words, and leads back to the form.
    #[track_caller]
    fn fails(&mut self, words: &[&str]) -> String {
        self.send();
        self.failed(words)
    }

    /// Sends it, and the node is ready by that.
    #[track_caller]
    fn goes_through(mut self, waiting: Waiting) {
        self.send();
        let page = self.client.end_of_work().body;
        assert!(page.contains("<h1>Done</h1>"), "{page}");
        waiting.application();
    }

    #[track_caller]
    fn failed(&mut self, words: &[&str]) -> String {
        let page = self.client.end_of_work().expect(200).body;
        let back = format!("href=\"{}\"", self.path);
        for word in words
            .iter()
            .chain(&["<h1>It failed</h1>", "What to do next", &back])
        {
            assert!(page.contains(word), "{word}: {page}");
        }
        // Its title and its heading.
        assert_eq!(page.matches("It failed").count(), 2, "{page}");
        self.client.get("/").expect_redirect(self.path);
        self.client.get(self.path).expect(200);
        page
    }
}

/// Sends a form that must fail with these words and change nothing, and once `mend` has taken the fault
/// away the same form, after which the node is ready.
#[track_caller]
fn fails_unchanged(
    sandbox: &Sandbox,
    waiting: Waiting,
    mut operator: Operator,
    words: &[&str],
    mend: impl FnOnce(),
) {
    let before = sandbox.picture();
    operator.fails(words);
    assert_eq!(sandbox.picture(), before);
    mend();
    operator.goes_through(waiting);
    assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
}

/// What an operator does about a database that is busy.
const BUSY: &str = "another process holds the database";

const HSM_AWAY: [&str; 2] = ["hsm_unavailable", "start the token's daemon"];

#[test]
fn an_hsm_that_is_away_is_waited_for() {
    for (mut sandbox, path, fields) in [
        (Sandbox::new(), "/setup", &SETUP[..]),
        (lost(), "/recover", &RECOVER),
    ] {
        p11_kit::configure_daemon(&mut sandbox);
        let server = Served::start(&sandbox);
        let waiting = Waiting::start(&sandbox);
        let operator = Operator::of(&waiting, path, fields);
        drop(server);
        let mut server = None;
        fails_unchanged(&sandbox, waiting, operator, &HSM_AWAY, || {
            server = Some(Served::start(&sandbox));
        });
    }
}

/// C_GenerateKey, C_WrapKey, C_CreateObject: what a client says whose server is gone.
#[test]
fn a_setup_goes_on_after_an_hsm_that_went_away_in_the_middle() {
    for function in ["58", "60", "20"] {
        let mut sandbox = Sandbox::new();
        sandbox.use_shim();
        sandbox.set("SHIM_FAULT", &format!("{function}:30"));
        sandbox.set("SHIM_ONCE", sandbox.path("once").to_str().unwrap());
        let waiting = Waiting::start(&sandbox);
        let mut operator = Operator::of(&waiting, "/setup", &SETUP);
        operator.fails(&["hsm_unavailable", "CKR_DEVICE_ERROR"]);
        operator.goes_through(waiting);
        assert_eq!(sandbox.run(&["startup"]).expect(0).outcome(), "ready");
    }
}

#[test]
fn a_database_that_another_process_holds_is_busy() {
    for (sandbox, path, fields) in [
        (Sandbox::in_file(), "/setup", &SETUP[..]),
        (lost(), "/recover", &RECOVER),
    ] {
        let waiting = Waiting::start(&sandbox);
        let mut operator = Operator::of(&waiting, path, fields);
        let holder = Holder::of(&sandbox, "BEGIN IMMEDIATE; SELECT 'held';");
        operator.fails(&["database_unavailable", BUSY]);
        drop(holder);
        // Where it cannot even be read, nothing is begun; and nobody can say that no password helps.
        let before = sandbox.picture();
        let holder = Holder::of(&sandbox, EXCLUSIVE);
        let shown = operator.client.get(path).expect(200).body;
        let answered = operator.post().expect(409).body;
        for page in [shown, answered] {
            assert!(page.contains("cannot be done now"), "{page}");
            assert!(page.contains("database_unavailable"), "{page}");
            assert!(page.contains(BUSY), "{page}");
        }
        drop(holder);
        assert_eq!(sandbox.picture(), before);
        operator.goes_through(waiting);
    }
}

#[test]
fn another_process_at_work_is_waited_for_as_long_as_the_start_was_told() {
    for (sandbox, path, fields) in [
        (Sandbox::in_file(), "/setup", &SETUP[..]),
        (lost(), "/recover", &RECOVER),
    ] {
        let arguments = ["startup", "--lock-wait", "1", "--page", "127.0.0.1:0"];
        let waiting = Waiting::run(&sandbox, &[&arguments[..], &APPLICATION].concat());
        let operator = Operator::of(&waiting, path, fields);
        let lock = File::open(sandbox.database().with_extension("db.lock")).unwrap();
        lock.lock().unwrap();
        let words = ["<code>busy</code>", "another start"];
        fails_unchanged(&sandbox, waiting, operator, &words, || drop(lock));
    }
}

/// With so many KiB left, at the first change, after some steps, and nearly at the end.
#[test]
fn a_disk_that_is_full_in_the_middle_is_named_and_gone_on_with() {
    let page = [&["startup", "--page", "127.0.0.1:0"], &APPLICATION[..]].concat();
    for (in_setup, in_recovery) in [(0, 0), (16, 4), (8, 12)] {
        let sandbox = Sandbox::in_file();
        let mounts = Mounts::small(&sandbox);
        for (path, fields, left) in [
            ("/setup", &SETUP[..], in_setup),
            ("/recover", &RECOVER, in_recovery),
        ] {
            let waiting = Waiting::of(&mut mounts.command(&sandbox, &page));
            let mut operator = Operator::of(&waiting, path, fields);
            mounts.fill(&sandbox, left);
            operator.fails(&["<code>io</code>", "free space"]);
            mounts.free(&sandbox);
            operator.goes_through(waiting);
            let ready = mounts.run(&sandbox, &["startup"]).expect(0);
            assert_eq!(ready.outcome(), "ready", "{left} KiB were left");
            sandbox.lose_token();
            mounts.shell(&sandbox, "rm -r $1/run/trustpoint/*");
        }
    }
}

#[test]
fn a_wrong_pin_is_denied_until_the_right_one_stands_in_its_file() {
    // With a token that is there, the PIN is tried before anything is changed.
    let mut fresh = Sandbox::new();
    fresh.initialise_token();
    let mut lost = lost();
    lost.initialise_token();
    for (sandbox, path, fields) in [
        (&mut fresh, "/setup", &SETUP[..]),
        (&mut lost, "/recover", &RECOVER),
    ] {
        let pin = sandbox.path("pin");
        put(&pin, PIN);
        sandbox.set("HSM_PIN_FILE", pin.to_str().unwrap());
        let waiting = Waiting::start(sandbox);
        let mut operator = Operator::of(&waiting, path, fields);
        put(&pin, "3141-5926");
        operator.fails(&["denied", "rejected", "hsm.pin_file"]);
        fails_unchanged(
            sandbox,
            waiting,
            operator,
            &["denied", "hsm.pin_file"],
            || {
                put(&pin, PIN);
            },
        );
    }
}

#[test]
fn a_pin_that_is_locked_is_denied_until_it_is_set_anew() {
    let mut sandbox = lost();
    sandbox.initialise_token();
    sandbox.use_shim();
    let unlocked = sandbox.path("unlocked");
    sandbox.set("SHIM_ONCE", unlocked.to_str().unwrap());
    // C_Login: CKR_PIN_LOCKED, once.
    sandbox.set("SHIM_FAULT", "18:A4");
    put(&unlocked, "");
    let waiting = Waiting::start(&sandbox);
    let operator = Operator::of(&waiting, "/recover", &RECOVER);
    fs::remove_file(&unlocked).unwrap();
    let words = ["<code>denied</code>", "locked", "SO PIN"];
    fails_unchanged(&sandbox, waiting, operator, &words, || ());
}

#[test]
fn a_tls_directory_that_cannot_be_written_is_named() {
    let page = [&["startup", "--page", "127.0.0.1:0"], &APPLICATION[..]].concat();
    // A certificate is made for another name.
    let setup = [&SETUP[..], &[("san", "pki.example.org")]].concat();
    for (sandbox, path, fields) in [
        (Sandbox::in_file(), "/setup", &setup[..]),
        (lost(), "/recover", &RECOVER),
    ] {
        let tls = "mkdir -p $1/etc/trustpoint/tls
            mount --bind $1/etc/trustpoint/tls $1/etc/trustpoint/tls";
        let mounts = Mounts::of(&sandbox, tls);
        let waiting = Waiting::of(&mut mounts.command(&sandbox, &page));
        let mut operator = Operator::of(&waiting, path, fields);
        let remount = |how| {
            let script = format!("mount -o remount,bind,{how} $1/etc/trustpoint/tls");
            mounts.shell(&sandbox, &script);
        };
        remount("ro");
        let directory = sandbox.root("etc/trustpoint/tls").display().to_string();
        operator.fails(&["<code>io</code>", &directory, "writable"]);
        remount("rw");
        operator.goes_through(waiting);
        let ready = mounts.run(&sandbox, &["startup"]).expect(0);
        assert_eq!(ready.outcome(), "ready");
    }
}
