//! What the one thread of the server has: who may, what there is to do, and what a page says.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

use domain::Outcome;
use hyper::HeaderMap;
use hyper::header::{ACCEPT_LANGUAGE, COOKIE};
use tokio::sync::Notify;
use usecases::report::Report;

use crate::access::Door;
use crate::desk::Clerk;
use crate::sessions::{Session, Sessions};
use crate::texts::{Language, Languages};

/// All that a request may need.
pub struct Site {
    /// The access code.
    pub door: RefCell<Door>,
    /// Those who gave it.
    pub sessions: RefCell<Sessions>,
    /// What the node is asked.
    pub clerk: Arc<Clerk>,
    /// The languages.
    pub languages: Languages,
    /// What the start found that waits now.
    pub report: Report,
    /// When it did.
    pub when: String,
    /// Told when somebody was shown that all is done.
    pub end_was_shown: Notify,
}

impl Site {
    /// Where whoever is logged in goes on.
    pub fn next_path(&self) -> &'static str {
        if self.clerk.is_taken() {
            "/progress"
        } else if self.report.outcome == Some(Outcome::RecoveryRequired) {
            "/recover"
        } else {
            "/setup"
        }
    }

    /// The session of a request.
    pub fn session(&self, headers: &HeaderMap) -> Option<Session> {
        // HTTP/1.1 has one header of cookies; more of them would be no browser's.
        let cookies = headers.get(COOKIE)?.to_str().ok()?;
        self.sessions.borrow_mut().find(cookies, Instant::now())
    }

    /// The language of a request.
    pub fn language(&self, headers: &HeaderMap) -> Language<'_> {
        let accepted = headers.get(ACCEPT_LANGUAGE);
        let accepted = accepted.and_then(|accepted| accepted.to_str().ok());
        self.languages.wanted(accepted.unwrap_or_default())
    }
}
