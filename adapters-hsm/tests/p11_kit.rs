//! The adapter on SoftHSM behind a p11-kit server: what a container that shares a socket sees.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code outside of the test functions themselves"
)]

mod common;

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{
    SOFTHSM, Sandbox, config, initialise, isolated, logged_in, module, not_found, run, secret,
    softhsm, unavailable,
};
use domain::{InstallationId, KekId};
use ports::contract::token::{PIN, SO_PIN, in_full};
use ports::{Dek, FaultKind, Patience, TokenModule as _, WrapFormat};

/// Where Debian puts p11-kit's client module.
const PLACES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so",
    "/usr/lib/aarch64-linux-gnu/pkcs11/p11-kit-client.so",
];

const ADDRESS: (&str, &str) = ("P11_KIT_SERVER_ADDRESS", "unix:path={dir}/server");

fn client() -> &'static str {
    PLACES
        .into_iter()
        .find(|place| Path::new(place).exists())
        .expect("p11-kit-client.so is missing: install the package p11-kit-modules")
}

/// A p11-kit server. It forks a process for each client, so all of them are in one group.
struct Server(Child);

impl Server {
    fn start(sandbox: &Sandbox) -> Self {
        let child = Command::new("p11-kit")
            .args(["server", "-f", "-n", sandbox.path("server").as_str()])
            .args(["--provider", SOFTHSM, "pkcs11:"])
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("p11-kit is missing: install the package p11-kit");
        Self(child)
    }

    fn signal(&self, signal: &str) {
        let group = format!("-{}", self.0.id());
        run(Command::new("kill").args([signal, "--", &group]));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal("-KILL");
        self.0.wait().unwrap();
    }
}

/// A server and a module that waited for it; calls have `deadline`.
fn served(sandbox: &Sandbox, deadline: Duration) -> (Server, adapters_hsm::Pkcs11Module) {
    let mut server = None;
    let mut config = config(client());
    config.call_deadline = deadline;
    let module = module(config);
    let reached = module.reach(&mut Patience::new(Duration::from_secs(60), &mut |fault| {
        unavailable(fault, "no slots");
        server.get_or_insert_with(|| Server::start(sandbox));
    }));
    drop(reached.unwrap());
    (server.unwrap(), module)
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn c03_a_client_without_its_server_is_unreachable() {
    let test = "c03_a_client_without_its_server_is_unreachable";
    isolated(test, &[ADDRESS], |_| {
        let mut waits = 0;
        let reached = module(config(client()))
            .reach(&mut Patience::new(Duration::from_secs(3), &mut |_| {
                waits += 1
            }));
        let fault = reached.err().unwrap();
        unavailable(&fault, "no slots");
        unavailable(&fault, "no connection");
        assert!(waits >= 1, "the server may come up");
    });
}

#[test]
fn a_server_is_reached_when_it_comes_up() {
    isolated(
        "a_server_is_reached_when_it_comes_up",
        &[ADDRESS],
        |sandbox| {
            sandbox.token("T");
            // Not through p11-kit: 0.24 does not pass on the mechanisms that a KEK is for.
            let kek = logged_in(&softhsm(), "T").generate_kek().unwrap();
            let (_server, module) = served(sandbox, LONG);
            let session = logged_in(&module, "T");
            assert!(session.has_kek(&kek).unwrap());
        },
    );
}

#[test]
fn a_token_is_initialised_through_p11_kit() {
    let test = "a_token_is_initialised_through_p11_kit";
    isolated(test, &[ADDRESS], |sandbox| {
        sandbox.token("Other");
        let before = sandbox.tokens();
        let (_server, module) = served(sandbox, LONG);
        let made = initialise(&module, "T", SO_PIN, PIN).unwrap();
        let mut session = made.log_in(&secret(PIN)).unwrap();
        let installation = InstallationId::from_random([7; 16]);
        session.mark(&installation).unwrap();
        let serial = session.info().serial.clone();
        drop(session);
        let found = common::present(&softhsm(), "T");
        assert_eq!(found.info().serial, serial);
        assert_eq!(found.info().marker, Some(installation));
        for file in before {
            assert!(sandbox.tokens().contains(&file), "{:?}", file.0);
        }
    });
}

#[test]
fn c16_through_p11_kit_a_dek_is_wrapped_with_gcm_or_not_at_all() {
    let test = "c16_through_p11_kit_a_dek_is_wrapped_with_gcm_or_not_at_all";
    isolated(test, &[ADDRESS], |sandbox| {
        sandbox.token("T");
        let dek = Dek::from_bytes(&[3; 32]).unwrap();
        let direct = logged_in(&softhsm(), "T");
        let kek = direct.generate_kek().unwrap();
        let key_wrap = direct.wrap_dek(&kek, &dek).unwrap();
        drop(direct);
        let (_server, module) = served(sandbox, LONG);
        let session = logged_in(&module, "T");
        let wrapped = session.wrap_dek(&kek, &dek);
        // p11-kit passes AES_GCM from 0.25.5 on, and AES_KEY_WRAP never.
        match session.info().wrap_format {
            Some(WrapFormat::AesGcm) => {
                let back = session.unwrap_dek(&kek, &wrapped.unwrap()).unwrap();
                assert!(back.is_same(&dek));
            }
            None => assert_eq!(wrapped.unwrap_err().kind(), FaultKind::Config),
            Some(WrapFormat::AesKeyWrap | WrapFormat::AesKeyWrapKwp) => {
                panic!("p11-kit passes AES_KEY_WRAP now")
            }
        }
        let fault = session.unwrap_dek(&kek, &key_wrap).unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Config, "{}", in_full(&fault));
        assert!(fault.to_string().contains("AES_KEY_WRAP"), "{fault}");
    });
}

