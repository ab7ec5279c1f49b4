//! A connection to a server: statements are asked for in batches, each a round trip, and each with a
//! deadline of this side: a server that is silent must not hang a start.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use ports::{ServerTrouble, StoreError};
use rusqlite::types::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Column, Config, Error, NoTls, Row};

use super::address::ServerHost;
use super::error::{Class, Failure};
use super::target::{LONGEST, Password, Target};
use super::tls::Tls;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(250);
/// A server that works answers within that.
const MOMENT: Duration = Duration::from_secs(1);
/// How long a host may be silent in the first round where there are others, twice as long in each
/// further one: the machine that is lost must not take up the time of the one that took over.
const TURN: Duration = Duration::from_millis(500);
/// How long a server that is to be told goodbye has to hear it.
const GOODBYE: Duration = Duration::from_secs(1);
/// What a whole transaction has at least.
const SHORTEST: Duration = Duration::from_secs(600);
/// The oldest server that has all that is used here.
const OLDEST: i64 = 130_000;

/// Rows of one statement.
pub(super) type Rows = Vec<Vec<Value>>;

/// A statement and its parameters.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    sql: String,
    values: Vec<Value>,
}

impl Ask {
    pub(super) fn new(sql: impl Into<String>, values: Vec<Value>) -> Self {
        Self {
            sql: sql.into(),
            values,
        }
    }
}

impl From<&str> for Ask {
    fn from(sql: &str) -> Self {
        Self::new(sql, Vec::new())
    }
}

/// A connection whose session is as this program needs it.
pub(super) struct Session {
    // Dropped in this order: the client hangs up, and the runtime that carries it goes last.
    client: Option<Client>,
    connection: Option<JoinHandle<()>>,
    runtime: Option<Runtime>,
    deadline: Duration,
}

impl Session {
    /// Connects, waiting for the server until `end`, and no shorter. It comes after the wait that the
    /// target has.
    pub(super) fn open(target: &Target, end: Instant) -> Result<Self, StoreError> {
        let refused = |waited, trouble, failure: Failure| StoreError::NotConnected {
            path: target.name(),
            waited,
            trouble,
            source: failure.cause(),
        };
        let mut told = false;
        let mut said = None;
        // One of several hosts may be about to take over.
        let has_others = target.address.hosts.len() > 1;
        let mut turn = if has_others { TURN } else { target.wait };
        loop {
            let begun = Instant::now();
            let failure = match Self::once(target, end, turn) {
                Ok(session) => return Ok(session),
                // A last try may have less time than a server needs: what was said before counts.
                Err(Failure::Silent) if end.saturating_duration_since(begun) < MOMENT => {
                    said.take().unwrap_or(Failure::Silent)
                }
                Err(failure) => failure,
            };
            let left = end.saturating_duration_since(Instant::now());
            let may_wait = !left.is_zero();
            match failure.class_on_connecting(target) {
                Class::Passing if may_wait => {}
                Class::Server(ServerTrouble::Standby) if may_wait && has_others => {}
                Class::Passing => {
                    let trouble = ServerTrouble::Unreachable;
                    return Err(refused(Some(target.wait), trouble, failure));
                }
                Class::Server(trouble) => return Err(refused(None, trouble, failure)),
                Class::Database(_) | Class::NoSession => {
                    return Err(failure.on(target, "connecting"));
                }
            }
            if !told {
                let wait = target.wait;
                (target.waiting)(&format!(
                    "waiting for the database, {wait:?} at most: {failure}"
                ));
                told = true;
            }
            said = Some(failure);
            // What comes up in the last moment is found by a last try.
            std::thread::sleep(PAUSE.min(left));
            turn = turn.saturating_mul(2);
        }
    }

    /// Tries each host once, for this long at most. What passes counts where no host says anything that stays.
    fn once(target: &Target, end: Instant, turn: Duration) -> Result<Self, Failure> {
        let mut last = None;
        for host in &target.address.hosts {
            let left = end.saturating_duration_since(Instant::now());
            let wait = left.max(MOMENT).min(turn).max(PAUSE);
            let opened = Self::connect(target, host, wait).and_then(Self::fit);
            match opened {
                Ok(session) => return Ok(session),
                Err(failure) => {
                    let passes = failure.class_on_connecting(target) == Class::Passing;
                    if last.is_none() || !passes {
                        last = Some(failure);
                    }
                }
            }
        }
        Err(last.unwrap_or(Failure::Silent))
    }

