//! `setup`, `recover` and `keys rotate-kek`, killed at a sample of their steps and run again: the
//! end is that of an undisturbed run. With `ALL_KILLS=1` in the environment it is every step.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::copies::{TwoTokens, schema_6};
use crate::sandbox::{Kept, PASSWORD, PIN, Run, SOFTHSM, Sandbox, put, tool};

/// The calls that change files, or send something to a server.
const CALLS: &str = "rename,renameat,renameat2,unlink,unlinkat,fsync,fdatasync,link,linkat,symlink,\
                     symlinkat,mkdir,mkdirat,ftruncate,write,pwrite64,sendto";

/// How many steps of a command are sampled.
const SAMPLE: usize = 16;

/// A command to disturb, on a node that was prepared for it.
struct Story {
    sandbox: Sandbox,
    database: Kept,
    command: Vec<String>,
    /// Whether the command did all its work, so that a second one would be refused or do more.
    is_done: fn(&Sandbox) -> bool,
}

/// What a node has come to. Ids of keys differ from run to run; how they stand to one another does
/// not.
#[derive(Debug, Eq, PartialEq)]
struct State {
    outcome: String,
    restore_scenario: String,
    fingerprint: String,
    wizard: String,
    rows: String,
    /// Our KEK is on the token, how many keys stand beside it, how many of them are known as old.
    keks: (bool, usize, usize),
    is_rotation_open: bool,
}

impl State {
    /// Of a node whose next container has started.
    #[track_caller]
    fn of(sandbox: &Sandbox) -> Self {
        sandbox.new_container();
        let start = sandbox.run(&["startup"]).expect(0);
        let file = sandbox.password_file(PASSWORD);
        let file = ["--backup-password-file", file.to_str().unwrap()];
        sandbox
            .run(&[&["keys", "verify-backup-password"][..], &file].concat())
            .expect(0);
        let keys = sandbox.run(&["keys", "show"]).expect(0).report["keys"].clone();
        sandbox.assert_whole();
        let listing = listing(sandbox, keys["token"]["serial"].as_str().unwrap());
        Self {
            outcome: start.outcome(),
            restore_scenario: start.restore_scenario(),
            fingerprint: start.fingerprint(),
            wizard: sandbox.wizard(),
            rows: [
                "SELECT count(*) FROM credential",
                "SELECT count(*) FROM pkcs11_token WHERE encrypted_dek IS NOT NULL",
                "SELECT storage_type FROM key_storage_config",
                "SELECT private_key_format FROM credential",
                "SELECT count(setup_completed_at) FROM installation",
            ]
            .map(|select| sandbox.sql(select))
            .concat(),
            keks: (
                keys["kek"]["on_token"] == true,
                listing.matches("ID:").count() - 1,
                keys["kek"]["old"].as_array().unwrap().len(),
            ),
            is_rotation_open: !keys["kek"]["pending"].is_null(),
        }
    }
}

impl Story {
    fn new(sandbox: Sandbox, command: &[&str], is_done: fn(&Sandbox) -> bool) -> Self {
        let password = sandbox.password_file(PASSWORD).display().to_string();
        let word = |word: &&str| match *word {
            "PASSWORD_FILE" => password.clone(),
            word => word.to_owned(),
        };
        for name in ["root", "tokens"] {
            copy(&sandbox, name, &format!("saved-{name}"));
        }
        Self {
            command: command.iter().map(word).collect(),
            database: sandbox.keep_database(),
            sandbox,
            is_done,
        }
    }

    /// The node as it was before the command.
    fn restore(&self) {
        for name in ["root", "tokens"] {
            fs::remove_dir_all(self.sandbox.path(name)).unwrap();
            copy(&self.sandbox, &format!("saved-{name}"), name);
        }
        self.sandbox.put_database_back(&self.database);
    }

    fn command(&self) -> Vec<&str> {
        self.command.iter().map(String::as_str).collect()
    }

    fn run_under(&self, log: &str, options: &[&str]) -> Run {
        let strace = ["strace", "-f", "-qq", "-o", log];
        self.sandbox
            .run_under(&[&strace, options].concat(), &self.command())
    }

