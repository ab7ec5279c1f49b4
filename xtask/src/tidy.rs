//! `cargo xtask tidy`: the rules of the project that no compiler checks.

mod architecture;
mod circles;
mod corrections;
mod layers;
pub mod links;
mod reference;
mod sources;
pub mod tree;

use std::fmt;

use crate::docs;
use crate::run::{self, Result};
use tree::Tree;

/// A broken rule.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Finding {
    file: String,
    line: usize,
    message: String,
}

impl Finding {
    /// `line` counts from 1.
    pub fn new(file: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// Prints every broken rule with its place.
pub fn run(arguments: &[String]) -> Result<()> {
    if let Some(argument) = arguments.first() {
        return Err(format!("there is no argument {argument:?}"));
    }
    let tree = Tree::read(&run::root()?)?;
    let mut findings = Vec::new();
    findings.extend(layers::check(&tree));
    findings.extend(sources::check(&tree));
    findings.extend(corrections::check(&tree));
    findings.extend(reference::check(&tree));
    findings.extend(architecture::check(&tree));
    findings.extend(circles::check(&tree));
    findings.extend(links::check(&tree));
    findings.extend(
        docs::stale()?
            .into_iter()
            .map(|path| Finding::new(path, 1, "is stale: run `cargo xtask docs`")),
    );
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!(
                "tidy: {} files, nothing to complain about",
                tree.files.len()
            );
            Ok(())
        }
        count => Err(format!("{count} finding(s)")),
    }
}