    fn connect(target: &Target, host: &ServerHost, wait: Duration) -> Result<Self, Failure> {
        let here =
            |error: std::io::Error| Failure::Unfit(ServerTrouble::Unreachable, error.to_string());
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(here)?;
        let mut config = host.config.clone();
        config
            .user(&target.address.user)
            .dbname(&target.address.database)
            // What another node reads of who holds the lock.
            .application_name(format!(
                "trustpointctl {} on {}",
                std::process::id(),
                target.node
            ))
            .connect_timeout(wait)
            .keepalives_idle(Duration::from_secs(15))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3)
            .tcp_user_timeout(target.wait);
        let given = |password: &Password| {
            password().map_err(|why| Failure::Unfit(ServerTrouble::LoginRefused, why))
        };
        if let Some(password) = given(&target.password)? {
            config.password(password.expose());
        }
        let tls = Tls::of(host.mode, &target.address.files).map_err(Failure::Tls)?;
        // Within the runtime, whose clock it is.
        let once = |config: &Config| {
            let connected = async { timeout(wait, connect(config, tls.clone())).await };
            match runtime.block_on(connected) {
                Ok(connected) => connected.map_err(Failure::Server),
                Err(_) => Err(Failure::Silent),
            }
        };
        let (client, connection) = match once(&config) {
            Err(failure) if failure.wants_password() => match given(&target.ask)? {
                Some(password) => once(config.password(password.expose()))?,
                None => return Err(failure),
            },
            connected => connected?,
        };
        Ok(Self {
            client: Some(client),
            connection: Some(runtime.spawn(connection)),
            runtime: Some(runtime),
            deadline: target.wait,
        })
    }

    /// Looks what the server is. Nothing is set for the session: a pool would hand that on to others.
    fn fit(self) -> Result<Self, Failure> {
        let facts = "SELECT current_setting('server_version_num')::bigint, pg_is_in_recovery()";
        let mut answers = self.ask(&[facts.into()])?;
        match answers.pop().unwrap_or_default().first().map(Vec::as_slice) {
            Some([Value::Integer(version), _]) if *version < OLDEST => {
                let why =
                    format!("its version is {version}, and {OLDEST} is the oldest that is used");
                Err(Failure::Unfit(ServerTrouble::TooOld, why))
            }
            Some([_, Value::Integer(1)]) => {
                let why = "it is a standby, and no other host was reached".to_owned();
                Err(Failure::Unfit(ServerTrouble::Standby, why))
            }
            _ => Ok(self),
        }
    }

    /// Sends all statements at once and waits for all answers: one round trip. Where one fails, the
    /// session is good for nothing any more: the caller drops it, and the server rolls back.
    pub(super) fn ask(&self, statements: &[Ask]) -> Result<Vec<Rows>, Failure> {
        #[cfg(test)]
        round_trips::count();
        let (client, runtime) = self.parts()?;
        let asked = async {
            let mut sent: Vec<_> = statements.iter().map(|ask| answer(client, ask)).collect();
            // A statement is sent when its future is first polled: all of them, before the first
            // answer is waited for.
            let early: Vec<Poll<_>> = poll_fn(|context| {
                Poll::Ready(
                    sent.iter_mut()
                        .map(|each| each.as_mut().poll(context))
                        .collect(),
                )
            })
            .await;
            let mut answers = Vec::with_capacity(sent.len());
            for (each, early) in sent.into_iter().zip(early) {
                answers.push(match early {
                    Poll::Ready(answer) => answer?,
                    Poll::Pending => each.await?,
                });
            }
            Ok(answers)
        };
        let answers = runtime.block_on(async { timeout(self.deadline, asked).await });
        let answers: Vec<Vec<Row>> = answers
            .map_err(|_| Failure::Silent)?
            .map_err(Failure::Server)?;
        answers
            .into_iter()
            .map(|rows| rows.iter().map(values).collect())
            .collect()
    }

    /// Carries out statements without parameters or rows, as many as there are in the text.
    pub(super) fn run(&self, sql: &str) -> Result<(), Failure> {
        #[cfg(test)]
        round_trips::count();
        let (client, runtime) = self.parts()?;
        let run =
            runtime.block_on(async { timeout(self.deadline, client.batch_execute(sql)).await });
        run.map_err(|_| Failure::Silent)?.map_err(Failure::Server)
    }

    fn parts(&self) -> Result<(&Client, &Runtime), Failure> {
        match (&self.client, &self.runtime) {
            (Some(client), Some(runtime)) => Ok((client, runtime)),
            _ => Err(Failure::Silent),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.client.take());
        if let Some(runtime) = self.runtime.take() {
            if let Some(connection) = self.connection.take() {
                // Whether the server heard it changes nothing: it sees the connection end.
                let _ = runtime.block_on(async { timeout(GOODBYE, connection).await });
            }
            // A name that is being looked up is not waited for.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

type Carried = Pin<Box<dyn Future<Output = ()> + Send>>;

async fn connect(config: &Config, tls: Option<Tls>) -> Result<(Client, Carried), Error> {
    let mut config = config.clone();
    // How the connection ends is seen by whoever asks next.
    match tls {
        None => {
            config.ssl_mode(tokio_postgres::config::SslMode::Disable);
            let (client, connection) = config.connect(NoTls).await?;
            Ok((client, Box::pin(async { drop(connection.await) })))
        }
        Some(tls) => {
            config.ssl_mode(tokio_postgres::config::SslMode::Require);
            let (client, connection) = config.connect(tls).await?;
            Ok((client, Box::pin(async { drop(connection.await) })))
        }
    }
}

/// The settings of one transaction, as far as the server knows them: our schema, and time-outs, so that
/// neither side hangs.
pub(super) fn settings(target: &Target) -> Ask {
    let times = |factor: u32| target.wait.saturating_mul(factor).min(LONGEST);
    let milliseconds = |time: Duration| time.as_millis().to_string();
    let values = [
        ("search_path", target.schema.as_str().to_owned()),
        ("statement_timeout", milliseconds(times(1))),
        ("lock_timeout", milliseconds(times(1))),
        (
            "idle_in_transaction_session_timeout",
            milliseconds(times(2)),
        ),
        ("transaction_timeout", milliseconds(times(10).max(SHORTEST))),
        ("client_min_messages", "warning".to_owned()),
    ];
    let values = values.map(|(name, value)| format!("('{name}', '{value}')"));
    // A commit that is reported has to be on the disk, whatever the server's default is.
    Ask::new(
        format!(
            "SELECT set_config(s.name, v.value, true) FROM (VALUES {}, \
             ('synchronous_commit', 'on')) AS v (name, value) JOIN pg_settings s ON s.name = v.name \
             WHERE s.name <> 'synchronous_commit' OR s.setting = 'off'",
            values.join(", ")
        ),
        Vec::new(),
    )
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Vec<Row>, Error>> + 'a>>;

fn answer<'a>(client: &'a Client, ask: &'a Ask) -> Answer<'a> {
    Box::pin(async move {
        let parameters: Vec<_> = ask.values.iter().map(parameter).collect();
        client.query_typed(&ask.sql, &parameters).await
    })
}

/// A parameter with its type, so that the server need not be asked for it first.
fn parameter(value: &Value) -> (&(dyn ToSql + Sync), Type) {
    match value {
        // Of whatever type the place has.
        Value::Null => (&None::<String>, Type::UNKNOWN),
        Value::Integer(number) => (number, Type::INT8),
        Value::Real(number) => (number, Type::FLOAT8),
        Value::Text(text) => (text, Type::TEXT),
        Value::Blob(bytes) => (bytes, Type::BYTEA),
    }
}

/// A row as SQLite would give it.
fn values(row: &Row) -> Result<Vec<Value>, Failure> {
    let value = |(number, column): (usize, &Column)| {
        let value = match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(number)?.map(Value::Integer),
            Type::INT4 => row.try_get::<_, Option<i32>>(number)?.map(Value::from),
            Type::BOOL => row.try_get::<_, Option<bool>>(number)?.map(Value::from),
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(number)?.map(Value::Blob),
            _ => row.try_get::<_, Option<String>>(number)?.map(Value::Text),
        };
        Ok(value.unwrap_or(Value::Null))
    };
    let columns = row.columns().iter().enumerate();
    columns
        .map(value)
        .collect::<Result<_, Error>>()
        .map_err(Failure::Server)
}

/// How often a server was asked, by this thread.
#[cfg(test)]
pub(crate) mod round_trips {
    use std::cell::Cell;

    thread_local!(static COUNT: Cell<usize> = const { Cell::new(0) });

    pub(super) fn count() {
        COUNT.with(|count| count.set(count.get() + 1));
    }

    /// Since this was asked last.
    pub(crate) fn take() -> usize {
        COUNT.with(|count| count.replace(0))
    }
}