    /// Call and number of each step of an undisturbed run. strace counts by thread.
    fn steps(&self) -> Vec<(String, usize)> {
        let log = self.sandbox.path("calls").display().to_string();
        self.run_under(&log, &["-e", &format!("trace={CALLS}")])
            .expect(0);
        let mut counts = BTreeMap::<(String, String), usize>::new();
        let mut steps = Vec::new();
        for line in fs::read_to_string(log).unwrap().lines() {
            let (thread, rest) = line.split_once(' ').unwrap();
            let Some((call, _)) = rest.trim().split_once('(') else {
                continue;
            };
            let key = (thread.to_owned(), call.to_owned());
            let count = counts.entry(key).or_default();
            *count += 1;
            let step = (call.to_owned(), *count);
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
        steps
    }

    /// Runs the command again.
    #[track_caller]
    fn again(&self, step: &str) {
        let mut again = self.sandbox.run(&self.command());
        if again.code == 69 && self.tokens() != self.saved_tokens() {
            let saved = self.saved_tokens();
            let new = self.tokens().into_iter();
            let new = new.filter(|token| !saved.contains(token));
            let directory = self.sandbox.path("tokens");
            move_away(new.map(|token| directory.join(token)), &again, step);
            again = self.sandbox.run(&self.command());
        }
        assert_eq!(again.code, 0, "{step}: {}", again.said());
    }

    fn tokens(&self) -> Vec<String> {
        names(&self.sandbox, "tokens")
    }

    fn saved_tokens(&self) -> Vec<String> {
        names(&self.sandbox, "saved-tokens")
    }

    /// Kills the command at a sample of its steps, runs it again, and compares.
    fn disturb(&self) {
        let steps = self.steps();
        let expected = State::of(&self.sandbox);
        assert_eq!(expected.outcome, "ready");
        let every = match std::env::var_os("ALL_KILLS") {
            Some(_) => 1,
            None => steps.len().div_ceil(SAMPLE),
        };
        let mut killed = 0;
        for (call, number) in steps.iter().step_by(every) {
            self.restore();
            let inject = format!("inject={call}:signal=SIGKILL:when={number}");
            let trace = format!("trace={CALLS}");
            let run = self.run_under("/dev/null", &["-e", &trace, "-e", &inject]);
            let step = format!("killed at {call} {number}");
            killed += usize::from(run.code == -1);
            if !(self.is_done)(&self.sandbox) {
                self.again(&step);
            }
            assert_eq!(State::of(&self.sandbox), expected, "{step}");
        }
        // Threads race to a number: not every step of a sample is come to.
        assert!(killed * 2 > SAMPLE.min(steps.len()), "only {killed} kills");
    }
}

/// A token that SoftHSM was killed at initialising is one that it cannot read ever after: the program must
/// not take it for lost, and this run says what to do, which is done to these.
#[track_caller]
pub fn move_away(broken: impl IntoIterator<Item = PathBuf>, run: &Run, step: &str) {
    let said = run.expect_error(69, "hsm_unavailable");
    assert!(said.contains("cannot be read"), "{step}: {said}");
    assert!(said.contains("newest token directory"), "{step}: {said}");
    for token in broken {
        fs::remove_dir_all(token).unwrap();
    }
}

fn copy(sandbox: &Sandbox, from: &str, to: &str) {
    let (from, to) = (sandbox.path(from), sandbox.path(to));
    tool("cp", ["-a".as_ref(), from.as_os_str(), to.as_os_str()]);
}

/// The secret keys on the token with this serial number, the last 31 bits of which are its slot
/// number. There may be another one with its label, which SoftHSM was killed at making.
fn listing(sandbox: &Sandbox, serial: &str) -> String {
    let last = u32::from_str_radix(&serial[serial.len() - 8..], 16).unwrap();
    let slot = format!("0x{:x}", last & 0x7fff_ffff);
    let conf = format!("SOFTHSM2_CONF={}", sandbox.path("softhsm2.conf").display());
    let tool_name = [&conf, "pkcs11-tool", "--module", SOFTHSM, "--slot", &slot];
    let login = [
        "--login",
        "--pin",
        PIN,
        "--list-objects",
        "--type",
        "secrkey",
    ];
    tool("env", tool_name.into_iter().chain(login))
}

fn names(sandbox: &Sandbox, directory: &str) -> Vec<String> {
    let entries = fs::read_dir(sandbox.path(directory)).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn is_completed(sandbox: &Sandbox) -> bool {
    sandbox.wizard() == "WIZARD_COMPLETED"
}

#[test]
fn setup_killed_at_any_step_is_finished_by_the_next() {
    let sandbox = Sandbox::new();
    sandbox.run(&["startup"]).expect(0);
    let setup = ["setup", "--storage", "softhsm", "--backup-password-file"];
    let setup = [&setup[..], &["PASSWORD_FILE"]].concat();
    Story::new(sandbox, &setup, is_completed).disturb();
}

#[test]
fn recover_killed_at_any_step_is_finished_by_the_next() {
    let sandbox = Sandbox::softhsm();
    sandbox.lose_token();
    sandbox.new_container();
    sandbox.run(&["startup"]).expect(0);
    let recover = ["recover", "--backup-password-file", "PASSWORD_FILE"];
    Story::new(sandbox, &recover, is_completed).disturb();
}

#[test]
fn a_rotation_killed_at_any_step_is_finished_by_the_next() {
    let sandbox = Sandbox::softhsm();
    // One rotation before, so that it is known which the first KEK was.
    sandbox.run(&["keys", "rotate-kek"]).expect(0);
    let first = sandbox.sql("SELECT hex(key_id) FROM pkcs11_key WHERE state = 'current'");
    put(&sandbox.path("first"), first);
    let is_done = |sandbox: &Sandbox| {
        let first = fs::read_to_string(sandbox.path("first")).unwrap();
        sandbox.sql("SELECT hex(key_id) FROM pkcs11_key WHERE state <> 'retired'") != first
            && sandbox.sql("SELECT count(*) FROM pkcs11_key").trim() == "1"
    };
    let rotate = ["keys", "rotate-kek", "--destroy-old"];
    Story::new(sandbox, &rotate, is_done).disturb();
}

#[test]
fn a_token_is_forgotten_whole_or_not_at_all() {
    let node = TwoTokens::new();
    let forget = ["keys", "forget-token", &node.first, "--yes"];
    let is_done =
        |sandbox: &Sandbox| sandbox.sql("SELECT count(*) FROM pkcs11_token").trim() == "1";
    Story::new(node.sandbox, &forget, is_done).disturb();
}

#[test]
fn the_first_start_on_schema_6_killed_at_any_step_loses_no_key() {
    Story::new(schema_6::node(), &["startup"], |_| false).disturb();
}

/// The worst moment for the old token to come back: while the node is being given a new one. Its
/// copy is never touched, and no password is asked for.
#[test]
fn the_old_token_back_after_a_recovery_that_was_cut_short_loses_nothing() {
    let sandbox = Sandbox::softhsm();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    sandbox.lose_token();
    sandbox.new_container();
    sandbox.run(&["startup"]).expect(0);
    copy(&sandbox, "tokens.lost", "saved-tokens.lost");
    let recover = ["recover", "--backup-password-file", "PASSWORD_FILE"];
    let story = Story::new(sandbox, &recover, is_completed);
    let sandbox = &story.sandbox;
    let steps = story.steps();
    for (call, number) in steps.iter().step_by(steps.len().div_ceil(SAMPLE / 2)) {
        story.restore();
        let inject = format!("inject={call}:signal=SIGKILL:when={number}");
        story.run_under("/dev/null", &["-e", &inject]);
        fs::remove_dir_all(sandbox.path("tokens")).unwrap();
        copy(sandbox, "saved-tokens.lost", "tokens");
        sandbox.new_container();
        let run = sandbox.run(&["startup"]).expect(0);
        assert_eq!(run.outcome(), "ready", "{call} {number}");
        assert_eq!(run.fingerprint(), fingerprint, "{call} {number}");
    }
}
