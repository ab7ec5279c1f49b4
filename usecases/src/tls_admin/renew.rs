//! `tls renew`: a new self-signed credential.

use std::time::Duration;

use ports::{ActiveCredential, CredentialOrigin, TlsSource};

use super::access::{Access, end, publish};
use crate::credential::Active;
use crate::error::Error;
use crate::node::Node;
use crate::recorder::Recorder;

/// What the operator wants.
pub struct Renew {
    /// Names and addresses; empty where they are not given.
    pub san: Vec<String>,
    /// How long to wait for another start.
    pub lock_wait: Duration,
}

/// Makes a new credential and puts it to use, also where the one before cannot be read.
///
/// # Errors
/// Why it was refused, with nothing changed, or which step failed; it can be run again.
pub fn run(recorder: &mut Recorder<'_>, request: &Renew) -> Result<(), Error> {
    let node = recorder.node;
    let access = Access::take(node, request.lock_wait)?;
    let work = access.work(node);
    let names = names(node, &access, &request.san)?;
    let replaced = imported(&access);
    if let Some(fingerprint) = replaced {
        recorder.report.warnings.push(format!(
            "the certificate that was imported ({fingerprint}) is replaced by a self-signed one, \
             which clients that trust its CA will refuse: `trustpointctl tls activate \
             {fingerprint}` puts it back, `trustpointctl tls import` takes in a new one of the CA"
        ));
    }
    let (credential, facts) = work.generate(&names)?;
    let made = format!("{} for {}", facts.sha256_fingerprint, names.join(", "));
    recorder.note("save_credential", true, &made);
    publish(recorder, &work, &credential, facts, TlsSource::Generated)?;
    end(recorder.report, &access);
    Ok(())
}

/// The fingerprint of the active credential, where it was imported.
fn imported(access: &Access) -> Option<&str> {
    match access.stored() {
        ActiveCredential::Stored(stored) if stored.origin == CredentialOrigin::Imported => {
            Some(&stored.sha256_fingerprint)
        }
        _ => None,
    }
}

/// Those that were asked for, else the configured ones, else those of the credential before: names
/// that `setup --san` was given must not get lost.
fn names(node: &Node, access: &Access, asked: &[String]) -> Result<Vec<String>, Error> {
    if !asked.is_empty() {
        return Ok(asked.to_vec());
    }
    if !node.settings.san_configured
        && let Active::Readable(before, _) = access.work(node).active()
    {
        let san = node.web.issuer.describe(&before.certificate_pem)?.san;
        if !san.is_empty() {
            return Ok(san);
        }
    }
    Ok(node.settings.san.clone())
}
