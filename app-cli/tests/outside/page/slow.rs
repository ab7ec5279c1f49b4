//! A thousand clients that never finish, of every kind, again and again.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};

use super::client::{Client, Connection, connect, over, socket};
use super::footprint::Footprint;
use super::{Waiting, lost};
use crate::sandbox::Sandbox;

/// How many there are at once.
const MANY: usize = 1_000;

/// From so many threads, each of which looks after its own once a second.
const THREADS: usize = 8;

/// How long an operator may have to wait for all that the test does: minutes where each request waited
/// for an attacker to be given up.
const LIMIT: Duration = Duration::from_secs(90);

/// How much memory the attack may cost for good. 64 connections have some 3 MiB at most; the rest is
/// what an allocator keeps.
const MOST_KIB: u64 = 24 << 10;

/// An address of its own, for an operator whose network is not the attacker's.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A connection of an attacker.
enum Slow {
    Raw(TcpStream),
    Tls(Box<Connection>),
}

impl Slow {
    /// The kinds, one after the other; none where the server has no patience left.
    fn open(address: SocketAddr, kind: usize) -> std::io::Result<Self> {
        let started = match kind % 5 {
            // Silent.
            0 => Self::Raw(TcpStream::connect(address)?),
            // In the middle of a ClientHello.
            1 => {
                let mut socket = TcpStream::connect(address)?;
                socket.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])?;
                Self::Raw(socket)
            }
            // TLS, and half a head; a body that never ends; an answer that is never read.
            kind => {
                let mut connection = connect(address, rustls::ALL_VERSIONS)?;
                connection.write_all(match kind {
                    2 => b"GET / HTTP/1.1\r\nHost: node\r\nX-",
                    3 => {
                        b"POST /login HTTP/1.1\r\nHost: node\r\nContent-Length: 1000\r\n\
                          Content-Type: application/x-www-form-urlencoded\r\n\r\ncode="
                    }
                    _ => b"GET /style.css HTTP/1.1\r\nHost: node\r\n\r\n",
                })?;
                connection.flush()?;
                Self::Tls(Box::new(connection))
            }
        };
        started.socket().set_nonblocking(true)?;
        Ok(started)
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Raw(socket) => socket,
            Self::Tls(connection) => &connection.sock,
        }
    }

    /// Another byte of what trickles; whether the server has it open still.
    fn go_on(&mut self, kind: usize) -> bool {
        if let (Self::Tls(connection), 3) = (&mut *self, kind % 5)
            && connection.write_all(b"a").is_err()
        {
            return false;
        }
        // Whoever reads nothing does not see an end either.
        let read = self.socket().read(&mut [0; 4096]);
        kind % 5 != 4
            && (matches!(read, Ok(1..)) || read.is_err_and(|e| e.kind() == ErrorKind::WouldBlock))
    }
}

/// Has `MANY` connections there, each opened again once it was cut off, until it is told to end.
fn attack(address: SocketAddr, opened: &AtomicUsize, is_over: &AtomicBool) {
    let mut all: Vec<Option<Slow>> = (0..MANY / THREADS).map(|_| None).collect();
    while !is_over.load(Ordering::Relaxed) {
        let next = Instant::now() + Duration::from_secs(1);
        for (kind, slow) in all.iter_mut().enumerate() {
            if is_over.load(Ordering::Relaxed) {
                return;
            }
            if !slow.as_mut().is_some_and(|slow| slow.go_on(kind)) {
                *slow = Slow::open(address, kind).ok();
                opened.fetch_add(1, Ordering::Relaxed);
            }
        }
        sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// Ends the attack with the test, whatever that ends with.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Each of the attackers is a file of this process.
fn raise_limit_of_files() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < 4_096) {
        limit.current = limit.maximum.or(Some(1 << 20));
        setrlimit(Resource::Nofile, limit).unwrap();
    }
}

#[test]
fn a_thousand_clients_that_never_finish_keep_nobody_out() {
    raise_limit_of_files();
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    let address = waiting.address;
    let id = waiting.running.child.id();
    let log_in = |client: &mut Client| {
        client.get("/").expect(200);
        client.get("/style.css").expect(200);
        let path = client.log_in(&waiting.code).header("location").to_owned();
        client.get(&path).expect(200);
    };
    for _ in 0..20 {
        log_in(&mut waiting.client());
    }
    let before = Footprint::of(id);
    let (opened, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let during = thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| attack(address, &opened, &is_over));
        }
        let _end = End(&is_over);
        let limit = Instant::now() + LIMIT;
        // Every one of them once, and from then on most of them again.
        let mut during = before;
        let mut rounds = 0;
        while opened.load(Ordering::Relaxed) < 4 * MANY || rounds < 20 {
            let mut elsewhere = waiting.client();
            elsewhere.from = Some(ELSEWHERE);
            log_in(&mut elsewhere);
            // Whoever shares the attackers' address may be taken for one of them, and tries again.
            let mut beside = waiting.client();
            beside.patience = 10;
            log_in(&mut beside);
            during = during.max(Footprint::of(id));
            rounds += 1;
            assert!(Instant::now() < limit, "{rounds} rounds, {opened:?} opened");
        }
        during
    });
    log_in(&mut waiting.client());
    let after = Footprint::of(id);
    for footprint in [during, after] {
        assert!(
            footprint.rss_kib < before.rss_kib + MOST_KIB,
            "{before:?} {footprint:?}"
        );
        assert!(
            footprint.threads <= before.threads + 4,
            "{before:?} {footprint:?}"
        );
        // 64 connections, and what the program has open otherwise, up to the next power of two; or what
        // this process had open when it began the program.
        assert!(footprint.files <= before.files.max(256), "{footprint:?}");
    }
}

/// Many more than there is room for, once the page has seen them all.
fn silent(waiting: &Waiting) -> Vec<TcpStream> {
    let silent = (0..300).map(|_| TcpStream::connect(waiting.address).unwrap());
    let silent: Vec<_> = silent.collect();
    // Behind all of them, and answered.
    waiting.client().get("/").expect(200);
    silent
}

#[test]
fn whoever_is_being_answered_is_not_cut_off() {
    let sandbox = lost();
    let waiting = Waiting::start(&sandbox);
    let (client, token) = waiting.operator();
    let body = format!("form_token={token}&password=wrong-horse-battery");
    let request = client.text_of("POST", "/recover", &body);
    // The oldest by far, while its password is checked.
    let mut operator = connect(waiting.address, rustls::ALL_VERSIONS).unwrap();
    operator.write_all(request.as_bytes()).unwrap();
    operator.flush().unwrap();
    let silent = silent(&waiting);
    let mut answer = String::new();
    let _ = operator.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 422 "), "{answer:?}");
    drop(silent);
}

#[test]
fn a_crowd_from_one_address_cuts_off_none_from_another() {
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    // The oldest by far, in the middle of its request.
    let socket = socket(waiting.address, Some(ELSEWHERE)).unwrap();
    let mut operator = over(socket, rustls::ALL_VERSIONS).unwrap();
    operator.write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
    operator.flush().unwrap();
    let silent = silent(&waiting);
    operator.write_all(b" node\r\n\r\n").unwrap();
    let mut answer = String::new();
    let _ = operator.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
    drop(silent);
}
