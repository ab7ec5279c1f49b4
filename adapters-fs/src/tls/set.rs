//! The generations of the set: one directory each, never changed once it has its name.

use std::fmt;
use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use ports::{CertificateFacts, Fault, ResultExt as _, Secret, TlsCredential, TlsSource};

use super::certificate;
use crate::durable::{self, Temporary};

/// The private key.
pub(super) const KEY: &str = "nginx-tls-server-key.key";
/// The server's certificate.
pub(super) const CERTIFICATE: &str = "nginx-tls-server-cert.pem";
/// Its issuers; absent where there is no chain.
pub(super) const CHAIN: &str = "nginx-tls-server-cert-chain.pem";

const SOURCE: &str = "source";
const CURRENT: &str = "current";
const SETS: &str = "sets";

/// How many sets are kept, the current one among them.
const KEPT: usize = 3;

/// The files of a set, as they are or as they should be.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Content {
    pub(super) key: Option<Secret>,
    pub(super) certificate: Option<Vec<u8>>,
    pub(super) chain: Option<Vec<u8>>,
}

impl Content {
    pub(super) fn of(credential: &TlsCredential) -> Self {
        Self {
            key: Some(credential.private_key_pem.clone()),
            certificate: Some(credential.certificate_pem.clone().into_bytes()),
            chain: credential.chain_pem.clone().map(String::into_bytes),
        }
    }

    /// Reads the three files, each from where `place` says.
    pub(super) fn read(place: impl Fn(&str) -> Option<Utf8PathBuf>) -> Result<Self, Fault> {
        let read = |name| match place(name) {
            Some(path) => durable::read_optional(&path),
            None => Ok(None),
        };
        Ok(Self {
            key: read(KEY)?.map(Secret::new),
            certificate: read(CERTIFICATE)?,
            chain: read(CHAIN)?,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.key.is_none() && self.certificate.is_none() && self.chain.is_none()
    }

    /// Whether Nginx can start with these files; the error says why not.
    pub(super) fn check(&self) -> Result<CertificateFacts, String> {
        let key = self.key.clone().ok_or("the private key is missing")?;
        let certificate = self
            .certificate
            .as_deref()
            .ok_or("the certificate is missing")?;
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec())
                .map_err(|_| "the certificate or its chain is not a text file".to_owned())
        };
        certificate::check(&TlsCredential {
            private_key_pem: key,
            certificate_pem: text(certificate)?,
            chain_pem: self.chain.as_deref().map(text).transpose()?,
        })
    }

    /// Name, bytes and mode of each file that there is.
    fn files(&self) -> impl Iterator<Item = (&'static str, &[u8], u32)> {
        [
            (KEY, self.key.as_ref().map(Secret::expose), 0o600),
            (CERTIFICATE, self.certificate.as_deref(), 0o644),
            (CHAIN, self.chain.as_deref(), 0o644),
        ]
        .into_iter()
        .filter_map(|(name, bytes, mode)| bytes.map(|bytes| (name, bytes, mode)))
    }
}

/// The number of a set.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Generation(u64);

impl Generation {
    fn parse(name: &str) -> Option<Self> {
        let is_number = name.len() >= 8 && name.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| name.parse().ok().map(Self)).flatten()
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}", self.0)
    }
}

/// The sets of one Nginx TLS directory.
#[derive(Debug)]
pub(super) struct Sets<'dir> {
    dir: &'dir Utf8Path,
    sets: Utf8PathBuf,
}

impl<'dir> Sets<'dir> {
    pub(super) fn of(dir: &'dir Utf8Path) -> Self {
        Self {
            dir,
            sets: dir.join(SETS),
        }
    }

    /// Where a set stands.
    pub(super) fn path(&self, generation: Generation) -> Utf8PathBuf {
        self.sets.join(generation.to_string())
    }

    /// The set that Nginx has; `None` where the link is missing, dangles or leads elsewhere.
    pub(super) fn current(&self) -> Result<Option<Generation>, Fault> {
        let target = durable::read_link(&self.dir.join(CURRENT))?;
        let generation = target
            .as_deref()
            .and_then(|target| target.strip_prefix("sets/"))
            .and_then(Generation::parse);
        Ok(generation.filter(|generation| self.path(*generation).is_dir()))
    }

    /// Whether a set has exactly this content, and no mode wider than it should.
    pub(super) fn is_exactly(
        &self,
        generation: Generation,
        content: &Content,
    ) -> Result<bool, Fault> {
        let path = self.path(generation);
        let standing = Content::read(|name| Some(path.join(name)))?;
        if standing != *content || is_wider(&path, 0o700)? {
            return Ok(false);
        }
        Ok(content.key.is_none() || !is_wider(&path.join(KEY), 0o600)?)
    }

