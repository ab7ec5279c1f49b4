//! The three names that Nginx reads: symbolic links into the current set.

use ports::FileError;
use rustix::fs::FileType;

use super::set::{CERTIFICATE, CHAIN, Content, Generation, KEY};
use crate::durable::Directory;

/// What has one of the three names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Entry {
    /// Nothing.
    Missing,
    /// The link into the current set.
    Link,
    /// A file, or a link to somewhere else: of the reference, or of an operator.
    Foreign,
}

/// The three names in one Nginx TLS directory.
#[derive(Debug)]
pub(super) struct Links<'dir> {
    dir: &'dir Directory,
    key: Entry,
    certificate: Entry,
    chain: Entry,
}

impl<'dir> Links<'dir> {
    /// Looks at them.
    pub(super) fn observe(dir: &'dir Directory) -> Result<Self, FileError> {
        Ok(Self {
            dir,
            key: entry(dir, KEY)?,
            certificate: entry(dir, CERTIFICATE)?,
            chain: entry(dir, CHAIN)?,
        })
    }

    /// Whether they are as a set with or without a chain needs them.
    pub(super) fn are_right(&self, has_chain: bool) -> bool {
        let chain = if has_chain {
            Entry::Link
        } else {
            Entry::Missing
        };
        self.key == Entry::Link && self.certificate == Entry::Link && self.chain == chain
    }

    /// Whether one of the names is not this program's.
    pub(super) fn is_any_foreign(&self) -> bool {
        [self.key, self.certificate, self.chain].contains(&Entry::Foreign)
    }

    /// Whether all that there is leads into the current set.
    pub(super) fn are_ours(&self) -> bool {
        self.key == Entry::Link && self.certificate == Entry::Link && self.chain != Entry::Foreign
    }

    /// What a reader of the three names sees. The current set is resolved once, so that a swap in
    /// between is not seen as a mix.
    pub(super) fn visible(&self, current: Option<&Generation>) -> Result<Content, FileError> {
        Content::read(|name| self.place(name, current.map(Generation::directory)))
    }

    /// In which directory the file of that name is.
    fn place<'a>(&'a self, name: &str, current: Option<&'a Directory>) -> Option<&'a Directory> {
        let entry = match name {
            KEY => self.key,
            CERTIFICATE => self.certificate,
            _ => self.chain,
        };
        match entry {
            Entry::Missing => None,
            Entry::Link => current,
            Entry::Foreign => Some(self.dir),
        }
    }

    /// Makes them lead into the current set, before the swap. The link to a chain is made where
    /// the new set has one, and where something else has that name: after the swap it dangles,
    /// so that the chain goes in the same step as the rest.
    pub(super) fn make(&self, has_chain: bool) -> Result<(), FileError> {
        let chain = match self.chain {
            Entry::Missing if !has_chain => Entry::Link,
            entry => entry,
        };
        let wrong = [
            (KEY, self.key),
            (CERTIFICATE, self.certificate),
            (CHAIN, chain),
        ];
        let mut is_changed = false;
        for (name, entry) in wrong {
            if entry == Entry::Link {
                continue;
            }
            self.dir.remove_leftovers(name)?;
            self.dir.replace_symlink(&target(name), name)?;
            is_changed = true;
        }
        if is_changed {
            // On disk before the swap is: the links must not come later than what they lead to.
            self.dir.sync()?;
        }
        Ok(())
    }

    /// Removes the link to the chain, which dangles since the swap.
    pub(super) fn remove_chain(&self) -> Result<(), FileError> {
        if self.dir.remove_file(CHAIN)? {
            self.dir.sync()?;
        }
        Ok(())
    }
}

fn target(name: &str) -> String {
    format!("current/{name}")
}

fn entry(dir: &Directory, name: &str) -> Result<Entry, FileError> {
    let Some(found) = dir.look(name)? else {
        return Ok(Entry::Missing);
    };
    let is_link = FileType::from_raw_mode(found.st_mode) == FileType::Symlink;
    if is_link && dir.read_link(name)? == Some(target(name)) {
        Ok(Entry::Link)
    } else {
        Ok(Entry::Foreign)
    }
}
