//! `startup --page`: the setup and recovery page, from the side of a browser.

mod access;
mod across;
mod at_once;
mod client;
mod faults;
mod footprint;
mod fuzz;
mod idle;
mod limits;
mod look_again;
mod physical;
mod replays;
mod secrets;
mod signals;
mod slow;
mod smuggling;
mod tls;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::commands::Running;
use crate::sandbox::{PASSWORD, Sandbox, openssl_fingerprint, put};
use client::Client;

const CERTIFICATE: &str = "nginx-tls-server-cert.pem";

/// What the application of these tests says, and its exit code.
const APPLICATION: [&str; 4] = [
    "--",
    "sh",
    "-c",
    "echo application $$ dek=${TRUSTPOINT_DEK_FILE-unset}; exit 7",
];

/// A setup with a token and a backup password.
const SETUP: [(&str, &str); 3] = [
    ("storage", "softhsm"),
    ("password", PASSWORD),
    ("password_again", PASSWORD),
];

/// A start that serves the page.
struct Waiting {
    running: Running,
    address: SocketAddr,
    code: String,
    fingerprint: String,
}

impl Waiting {
    /// Begins one on a port that is free.
    #[track_caller]
    fn start(sandbox: &Sandbox) -> Self {
        let page = ["startup", "--page", "127.0.0.1:0"];
        Self::run(sandbox, &[&page[..], &APPLICATION].concat())
    }

    #[track_caller]
    fn run(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        Self::of(&mut sandbox.command(arguments))
    }

    /// The same of another command.
    #[track_caller]
    fn of(command: &mut Command) -> Self {
        Self::announced_by(Running::start(command))
    }

    /// The same process serves the page anew.
    #[track_caller]
    fn again(self) -> Self {
        Self::announced_by(self.running)
    }

    #[track_caller]
    fn announced_by(mut running: Running) -> Self {
        let mut after = |mark: &str| {
            let line = running.wait_for_output(mark);
            line.split_once(mark).unwrap().1.trim().to_owned()
        };
        let address = after(" page: https://");
        Self {
            address: address.trim_end_matches('/').parse().unwrap(),
            fingerprint: after("certificate, SHA-256: "),
            code: after("access code: "),
            running,
        }
    }

    fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// Somebody who gave the code, and the token of the forms.
    #[track_caller]
    fn operator(&self) -> (Client, String) {
        let mut client = self.client();
        let path = client.log_in(&self.code).header("location").to_owned();
        let token = client.get(&path).form_token();
        (client, token)
    }

    /// The line and the exit code of the application, which this process must have become.
    #[track_caller]
    fn application(mut self) -> String {
        let id = self.running.child.id();
        let line = self.running.wait_for_output("application ");
        assert!(line.starts_with(&format!("application {id} ")), "{line}");
        assert_eq!(self.running.end().0.code(), Some(7));
        line
    }
}

/// Whether a page shows a fingerprint, wherever that may be broken.
fn shows(page: &str, fingerprint: &str) -> bool {
    page.contains(fingerprint)
}

/// A node that has lost its token, and a new container.
fn lost() -> Sandbox {
    let sandbox = Sandbox::softhsm();
    sandbox.lose_token();
    sandbox.new_container();
    sandbox
}

