//! Requests that chance has damaged: the page answers what is right, tells nothing, and stays as it is.
//!
//! `cargo xtask fuzz` does the same for longer, and again with the seed of a run that failed.

mod inputs;
mod judge;
mod random;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Waiting;
use super::client::over;
use super::footprint::Footprint;
use crate::sandbox::Sandbox;
use inputs::{Input, Known, input};
use judge::{Said, judge};

/// A password that is typed nowhere else.
const CANARY: &str = "canaryOfTheFuzzer4711";

/// How many connections there are at once: fewer than the page has room for.
const THREADS: usize = 12;

/// How long an answer may take before the request is taken for one that is not there as a whole.
const PATIENCE: Duration = Duration::from_millis(500);

/// And from its end on.
const END: Duration = Duration::from_secs(30);

/// How many inputs come before that counts.
const WARM_UP: u64 = 200;

/// How much memory all of it may cost for good.
const MOST_KIB: u64 = 24 << 10;

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Sends an input, and reads what there is to read.
fn deliver(address: SocketAddr, input: &Input) -> std::io::Result<Said> {
    let socket = TcpStream::connect(address)?;
    if input.is_raw {
        return Ok(exchange(&mut &socket, &socket, input, |_| ()));
    }
    let mut connection = over(socket.try_clone()?, rustls::ALL_VERSIONS)?;
    let said = exchange(&mut connection, &socket, input, |connection| {
        connection.conn.send_close_notify();
        let _ = connection.flush();
    });
    Ok(said)
}

fn exchange<S: Read + Write>(
    stream: &mut S,
    socket: &TcpStream,
    input: &Input,
    say_end: impl Fn(&mut S),
) -> Said {
    let (first, second) = input.bytes.split_at(input.cut);
    for part in [first, second] {
        let _ = stream.write_all(part).and_then(|()| stream.flush());
    }
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut bytes, mut has_ended) = (Vec::new(), false);
    loop {
        match stream.read_to_end(&mut bytes) {
            Ok(_) => {
                return Said {
                    bytes,
                    is_cut_short: false,
                };
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock && !has_ended => {
                has_ended = true;
                say_end(stream);
                let _ = socket.shutdown(Shutdown::Write);
                socket.set_read_timeout(Some(END)).unwrap();
            }
            Err(error) => {
                assert_ne!(error.kind(), ErrorKind::WouldBlock, "no end: {input:?}");
                return Said {
                    bytes,
                    is_cut_short: true,
                };
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let known = || Known {
        session: "a".repeat(64),
        token: "b".repeat(64),
        code: "c".to_owned(),
        password: CANARY.to_owned(),
    };
    let all = |seed| -> Vec<_> {
        (0..500)
            .map(|number| input(seed, number, &known()))
            .collect()
    };
    assert_eq!(all(1), all(1));
    assert_ne!(all(1), all(2));
}

/// What sends the inputs of a seed, one after the other, on as many threads as it has.
struct Fuzzer {
    seed: u64,
    address: SocketAddr,
    known: Known,
    next: AtomicU64,
    unanswered: AtomicU64,
    failed: Mutex<Option<String>>,
}

impl Fuzzer {
    /// What may stand in no answer, and in no line of the log.
    fn secrets(&self) -> [&str; 3] {
        [&self.known.session, &self.known.code, CANARY]
    }

    /// Sends one; what is wrong with what came of it.
    fn send(&self, number: u64) -> Result<(), String> {
        let input = input(self.seed, number, &self.known);
        let said = deliver(self.address, &input).map_err(|error| format!("no TLS: {error}"))?;
        if said.bytes.is_empty() {
            self.unanswered.fetch_add(1, Ordering::Relaxed);
        }
        judge(&input, &said, &self.secrets()).map_err(|why| {
            let (sent, said) = (input.bytes.escape_ascii(), said.bytes.escape_ascii());
            format!("{why}\nsent {sent}\nsaid {said}")
        })
    }

    fn send_in_turn(&self, is_over: &(dyn Fn(u64) -> bool + Sync)) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if is_over(number) || self.failed.lock().unwrap().is_some() {
                return;
            }
            if let Err(why) = self.send(number) {
                let why = format!("seed {}, input {number}: {why}", self.seed);
                self.failed.lock().unwrap().get_or_insert(why);
            }
        }
    }

    /// Sends until it is told to end, or one was not as it should be.
    #[track_caller]
    fn send_until(&self, is_over: &(dyn Fn(u64) -> bool + Sync)) {
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| self.send_in_turn(is_over));
            }
        });
        if let Some(why) = self.failed.lock().unwrap().as_ref() {
            panic!("{why}");
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures of `cargo xtask fuzz`")]
fn whatever_is_sent_changes_nothing_and_is_told_nothing() {
    let seconds = number_of("TRUSTPOINT_FUZZ_SECONDS").unwrap_or(5);
    let seed = number_of("TRUSTPOINT_FUZZ_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        now.subsec_nanos().into()
    });
    println!("seed {seed}, {seconds} s");
    let sandbox = Sandbox::new();
    let waiting = Waiting::start(&sandbox);
    let (client, token) = waiting.operator();
    let fuzzer = Fuzzer {
        seed,
        address: waiting.address,
        known: Known {
            session: client.session().to_owned(),
            token,
            code: waiting.code.clone(),
            password: CANARY.to_owned(),
        },
        next: AtomicU64::new(0),
        unanswered: AtomicU64::new(0),
        failed: Mutex::new(None),
    };
    let before = sandbox.picture();
    let id = waiting.running.child.id();
    // What an allocator takes once is taken by then.
    fuzzer.send_until(&|number| number > WARM_UP);
    let at_first = Footprint::of(id);
    let until = Instant::now() + Duration::from_secs(seconds);
    fuzzer.send_until(&|_| Instant::now() > until);
    let at_last = Footprint::of(id);
    println!(
        "{:?} inputs, {:?} unanswered",
        fuzzer.next, fuzzer.unanswered
    );
    println!("{at_first:?}\n{at_last:?}");
    assert!(at_last.rss_kib < at_first.rss_kib + MOST_KIB);
    assert!(at_last.threads <= at_first.threads + THREADS as u64);
    assert_eq!(sandbox.picture(), before);

    // Wrong codes among all that have whoever comes next wait for a minute at most.
    let mut operator = waiting.client();
    let logged_in = (0..70).any(|_| {
        let answer = operator.post("/login", &[("code", &waiting.code)]);
        if answer.status == 429 {
            thread::sleep(Duration::from_secs(1));
        }
        answer.status == 303
    });
    assert!(logged_in);
    operator.get("/setup").expect(200);
    waiting.running.terminate();
    let said = waiting.running.rest();
    for secret in fuzzer.secrets() {
        assert!(!said.contains(secret), "{said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}
