//! The setup and recovery page, between two starts: what it needs of this process.

use std::fs::{self, File, Metadata};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use adapters_fs::{NginxTls, durable, read_catalogue};
use adapters_web::{CATALOGUES, Desk, Doorkeeper, End, Languages, Page};
use camino::Utf8PathBuf;
use domain::Outcome;
use ports::{FaultKind, Output as _, ResultExt as _, Secret, TlsCredential};
use usecases::error::Error;
use usecases::node::Node;
use usecases::report::{ErrorReport, Report, StepReport};

use crate::cli::StartupArgs;
use crate::config::Config;
use crate::console::Console;
use crate::exit_code;
use crate::failure::Failure;
use crate::process::HeldSignals;
use crate::wire::{Access, wire_start};

/// Serves the page of what this start has reported, until a start may find the node ready. The
/// doorkeeper is that of this process, once it has one.
///
/// # Errors
/// The page cannot be served.
pub fn serve(
    config: &Config,
    console: Console,
    arguments: &StartupArgs,
    address: SocketAddr,
    report: &Report,
    doorkeeper: &mut Option<Rc<Doorkeeper>>,
) -> Result<(), Failure> {
    let signals = HeldSignals::hold()?;
    let doorkeeper = match doorkeeper {
        Some(doorkeeper) => Rc::clone(doorkeeper),
        None => Rc::clone(doorkeeper.insert(new_doorkeeper()?)),
    };
    let code = doorkeeper.code();
    let page = Page {
        listener: listen(address)?,
        credential: credential(config)?,
        doorkeeper,
        languages: languages()?,
        report: report.clone(),
        lock_wait: Duration::from_secs(arguments.lock_wait),
        desk: Arc::new(Commands {
            config: config.clone(),
            console,
        }),
    };
    let address = page.listener.local_addr().unwrap_or(address);
    let kept = CodeFile::write(config, &code)?;
    announce(console, address, report, &code);
    let end = adapters_web::serve(page, signals.told()?);
    drop(kept);
    match end {
        Ok(End::StartAgain) => {
            console.info("the page has ended; the node is started again");
            Ok(())
        }
        Ok(End::Signal) => signals.end(),
        Err(error) => Err(Failure::new(
            FaultKind::Io,
            format!("the setup page cannot be served at {address}"),
            "see why below; without --page and page.listen, `trustpointctl setup` and \
             `trustpointctl recover` do the same at a terminal",
        )
        .because(error)),
    }
}

fn new_doorkeeper() -> Result<Rc<Doorkeeper>, Failure> {
    Doorkeeper::new().map_err(|error| {
        Failure::new(
            FaultKind::Internal,
            error.to_string(),
            "report this with the kernel's version",
        )
    })
}

fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| {
        let (kind, hint) = match error.kind() {
            ErrorKind::AddrInUse => (
                FaultKind::Busy,
                "end what listens there, or give --page (page.listen) another port, and start again",
            ),
            ErrorKind::AddrNotAvailable => (
                FaultKind::Config,
                "give --page (page.listen) an address of this machine, or 0.0.0.0 for all of them",
            ),
            ErrorKind::PermissionDenied => (
                FaultKind::Denied,
                "give --page (page.listen) a port above 1023, or this program the right to it",
            ),
            _ => (FaultKind::Io, "correct --page (page.listen)"),
        };
        let what = format!("the setup page cannot listen on {address}");
        Failure::new(kind, what, hint).because(error)
    })
}

/// The very set that the web server was given by the start before.
fn credential(config: &Config) -> Result<TlsCredential, Failure> {
    let found = NginxTls::new(config.tls_dir.value.clone()).credential();
    let found = found.map_err(Error::from)?;
    found.ok_or_else(|| {
        Failure::new(
            FaultKind::DataCorrupt,
            format!(
                "the setup page has no TLS set to show: {} was changed since the start",
                config.tls_dir.value
            ),
            "start again",
        )
    })
}

fn languages() -> Result<Languages, Failure> {
    let read = |(tag, text)| {
        let catalogue = read_catalogue(&format!("{tag} of this program"), text);
        Ok((tag, catalogue.map_err(Error::from)?))
    };
    let read: Result<_, Failure> = CATALOGUES.into_iter().map(read).collect();
    Ok(Languages::new(read?))
}

