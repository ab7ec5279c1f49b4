//! `tls import`: a key with its certificate and chain, from files.

use std::time::Duration;

use ports::{Assembled, CredentialFiles, CredentialOrigin, EventKind, NewCredential, TlsSource};

use super::access::{Access, end, ensure_valid_now, publish};
use crate::error::Error;
use crate::node::Node;
use crate::recorder::Recorder;
use crate::refused::Refused;

/// What the operator wants.
pub struct Import {
    /// The files.
    pub files: CredentialFiles,
    /// Their paths, for messages.
    pub from: String,
    /// Whether a validity that does not hold now is taken all the same.
    pub force: bool,
    /// How long to wait for another start.
    pub lock_wait: Duration,
}

/// Imports a credential and puts it to use.
///
/// # Errors
/// Why it was refused, with nothing changed, or which step failed; it can be run again.
pub fn run(recorder: &mut Recorder<'_>, request: &Import) -> Result<(), Error> {
    let node = recorder.node;
    // Before the lock: files that cannot be right need no node.
    let assembled = assemble(node, request)?;
    let access = Access::take(node, request.lock_wait)?;
    let work = access.work(node);
    let chain: Vec<_> = assembled
        .chain
        .iter()
        .map(|(subject, _)| subject.as_str())
        .collect();
    let detail = match chain.as_slice() {
        [] => format!("{}, no chain", assembled.facts.sha256_fingerprint),
        some => format!(
            "{}, chain: {}",
            assembled.facts.sha256_fingerprint,
            some.join(" <- ")
        ),
    };
    let new = NewCredential {
        credential: &assembled.credential,
        facts: &assembled.facts,
        origin: CredentialOrigin::Imported,
    };
    let fingerprint = assembled.facts.sha256_fingerprint.as_str();
    let event = node.event(EventKind::CertificateImported, fingerprint);
    node.store
        .credentials
        .save_active(&new, access.seal_with(), &event)?;
    recorder.note("save_credential", true, &detail);
    if assembled.credential.chain_pem.is_none() {
        recorder.report.warnings.push(
            "the certificate came without a chain: clients that do not know its issuer will not \
             trust it, and an `ssl_trusted_certificate` of nginx has no file"
                .into(),
        );
    }
    publish(
        recorder,
        &work,
        &assembled.credential,
        assembled.facts,
        TlsSource::Database,
    )?;
    end(recorder.report, &access);
    Ok(())
}

fn assemble(node: &Node, request: &Import) -> Result<Assembled, Error> {
    let assembled =
        node.web
            .issuer
            .assemble(&request.files)
            .map_err(|fault| Refused::NotImported {
                from: request.from.clone(),
                source: fault.into(),
            })?;
    ensure_valid_now(node, "the certificate", &assembled.facts, request.force)?;
    for (subject, facts) in &assembled.chain {
        let what = format!("the certificate \"{subject}\" of the chain");
        ensure_valid_now(node, &what, facts, request.force)?;
    }
    Ok(assembled)
}
