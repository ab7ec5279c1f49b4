//! Message catalogues: each `.po` of the configured languages becomes its `.mo`.
//!
//! The layout is gettext's: `<dir>/<language>/LC_MESSAGES/<domain>.po`.

mod lexer;
mod mo;
mod po;

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use ports::{AssetError, AssetReport, FileError, Messages};

use crate::{durable, file_system};

/// The application reads the catalogues, perhaps under another user.
const MODE: u32 = 0o644;

/// Far more than any catalogue that people translate.
const LIMIT: u64 = 16 << 20;

/// Reads a catalogue that is part of the program: messages and what they are in its language.
///
/// # Errors
/// [`AssetError::Catalogue`] with the line; `name` stands for its path.
pub fn read_catalogue(name: &str, text: &str) -> Result<BTreeMap<String, String>, AssetError> {
    let catalogue = po::parse(text.as_bytes()).map_err(|error| AssetError::Catalogue {
        path: name.to_owned(),
        line: error.line,
        problem: error.problem,
    })?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let entries = catalogue.into_iter();
    Ok(entries
        .map(|(message, translated)| (text(message), text(translated)))
        .collect())
}

/// Compiles the catalogues in `dirs` for `languages`.
#[derive(Clone, Debug)]
pub struct MessageCompiler {
    dirs: Vec<Utf8PathBuf>,
    languages: Vec<String>,
}

impl MessageCompiler {
    /// The locale directories, and the languages as their sub-directories are named.
    #[must_use]
    pub fn new(dirs: Vec<Utf8PathBuf>, languages: Vec<String>) -> Self {
        Self { dirs, languages }
    }

    fn nothing_configured(&self) -> bool {
        self.dirs.is_empty() || self.languages.is_empty()
    }

    fn compiled(&self, warnings: &mut Vec<String>) -> Result<Vec<Compiled>, AssetError> {
        let compile = |source: Utf8PathBuf| {
            let bytes =
                mo::encode(&load(&source)?).ok_or_else(|| AssetError::CatalogueTooLarge {
                    path: source.to_string(),
                })?;
            Ok(Compiled {
                bytes,
                target: source.with_extension("mo"),
            })
        };
        self.sources(warnings)?.into_iter().map(compile).collect()
    }

    /// Every `.po` there is to compile, in a fixed order.
    fn sources(&self, warnings: &mut Vec<String>) -> Result<Vec<Utf8PathBuf>, AssetError> {
        let mut sources = Vec::new();
        for dir in &self.dirs {
            ensure_directory(dir)?;
            for language in &self.languages {
                ensure_language(language)?;
                let directory = dir.join(language).join("LC_MESSAGES");
                let Some(names) = list_catalogues(&directory)? else {
                    warnings.push(format!("there is no directory {directory}"));
                    continue;
                };
                if names.is_empty() {
                    warnings.push(format!("there is no .po file in {directory}"));
                }
                sources.extend(names.into_iter().map(|name| directory.join(name)));
            }
        }
        Ok(sources)
    }
}

impl Messages for MessageCompiler {
    fn check(&self) -> Result<(), AssetError> {
        if self.nothing_configured() {
            return Ok(());
        }
        for catalogue in self.compiled(&mut Vec::new())? {
            if !catalogue.is_right()? {
                let needed = catalogue.bytes.len() as u64;
                file_system::check_writable(durable::parent_of(&catalogue.target)?, needed)?;
            }
        }
        Ok(())
    }

    fn compile(&self) -> Result<AssetReport, AssetError> {
        let mut report = AssetReport::default();
        if self.nothing_configured() {
            report.nothing_configured = true;
            return Ok(report);
        }
        // All are parsed before the first is written.
        for catalogue in self.compiled(&mut report.warnings)? {
            if catalogue.is_right()? {
                report.unchanged += 1;
            } else {
                durable::write_atomic(&catalogue.target, &catalogue.bytes, MODE)?;
                report.written += 1;
            }
        }
        Ok(report)
    }
}

/// A `.mo` as it should be.
struct Compiled {
    target: Utf8PathBuf,
    bytes: Vec<u8>,
}

impl Compiled {
    fn is_right(&self) -> Result<bool, FileError> {
        Ok(durable::read_up_to(&self.target, LIMIT)?.as_deref() == Some(&self.bytes))
    }
}

fn load(source: &Utf8Path) -> Result<po::Catalogue, AssetError> {
    let bytes = durable::read_up_to(source, LIMIT)?
        .ok_or_else(|| durable::missing(format!("reading {source}")))?;
    po::parse(&bytes).map_err(|error| AssetError::Catalogue {
        path: source.to_string(),
        line: error.line,
        problem: error.problem,
    })
}

fn list_catalogues(directory: &Utf8Path) -> Result<Option<Vec<String>>, FileError> {
    let names = durable::list(directory)?;
    Ok(names.map(|mut names| {
        names.retain(|name| name.ends_with(".po") && !name.starts_with('.'));
        names
    }))
}

fn ensure_directory(directory: &Utf8Path) -> Result<(), AssetError> {
    let no_directory = |source| AssetError::NoLocaleDirectory {
        directory: directory.to_string(),
        source,
    };
    match directory.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(no_directory(None)),
        Err(error) if durable::is_absent(&error) => Err(no_directory(Some(error))),
        Err(error) => Err(FileError::new(format!("looking at {directory}"), error).into()),
    }
}

/// A language is one name of a directory: `de`, `pt_BR`, `sr@latin`.
fn ensure_language(language: &str) -> Result<(), AssetError> {
    let is_right = !language.is_empty()
        && language
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'@'));
    if is_right {
        Ok(())
    } else {
        Err(AssetError::NoLanguage(language.to_owned()))
    }
}
