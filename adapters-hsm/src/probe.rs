//! Whether the daemon behind the module accepts a connection.
//!
//! A module that talks to a daemon says of a dead one what each module likes to say, so it is
//! asked first. That it accepts says nothing more: a daemon that accepts and is dead is found by
//! the deadline of the calls.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ports::TokenError;

use crate::config::Daemon;

/// One try, of at most `limit`, name resolution included.
pub(crate) fn probe(daemon: &Daemon, limit: Duration) -> Result<(), TokenError> {
    let (answer, answers) = mpsc::sync_channel(1);
    let target = daemon.clone();
    // Neither the resolver nor a connect to a unix socket has a timeout of its own.
    let started = thread::Builder::new().name("probe".into()).spawn(move || {
        let _ = answer.send(connect(&target, limit));
    });
    let result = match started {
        Ok(_detached) => answers.recv_timeout(limit).unwrap_or_else(|_| {
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no connection within {limit:?}"),
            ))
        }),
        Err(error) => Err(error),
    };
    result.map_err(|source| TokenError::DaemonUnreachable {
        daemon: daemon.to_string(),
        source,
    })
}

fn connect(daemon: &Daemon, limit: Duration) -> io::Result<()> {
    match daemon {
        Daemon::Unix(path) => UnixStream::connect(path).map(drop),
        Daemon::Tcp { host, port } => {
            let end = Instant::now() + limit;
            let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            for address in (host.as_str(), *port).to_socket_addrs()? {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                match TcpStream::connect_timeout(&address, left) {
                    Ok(_) => return Ok(()),
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
    }
}
