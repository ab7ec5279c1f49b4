//! `tls activate`: a stored credential is put to use again.

use std::time::Duration;

use ports::{ActiveCredential, EventKind, NewCredential, TlsSource};

use super::access::{Access, end, ensure_valid_now, publish};
use crate::credential;
use crate::error::Error;
use crate::node::Node;
use crate::recorder::Recorder;
use crate::refused::Refused;

/// What the operator wants.
pub struct Activate {
    /// The fingerprint, or its beginning.
    pub fingerprint: String,
    /// Whether a validity that does not hold now is taken all the same.
    pub force: bool,
    /// How long to wait for another start.
    pub lock_wait: Duration,
}

/// Activates it.
///
/// # Errors
/// Why it was refused, with nothing changed, or which step failed; it can be run again.
pub fn run(recorder: &mut Recorder<'_>, request: &Activate) -> Result<(), Error> {
    let node = recorder.node;
    let access = Access::take(node, request.lock_wait)?;
    let work = access.work(node);
    let fingerprint = resolve(node, &request.fingerprint)?;
    let stored = credential::find(node, &fingerprint)?;
    let stored = stored.ok_or_else(|| unknown(&request.fingerprint))?;
    let (credential, facts) = credential::open(node, &stored, access.dek())?;
    ensure_valid_now(node, "the certificate", &facts, request.force)?;
    let was_active = matches!(access.stored(), ActiveCredential::Stored(active) if active.sha256_fingerprint == fingerprint);
    let new = NewCredential {
        credential: &credential,
        facts: &facts,
        origin: stored.origin,
    };
    let event = node.event(EventKind::CertificateActivated, fingerprint.as_str());
    node.store
        .credentials
        .save_active(&new, access.seal_with(), &event)?;
    recorder.note("activate_credential", !was_active, &fingerprint);
    publish(recorder, &work, &credential, facts, TlsSource::Database)?;
    end(recorder.report, &access);
    Ok(())
}

/// The one fingerprint that begins so, whether it is written with colons or without.
fn resolve(node: &Node, given: &str) -> Result<String, Error> {
    let bare = |text: &str| text.replace(':', "").to_ascii_uppercase();
    let wanted = bare(given);
    let list = node.store.credentials.list()?;
    let mut fitting = list
        .iter()
        .map(|stored| &stored.facts.sha256_fingerprint)
        .filter(|fingerprint| !wanted.is_empty() && bare(fingerprint).starts_with(&wanted));
    match (fitting.next(), fitting.next()) {
        (Some(fingerprint), None) => Ok(fingerprint.clone()),
        (None, _) => Err(unknown(given).into()),
        (Some(_), Some(_)) => Err(Refused::AmbiguousFingerprint {
            given: given.to_owned(),
        }
        .into()),
    }
}

fn unknown(given: &str) -> Refused {
    Refused::UnknownFingerprint {
        given: given.to_owned(),
    }
}
