//! `cargo xtask docs`: the documents that come from the code.

mod cli;
mod commands;
mod configuration;
pub mod corrections;
mod facts;
mod matrix;
mod scenarios;
mod schema;
mod screens;
#[path = "../../domain/tests/common/mod.rs"]
mod space;

use std::path::Path;

use crate::files;
use crate::run::{self, Result};
use crate::tidy::tree::Tree;

/// A document as it should stand in the workspace.
pub struct Document {
    /// Path from the workspace's folder.
    pub path: String,
    pub text: String,
}

/// Every generated document. A further kind of document is a further line here.
fn documents() -> Result<Vec<Document>> {
    let mut documents = vec![
        matrix::document()?,
        scenarios::document()?,
        screens::document(),
    ];
    documents.extend(cli::documents()?);
    documents.push(commands::document());
    documents.push(configuration::document()?);
    documents.extend(schema::documents()?);
    documents.push(corrections::document(&Tree::read(&run::root()?)?)?);
    Ok(documents)
}

/// The paths of documents that do not stand there as they should.
pub fn stale() -> Result<Vec<String>> {
    let root = run::root()?;
    Ok(documents()?
        .into_iter()
        .filter(|document| !is_current(&root, document))
        .map(|document| document.path)
        .collect())
}

/// Writes the documents, or with `--check` only compares.
pub fn run(arguments: &[String]) -> Result<()> {
    match arguments {
        [] => write(),
        [check] if check == "--check" => match stale()?.as_slice() {
            [] => Ok(()),
            stale => Err(format!(
                "stale: {}; run `cargo xtask docs`",
                stale.join(", ")
            )),
        },
        _ => Err("the only argument is --check".to_owned()),
    }
}

fn write() -> Result<()> {
    let root = run::root()?;
    for document in documents()? {
        if is_current(&root, &document) {
            continue;
        }
        files::put(&root.join(&document.path), &document.text)
            .map_err(|error| format!("{}: {error}", document.path))?;
        println!("wrote {}", document.path);
    }
    Ok(())
}

fn is_current(root: &Path, document: &Document) -> bool {
    std::fs::read(root.join(&document.path)).is_ok_and(|text| text == document.text.as_bytes())
}