#[test]
fn c03_a_server_that_dies_under_way_is_unreachable() {
    let test = "c03_a_server_that_dies_under_way_is_unreachable";
    isolated(test, &[ADDRESS], |sandbox| {
        sandbox.token("T");
        let (server, module) = served(sandbox, LONG);
        let session = logged_in(&module, "T");
        drop(server);
        let kek = KekId::new(&[1; 16]).unwrap();
        let fault = session.has_kek(&kek).unwrap_err();
        unavailable(&fault, "CKR_DEVICE_ERROR");
        assert!(!fault.is_unanswered());
        unavailable(&session.generate_kek().unwrap_err(), "CKR_DEVICE_ERROR");
        drop(session);
        unavailable(&not_found(&module, "T"), client());
    });
}

#[test]
fn c03_a_server_that_stops_under_way_is_unreachable() {
    let test = "c03_a_server_that_stops_under_way_is_unreachable";
    isolated(test, &[ADDRESS], |sandbox| {
        sandbox.token("T");
        let (server, module) = served(sandbox, Duration::from_secs(5));
        let session = logged_in(&module, "T");
        server.signal("-STOP");
        let kek = KekId::new(&[1; 16]).unwrap();
        let fault = session.has_kek(&kek).unwrap_err();
        unavailable(&fault, "never answers");
        assert!(fault.is_unanswered());
    });
}

#[test]
fn c03_a_server_that_accepts_and_never_answers_is_unreachable() {
    let test = "c03_a_server_that_accepts_and_never_answers_is_unreachable";
    isolated(test, &[ADDRESS], |sandbox| {
        let path = sandbox.path("server");
        let _silent = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let mut config = common::with_daemon(client(), &format!("unix:{path}"));
        config.call_deadline = Duration::from_millis(500);
        let mut waits = 0;
        let reached = module(config)
            .reach(&mut Patience::new(Duration::from_secs(60), &mut |_| {
                waits += 1
            }));
        let fault = reached.err().unwrap();
        unavailable(&fault, "never answers");
        assert_eq!(waits, 0);
        assert!(fault.is_unanswered());
    });
}

#[test]
fn c03_a_server_without_the_right_to_softhsm_shows_no_absence() {
    // What a user outside of the group softhsm gets: C_Initialize fails behind the server.
    let test = "c03_a_server_without_the_right_to_softhsm_shows_no_absence";
    isolated(test, &[ADDRESS], |sandbox| {
        sandbox.token("T");
        std::fs::remove_file(sandbox.path("softhsm2.conf")).unwrap();
        let server = Server::start(sandbox);
        while !sandbox.path("server").exists() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let fault = not_found(&module(config(client())), "T");
        assert_eq!(fault.kind(), FaultKind::HsmUnavailable, "{fault}");
        drop(server);
    });
}