    /// Where a set comes from; `None` for one that was not made by this program.
    pub(super) fn source(&self, generation: Generation) -> Result<Option<TlsSource>, Fault> {
        let name = durable::read_optional(&self.path(generation).join(SOURCE))?;
        Ok(TlsSource::ALL.into_iter().find(|source| {
            name.as_deref().map(<[u8]>::trim_ascii) == Some(source.name().as_bytes())
        }))
    }

    /// Corrects where a set comes from.
    pub(super) fn record_source(
        &self,
        generation: Generation,
        source: TlsSource,
    ) -> Result<(), Fault> {
        if self.source(generation)? == Some(source) {
            return Ok(());
        }
        let path = self.path(generation).join(SOURCE);
        durable::write_atomic(&path, source_line(source).as_bytes(), 0o644)
    }

    /// Makes room: the directory of the sets, and nothing in it that a killed process left.
    pub(super) fn prepare(&self, current: Option<Generation>) -> Result<(), Fault> {
        durable::create_dir(&self.sets, 0o700)?;
        durable::remove_leftovers(&self.dir.join(CURRENT))?;
        for name in durable::list(&self.sets)?.unwrap_or_default() {
            if durable::is_temporary(&name) {
                self.remove_tree(&self.sets.join(name))?;
            }
        }
        // A set that is newer than the current one was finished and never put to use.
        let Some(current) = current else {
            return Ok(());
        };
        for generation in self.generations()? {
            if generation > current && self.is_own(generation) {
                self.remove(generation)?;
            }
        }
        Ok(())
    }

    /// Writes a new set. Whatever goes wrong, no set has changed and nothing is left that matters.
    pub(super) fn add(
        &self,
        content: &Content,
        source: Option<TlsSource>,
    ) -> Result<Generation, Fault> {
        let last = self.generations()?.into_iter().max();
        let generation = Generation(last.map_or(0, |last| last.0).saturating_add(1));
        let path = self.path(generation);
        let temporary = Temporary::beside(&path)?;
        durable::make_dir(&temporary.path, 0o700)?;
        for (name, bytes, mode) in content.files() {
            durable::write_new(&temporary.path.join(name), bytes, mode)?;
        }
        if let Some(source) = source {
            let line = source_line(source);
            durable::write_new(&temporary.path.join(SOURCE), line.as_bytes(), 0o644)?;
        }
        durable::sync_dir(&temporary.path)?;
        durable::rename(&temporary.path, &path)?;
        temporary.has_become_the_file();
        durable::sync_dir(&self.sets)?;
        Ok(generation)
    }

    /// The set that has exactly this content, if there is one.
    pub(super) fn find(&self, content: &Content) -> Result<Option<Generation>, Fault> {
        for generation in self.generations()? {
            if self.is_exactly(generation, content)? {
                return Ok(Some(generation));
            }
        }
        Ok(None)
    }

    /// Gives Nginx a set, in one step.
    pub(super) fn activate(&self, generation: Generation) -> Result<(), Fault> {
        durable::replace_symlink(&format!("{SETS}/{generation}"), &self.dir.join(CURRENT))?;
        durable::sync_dir(self.dir)
    }

    /// Removes all sets but the last ones and the current one. A set that this program did not
    /// make may be the only copy of somebody's key: it is never removed.
    pub(super) fn prune(&self, current: Generation) -> Result<(), Fault> {
        let mut own = self.generations()?;
        own.retain(|generation| *generation != current && self.is_own(*generation));
        own.sort_by(|left, right| right.cmp(left));
        for generation in own.into_iter().skip(KEPT - 1) {
            self.remove(generation)?;
        }
        Ok(())
    }

    fn generations(&self) -> Result<Vec<Generation>, Fault> {
        let names = durable::list(&self.sets)?.unwrap_or_default();
        Ok(names
            .iter()
            .filter_map(|name| Generation::parse(name))
            .collect())
    }

    fn is_own(&self, generation: Generation) -> bool {
        self.path(generation).join(SOURCE).is_file()
    }

    /// Takes a set's name away first: what is half removed must not look like a set.
    fn remove(&self, generation: Generation) -> Result<(), Fault> {
        let path = self.path(generation);
        let temporary = Temporary::beside(&path)?;
        durable::rename(&path, &temporary.path)?;
        self.remove_tree(&temporary.path)
    }

    fn remove_tree(&self, path: &Utf8Path) -> Result<(), Fault> {
        std::fs::remove_dir_all(path).or_io(|| format!("removing the old TLS set {path}"))
    }
}

fn source_line(source: TlsSource) -> String {
    format!("{}\n", source.name())
}

fn is_wider(path: &Utf8Path, mode: u32) -> Result<bool, Fault> {
    let metadata = path.metadata().or_io(|| format!("looking at {path}"))?;
    Ok(metadata.permissions().mode() & 0o7777 & !mode != 0)
}