#[test]
fn a_node_is_set_up_and_its_process_becomes_the_application() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    let code = sandbox.root("run/trustpoint/page-code");
    assert_eq!(fs::read_to_string(&code).unwrap().trim(), waiting.code);
    let mode = fs::metadata(&code).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(
        waiting.fingerprint,
        openssl_fingerprint(&sandbox.tls(CERTIFICATE))
    );
    let report = fs::read_to_string(sandbox.root("run/trustpoint/startup.json")).unwrap();
    assert!(report.contains(&waiting.fingerprint), "{report}");
    assert!(!report.contains(&waiting.code), "{report}");

    let mut client = waiting.client();
    let front = client.get("/").expect(200);
    let file = CertificateDer::from_pem_file(sandbox.tls(CERTIFICATE)).unwrap();
    assert_eq!(front.certificate, file.to_vec());
    assert!(shows(&front.body, &waiting.fingerprint), "{}", front.body);
    assert!(
        front.body.contains(env!("CARGO_PKG_VERSION")),
        "{}",
        front.body
    );

    client.log_in(&waiting.code).expect_redirect("/setup");
    client.get("/").expect_redirect("/setup");
    let form = client.get("/setup").expect(200);
    assert!(form.body.contains("value=\"softhsm\""), "{}", form.body);
    // Of this a password manager takes the name; it is no field of the form.
    let name =
        "<input type=\"text\" value=\"Trustpoint backup password\" autocomplete=\"username\"";
    assert!(form.body.contains(name), "{}", form.body);
    assert!(
        !form.body.contains("physical_hsm"),
        "nobody opted in: {}",
        form.body
    );
    let answers = [
        ("form_token", form.form_token().as_str()),
        ("storage", "softhsm"),
        ("san", "pki.example.org\r\n192.0.2.7\r\n"),
        ("password", PASSWORD),
        ("password_again", PASSWORD),
    ]
    .map(|(name, value)| (name, value.to_owned()));
    let answers = answers
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    client.post("/setup", &answers).expect_redirect("/progress");
    let last = client.end_of_work();
    assert!(last.body.contains("<h1>Done</h1>"), "{}", last.body);
    assert!(last.body.contains("generate_kek"), "{}", last.body);
    assert!(
        last.body
            .contains("<dd>Sealed under a key on a SoftHSM token"),
        "{}",
        last.body
    );
    let fingerprint = openssl_fingerprint(&sandbox.tls(CERTIFICATE));
    assert!(shows(&last.body, &fingerprint), "{}", last.body);

    let line = waiting.application();
    assert!(
        line.ends_with(&sandbox.dek_cache().display().to_string()),
        "{line}"
    );
    assert!(!code.exists());
    let ready = sandbox.run(&["startup"]).expect(0);
    assert_eq!(ready.outcome(), "ready");
    assert_eq!(ready.fingerprint(), fingerprint);
    sandbox.lose_token();
    sandbox.new_container();
    let file = sandbox.password_file(PASSWORD);
    sandbox.run(&["startup"]).expect(0);
    let recover = ["recover", "--backup-password-file", file.to_str().unwrap()];
    sandbox.run(&recover).expect(0);
}

#[test]
fn a_lost_token_is_recovered_by_the_backup_password() {
    let sandbox = Sandbox::softhsm();
    let fingerprint = sandbox.run(&["startup"]).expect(0).fingerprint();
    sandbox.lose_token();
    sandbox.new_container();
    let waiting = Waiting::start(&sandbox);
    assert_ne!(waiting.fingerprint, fingerprint);
    let mut client = waiting.client();
    let health = client.get("/healthz").expect(503);
    assert_eq!(health.body, r#"{"outcome":"recovery_required"}"#);
    client.log_in(&waiting.code).expect_redirect("/recover");
    let form = client.get("/recover").expect(200);
    assert!(form.body.contains("on a SoftHSM token"), "{}", form.body);
    let token = form.form_token();

    let before = sandbox.picture();
    let wrong = "wrong horse battery staple";
    let fields = [("form_token", token.as_str()), ("password", wrong)];
    let again = client.post("/recover", &fields).expect(422);
    assert!(
        again.body.contains("id=\"password-problem\""),
        "{}",
        again.body
    );
    assert!(!again.body.contains(wrong), "{}", again.body);
    assert_eq!(again.form_token(), token);
    let empty = [("form_token", token.as_str())];
    client.post("/recover", &empty).expect(422);
    assert_eq!(sandbox.picture(), before);

    let fields = [("form_token", token.as_str()), ("password", PASSWORD)];
    client
        .post("/recover", &fields)
        .expect_redirect("/progress");
    let line = waiting.application();
    assert!(
        line.ends_with(&sandbox.dek_cache().display().to_string()),
        "{line}"
    );
    let ready = sandbox.run(&["startup"]).expect(0);
    assert_eq!(ready.fingerprint(), fingerprint);
}

#[test]
fn where_no_password_can_help_the_page_says_what_can() {
    let sandbox = Sandbox::softhsm_without_password();
    sandbox.lose_token();
    sandbox.new_container();
    let waiting = Waiting::start(&sandbox);
    let mut client = waiting.client();
    client.log_in(&waiting.code).expect_redirect("/recover");
    let page = client.get("/recover").expect(200);
    assert!(
        page.body.contains("Here no password helps"),
        "{}",
        page.body
    );
    assert!(
        page.body.contains("bring the old token back"),
        "{}",
        page.body
    );
    assert!(!page.body.contains("name=\"password\""), "{}", page.body);
    let token = page.form_token();
    let fields = [("form_token", token.as_str()), ("password", PASSWORD)];
    client.post("/recover", &fields).expect(409);
}

#[test]
fn what_is_typed_in_the_container_ends_the_page_too() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    sandbox.run(&["status"]).expect(10);
    let mut client = waiting.client();
    client.log_in(&waiting.code).expect_redirect("/setup");
    sandbox.run(&["setup", "--storage", "software"]).expect(0);
    let line = waiting.application();
    assert!(line.ends_with("dek=unset"), "{line}");

    let sandbox = lost();
    let waiting = Waiting::start(&sandbox);
    let file = sandbox.password_file(PASSWORD);
    let recover = ["recover", "--backup-password-file", file.to_str().unwrap()];
    sandbox.run(&recover).expect(0);
    waiting.application();
}

