//! `tls import`: a key with its certificate and chain, from files.

use std::time::Duration;

use ports::{Assembled, CredentialFiles, CredentialOrigin, Fault, TlsSource};

use super::access::{Access, end, publish, refuse_validity, steps};
use crate::node::Node;
use crate::report::{Report, StepReport};

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
pub fn run(
    node: &Node,
    wish: &Import,
    report: &mut Report,
    on_step: &mut dyn FnMut(&StepReport),
) -> Result<(), Fault> {
    // Before the lock: files that cannot be right need no node.
    let assembled = assemble(node, wish)?;
    let access = Access::take(node, wish.lock_wait)?;
    let work = access.work(node);
    let mut steps = steps(node, report, on_step);
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
    node.credentials.save_active(
        &assembled.credential,
        &assembled.facts,
        CredentialOrigin::Imported,
        access.seal_with(),
        node.clock.now(),
    )?;
    steps.note("save_credential", true, &detail);
    if assembled.credential.chain_pem.is_none() {
        steps.report.warnings.push(
            "the certificate came without a chain: clients that do not know its issuer will not \
             trust it, and an `ssl_trusted_certificate` of nginx has no file"
                .into(),
        );
    }
    publish(
        &mut steps,
        &work,
        &assembled.credential,
        assembled.facts,
        TlsSource::Database,
    )?;
    end(report, &access);
    Ok(())
}

fn assemble(node: &Node, wish: &Import) -> Result<Assembled, Fault> {
    let assembled = node.issuer.assemble(&wish.files).map_err(|error| {
        let fault = Fault::from(error);
        let message = format!("{} cannot be imported: {fault}", wish.from);
        Fault::new(fault.kind(), message, fault.hint().to_owned()).because(fault)
    })?;
    refuse_validity(node, "the certificate", &assembled.facts, wish.force)?;
    for (subject, facts) in &assembled.chain {
        let what = format!("the certificate \"{subject}\" of the chain");
        refuse_validity(node, &what, facts, wish.force)?;
    }
    Ok(assembled)
}
