//! The generations of the set: one directory each, never changed once it has its name.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;

use ports::{CertificateFacts, Fault, FaultKind, Secret, TlsCredential, TlsSource};

use super::certificate;
use crate::durable::{self, Directory};

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

    /// Reads the three files, each from the directory that `place` says.
    pub(super) fn read<'dir>(
        place: impl Fn(&str) -> Option<&'dir Directory>,
    ) -> Result<Self, Fault> {
        let read = |name| match place(name) {
            Some(directory) => directory.read_optional(name),
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
    dir: &'dir Directory,
    /// `None` where no set was ever made.
    sets: Option<Directory>,
}

impl<'dir> Sets<'dir> {
    pub(super) fn of(dir: &'dir Directory) -> Result<Self, Fault> {
        let sets = dir.below(SETS)?;
        Ok(Self { dir, sets })
    }

    /// Opens a set; `None` where there is no such one.
    pub(super) fn set(&self, generation: Generation) -> Result<Option<Directory>, Fault> {
        match &self.sets {
            Some(sets) => sets.below(&generation.to_string()),
            None => Ok(None),
        }
    }

    /// The set that Nginx has; `None` where the link is missing, dangles or leads elsewhere.
    pub(super) fn current(&self) -> Result<Option<Generation>, Fault> {
        let target = self.dir.read_link(CURRENT)?;
        let generation = target
            .as_deref()
            .and_then(|target| target.strip_prefix("sets/"))
            .and_then(Generation::parse);
        match generation {
            Some(generation) => Ok(self.set(generation)?.map(|_| generation)),
            None => Ok(None),
        }
    }

    /// Whether a set has exactly this content, and no mode wider than it should.
    pub(super) fn is_exactly(
        &self,
        generation: Generation,
        content: &Content,
    ) -> Result<bool, Fault> {
        let Some(set) = self.set(generation)? else {
            return Ok(false);
        };
        if Content::read(|_| Some(&set))? != *content || is_wider(set.metadata()?.mode(), 0o700) {
            return Ok(false);
        }
        let key = set.look(KEY)?;
        Ok(key.is_none_or(|key| !is_wider(key.st_mode, 0o600)))
    }

    /// Where a set comes from; `None` for one that was not made by this program.
    pub(super) fn source(&self, generation: Generation) -> Result<Option<TlsSource>, Fault> {
        match self.set(generation)? {
            Some(set) => source_of(&set),
            None => Ok(None),
        }
    }

    /// Corrects where a set comes from.
    pub(super) fn record_source(
        &self,
        generation: Generation,
        source: TlsSource,
    ) -> Result<(), Fault> {
        let set = self.set(generation)?;
        match set {
            Some(set) if source_of(&set)? != Some(source) => {
                set.write_atomic(SOURCE, source_line(source).as_bytes(), 0o644)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Makes room: the directory of the sets, and nothing in it that a killed process left.
    pub(super) fn prepare(&mut self, current: Option<Generation>) -> Result<(), Fault> {
        let sets = self.dir.provide_dir(SETS, 0o700)?;
        self.dir.remove_leftovers(CURRENT)?;
        for name in sets.list()? {
            if durable::is_temporary(&name) {
                sets.remove_tree(&name)?;
            }
        }
        self.sets = Some(sets);
        // A set that is newer than the current one was finished and never put to use.
        let Some(current) = current else {
            return Ok(());
        };
        for generation in self.generations()? {
            if generation > current && self.is_own(generation)? {
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
        let sets = self.prepared()?;
        let last = self.generations()?.into_iter().max();
        let generation = Generation(last.map_or(0, |last| last.0).saturating_add(1));
        let name = generation.to_string();
        let temporary = sets.temporary(&name)?;
        let set = sets.make_dir(&temporary.name, 0o700)?;
        for (name, bytes, mode) in content.files() {
            set.write_new(name, bytes, mode)?;
        }
        if let Some(source) = source {
            set.write_new(SOURCE, source_line(source).as_bytes(), 0o644)?;
        }
        set.sync()?;
        sets.rename(&temporary.name, &name)?;
        temporary.has_become_the_file();
        sets.sync()?;
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
        self.dir
            .replace_symlink(&format!("{SETS}/{generation}"), CURRENT)?;
        self.dir.sync()
    }

    /// Removes all sets but the last ones and the current one. A set that this program did not
    /// make may be the only copy of somebody's key: it is never removed.
    pub(super) fn prune(&self, current: Generation) -> Result<(), Fault> {
        let mut own = Vec::new();
        for generation in self.generations()? {
            if generation != current && self.is_own(generation)? {
                own.push(generation);
            }
        }
        own.sort_by(|left, right| right.cmp(left));
        for generation in own.into_iter().skip(KEPT - 1) {
            self.remove(generation)?;
        }
        Ok(())
    }

    fn generations(&self) -> Result<Vec<Generation>, Fault> {
        let names = match &self.sets {
            Some(sets) => sets.list()?,
            None => Vec::new(),
        };
        Ok(names
            .iter()
            .filter_map(|name| Generation::parse(name))
            .collect())
    }

    fn is_own(&self, generation: Generation) -> Result<bool, Fault> {
        match self.set(generation)? {
            Some(set) => Ok(set.look(SOURCE)?.is_some()),
            None => Ok(false),
        }
    }

    /// Takes a set's name away first: what is half removed must not look like a set.
    fn remove(&self, generation: Generation) -> Result<(), Fault> {
        let sets = self.prepared()?;
        let name = generation.to_string();
        let temporary = sets.temporary(&name)?;
        sets.rename(&name, &temporary.name)?;
        sets.remove_tree(&temporary.name)?;
        temporary.has_become_the_file();
        Ok(())
    }

    fn prepared(&self) -> Result<&Directory, Fault> {
        self.sets.as_ref().ok_or_else(|| {
            let missing = self.dir.join(SETS);
            Fault::new(
                FaultKind::Internal,
                format!("a set is to be written before there is a directory {missing}"),
                "report this",
            )
        })
    }
}

fn source_of(set: &Directory) -> Result<Option<TlsSource>, Fault> {
    let name = set.read_optional(SOURCE)?;
    Ok(TlsSource::ALL
        .into_iter()
        .find(|source| name.as_deref().map(<[u8]>::trim_ascii) == Some(source.name().as_bytes())))
}

fn source_line(source: TlsSource) -> String {
    format!("{}\n", source.name())
}

fn is_wider(is: u32, should: u32) -> bool {
    is & 0o7777 & !should != 0
}
