//! Whether somebody else has done what the page waits for.

use std::thread;
use std::time::Duration;

use ports::TlsView;
use usecases::report::ErrorReport;
use usecases::waits::{self, Waits};

use crate::desk::Clerk;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(400);

/// In each how many of these looks the database is asked too: it may have been restored.
const ASK: u32 = 2;

/// The same of one on a server, where that is a login.
const ASK_SERVER: u32 = 5;

/// Looks until the node no longer waits for what the start has found, while the page itself does
/// nothing to it. Blocks; ends as well when nobody waits for what it finds.
pub fn watch_others(clerk: &Clerk, waited: Waits, has_ended: &dyn Fn() -> bool) {
    let mut trouble = None;
    let mut looks: u32 = 0;
    while !has_ended() {
        thread::sleep(LOOK);
        looks = looks.wrapping_add(1);
        if clerk.is_taken() {
            continue;
        }
        let found = look(clerk, looks);
        // The page may have begun something in the meantime.
        if clerk.is_taken() {
            continue;
        }
        match found {
            // From here on nothing is begun: it would run beside the start that follows.
            Ok(found) if found.ends_the_page(clerk, waited) && clerk.take() => return,
            // The files alone say nothing of a database that cannot be asked.
            Ok(found) if found.asked_database => trouble = None,
            Ok(_) => {}
            // What cannot be seen now may be seen at the next look; it is told once.
            Err(error) => {
                if trouble.as_ref() != Some(&error.message) {
                    let why = [&[error.message.clone()][..], &error.causes].concat();
                    let why = why.join(": ");
                    clerk.note(&format!("what the node waits for cannot be seen: {why}"));
                }
                trouble = Some(error.message);
            }
        }
    }
}

/// What a look has found.
struct Found {
    waits: Waits,
    /// Whether the database was asked.
    asked_database: bool,
    /// The fingerprint of the certificate that Nginx has, where it has one.
    certificate: Option<String>,
}

impl Found {
    /// The node waits for something else; or Nginx was given another certificate, which the page has to
    /// show as well. Whoever reads of a failure is not disturbed by that.
    fn ends_the_page(&self, clerk: &Clerk, waited: Waits) -> bool {
        let seen = clerk.seen();
        let served = seen.report.tls.as_ref().map(|tls| &tls.sha256_fingerprint);
        let is_another = self.certificate.is_some() && self.certificate.as_ref() != served;
        self.waits != waited || (is_another && clerk.is_idle())
    }
}

/// A node of its own for each look: one that was used before may remember what it saw.
fn look(clerk: &Clerk, number: u32) -> Result<Found, ErrorReport> {
    let node = clerk.node()?;
    let each = if node.store.is_shared() {
        ASK_SERVER
    } else {
        ASK
    };
    let asked_database = number.is_multiple_of(each);
    let waits = if asked_database {
        waits::by_database(&node)
    } else {
        waits::by_files(&node)
    };
    let waits = waits.map_err(|error| clerk.explain(error))?;
    let tls = node.web.tls.view();
    let tls = tls.map_err(|error| clerk.explain(error.into()))?;
    Ok(Found {
        waits,
        asked_database,
        certificate: match tls {
            TlsView::Usable(set) => Some(set.facts.sha256_fingerprint),
            // A start makes it good; what is served is whole.
            TlsView::Absent | TlsView::Unusable(_) => None,
        },
    })
}
