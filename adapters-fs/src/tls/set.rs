//! The generations of the set: one directory each, never changed once it has its name.

use std::cmp::Reverse;
use std::os::unix::fs::MetadataExt as _;

use ports::{CertificateFacts, FileError, Secret, TlsCredential, TlsSource};

use super::certificate;
use crate::durable::Directory;

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
    pub(super) fn of(credential: TlsCredential) -> Self {
        Self {
            key: Some(credential.private_key_pem),
            certificate: Some(credential.certificate_pem.into_bytes()),
            chain: credential.chain_pem.map(String::into_bytes),
        }
    }

    /// Reads the three files, each from the directory that `place` says.
    pub(super) fn read<'dir>(
        place: impl Fn(&str) -> Option<&'dir Directory>,
    ) -> Result<Self, FileError> {
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
        certificate::read(&self.as_credential()?).map(|(_, facts)| facts)
    }

    /// What Nginx can start with, encoded anew; the error says why it cannot.
    pub(super) fn credential(&self) -> Result<TlsCredential, String> {
        certificate::read(&self.as_credential()?).map(|(credential, _)| credential)
    }

    fn as_credential(&self) -> Result<TlsCredential, String> {
        let key = self.key.clone().ok_or("the private key is missing")?;
        let certificate = self
            .certificate
            .as_deref()
            .ok_or("the certificate is missing")?;
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec())
                .map_err(|_| "the certificate or its chain is not a text file".to_owned())
        };
        Ok(TlsCredential {
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

/// A set that is whole: its number, and its open directory.
#[derive(Debug)]
pub(super) struct Generation {
    number: u64,
    directory: Directory,
}

impl Generation {
    /// The set that Nginx has; `None` where the link is missing, dangles or leads elsewhere.
    pub(super) fn current(nginx: &Directory) -> Result<Option<Self>, FileError> {
        let target = nginx.read_link(CURRENT)?;
        let number = target
            .as_deref()
            .and_then(|target| target.strip_prefix("sets/"))
            .and_then(number_of);
        match (number, nginx.below(SETS)?) {
            (Some(number), Some(sets)) => Self::open(&sets, number),
            _ => Ok(None),
        }
    }

    fn open(sets: &Directory, number: u64) -> Result<Option<Self>, FileError> {
        let directory = sets.below(&name_of(number))?;
        Ok(directory.map(|directory| Self { number, directory }))
    }

    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    pub(super) fn is_same(&self, other: Option<&Self>) -> bool {
        other.is_some_and(|other| other.number == self.number)
    }

    /// Whether it has exactly this content, and no mode wider than it should.
    pub(super) fn is_exactly(&self, content: &Content) -> Result<bool, FileError> {
        let directory = &self.directory;
        if Content::read(|_| Some(directory))? != *content
            || is_wider(directory.metadata()?.mode(), 0o700)
        {
            return Ok(false);
        }
        let key = directory.look(KEY)?;
        Ok(key.is_none_or(|key| !is_wider(key.st_mode, 0o600)))
    }

    /// Where it comes from; `None` for one that was not made by this program.
    pub(super) fn source(&self) -> Result<Option<TlsSource>, FileError> {
        let line = self.directory.read_optional(SOURCE)?;
        let name = line.as_deref().map(<[u8]>::trim_ascii);
        Ok(TlsSource::ALL
            .into_iter()
            .find(|source| name == Some(source.name().as_bytes())))
    }

    /// Corrects where it comes from.
    pub(super) fn record_source(&self, source: TlsSource) -> Result<(), FileError> {
        if self.source()? == Some(source) {
            return Ok(());
        }
        let line = source_line(source);
        self.directory.write_atomic(SOURCE, line.as_bytes(), 0o644)
    }

    fn is_own(&self) -> Result<bool, FileError> {
        Ok(self.directory.look(SOURCE)?.is_some())
    }
}

/// The sets of one Nginx TLS directory, while one is published.
#[derive(Debug)]
pub(super) struct Sets<'dir> {
    nginx: &'dir Directory,
    directory: Directory,
}

impl<'dir> Sets<'dir> {
    /// Makes the directory of the sets, and removes from it what a killed process left.
    pub(super) fn prepare(
        nginx: &'dir Directory,
        current: Option<&Generation>,
    ) -> Result<Self, FileError> {
        let directory = nginx.provide_dir(SETS, 0o700)?;
        nginx.remove_leftovers(CURRENT)?;
        directory.remove_all_leftovers()?;
        let sets = Self { nginx, directory };
        // A set that is newer than the current one was finished and never put to use.
        if let Some(current) = current {
            for generation in sets.all_but(|number| number <= current.number)? {
                if generation.is_own()? {
                    sets.remove(generation)?;
                }
            }
        }
        Ok(sets)
    }

    /// Writes a new set. Whatever goes wrong, no set has changed and nothing is left that matters.
    pub(super) fn add(
        &self,
        content: &Content,
        source: Option<TlsSource>,
    ) -> Result<Generation, FileError> {
        let last = self.numbers()?.into_iter().max();
        let number = last.unwrap_or_default().saturating_add(1);
        let name = name_of(number);
        let temporary = self.directory.temporary(&name);
        let directory = self.directory.make_dir(&temporary.name, 0o700)?;
        for (name, bytes, mode) in content.files() {
            directory.write_new(name, bytes, mode)?;
        }
        if let Some(source) = source {
            directory.write_new(SOURCE, source_line(source).as_bytes(), 0o644)?;
        }
        directory.sync()?;
        self.directory.rename(&temporary.name, &name)?;
        temporary.keep();
        self.directory.sync()?;
        Ok(Generation { number, directory })
    }

    /// The set that has exactly this content, if there is one.
    pub(super) fn find(&self, content: &Content) -> Result<Option<Generation>, FileError> {
        for generation in self.all_but(|_| false)? {
            if generation.is_exactly(content)? {
                return Ok(Some(generation));
            }
        }
        Ok(None)
    }

    /// Gives Nginx a set, in one step.
    pub(super) fn activate(&self, generation: &Generation) -> Result<(), FileError> {
        let target = format!("{SETS}/{}", name_of(generation.number));
        self.nginx.replace_symlink(&target, CURRENT)?;
        self.nginx.sync()
    }

    /// Removes all sets but the last ones and the current one. A set that this program did not
    /// make may be the only copy of somebody's key: it is never removed.
    pub(super) fn prune(&self, current: &Generation) -> Result<(), FileError> {
        let mut own = Vec::new();
        for generation in self.all_but(|number| number == current.number)? {
            if generation.is_own()? {
                own.push(generation);
            }
        }
        own.sort_by_key(|generation| Reverse(generation.number));
        own.into_iter()
            .skip(KEPT - 1)
            .try_for_each(|generation| self.remove(generation))
    }

    fn numbers(&self) -> Result<Vec<u64>, FileError> {
        let names = self.directory.list()?;
        Ok(names.iter().filter_map(|name| number_of(name)).collect())
    }

    fn all_but(&self, is_left_out: impl Fn(u64) -> bool) -> Result<Vec<Generation>, FileError> {
        self.numbers()?
            .into_iter()
            .filter(|number| !is_left_out(*number))
            .filter_map(|number| Generation::open(&self.directory, number).transpose())
            .collect()
    }

    /// Takes a set's name away first: what is half removed must not look like a set.
    fn remove(&self, generation: Generation) -> Result<(), FileError> {
        let name = name_of(generation.number);
        let temporary = self.directory.temporary(&name);
        self.directory.rename(&name, &temporary.name)?;
        self.directory.remove_tree(&temporary.name)?;
        temporary.keep();
        Ok(())
    }
}

fn name_of(number: u64) -> String {
    format!("{number:08}")
}

fn number_of(name: &str) -> Option<u64> {
    let is_number = name.len() >= 8 && name.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| name.parse().ok()).flatten()
}

fn source_line(source: TlsSource) -> String {
    format!("{}\n", source.name())
}

fn is_wider(is: u32, should: u32) -> bool {
    is & 0o7777 & !should != 0
}
