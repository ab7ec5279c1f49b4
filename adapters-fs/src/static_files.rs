//! Static files: configured source directories are collected into the static root.
//!
//! As the reference's framework does, names that begin with a dot or end with `~`, and `CVS`, are
//! left out: the static root is public.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Seek as _;

use camino::{Utf8Path, Utf8PathBuf};
use ports::{AssetError, AssetReport, FileError, ResultExt as _, StaticFiles};

use crate::durable::{self, Directory};
use crate::file_system;

/// The static root is public: Nginx serves it under another user.
const FILE_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;

/// Collects the files of `sources` into `root`.
#[derive(Clone, Debug)]
pub struct StaticCollector {
    sources: Vec<Utf8PathBuf>,
    root: Option<Utf8PathBuf>,
}

impl StaticCollector {
    /// Sources in the order of precedence, and the root where one is configured.
    #[must_use]
    pub fn new(sources: Vec<Utf8PathBuf>, root: Option<Utf8PathBuf>) -> Self {
        Self { sources, root }
    }

    fn root(&self) -> Result<&Utf8Path, AssetError> {
        self.root.as_deref().ok_or(AssetError::NoStaticRoot)
    }

    fn find(&self, root: &Utf8Path) -> Result<Found, AssetError> {
        let sources = self.canonical_sources()?;
        ensure_apart(root, &sources)?;
        let mut found = Found::new(sources.clone());
        for source in &sources {
            found.walk(source, Utf8Path::new(""))?;
        }
        Ok(found)
    }

    fn canonical_sources(&self) -> Result<Vec<Utf8PathBuf>, AssetError> {
        self.sources
            .iter()
            .map(|directory| {
                let no_source = |source| AssetError::NoSource {
                    directory: directory.to_string(),
                    source,
                };
                match directory.canonicalize_utf8() {
                    Ok(path) if path.is_dir() => Ok(path),
                    Ok(_) => Err(no_source(None)),
                    Err(error) if durable::is_absent(&error) => Err(no_source(Some(error))),
                    Err(error) => {
                        let what = format!("looking at the static files in {directory}");
                        Err(FileError::new(what, error).into())
                    }
                }
            })
            .collect()
    }
}

impl StaticFiles for StaticCollector {
    fn check(&self) -> Result<(), AssetError> {
        if self.sources.is_empty() {
            return Ok(());
        }
        let root = self.root()?;
        // The contents are compared when they are collected: to read all of them twice would cost
        // more than this check is worth.
        let mut due = self.find(root)?.files.into_iter().filter(|(name, source)| {
            let length = |path: &Utf8Path| path.metadata().map(|metadata| metadata.len()).ok();
            length(source) != length(&root.join(name))
        });
        if let Some((name, _)) = due.next() {
            file_system::check_writable(durable::parent_of(&root.join(name))?, 0)?;
        }
        Ok(())
    }

    fn collect(&self) -> Result<AssetReport, AssetError> {
        if self.sources.is_empty() {
            return Ok(AssetReport {
                nothing_configured: true,
                ..AssetReport::default()
            });
        }
        let root = self.root()?;
        let found = self.find(root)?;
        let mut report = AssetReport {
            warnings: found.warnings,
            ..AssetReport::default()
        };
        copy_all(&found.files, root, &mut report)?;
        Ok(report)
    }
}

/// What the sources hold: relative path to source file.
struct Found {
    sources: Vec<Utf8PathBuf>,
    files: BTreeMap<Utf8PathBuf, Utf8PathBuf>,
    /// The directories that the files need.
    directories: BTreeSet<Utf8PathBuf>,
    warnings: Vec<String>,
}

impl Found {
    fn new(sources: Vec<Utf8PathBuf>) -> Self {
        Self {
            sources,
            files: BTreeMap::new(),
            directories: BTreeSet::new(),
            warnings: Vec::new(),
        }
    }

    fn walk(&mut self, source: &Utf8Path, relative: &Utf8Path) -> Result<(), FileError> {
        let directory = source.join(relative);
        for name in durable::list(&directory)?.unwrap_or_default() {
            if is_left_out(&name) {
                continue;
            }
            let path = directory.join(&name);
            let found = path.symlink_metadata();
            let Some(metadata) = durable::if_there(found, || format!("looking at {path}"))? else {
                self.skip(&path, "its name is not UTF-8, or it was removed just now");
                continue;
            };
            let relative = relative.join(&name);
            if metadata.is_dir() {
                self.walk(source, &relative)?;
            } else if metadata.is_file() {
                self.add(path, relative);
            } else if metadata.is_symlink() {
                self.add_link(path, relative);
            } else {
                self.skip(&path, "it is neither a file nor a directory");
            }
        }
        Ok(())
    }

