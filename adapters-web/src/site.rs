//! What the one thread of the server has: who may, what there is to do, and what a page says.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::Outcome;
use hyper::HeaderMap;
use hyper::header::{ACCEPT_LANGUAGE, COOKIE};
use tokio::sync::{Mutex, Notify};

use crate::access::Doorkeeper;
use crate::desk::Clerk;
use crate::sessions::Session;
use crate::texts::{Language, Languages};

/// All that a request may need.
pub struct Site {
    /// Who is let in.
    pub doorkeeper: Rc<Doorkeeper>,
    /// What the node is asked.
    pub clerk: Arc<Clerk>,
    /// The languages.
    pub languages: Languages,
    /// How long a setup or a recovery waits for another process that changes the node.
    pub lock_wait: Duration,
    /// Held by whoever has a password checked: others wait, so that each of them is.
    pub password_turn: Mutex<()>,
    /// Told when somebody was shown that all is done.
    pub end_was_shown: Notify,
}

impl Site {
    /// Where whoever is logged in goes on.
    pub fn next_path(&self) -> &'static str {
        if self.clerk.is_taken() {
            "/progress"
        } else if self.clerk.seen().report.outcome == Some(Outcome::RecoveryRequired) {
            "/recover"
        } else {
            "/setup"
        }
    }

    /// The session of a request.
    pub fn session(&self, headers: &HeaderMap) -> Option<Session> {
        // HTTP/1.1 has one header of cookies; more of them would be no browser's.
        // Whatever another program at this host keeps in a browser comes along.
        let cookies = String::from_utf8_lossy(headers.get(COOKIE)?.as_bytes());
        let mut sessions = self.doorkeeper.sessions.borrow_mut();
        sessions.find(&cookies, Instant::now())
    }

    /// The language of a request.
    pub fn language(&self, headers: &HeaderMap) -> Language<'_> {
        let accepted = headers.get(ACCEPT_LANGUAGE);
        let accepted = accepted.and_then(|accepted| accepted.to_str().ok());
        self.languages.wanted(accepted.unwrap_or_default())
    }
}
