//! p11-kit's server, which may go away and come back.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::commands::wait_for_file_of;
use crate::sandbox::{SOFTHSM, Sandbox, tool};

/// Every later run reaches its token by the server.
pub fn configure_client(sandbox: &mut Sandbox) {
    let libraries = std::env::consts::ARCH;
    let client = format!("/usr/lib/{libraries}-linux-gnu/pkcs11/p11-kit-client.so");
    sandbox.set("TRUSTPOINT_HSM_MODULE", &client);
    let address = format!("unix:path={}", socket(sandbox).display());
    sandbox.set("P11_KIT_SERVER_ADDRESS", &address);
    sandbox.set("XDG_RUNTIME_DIR", sandbox.path("").to_str().unwrap());
}

/// Every later run takes the server for the daemon of its HSM, and the token for away where that is. The
/// module stays: an older p11-kit passes no mechanism that wraps.
pub fn configure_daemon(sandbox: &mut Sandbox) {
    let address = format!("unix:{}", socket(sandbox).display());
    sandbox.set("TRUSTPOINT_HSM_DAEMON", &address);
    sandbox.set("TRUSTPOINT_HSM_WAIT", "1s");
}

fn socket(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("p11-kit")
}

/// A server. It forks a process for each client, and all of them go with this.
pub struct Served(Child);

impl Served {
    /// One for all tokens of the sandbox.
    #[track_caller]
    pub fn start(sandbox: &Sandbox) -> Self {
        Self::of(sandbox, "pkcs11:")
    }

    /// One that shows these tokens of the sandbox.
    #[track_caller]
    pub fn of(sandbox: &Sandbox, tokens: &str) -> Self {
        let socket = socket(sandbox);
        let _ = std::fs::remove_file(&socket);
        let child = Command::new("p11-kit")
            .args(["server", "-f", "-n"])
            .arg(&socket)
            .args(["--provider", SOFTHSM, tokens])
            .env("SOFTHSM2_CONF", sandbox.path("softhsm2.conf"))
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("p11-kit is missing: install the package p11-kit");
        let mut served = Self(child);
        wait_for_file_of(&mut served.0, &socket);
        served
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        tool("kill", ["-KILL", "--", &group]);
        self.0.wait().unwrap();
    }
}
