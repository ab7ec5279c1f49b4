//! `tls activate`: a stored credential is put to use again.

use std::time::Duration;

use ports::{
    ActiveCredential, CredentialKey, CredentialOrigin, Fault, FaultKind, TlsCredential, TlsSource,
};

use super::access::{Access, end, publish, refuse_validity, steps};
use crate::node::Node;
use crate::report::{Report, StepReport};
use crate::startup::unusable;

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
pub fn run(
    node: &Node,
    wish: &Activate,
    report: &mut Report,
    on_step: &mut dyn FnMut(&StepReport),
) -> Result<(), Fault> {
    let access = Access::take(node, wish.lock_wait)?;
    let work = access.work(node);
    let fingerprint = resolve(node, &wish.fingerprint)?;
    let stored = node
        .credentials
        .find(&fingerprint, access.dek())
        .map_err(|fault| match fault.kind() {
            FaultKind::DataCorrupt => unusable(fault),
            _ => fault,
        })?
        .ok_or_else(|| unknown(&wish.fingerprint))?;
    let credential = open(stored)?;
    let facts = node.issuer.inspect(&credential)?;
    if facts.sha256_fingerprint != fingerprint {
        return Err(Fault::new(
            FaultKind::DataCorrupt,
            format!(
                "the certificate stored as {fingerprint} has the fingerprint {}",
                facts.sha256_fingerprint
            ),
            "activate another one, import it again with `trustpointctl tls import`, make a new \
             self-signed one with `trustpointctl tls renew`, or bring an older database back with \
             `trustpointctl backup restore`",
        ));
    }
    refuse_validity(node, "the certificate", &facts, wish.force)?;
    let mut steps = steps(node, report, on_step);
    let was_active = active(node)?.as_ref() == Some(&fingerprint);
    node.credentials.save_active(
        &credential,
        &facts,
        CredentialOrigin::Generated,
        access.seal_with(),
        node.clock.now(),
    )?;
    steps.note("activate_credential", !was_active, &fingerprint);
    publish(&mut steps, &work, &credential, facts, TlsSource::Database)?;
    end(report, &access);
    Ok(())
}

fn active(node: &Node) -> Result<Option<String>, Fault> {
    let list = node.credentials.list()?;
    let active = list.into_iter().find(|stored| stored.is_active);
    Ok(active.map(|stored| stored.facts.sha256_fingerprint))
}

/// The one fingerprint that begins so, whether it is written with colons or without.
fn resolve(node: &Node, given: &str) -> Result<String, Fault> {
    let bare = |text: &str| text.replace(':', "").to_ascii_uppercase();
    let wanted = bare(given);
    let list = node.credentials.list()?;
    let mut fitting = list
        .iter()
        .map(|stored| &stored.facts.sha256_fingerprint)
        .filter(|fingerprint| !wanted.is_empty() && bare(fingerprint).starts_with(&wanted));
    match (fitting.next(), fitting.next()) {
        (Some(fingerprint), None) => Ok(fingerprint.clone()),
        (None, _) => Err(unknown(given)),
        (Some(_), Some(_)) => Err(Fault::new(
            FaultKind::Usage,
            format!("more than one stored certificate has a fingerprint that begins {given}"),
            "give more of it; `trustpointctl tls history` lists them",
        )),
    }
}

fn unknown(given: &str) -> Fault {
    Fault::new(
        FaultKind::Usage,
        format!("no stored certificate has the fingerprint {given}"),
        "`trustpointctl tls history` lists them",
    )
}

fn open(stored: ActiveCredential) -> Result<TlsCredential, Fault> {
    match stored.key {
        CredentialKey::Readable(private_key_pem) => Ok(TlsCredential {
            private_key_pem,
            certificate_pem: stored.certificate_pem,
            chain_pem: stored.chain_pem,
        }),
        CredentialKey::Sealed => Err(Fault::new(
            FaultKind::Config,
            format!(
                "the private key of {} is sealed and the DEK is out of reach",
                stored.sha256_fingerprint
            ),
            "run `trustpointctl startup`: it says whether `recover` is needed",
        )),
    }
}
