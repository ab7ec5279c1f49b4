//! A pool between a node and the server: PgBouncer, which shares its connections between transactions.

use std::fs::Permissions;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use super::{URL, WAIT, assert_says, fresh, quiet, ready, url};
use crate::sandbox::{is_root, put};
use crate::server::{Server, free_port};

/// A running PgBouncer, on loopback.
struct Pool {
    child: Child,
    port: u16,
    _directory: tempfile::TempDir,
}

impl Pool {
    fn start(mode: &str, size: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Another user reads it.
        std::fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        let port = free_port();
        let server = Server::shared();
        let (socket, server) = (server.directory().display(), server.port());
        let file = directory.path().join("pool.ini");
        put(
            &file,
            format!(
                "[databases]\npostgres = host={socket} port={server} user=tests\n[pgbouncer]\n\
                 listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
                 pool_mode = {mode}\ndefault_pool_size = {size}\n"
            ),
        );
        // It refuses to run as root.
        let as_user: &[&str] = if is_root() {
            &[
                "setpriv",
                "--reuid=nobody",
                "--regid=nogroup",
                "--clear-groups",
                "--pdeathsig=KILL",
            ]
        } else {
            &["setpriv", "--pdeathsig=KILL"]
        };
        let mut child = Command::new(as_user[0])
            .args(&as_user[1..])
            .arg("pgbouncer")
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "PgBouncer has ended: {ended:?}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Self {
            child,
            port,
            _directory: directory,
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_pool_that_shares_its_connections_is_78_where_a_lock_is_needed() {
    let _quiet = quiet();
    for size in [1, 2, 5] {
        let mut node = ready();
        let pool = Pool::start("transaction", size);
        node.set(URL, &url("tests", pool.port, ""));
        node.set(WAIT, "2s");
        node.set("TRUSTPOINT_APP_VERSION", "9.0.0");
        for command in [&["startup"][..], &["tls", "renew"]] {
            let said = node.fails_unchanged(command, 78, "config");
            assert_says(&said, &["pool", "session mode"]);
        }
    }
}

#[test]
fn a_pool_that_knows_no_transactions_is_78_whatever_is_asked() {
    let pool = Pool::start("statement", 5);
    for mut node in [ready(), fresh()] {
        node.set(URL, &url("tests", pool.port, ""));
        for command in ["startup", "status"] {
            let said = node.fails_unchanged(&[command], 78, "config");
            assert_says(&said, &["pool", "session mode", "statement pooling mode"]);
        }
    }
}

#[test]
fn a_pool_that_gives_each_client_a_session_is_as_the_server() {
    let mut node = ready();
    let pool = Pool::start("session", 5);
    node.set(URL, &url("tests", pool.port, ""));
    node.set("TRUSTPOINT_APP_VERSION", "9.0.0");
    node.run(&["startup", "--require-ready"]).expect(0);
    node.run(&["tls", "renew"]).expect(0);
}

/// What a ready start reads and writes is of its own schema, whatever the backend that it was given has
/// been used for.
#[test]
fn installations_behind_one_pool_are_not_mixed_up() {
    let pool = Pool::start("transaction", 2);
    let mut nodes = [ready(), ready(), ready()];
    for node in &mut nodes {
        node.set(URL, &url("tests", pool.port, ""));
    }
    let history = "SELECT sum(starts) FROM startup_history";
    let starts = 10;
    let before = nodes.each_ref().map(|node| node.sql(history));
    std::thread::scope(|scope| {
        for node in &nodes {
            scope.spawn(|| {
                for _ in 0..starts {
                    node.run(&["startup", "--require-ready"]).expect(0);
                }
            });
        }
    });
    for (node, before) in nodes.iter().zip(before) {
        let before: i32 = before.trim().parse().unwrap();
        assert_eq!(node.sql(history).trim(), (before + starts).to_string());
    }
}
