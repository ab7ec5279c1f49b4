//! The server: what runs while the page is served, and how all of it ends.

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use domain::Outcome;
use ports::TlsCredential;
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use usecases::report::Report;
use usecases::waits::Waits;

use crate::access::Doorkeeper;
use crate::connections::Connections;
use crate::desk::{Clerk, Desk, Progress};
use crate::site::Site;
use crate::texts::Languages;
use crate::tls;
use crate::watch::watch_others;

/// How long what is being answered may take once the page ends.
const GRACE: Duration = Duration::from_secs(1);

/// How long the page stays to show that all is done.
const LAST_PAGE: Duration = Duration::from_secs(5);

/// How long it stays from then on.
const LAST_STYLE: Duration = Duration::from_secs(2);

/// A page that is ready to be served.
pub struct Page {
    /// The socket.
    pub listener: TcpListener,
    /// What the server shows as its certificate.
    pub credential: TlsCredential,
    /// Who lets operators in.
    pub doorkeeper: Rc<Doorkeeper>,
    /// The languages beside English.
    pub languages: Languages,
    /// What the start found that waits now.
    pub report: Report,
    /// How long a setup or a recovery waits for another process that changes the node.
    pub lock_wait: Duration,
    /// The node.
    pub desk: Arc<dyn Desk>,
}

/// Why a page ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The node may be ready: a start finds out.
    StartAgain,
    /// A signal came.
    Signal,
}

/// Serves until the node may be ready, or `stop` becomes readable.
///
/// # Errors
/// Nothing can be served.
pub fn serve(
    page: Page,
    stop: UnixStream,
) -> Result<End, Box<dyn std::error::Error + Send + Sync>> {
    let acceptor = TlsAcceptor::from(tls::config(&page.credential)?);
    page.listener.set_nonblocking(true)?;
    stop.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let waited = match page.report.outcome {
        Some(Outcome::RecoveryRequired) => Waits::ForPassword,
        _ => Waits::ForSetup,
    };
    let clerk = Arc::new(Clerk::new(page.desk, page.report));
    let site = Rc::new(Site {
        doorkeeper: page.doorkeeper,
        clerk: Arc::clone(&clerk),
        languages: page.languages,
        lock_wait: page.lock_wait,
        password_turn: Mutex::default(),
        end_was_shown: Notify::new(),
    });
    let (ending, mut ended) = watch::channel(None);
    let watching = watch_in_thread(clerk, waited, ending.clone())?;
    let end = LocalSet::new().block_on(&runtime, async {
        let listener = tokio::net::TcpListener::from_std(page.listener)?;
        let stop = tokio::net::UnixStream::from_std(stop)?;
        let signals = ending.clone();
        spawn_local(async move {
            // An end of the other side would be no signal, and is none: it lives as long as this.
            if stop.readable().await.is_ok() {
                signals.send_replace(Some(End::Signal));
            }
        });
        spawn_local(end_when_done(Rc::clone(&site), ending));
        let connections = Rc::new(Connections::default());
        let accepting = Rc::clone(&connections);
        let accepting =
            spawn_local(async move { accepting.accept(listener, &acceptor, &site).await });
        let end = ended.wait_for(Option::is_some).await;
        let end = end.ok().and_then(|end| *end).unwrap_or(End::StartAgain);
        accepting.abort();
        // Whoever is slower than that is cut off.
        let _ = timeout(GRACE, connections.end()).await;
        io::Result::Ok(end)
    });
    watching.store(true, Ordering::Relaxed);
    // What blocks still is waited for by whoever takes the lock next.
    runtime.shutdown_background();
    Ok(end?)
}

/// Watches for what others do to the node; gives back what ends that.
fn watch_in_thread(
    clerk: Arc<Clerk>,
    waited: Waits,
    ending: watch::Sender<Option<End>>,
) -> io::Result<Arc<AtomicBool>> {
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    thread::Builder::new()
        .name("page-watch".to_owned())
        .spawn(move || {
            watch_others(&clerk, waited, &|| over.load(Ordering::Relaxed));
            ending.send_if_modified(|end| end.replace(End::StartAgain).is_none());
        })?;
    Ok(is_over)
}

/// Ends the page some time after setup or recovery has worked: whoever asked for it sees that it has.
async fn end_when_done(site: Rc<Site>, ending: watch::Sender<Option<End>>) {
    let mut progress = site.clerk.progress();
    let is_done = |progress: &Progress| matches!(progress, Progress::Done(_));
    if progress.wait_for(is_done).await.is_ok() {
        // Nobody may be looking any more; whoever is has the style of that page to load yet.
        if timeout(LAST_PAGE, site.end_was_shown.notified())
            .await
            .is_ok()
        {
            sleep(LAST_STYLE).await;
        }
        ending.send_if_modified(|end| end.replace(End::StartAgain).is_none());
    }
}
