//! A real nginx serves the certificate that the report names.

use std::fs;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::sandbox::{Sandbox, openssl_fingerprint, put};
use crate::server::free_port;

/// nginx with a configuration like the reference's, in one process of this user.
pub struct Nginx {
    child: Child,
    port: u16,
}

impl Nginx {
    /// One process, which takes up no new files.
    pub fn start(sandbox: &Sandbox) -> Self {
        Self::start_as(sandbox, "off")
    }

    /// A master with a worker, as in production: it can be reloaded.
    pub fn start_with_master(sandbox: &Sandbox) -> Self {
        Self::start_as(sandbox, "on")
    }

    fn start_as(sandbox: &Sandbox, master: &str) -> Self {
        let port = free_port();
        let prefix = sandbox.path("nginx");
        fs::create_dir_all(&prefix).unwrap();
        put(
            &prefix.join("nginx.conf"),
            configuration(sandbox, port, master),
        );
        let child = Command::new("nginx")
            .arg("-p")
            .arg(&prefix)
            .args(["-c", "nginx.conf", "-e", "error.log"])
            .stdin(Stdio::null())
            .spawn()
            .expect("install nginx; `cargo xtask test` does");
        let mut nginx = Self { child, port };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = nginx.child.try_wait().unwrap();
            let log = fs::read_to_string(prefix.join("error.log")).unwrap_or_default();
            assert!(ended.is_none(), "nginx does not start: {log}");
            sleep(Duration::from_millis(10));
        }
        nginx
    }

    /// A reload is a signal, which nginx answers in its own time.
    #[track_caller]
    pub fn wait_until_served(&self, sandbox: &Sandbox, fingerprint: &str) {
        let mut served = String::new();
        for _ in 0..1000 {
            served = self.served(sandbox).0;
            if served == fingerprint {
                return;
            }
            sleep(Duration::from_millis(20));
        }
        panic!("nginx goes on serving {served}, not {fingerprint}");
    }

    /// What a client sees: the certificate, and whether it trusts the chain file's content.
    fn served(&self, sandbox: &Sandbox) -> (String, String) {
        let output = Command::new("openssl")
            .args(["s_client", "-verify_ip", "127.0.0.1", "-CAfile"])
            .arg(sandbox.tls("nginx-tls-server-cert-chain.pem"))
            .arg("-connect")
            .arg(format!("127.0.0.1:{}", self.port))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let end = "-----END CERTIFICATE-----";
        let from = said.find("-----BEGIN CERTIFICATE").expect(&said);
        let to = said.find(end).unwrap() + end.len();
        let file = sandbox.path("served.pem");
        put(&file, &said[from..to]);
        (openssl_fingerprint(&file), said)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // A master that is killed would leave its worker behind.
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
    }
}

fn configuration(sandbox: &Sandbox, port: u16, master: &str) -> String {
    let tls = |name| sandbox.tls(name).display().to_string();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {name};\n"))
        .concat();
    format!(
        "daemon off;\nmaster_process {master};\npid nginx.pid;\nevents {{}}\nhttp {{\n{temporary}\
         access_log off;\nserver {{\nlisten 127.0.0.1:{port} ssl;\n\
         ssl_certificate {};\nssl_certificate_key {};\nssl_trusted_certificate {};\n\
         location / {{ return 200 up; }}\n}}\n}}\n",
        tls("nginx-tls-server-cert.pem"),
        tls("nginx-tls-server-key.key"),
        tls("nginx-tls-server-cert-chain.pem"),
    )
}

#[track_caller]
fn assert_served(sandbox: &Sandbox, source: &str) -> String {
    let run = sandbox.run(&["startup"]).expect(0);
    assert_eq!(run.tls_source(), source);
    let (fingerprint, said) = Nginx::start(sandbox).served(sandbox);
    assert_eq!(fingerprint, run.fingerprint());
    assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
    fingerprint
}

#[test]
fn nginx_serves_the_certificate_of_the_report() {
    let sandbox = Sandbox::new();
    let generated = assert_served(&sandbox, "generated");
    assert_eq!(assert_served(&sandbox, "database"), generated);
    sandbox.setup_softhsm();
    assert_eq!(
        assert_served(&sandbox, "database"),
        generated,
        "sealed and opened again"
    );
    sandbox.lose_token();
    sandbox.lose_runtime();
    assert_ne!(assert_served(&sandbox, "temporary"), generated);
    sandbox.bring_token_back();
    assert_eq!(assert_served(&sandbox, "database"), generated);
}
