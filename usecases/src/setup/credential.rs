//! WIZARD_SELECT_TLS_SERVER_CREDENTIAL and WIZARD_TLS_SERVER_CREDENTIAL_APPLY.

use domain::SetupWizardState;
use ports::{ActiveCredential, Dek, StoredKey, TlsSource};

use crate::credential::Active;
use crate::error::Error;
use crate::recorder::Recorder;
use crate::report::TlsReport;
use crate::startup::TlsProvider;

/// Chooses the TLS credential and gives it to Nginx. The one of the setup page stays, unless other
/// names were asked for, it cannot be used, or its key stands in the clear where sealing the
/// database does not reach.
///
/// # Errors
/// Names that no certificate can have, or a failed write.
pub fn choose(
    recorder: &mut Recorder<'_>,
    stored: &ActiveCredential,
    san: &[String],
    dek: Option<&Dek>,
) -> Result<(), Error> {
    let node = recorder.node;
    let work = TlsProvider {
        node,
        dek,
        sealed: dek.is_some(),
        stored,
    };
    let copies = match dek {
        Some(_) => copies_in_the_clear(recorder, stored)?,
        None => Vec::new(),
    };
    let keep = match work.active() {
        Active::Readable(credential, facts)
            if san.is_empty()
                && copies.is_empty()
                && !facts.has_ended_at(node.host.clock.now()) =>
        {
            Some((credential, facts))
        }
        Active::Readable(..) | Active::Unusable(_) | Active::Missing => None,
    };
    let names = if san.is_empty() {
        &node.settings.san
    } else {
        san
    };
    let (credential, facts, source) = match keep {
        Some((credential, facts)) => (credential, facts, TlsSource::Database),
        None => {
            let (credential, facts) = work.generate(names)?;
            (credential, facts, TlsSource::Generated)
        }
    };
    if !copies.is_empty() {
        recorder.report.warnings.push(format!(
            "snapshots hold the private key of the setup page in the clear, so a new TLS server \
             credential was made; remove them once they are no longer needed: {}",
            copies.join(", ")
        ));
    }
    recorder.go_to(SetupWizardState::TlsServerCredentialApply)?;
    if let Some(dek) = dek {
        let sealed = node.store.credentials.seal_all(dek)?;
        recorder.note(
            "seal_credentials",
            sealed > 0,
            &format!("{sealed} sealed under the DEK"),
        );
        if sealed > 0 {
            recorder.scrub_now_or_later();
        }
    }
    let provided = work.publish_saved(&credential, facts, source)?;
    recorder.note("provide_tls", provided.changed, &provided.detail);
    recorder.report.tls = Some(TlsReport::new(provided.source, &provided.facts));
    recorder.report.warnings.extend(provided.warnings);
    if provided.changed {
        // Nginx serves the setup page under another one.
        crate::tls_admin::reload(recorder);
    }
    Ok(())
}

/// The snapshots, where the key of the active credential still stands in the clear: each may have
/// a copy of it.
fn copies_in_the_clear(
    recorder: &Recorder<'_>,
    stored: &ActiveCredential,
) -> Result<Vec<String>, Error> {
    let is_clear = |key: &StoredKey| matches!(key, StoredKey::Clear(_));
    if !matches!(stored, ActiveCredential::Stored(stored) if is_clear(&stored.key)) {
        return Ok(Vec::new());
    }
    let snapshots = recorder.node.store.backups.snapshots()?;
    Ok(snapshots
        .into_iter()
        .map(|snapshot| snapshot.path)
        .collect())
}
