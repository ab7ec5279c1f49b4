//! The network of a browser. Chromium gives up what it is loading (ERR_NETWORK_CHANGED) whenever a network
//! interface of the machine comes or goes, as one does with every container.

use std::env;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::sandbox::is_root;

/// The network namespace of a container whose page is wanted.
const GIVEN: &str = "BROWSER_TEST_NETWORK";

/// A network in which nothing changes; it ends with this.
pub struct Network {
    /// What keeps it, until its standard input ends.
    keeper: Option<Child>,
}

impl Network {
    /// Moves this thread, and what it starts from now on, into the network that was given; without one it
    /// stays in the machine's.
    #[track_caller]
    pub fn given() -> Self {
        if let Some(given) = env::var_os(GIVEN) {
            move_into(Path::new(&given));
        }
        Self { keeper: None }
    }

    /// The same with one of its own that has the loopback interface alone, where it may.
    #[track_caller]
    pub fn own() -> Self {
        if !is_root() {
            return Self { keeper: None };
        }
        let mut keeper = Command::new("unshare")
            .args([
                "--net",
                "sh",
                "-c",
                "ip link set lo up && echo up && exec cat",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Nothing where root may not do this, as in a container; what is missing is on standard error.
        let stdout = keeper.stdout.as_mut().unwrap();
        if stdout.read_exact(&mut [0; 3]).is_ok() {
            move_into(Path::new(&format!("/proc/{}/ns/net", keeper.id())));
        }
        Self {
            keeper: Some(keeper),
        }
    }
}

#[track_caller]
fn move_into(namespace: &Path) {
    let namespace = File::open(namespace).unwrap();
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            let _ = keeper.kill();
            let _ = keeper.wait();
        }
    }
}
