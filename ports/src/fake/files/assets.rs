//! Static files and messages in memory; clones share their files.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::FileFailures;
use crate::{AssetError, AssetReport, Messages, StaticFiles};

type Files = BTreeMap<String, Vec<u8>>;

/// Static files.
#[derive(Clone, Debug, Default)]
pub struct FakeStaticFiles {
    /// Operations that fail.
    pub failures: FileFailures,
    sources: Rc<RefCell<BTreeMap<usize, Files>>>,
    root: Rc<RefCell<Files>>,
}

impl FakeStaticFiles {
    /// Puts a file into a source; sources are numbered in the order of precedence.
    pub fn put(&self, source: usize, path: &str, content: &[u8]) {
        self.sources
            .borrow_mut()
            .entry(source)
            .or_default()
            .insert(path.to_owned(), content.to_vec());
    }

    /// A collected file.
    #[must_use]
    pub fn collected(&self, path: &str) -> Option<Vec<u8>> {
        self.root.borrow().get(path).cloned()
    }
}

impl StaticFiles for FakeStaticFiles {
    fn check(&self) -> Result<(), AssetError> {
        Ok(self.failures.check("check")?)
    }

    fn collect(&self) -> Result<AssetReport, AssetError> {
        self.failures.check("collect")?;
        let mut report = AssetReport {
            nothing_configured: self.sources.borrow().is_empty(),
            ..AssetReport::default()
        };
        let mut wanted = Files::new();
        for files in self.sources.borrow().values() {
            for (path, content) in files {
                if wanted.contains_key(path) {
                    report.warnings.push(format!("{path} is there twice"));
                } else {
                    wanted.insert(path.clone(), content.clone());
                }
            }
        }
        write_all(wanted, &mut self.root.borrow_mut(), &mut report);
        Ok(report)
    }
}

/// Messages. A line of a `.po` with a single quotation mark does not parse.
#[derive(Clone, Debug, Default)]
pub struct FakeMessages {
    /// Operations that fail.
    pub failures: FileFailures,
    sources: Rc<RefCell<Files>>,
    compiled: Rc<RefCell<Files>>,
}

impl FakeMessages {
    /// Puts a `.po` there.
    pub fn put(&self, path: &str, content: &[u8]) {
        self.sources
            .borrow_mut()
            .insert(path.to_owned(), content.to_vec());
    }

    /// A compiled file.
    #[must_use]
    pub fn compiled(&self, path: &str) -> Option<Vec<u8>> {
        self.compiled.borrow().get(path).cloned()
    }
}

impl Messages for FakeMessages {
    fn check(&self) -> Result<(), AssetError> {
        self.failures.check("check")?;
        self.wanted().map(drop)
    }

    fn compile(&self) -> Result<AssetReport, AssetError> {
        self.failures.check("compile")?;
        let mut report = AssetReport {
            nothing_configured: self.sources.borrow().is_empty(),
            ..AssetReport::default()
        };
        write_all(self.wanted()?, &mut self.compiled.borrow_mut(), &mut report);
        Ok(report)
    }
}

impl FakeMessages {
    fn wanted(&self) -> Result<Files, AssetError> {
        let mut wanted = Files::new();
        for (path, content) in self.sources.borrow().iter() {
            let is_broken = |line: &[u8]| line.iter().filter(|byte| **byte == b'"').count() == 1;
            let mut lines = content.split(|byte| *byte == b'\n');
            if let Some(line) = lines.position(is_broken) {
                return Err(AssetError::Catalogue {
                    path: path.clone(),
                    line: line + 1,
                    problem: "a string is not closed".into(),
                });
            }
            let mut compiled = b"compiled: ".to_vec();
            compiled.extend_from_slice(content);
            wanted.insert(path.replace(".po", ".mo"), compiled);
        }
        Ok(wanted)
    }
}

fn write_all(wanted: Files, standing: &mut Files, report: &mut AssetReport) {
    for (path, content) in wanted {
        if standing.get(&path) == Some(&content) {
            report.unchanged += 1;
        } else {
            standing.insert(path, content);
            report.written += 1;
        }
    }
}
