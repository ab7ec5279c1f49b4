//! The project's text files.

use std::path::Path;
use std::process::Command;

use crate::run::{self, Result};

/// One text file.
pub struct SourceFile {
    /// Path from the workspace's folder, with `/`.
    pub path: String,
    pub text: String,
}

impl SourceFile {
    /// The lines with their numbers, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// What git knows and what it would know after `git add`; nothing that is ignored.
pub struct Tree {
    pub files: Vec<SourceFile>,
    /// Paths of the files that are no text.
    pub others: Vec<String>,
}

impl Tree {
    /// Reads every text file; a file that is no UTF-8 is no text.
    pub fn read(root: &Path) -> Result<Self> {
        let listed = run::text_of(
            Command::new("git")
                .args([
                    "ls-files",
                    "-z",
                    "--cached",
                    "--others",
                    "--exclude-standard",
                ])
                .current_dir(root),
        )?;
        let mut files = Vec::new();
        let mut others = Vec::new();
        for path in listed.split('\0').filter(|path| !path.is_empty()) {
            let full = root.join(path);
            // A link is checked where it leads to; a file deleted and not committed is gone.
            if !full.is_file() || full.is_symlink() {
                continue;
            }
            let bytes = std::fs::read(&full).map_err(|error| format!("{path}: {error}"))?;
            let path = path.to_owned();
            match String::from_utf8(bytes) {
                Ok(text) => files.push(SourceFile { path, text }),
                Err(_) => others.push(path),
            }
        }
        Ok(Self { files, others })
    }

    /// Whether a file or a folder has this path.
    pub fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        let texts = self.files.iter().map(|file| &file.path);
        texts
            .chain(&self.others)
            .any(|file| file == path || file.starts_with(&folder))
    }

    pub fn file(&self, path: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(|file| file.is_rust())
    }

    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self {
            files: files
                .iter()
                .map(|(path, text)| SourceFile {
                    path: (*path).to_owned(),
                    text: (*text).to_owned(),
                })
                .collect(),
            others: Vec::new(),
        }
    }
}