#[test]
fn a_setup_of_another_node_of_the_fleet_ends_the_page() {
    let first = Sandbox::on_server();
    let second = first.beside("second");
    let pages = [&first, &second].map(Waiting::start);
    first.run(&["setup", "--storage", "software"]).expect(0);
    for page in pages {
        page.application();
    }
}

#[test]
fn two_operators_who_send_at_once_set_the_node_up_once() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    let operators: Vec<_> = (0..8).map(|_| waiting.operator()).collect();
    std::thread::scope(|scope| {
        for (mut client, token) in operators {
            scope.spawn(move || {
                let fields = [
                    ("form_token", token.as_str()),
                    ("storage", "softhsm"),
                    ("no_backup_password", "yes"),
                ];
                client.post("/setup", &fields).expect_redirect("/progress");
            });
        }
    });
    waiting.application();
    assert_eq!(sandbox.keys_on_token().len(), 1);
}

#[test]
fn in_json_standard_output_has_the_report_of_the_last_start_alone() {
    let sandbox = Sandbox::new();
    let arguments = ["--format", "json", "startup", "--page", "127.0.0.1:0"];
    let mut running = Running::start(&mut sandbox.command(&arguments));
    running.wait_for_error("access code: ");
    sandbox.run(&["setup", "--storage", "software"]).expect(0);
    let (status, out) = running.end();
    assert_eq!(status.code(), Some(0));
    let report = crate::schema::read(out.trim_end());
    assert_eq!(report["outcome"], "ready", "{out}");
}

#[test]
fn a_start_that_is_ready_opens_no_socket() {
    let sandbox = Sandbox::software();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let page = ["startup", "--page", &address];
    assert_eq!(sandbox.run(&page).expect(0).outcome(), "ready");

    let sandbox = Sandbox::new();
    let said = sandbox.run(&page).expect_error(75, "busy");
    assert!(
        said.contains("cannot listen") && said.contains("--page"),
        "{said}"
    );
    // What the start said before that is said once.
    let told = sandbox.run_human(&page).expect(75);
    let idle = told.stdout.matches("(nothing to do)").count();
    assert_eq!(idle, 1, "{}", told.stdout);
    let said = sandbox
        .run(&["startup", "--page", "192.0.2.1:0"])
        .expect_error(78, "config");
    assert!(said.contains("an address of this machine"), "{said}");
}

#[test]
fn the_configuration_gives_the_address_and_the_flag_wins() {
    let mut sandbox = Sandbox::new();
    let file = sandbox.root("etc/trustpoint/trustpointctl.toml");
    put(&file, "[page]\nlisten = \"localhost\"\n");
    let said = sandbox.run(&["status"]).expect_error(78, "config");
    assert!(
        said.contains("page.listen") && said.contains("0.0.0.0:8443"),
        "{said}"
    );
    let typed = sandbox.run_human(&["startup", "--page", "localhost:0"]);
    let said = typed.expect(2).stderr;
    assert!(said.contains("0.0.0.0:8443"), "{said}");
    put(&file, "[page]\nlisten = \"127.0.0.1:0\"\n");
    drop(Waiting::run(&sandbox, &["startup"]));
    sandbox.set("TRUSTPOINT_PAGE", "192.0.2.1:0");
    sandbox.run(&["startup"]).expect_error(78, "config");
    drop(Waiting::run(
        &sandbox,
        &["startup", "--page", "127.0.0.1:0"],
    ));
    // Nothing is served by what only looks.
    sandbox.run(&["startup", "--dry-run"]).expect(0);
}

