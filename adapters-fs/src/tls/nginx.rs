//! The Nginx TLS directory: a whole set, swapped by one rename (C7).
//!
//! ```text
//! nginx-tls-server-key.key        -> current/nginx-tls-server-key.key
//! nginx-tls-server-cert.pem       -> current/nginx-tls-server-cert.pem
//! nginx-tls-server-cert-chain.pem -> current/nginx-tls-server-cert-chain.pem
//! current                         -> sets/00000042
//! sets/00000042/                     the files, and `source`
//! ```
//!
//! A new set is complete and on disk before `current` leads to it. Files that something else has
//! put under the three names become a set of their own first, so that no key is lost.

use camino::Utf8PathBuf;
use ports::{FileError, Published, TlsCredential, TlsError, TlsSet, TlsSource, TlsStore, TlsView};

use super::certificate;
use super::links::Links;
use super::set::{Content, Generation, Sets};
use crate::durable::{self, Directory};
use crate::file_system;

/// How often a view is taken again because the set was swapped under it.
const LOOKS: usize = 10;

/// What a set takes: a page for each file, directory and link.
const SPACE: u64 = 48 << 10;

/// The Nginx TLS directory. Whoever publishes holds the start lock.
#[derive(Clone, Debug)]
pub struct NginxTls {
    dir: Utf8PathBuf,
}

impl NginxTls {
    /// The set in the directory `dir`.
    #[must_use]
    pub fn new(dir: Utf8PathBuf) -> Self {
        Self { dir }
    }

    /// The set itself, for a server of this program; `None` where Nginx could not start with it.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn credential(&self) -> Result<Option<TlsCredential>, TlsError> {
        let Some(dir) = Directory::open_if_there(&self.dir)? else {
            return Ok(None);
        };
        // One generation never changes: key and certificate are of one set.
        let current = Generation::current(&dir)?;
        let visible = Links::observe(&dir)?.visible(current.as_ref())?;
        Ok(visible.credential().ok())
    }

    fn look(&self, dir: &Directory, current: Option<&Generation>) -> Result<TlsView, FileError> {
        let links = Links::observe(dir)?;
        let visible = links.visible(current)?;
        if visible.key.is_none() && visible.certificate.is_none() {
            return Ok(TlsView::Absent);
        }
        let source = match current {
            Some(current) if links.are_ours() => current.source()?,
            _ => None,
        };
        Ok(match visible.check() {
            Ok(facts) => TlsView::Usable(TlsSet { source, facts }),
            Err(why) => TlsView::Unusable(format!("in {}, {why}", self.dir)),
        })
    }

    /// Gives Nginx a set that is not the one it has, or that it has under wrong names.
    fn replace(
        dir: &Directory,
        wanted: &Content,
        source: TlsSource,
        current: Option<Generation>,
        is_current: bool,
    ) -> Result<(), FileError> {
        let links = Links::observe(dir)?;
        let has_chain = wanted.chain.is_some();
        let sets = Sets::prepare(dir, current.as_ref())?;

        let foreign = keep_foreign(&sets, &links, current.as_ref())?;
        let next = match current {
            Some(current) if is_current => current,
            _ => sets.add(wanted, Some(source))?,
        };
        // All that can run out of space is behind us. The links swing while `current` leads to
        // what a reader sees under the three names anyway.
        if let Some(foreign) = &foreign {
            sets.activate(foreign)?;
        }
        links.make(has_chain)?;
        if foreign.is_some() || !is_current {
            sets.activate(&next)?;
        }
        if !has_chain {
            links.remove_chain()?;
        }
        next.record_source(source)?;
        sets.prune(&next)
    }
}

impl TlsStore for NginxTls {
    fn view(&self) -> Result<TlsView, TlsError> {
        let Some(dir) = Directory::open_if_there(&self.dir)? else {
            return Ok(TlsView::Absent);
        };
        let mut looks = 1;
        loop {
            let current = Generation::current(&dir)?;
            let view = self.look(&dir, current.as_ref())?;
            // Whoever looks holds no lock: a set that was swapped and pruned in the meantime seems
            // to have files missing.
            if matches!(view, TlsView::Usable(_)) || looks == LOOKS {
                return Ok(view);
            }
            let now = Generation::current(&dir)?;
            let is_unchanged = match &current {
                Some(current) => current.is_same(now.as_ref()),
                None => now.is_none(),
            };
            if is_unchanged {
                return Ok(view);
            }
            looks += 1;
        }
    }

    fn publish(
        &self,
        credential: &TlsCredential,
        source: TlsSource,
    ) -> Result<Published, TlsError> {
        let (anew, _) = certificate::read(credential).map_err(TlsError::Unusable)?;
        let wanted = Content::of(anew);
        durable::create_dirs(&self.dir, 0o700)?;
        let dir = Directory::open(&self.dir)?;
        let current = Generation::current(&dir)?;
        let is_current = match &current {
            Some(current) => current.is_exactly(&wanted)?,
            None => false,
        };
        if let Some(current) = &current
            && is_current
            && Links::observe(&dir)?.are_right(wanted.chain.is_some())
        {
            current.record_source(source)?;
            return Ok(Published::Unchanged);
        }
        Self::replace(&dir, &wanted, source, current, is_current)?;
        Ok(Published::Replaced)
    }

    fn check_writable(&self) -> Result<(), TlsError> {
        Ok(file_system::check_writable(&self.dir, SPACE)?)
    }

    fn directory(&self) -> String {
        self.dir.to_string()
    }
}

/// Keeps what something else has put under the three names, as a set without a source. Returns the
/// set where Nginx could start with it, so that the names can become links without a mix.
fn keep_foreign(
    sets: &Sets<'_>,
    links: &Links<'_>,
    current: Option<&Generation>,
) -> Result<Option<Generation>, FileError> {
    if !links.is_any_foreign() {
        return Ok(None);
    }
    let visible = links.visible(current)?;
    let is_kept = match current {
        // A process that was killed while it made the links.
        Some(current) => current.is_exactly(&visible)?,
        None => false,
    };
    if is_kept || visible.is_empty() {
        return Ok(None);
    }
    let kept = match sets.find(&visible)? {
        Some(kept) => kept,
        None => sets.add(&visible, None)?,
    };
    Ok(visible.check().is_ok().then_some(kept))
}
