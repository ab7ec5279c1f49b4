//! `tls show`, `renew`, `import`, `history`, `activate`.

use std::time::Duration;

use camino::Utf8Path;
use ports::{CredentialFiles, FaultKind, ResultExt as _, Secret, StoredCredential, TlsView};

use super::Next;
use crate::cli::{TlsCommand, TlsImportArgs};
use crate::config::Config;
use crate::console::Console;
use crate::failure::Failure;
use crate::input;
use crate::wire::{Access, wire};
use usecases::node::Node;
use usecases::report::own::{ActiveReport, CredentialReport, Own, TlsHistory, TlsShow};
use usecases::report::{Report, TlsReport, rfc3339};
use usecases::tls_admin::{self, Activate, Active, Import, Renew};

/// Most bytes of a file with a key or certificates: more is a wrong file.
const MAX_FILE: usize = 256 << 10;

/// Runs one of them.
///
/// # Errors
/// Why it was refused or failed.
pub fn run(
    config: &Config,
    command: &TlsCommand,
    console: Console,
    report: &mut Report,
) -> Result<Next, Failure> {
    let access = match command {
        TlsCommand::Show | TlsCommand::History => Access::ReadOnly,
        TlsCommand::Renew(_) | TlsCommand::Import(_) | TlsCommand::Activate(_) => Access::ReadWrite,
    };
    let node = wire(config, access, console)?;
    match command {
        TlsCommand::Show => show(&node, console, report)?,
        TlsCommand::History => history(&node, console, report)?,
        TlsCommand::Renew(arguments) => {
            let request = Renew {
                san: arguments.san.clone(),
                lock_wait: Duration::from_secs(arguments.lock_wait),
            };
            tls_admin::renew(&mut console.recorder(&node, report), &request)?;
        }
        TlsCommand::Import(arguments) => {
            let request = import(arguments)?;
            tls_admin::import(&mut console.recorder(&node, report), &request)?;
        }
        TlsCommand::Activate(arguments) => {
            let request = Activate {
                fingerprint: arguments.fingerprint.clone(),
                force: arguments.force,
                lock_wait: Duration::from_secs(arguments.lock_wait),
            };
            tls_admin::activate(&mut console.recorder(&node, report), &request)?;
        }
    }
    Ok(Next::Exit)
}

fn import(arguments: &TlsImportArgs) -> Result<Import, Failure> {
    let chain = arguments.chain.as_deref();
    Ok(Import {
        files: CredentialFiles {
            private_key: read(&arguments.key)?,
            certificate: text(&arguments.cert)?,
            chain: chain.map(text).transpose()?,
        },
        from: format!("{} with {}", arguments.cert, arguments.key),
        force: arguments.force,
        lock_wait: Duration::from_secs(arguments.lock_wait),
    })
}

fn text(path: &Utf8Path) -> Result<String, Failure> {
    let bytes = read(path)?;
    bytes.expose_text().map(str::to_owned).ok_or_else(|| {
        Failure::new(
            FaultKind::DataCorrupt,
            format!("{path} is no PEM file: it is not text"),
            "convert a binary certificate with `openssl x509 -inform DER -in FILE -out CERT.pem`",
        )
    })
}

/// Reads a whole file or pipe.
fn read(path: &Utf8Path) -> Result<Secret, Failure> {
    let bytes = input::read(path, MAX_FILE).or_io(|| format!("reading {path}"))?;
    if bytes.len() > MAX_FILE {
        return Err(Failure::new(
            FaultKind::DataCorrupt,
            format!("{path} is too long for a PEM file of a key or certificate"),
            "correct the path",
        ));
    }
    Ok(Secret::new(bytes.to_vec()))
}

fn show(node: &Node, console: Console, report: &mut Report) -> Result<(), Failure> {
    let shown = tls_admin::show(node)?;
    report.own = Some(Own::TlsShow(Box::new(TlsShow {
        active: shown.active.as_ref().map(reported),
    })));
    match &shown.nginx {
        TlsView::Usable(set) => report.tls = Some(TlsReport::new(set.source, &set.facts)),
        TlsView::Absent => report.warnings.push(format!(
            "Nginx has no TLS set in {}",
            node.web.tls.directory()
        )),
        TlsView::Unusable(why) => report
            .warnings
            .push(format!("Nginx could not start with its TLS set: {why}")),
    }
    if !console.is_human() {
        return Ok(());
    }
    match &shown.active {
        Some(Active { stored, details }) => {
            console.product(&format!("active: {}", line(stored)));
            console.product(&format!("  subject: {}", details.subject));
            console.product(&format!("  issuer:  {}", details.issuer));
            console.product(&format!("  key:     {}", details.key_kind));
            console.product(&format!("  names:   {}", details.san.join(", ")));
            console.product("Nginx has:");
        }
        None => console.product("the database has no active TLS server credential"),
    }
    Ok(())
}

fn reported(active: &Active) -> ActiveReport {
    let details = &active.details;
    ActiveReport {
        credential: CredentialReport::from(&active.stored),
        subject: details.subject.clone(),
        issuer: details.issuer.clone(),
        key: details.key_kind.clone(),
        san: details.san.clone(),
    }
}

fn history(node: &Node, console: Console, report: &mut Report) -> Result<(), Failure> {
    let list = tls_admin::history(&node.store)?;
    if console.is_human() {
        for stored in &list {
            console.product(&table_row(stored));
        }
        if list.is_empty() {
            console.product("no TLS server credential is stored yet");
        }
    }
    report.own = Some(Own::TlsHistory(TlsHistory {
        credentials: list.iter().map(CredentialReport::from).collect(),
    }));
    Ok(())
}

/// As much of the fingerprint as `tls activate` needs to tell one from another.
fn table_row(stored: &StoredCredential) -> String {
    let mark = if stored.is_active { "*" } else { " " };
    let fingerprint = &stored.facts.sha256_fingerprint;
    let short = fingerprint.get(..23).unwrap_or(fingerprint);
    let key = if stored.is_sealed { "sealed" } else { "clear" };
    let until = stored.facts.not_after.date();
    format!(
        "{mark} {short}  {:9}  key {key:6}  until {until}",
        stored.origin.name()
    )
}

fn line(stored: &StoredCredential) -> String {
    format!(
        "{} ({}, {}), valid from {} until {}",
        stored.facts.sha256_fingerprint,
        stored.origin.name(),
        if stored.is_sealed {
            "key sealed"
        } else {
            "key in the clear"
        },
        rfc3339(stored.facts.not_before),
        rfc3339(stored.facts.not_after),
    )
}
