//! The connections: so many at once, each for one request and its answer.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::convert::Infallible;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, spawn_local, yield_now};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_rustls::TlsAcceptor;

use crate::refusals::Refusals;
use crate::site::Site;
use crate::{request, routes};

/// How many there are at once.
const MOST: usize = 64;

/// How long a request may take to arrive, from the connection to its last byte.
const ARRIVAL: Duration = Duration::from_secs(10);

/// How long its answer may take beyond that.
const ANSWER: Duration = Duration::from_secs(30);

/// The longest head of a request.
const HEAD: usize = 16 << 10;

/// The most headers of a request.
const HEADERS: usize = 256;

/// Those that there are, the oldest first.
#[derive(Default)]
pub struct Connections(RefCell<Vec<Connection>>);

struct Connection {
    from: IpAddr,
    /// Whether its request is there as a whole.
    has_arrived: Rc<Cell<bool>>,
    task: JoinHandle<()>,
}

impl Connections {
    /// Serves whoever comes. Nobody waits for a place: who has waited longest without a request makes
    /// room for who may have one.
    pub async fn accept(&self, listener: TcpListener, acceptor: &TlsAcceptor, site: &Rc<Site>) {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => {
                    self.make_room().await;
                    let has_arrived = Rc::default();
                    let arrived = Rc::clone(&has_arrived);
                    let from = from.ip().to_canonical();
                    let served = serve(stream, from, acceptor.clone(), Rc::clone(site), arrived);
                    self.0.borrow_mut().push(Connection {
                        from,
                        has_arrived,
                        task: spawn_local(served),
                    });
                }
                // A client that is gone already, or no file left: the next one may have more luck.
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Waits until those that there are have ended.
    pub async fn end(&self) {
        for connection in self.0.take() {
            let _ = connection.task.await;
        }
    }

    async fn make_room(&self) {
        // However many come in a row: what has arrived on the others is read in between.
        yield_now().await;
        if let Some(cut_off) = self.one_too_many() {
            cut_off.task.abort();
            let _ = cut_off.task.await;
        }
    }

    /// The one that makes room, where there is none: one without a request before one that is being
    /// answered, then one of whoever has most, then the oldest.
    fn one_too_many(&self) -> Option<Connection> {
        let mut all = self.0.borrow_mut();
        all.retain(|one| !one.task.is_finished());
        if all.len() < MOST {
            return None;
        }
        let count = |from| all.iter().filter(|one| one.from == from).count();
        let order = |one: &Connection| (one.has_arrived.get(), Reverse(count(one.from)));
        let (first, _) = all
            .iter()
            .enumerate()
            .min_by_key(|(_, connection)| order(connection))?;
        Some(all.remove(first))
    }
}

/// One request and its answer. What goes wrong is the client's: there is nobody else to tell.
async fn serve(
    stream: TcpStream,
    from: IpAddr,
    acceptor: TlsAcceptor,
    site: Rc<Site>,
    has_arrived: Rc<Cell<bool>>,
) {
    let until = Instant::now() + ARRIVAL;
    let Ok(Ok(stream)) = timeout_at(until, acceptor.accept(stream)).await else {
        return;
    };
    let is_handed_on = Rc::new(Cell::new(false));
    let stream = Refusals::new(stream, Rc::clone(&is_handed_on));
    let arrived = Rc::clone(&has_arrived);
    let service = service_fn(move |request| {
        is_handed_on.set(true);
        let (site, arrived) = (Rc::clone(&site), Rc::clone(&arrived));
        async move {
            let answer = match request::refusal(&request) {
                Some(answer) => answer,
                None => routes::answer(&site, from, request, || arrived.set(true)).await,
            };
            Ok::<_, Infallible>(answer)
        }
    });
    let mut served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ARRIVAL)
        .keep_alive(false)
        .max_buf_size(HEAD)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    if timeout_at(until, &mut served).await.is_err() && has_arrived.get() {
        // The answer has a time of its own.
        let _ = timeout_at(Instant::now() + ANSWER, served).await;
    }
}