#[test]
fn without_cmd_the_start_ends_once_the_node_is_ready() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::run(
        &sandbox,
        &["startup", "--require-ready", "--page", "127.0.0.1:0"],
    );
    let (mut client, token) = waiting.operator();
    // Another certificate, and no web server that would still have the one of before.
    let fields = [
        ("form_token", token.as_str()),
        ("storage", "software"),
        ("san", "pki.example"),
    ];
    client.post("/setup", &fields).expect_redirect("/progress");
    let (status, rest) = waiting.running.end();
    assert_eq!(status.code(), Some(0), "{rest}");
    assert!(rest.contains("nothing: the node is started now"), "{rest}");
}

#[test]
fn wrong_entries_come_back_without_a_password() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    let (mut client, token) = waiting.operator();
    let before = sandbox.picture();
    let long = "a password of some length";
    for (fields, wrong) in [
        (&[("password", long)][..], "storage"),
        (&[("storage", "tpm")], "storage"),
        (&[("storage", "physical_hsm")], "storage"),
        (&[("storage", "software"), ("san", "no name")], "san"),
        (&[("storage", "software"), ("password", long)], "password"),
        (&[("storage", "softhsm")], "password"),
        (
            &[
                ("storage", "softhsm"),
                ("password", "short!"),
                ("password_again", "short!"),
            ],
            "password",
        ),
        (
            &[
                ("storage", "softhsm"),
                ("password", long),
                ("password_again", "another one"),
            ],
            "password_again",
        ),
        (
            &[
                ("storage", "softhsm"),
                ("password", long),
                ("password_again", long),
                ("no_backup_password", "yes"),
            ],
            "password",
        ),
    ] {
        let mut all = vec![("form_token", token.as_str())];
        all.extend(fields);
        let page = client.post("/setup", &all).expect(422);
        let problem = format!("id=\"{wrong}-problem\"");
        assert!(page.body.contains(&problem), "{fields:?}: {}", page.body);
        assert_eq!(page.body.matches("autofocus").count(), 1, "{}", page.body);
        for secret in [long, "short!", "another one"] {
            assert!(!page.body.contains(secret), "{fields:?}: {}", page.body);
        }
    }
    assert_eq!(sandbox.picture(), before);
    // What is no secret is kept.
    let fields = [
        ("form_token", token.as_str()),
        ("storage", "softhsm"),
        ("san", "<a&\"b>"),
    ];
    let page = client.post("/setup", &fields).expect(422);
    assert!(page.body.contains("&lt;a&amp;&quot;b&gt;"), "{}", page.body);
    assert!(
        page.body.contains("value=\"softhsm\" required checked"),
        "{}",
        page.body
    );
}

#[test]
fn a_setup_that_fails_says_why_and_can_be_tried_again() {
    let mut sandbox = Sandbox::new();
    sandbox.unset("HSM_PIN");
    let waiting = Waiting::start(&sandbox);
    let (mut client, token) = waiting.operator();
    let fields = [
        ("form_token", token.as_str()),
        ("storage", "softhsm"),
        ("no_backup_password", "yes"),
    ];
    client.post("/setup", &fields).expect_redirect("/progress");
    let page = client.end_of_work();
    assert!(page.body.contains("HSM_PIN"), "{}", page.body);
    assert!(page.body.contains("href=\"/setup\""), "{}", page.body);
    client.get("/setup").expect(200);
    let fields = [("form_token", token.as_str()), ("storage", "software")];
    client.post("/setup", &fields).expect_redirect("/progress");
    waiting.application();
}

#[test]
fn the_language_is_the_readers() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    let mut client = waiting.client();
    client.headers = "Accept-Language: de-AT,en;q=0.5\r\n".to_owned();
    let page = client.get("/").expect(200);
    assert!(page.body.contains("<html lang=\"de\">"), "{}", page.body);
    assert!(page.body.contains("Zugangscode"), "{}", page.body);
    client.headers = "Accept-Language: en; q=0.1, de; q=0.9\r\n".to_owned();
    assert!(client.get("/").body.contains("<html lang=\"de\">"));
    client.headers = "Accept-Language: fr\r\n".to_owned();
    assert!(client.get("/").body.contains("<html lang=\"en\">"));
}
