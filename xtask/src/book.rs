//! `cargo xtask book`: the book of `docs/`, built into `target/book`, with every link checked.

mod html;

use std::process::Command;

use crate::run::{self, Result};
use crate::tidy::links;
use crate::tidy::tree::Tree;

/// The version of mdBook that the book is built with; `.ci/run` installs the same.
const VERSION: &str = "0.5.4";

/// Checks the links, then builds.
pub fn run(arguments: &[String]) -> Result<()> {
    if let Some(argument) = arguments.first() {
        return Err(format!("there is no argument {argument:?}"));
    }
    let root = run::root()?;
    let findings = links::check(&Tree::read(&root)?);
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        return Err(format!("{} broken link(s)", findings.len()));
    }
    let found = run::text_of(Command::new("mdbook").arg("--version"))
        .map_err(|_| format!("mdbook is missing: {}", how_to_install()))?;
    if found.trim_start_matches("mdbook v") != VERSION {
        println!(
            "{found} is here; the book is made for {VERSION}: {}",
            how_to_install()
        );
    }
    let built = run::capture(
        Command::new("mdbook")
            .args(["build", "docs"])
            .current_dir(&root),
    )?;
    let said = String::from_utf8_lossy(&built.stderr);
    eprint!("{said}");
    if !built.status.success() {
        return Err(format!("mdbook build ended with {}", built.status));
    }
    // What cannot be included is a warning to mdBook, and a hole in the book.
    if said.lines().any(is_complaint) {
        return Err("mdbook complains about the book".to_owned());
    }
    let broken = html::broken(&root.join("target/book"))?;
    if !broken.is_empty() {
        let broken = broken.join("\n");
        return Err(format!(
            "links of the built book that lead nowhere:\n{broken}"
        ));
    }
    println!("the book is in target/book/index.html");
    Ok(())
}

fn is_complaint(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("WARN") || line.starts_with("ERROR")
}

/// Without its server, of which the book needs nothing, it is built in half the time.
fn how_to_install() -> String {
    format!(
        "cargo install mdbook --locked --version {VERSION} --no-default-features --features search"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_run_before_a_change_installs_the_same_version() {
        let run = include_str!("../../.ci/run");
        assert!(run.contains(&format!("mdbook_version={VERSION}\n")));
        let rest = how_to_install().replace(VERSION, "\"$mdbook_version\"");
        assert!(run.contains(&rest), "{rest}");
    }

    #[test]
    fn only_complaints_are_complaints() {
        assert!(is_complaint(" WARN Error updating \"{{#include x}}\""));
        assert!(!is_complaint(" INFO Book building has started"));
    }
}