/// What an operator needs to know. The code stands in the log by design: who reads that may set the
/// node up.
fn announce(console: Console, address: SocketAddr, report: &Report, code: &Secret) {
    let code = code.expose_text().unwrap_or_default();
    let fingerprint = report
        .tls
        .as_ref()
        .map(|tls| tls.sha256_fingerprint.as_str());
    let page = match report.outcome {
        Some(Outcome::RecoveryRequired) => "recovery page",
        _ => "setup page",
    };
    for line in [
        format!("{page}: https://{address}/"),
        format!(
            "  certificate, SHA-256: {}",
            fingerprint.unwrap_or("unknown")
        ),
        format!("  access code: {code}"),
    ] {
        console.always(&line);
    }
}

/// The file with the access code, for as long as this lives. It is locked, so that a start beside it
/// knows it from one that was left behind.
struct CodeFile {
    path: Utf8PathBuf,
    locked: File,
}

impl CodeFile {
    fn write(config: &Config, code: &Secret) -> Result<Self, Failure> {
        let path = code_path(config);
        let text = [code.expose(), b"\n"].concat();
        durable::create_dirs(&config.runtime_dir.value, 0o700)
            .and_then(|()| durable::write_atomic(&path, &text, 0o600))?;
        let doing = || format!("locking {path}");
        let locked = File::open(&path).or_io(doing)?;
        locked.lock_shared().or_io(doing)?;
        Ok(Self { path, locked })
    }
}

impl Drop for CodeFile {
    fn drop(&mut self) {
        // The code in it opens nothing any more. That of another page, which came later, does.
        let file = |found: Metadata| (found.dev(), found.ino());
        let own = self.locked.metadata().ok().map(file);
        if own.is_some() && own == fs::metadata(&self.path).ok().map(file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn code_path(config: &Config) -> Utf8PathBuf {
    config.runtime_dir.value.join("page-code")
}

/// Removes the file of a page that was killed. Its code opens nothing, so that it stays where it cannot
/// be removed is no reason not to start.
pub fn forget_old_code(config: &Config) {
    let path = code_path(config);
    let is_old = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
    if is_old {
        let _ = fs::remove_file(&path);
    }
}

/// The node and the words of the commands.
struct Commands {
    config: Config,
    console: Console,
}

impl Desk for Commands {
    fn node(&self, is_changed: bool) -> Result<Node, ErrorReport> {
        let (access, console) = if is_changed {
            (Access::ReadWrite, self.console)
        } else {
            (Access::ReadOnly, self.console.quietly())
        };
        wire_start(&self.config, access, console).map_err(|failure| failure.report())
    }

    fn explain(&self, error: Error) -> ErrorReport {
        Failure::from(error).report()
    }

    fn step(&self, step: &StepReport) {
        self.console.step(step);
    }

    fn ended(&self, report: &Report) {
        if self.console.is_human() {
            let code = exit_code::of_report(report, false);
            let mut report = report.clone();
            report.is_start_next = true;
            return self.console.report(&report, code);
        }
        for warning in &report.warnings {
            self.console.warning(warning);
        }
        if let Some(error) = &report.error {
            self.console.error_only(error);
        }
    }

    fn note(&self, line: &str) {
        self.console.warning(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_of_the_page_is_translated_and_no_other() {
        for (tag, text) in CATALOGUES {
            let catalogue = read_catalogue(tag, text).unwrap();
            let translated = catalogue.keys().filter(|text| !text.is_empty());
            let mut translated: Vec<_> = translated.map(String::as_str).collect();
            let mut texts = adapters_web::TEXTS.to_vec();
            translated.sort_unstable();
            texts.sort_unstable();
            texts.dedup();
            assert_eq!(translated, texts, "{tag}");
            for (english, translated) in &catalogue {
                let places = |text: &str| {
                    let mut places: Vec<_> = text
                        .split('{')
                        .skip(1)
                        .map(|rest| rest.split('}').next().unwrap().to_owned())
                        .collect();
                    places.sort();
                    places
                };
                assert_eq!(places(english), places(translated), "{tag}: {english}");
            }
        }
    }
}
