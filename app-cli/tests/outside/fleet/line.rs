//! A line between a node and a server that does something to what is sent through it.

use std::io::{self, Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use crate::server::Server;

/// What [`Line`] calls the first message of a client.
pub const LOGIN: &str = "login";

/// How long a server under load takes to let somebody in.
const LATE: Duration = Duration::from_millis(600);

/// What becomes of a statement.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// It is lost, and the connection with it.
    CutBefore,
    /// It reaches the server late: the client has seen the connection end by then.
    CutMeanwhile,
    /// The server has done it, and its answer is lost with the connection.
    CutAfter,
    /// It is lost, and the connection stays.
    Silence,
    /// The server answers with an error of this SQLSTATE and this severity, and hangs up.
    Refuse(&'static str, &'static str),
    /// It is lost, and the connection with it, after the server has ended the session of this user that
    /// holds the lock.
    EndHolderOf(&'static str),
}

/// A line to a server, open until the tests end.
pub struct Line {
    port: u16,
    plan: Arc<Plan>,
}

struct Plan {
    server: u16,
    begins: &'static str,
    which: RangeInclusive<usize>,
    act: Act,
    seen: AtomicUsize,
    is_late: AtomicBool,
}

impl Line {
    /// Does this to the statements that begin so, counted from 1 over all connections, and lets
    /// everything else through.
    pub fn to(
        server: &Server,
        begins: &'static str,
        which: RangeInclusive<usize>,
        act: Act,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let plan = Arc::new(Plan {
            server: server.port(),
            begins,
            which,
            act,
            seen: AtomicUsize::new(0),
            is_late: AtomicBool::new(false),
        });
        let shared = Arc::clone(&plan);
        thread::spawn(move || {
            for client in listener.incoming() {
                let plan = Arc::clone(&shared);
                thread::spawn(move || {
                    let client = client.unwrap();
                    if plan.is_late.load(Ordering::SeqCst) {
                        thread::sleep(LATE);
                    }
                    let server = TcpStream::connect(("127.0.0.1", plan.server)).unwrap();
                    // A connection that ends is what these tests are about.
                    let _ = plan.carry(&client, &server);
                    let _ = server.shutdown(Shutdown::Both);
                    let _ = client.shutdown(Shutdown::Both);
                });
            }
        });
        Self { port, plan }
    }

    /// From here on each connection comes up late.
    pub fn late(self) -> Self {
        self.plan.is_late.store(true, Ordering::SeqCst);
        self
    }

    pub fn url(&self, user: &str) -> String {
        format!("postgresql://{user}@127.0.0.1:{}/postgres", self.port)
    }

    /// How many such statements there were.
    pub fn seen(&self) -> usize {
        self.plan.seen.load(Ordering::SeqCst)
    }
}

impl Plan {
    fn act_on(&self, statement: &str) -> Option<Act> {
        let is_meant = statement.starts_with(self.begins);
        let number = is_meant.then(|| self.seen.fetch_add(1, Ordering::SeqCst) + 1);
        number
            .is_some_and(|number| self.which.contains(&number))
            .then_some(self.act)
    }

    fn carry(&self, mut client: &TcpStream, mut server: &TcpStream) -> io::Result<()> {
        // Each message is to be on its way at once.
        server.set_nodelay(true)?;
        client.set_nodelay(true)?;
        let answers = Arc::<Answers>::default();
        answers.await_one_more();
        let (from, to, shared) = (
            server.try_clone()?,
            client.try_clone()?,
            Arc::clone(&answers),
        );
        thread::spawn(move || drop(shared.carry(from, to)));

        let mut held = message(&mut client, false)?;
        let mut act = self.act_on(LOGIN);
        let mut is_whole = true;
        loop {
            match act {
                Some(act) if is_whole => return act.on(&held, client, server, &answers),
                // It is held back until it is whole.
                Some(_) => {}
                None => {
                    if is_whole && held.first() != Some(&0) {
                        answers.await_one_more();
                    }
                    server.write_all(&held)?;
                    held.clear();
                }
            }
            let next = message(&mut client, true)?;
            // What follows asks for the answer.
            is_whole = matches!(next.first(), Some(b'Q' | b'S'));
            if let Some(statement) = statement(&next) {
                act = act.or_else(|| self.act_on(&statement));
            }
            held.extend(next);
        }
    }
}

impl Act {
    fn on(
        self,
        statement: &[u8],
        mut client: &TcpStream,
        mut server: &TcpStream,
        answers: &Answers,
    ) -> io::Result<()> {
        match self {
            Self::CutBefore => {}
            Self::CutMeanwhile | Self::CutAfter => {
                answers.lose();
                answers.await_one_more();
                if matches!(self, Self::CutMeanwhile) {
                    client.shutdown(Shutdown::Both)?;
                    thread::sleep(Duration::from_millis(500));
                }
                server.write_all(statement)?;
                answers.wait_for_all();
            }
            Self::EndHolderOf(user) => {
                Server::shared().sql(
                    "postgres",
                    &format!(
                        "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks JOIN pg_stat_activity \
                         USING (pid) WHERE locktype = 'advisory' AND usename = '{user}'"
                    ),
                );
            }
            Self::Silence => {
                io::copy(&mut client, &mut io::sink())?;
            }
            Self::Refuse(code, severity) => {
                let said = format!("S{severity}\0V{severity}\0C{code}\0Mso it is\0\0");
                let length = u32::try_from(said.len() + 4).unwrap();
                client.write_all(&[b"E", &length.to_be_bytes()[..], said.as_bytes()].concat())?;
            }
        }
        Ok(())
    }
}

/// What the server still has to answer, and whether anybody hears it.
#[derive(Default)]
struct Answers {
    state: Mutex<(usize, bool)>,
    changed: Condvar,
}

impl Answers {
    fn await_one_more(&self) {
        self.state.lock().unwrap().0 += 1;
    }

    fn lose(&self) {
        self.state.lock().unwrap().1 = true;
    }

    fn wait_for_all(&self) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |(due, _)| *due > 0));
    }

    /// Carries what the server says until it hangs up.
    fn carry(&self, mut server: TcpStream, mut client: TcpStream) -> io::Result<()> {
        loop {
            let said = message(&mut server, true);
            let mut state = self.state.lock().unwrap();
            match &said {
                Ok(said) if said.first() == Some(&b'Z') => state.0 = state.0.saturating_sub(1),
                Ok(_) => {}
                Err(_) => state.0 = 0,
            }
            self.changed.notify_all();
            let is_lost = state.1;
            drop(state);
            let said = match said {
                Ok(said) => said,
                Err(_) => return client.shutdown(Shutdown::Both),
            };
            if !is_lost {
                client.write_all(&said)?;
            }
        }
    }
}

/// One message; its head is a type, but for the first of a client, and a length.
fn message(from: &mut impl Read, typed: bool) -> io::Result<Vec<u8>> {
    let mut head = vec![0; 4 + usize::from(typed)];
    from.read_exact(&mut head)?;
    let length = head
        .last_chunk::<4>()
        .copied()
        .map(u32::from_be_bytes)
        .unwrap();
    let mut rest = vec![0; length as usize - 4];
    from.read_exact(&mut rest)?;
    head.extend(rest);
    Ok(head)
}

/// The SQL of a Query or of a Parse, which has the name of the statement before it.
fn statement(message: &[u8]) -> Option<String> {
    let mut texts = message.get(5..)?.split(|byte| *byte == 0);
    let text = match message.first()? {
        b'Q' => texts.next()?,
        b'P' => texts.nth(1)?,
        _ => return None,
    };
    Some(String::from_utf8_lossy(text).into_owned())
}
