//! A start that serves the setup page.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};

use crate::browser::until;
use crate::sandbox::Sandbox;

/// What the application says that a start becomes.
pub const APPLICATION: &str = "the application runs";

/// `startup --page`, which becomes a program that says [`APPLICATION`].
pub struct Served<'a> {
    sandbox: &'a Sandbox,
    child: Child,
}

impl<'a> Served<'a> {
    /// Starts the node, which has to wait for somebody.
    #[track_caller]
    pub fn start(sandbox: &'a Sandbox) -> Self {
        let log = File::create(sandbox.path("page-log")).unwrap();
        let child = sandbox
            .command(&[
                "startup",
                "--page",
                "127.0.0.1:0",
                "--",
                "echo",
                APPLICATION,
            ])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut served = Self { sandbox, child };
        until("the page", || {
            assert_eq!(served.child.try_wait().unwrap(), None, "{}", served.log());
            served.log().contains("access code: ").then_some(())
        });
        served
    }

    /// What it and the application said until now.
    pub fn log(&self) -> String {
        fs::read_to_string(self.sandbox.path("page-log")).unwrap()
    }

    /// The address in the log, with this path.
    #[track_caller]
    pub fn url(&self, path: &str) -> String {
        let log = self.log();
        let address = log.split_once(" page: ").unwrap().1;
        let address = address.lines().next().unwrap().trim_end_matches('/');
        format!("{address}{path}")
    }

    /// The access code of the file, which is that of the log.
    #[track_caller]
    pub fn code(&self) -> String {
        let file = self.sandbox.root("run/trustpoint/page-code");
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let code = fs::read_to_string(file).unwrap().trim().to_owned();
        assert!(self.log().contains(&format!("access code: {code}\n")));
        code
    }

    /// The page ends, the node is ready, and the process is the application.
    #[track_caller]
    pub fn becomes_the_application(mut self) {
        let ended = until("the application", || self.child.try_wait().unwrap());
        let log = self.log();
        assert!(
            ended.success() && log.contains(APPLICATION),
            "{ended}: {log}"
        );
        assert!(!self.sandbox.root("run/trustpoint/page-code").exists());
        let status = self.sandbox.run(&["status"]).expect(0);
        assert_eq!(status.outcome(), "ready");
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