    fn add_link(&mut self, link: Utf8PathBuf, relative: Utf8PathBuf) {
        match link.canonicalize_utf8() {
            Ok(target) if !self.is_in_a_source(&target) => {
                self.skip(&link, &format!("it leads to {target}, out of the sources"));
            }
            Ok(target) if target.is_file() => self.add(target, relative),
            Ok(_) => self.skip(&link, "it is a link to something else than a file"),
            Err(error) => self.skip(&link, &format!("it is a link that leads nowhere ({error})")),
        }
    }

    fn is_in_a_source(&self, path: &Utf8Path) -> bool {
        self.sources.iter().any(|source| path.starts_with(source))
    }

    fn add(&mut self, path: Utf8PathBuf, relative: Utf8PathBuf) {
        if let Some(first) = self.files.get(&relative) {
            let why = format!("{first} comes first under the name {relative}");
            return self.skip(&path, &why);
        }
        let parents: Vec<_> = relative
            .ancestors()
            .skip(1)
            .map(Utf8PathBuf::from)
            .collect();
        // One source has a file where another has a directory.
        let is_blocked = self.directories.contains(&relative)
            || parents.iter().any(|parent| self.files.contains_key(parent));
        if is_blocked {
            let why =
                format!("an earlier source has a file and a directory at odds with {relative}");
            return self.skip(&path, &why);
        }
        self.directories.extend(parents);
        self.files.insert(relative, path);
    }

    fn skip(&mut self, path: &Utf8Path, why: &str) {
        self.warnings.push(format!("{path} was left out: {why}"));
    }
}

fn copy_all(
    files: &BTreeMap<Utf8PathBuf, Utf8PathBuf>,
    root: &Utf8Path,
    report: &mut AssetReport,
) -> Result<(), FileError> {
    let mut changed = BTreeMap::new();
    for (relative, source) in files {
        let target = root.join(relative);
        let mut content = open(source)?;
        if is_right(&mut content, source, &target)? {
            report.unchanged += 1;
            continue;
        }
        let within = relative.parent().unwrap_or(Utf8Path::new(""));
        if !changed.contains_key(within) {
            let directory = provide(root, within)?;
            directory.remove_all_leftovers()?;
            changed.insert(within.to_owned(), directory);
        }
        if let (Some(directory), Some(name)) = (changed.get(within), relative.file_name()) {
            directory.replace_with(name, FILE_MODE, |file| {
                content.rewind()?;
                std::io::copy(&mut content, file).map(drop)
            })?;
            report.written += 1;
        }
    }
    changed.values().try_for_each(Directory::sync)
}

/// Opens a directory below the root, and makes it where it is missing.
fn provide(root: &Utf8Path, within: &Utf8Path) -> Result<Directory, FileError> {
    durable::create_dirs(root, DIRECTORY_MODE)?;
    let mut directory = Directory::open(root)?;
    for name in within {
        directory = directory.provide_dir(name, DIRECTORY_MODE)?;
    }
    Ok(directory)
}

fn open(source: &Utf8Path) -> Result<File, FileError> {
    durable::open_regular(source)?.ok_or_else(|| durable::missing(format!("reading {source}")))
}

fn is_right(content: &mut File, source: &Utf8Path, target: &Utf8Path) -> Result<bool, FileError> {
    let what = || format!("comparing {source} with {target}");
    let Some(standing) = durable::if_there(target.symlink_metadata(), what)? else {
        return Ok(false);
    };
    let length = content.metadata().or_io(what)?.len();
    if !standing.is_file() || standing.len() != length {
        return Ok(false);
    }
    let mut standing = open(target)?;
    durable::is_same_content(content, &mut standing).or_io(what)
}

/// A root inside a source would be collected into itself; a source inside the root would be served.
fn ensure_apart(root: &Utf8Path, sources: &[Utf8PathBuf]) -> Result<(), AssetError> {
    let root = resolve(root)?;
    match sources
        .iter()
        .find(|source| root.starts_with(source) || source.starts_with(&root))
    {
        None => Ok(()),
        Some(source) => Err(AssetError::Overlap {
            root: root.to_string(),
            directory: source.to_string(),
        }),
    }
}

/// The path without links, where its end may not exist yet.
fn resolve(path: &Utf8Path) -> Result<Utf8PathBuf, FileError> {
    for existing in durable::ancestors(path) {
        match existing.canonicalize_utf8() {
            Ok(real) => return Ok(real.join(path.strip_prefix(existing).unwrap_or(path))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(FileError::new(format!("looking at {existing}"), error)),
        }
    }
    Ok(path.to_owned())
}

fn is_left_out(name: &str) -> bool {
    name.starts_with('.') || name.ends_with('~') || name == "CVS"
}
