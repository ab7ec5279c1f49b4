//! The project's own tasks, one module each: `cargo xtask TASK`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a task talks to the terminal that started it"
)]

mod bench;
mod book;
mod docs;
mod e2e;
mod faults;
mod files;
mod fuzz;
mod run;
mod runbook;
mod sandbox;
mod screens;
mod svg;
mod test;
mod tidy;
#[expect(dead_code, reason = "the tests that include it use the rest")]
mod token;

use std::process::ExitCode;

use run::Result;

/// A task: its name, what it does, and the function that does it.
type Task = (&'static str, &'static str, fn(&[String]) -> Result<()>);

const TASKS: [Task; 9] = [
    (
        "test",
        "[--token softhsm|kryoptic|softokn | --database postgres | ARG…]: the whole test suite, with the \
         programs it needs, or what runs on every token or database on this one; ARGs go to `cargo test`",
        test::run,
    ),
    ("tidy", ": the rules that no compiler checks", tidy::run),
    (
        "docs",
        "[--check]: the documents that come from the code; --check only compares",
        docs::run,
    ),
    (
        "book",
        ": the documents as a book in target/book, with every link checked",
        book::run,
    ),
    (
        "bench",
        "[--objects] [--runs N]: the start of a ready software node against floor programs, or on a \
         token with many other keys against one with none",
        bench::run,
    ),
    (
        "faults",
        "[--quick] [SCENARIO…]: kill before every state-changing system call, start again, compare",
        faults::run,
    ),
    (
        "fuzz",
        "[--minutes N] [--seed N]: damaged requests to the setup page, and what it makes of them",
        fuzz::run,
    ),
    (
        "e2e",
        "[--engine docker|podman] [--keep] [--quick] [--no-build] [--seed N] [STORY…]: the node in containers, as a client sees it",
        e2e::run,
    ),
    (
        "screens",
        "[--page]: the pictures of docs/screens.md, from real runs at a terminal, or of docs/page.md, from a browser",
        screens::run,
    ),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        print!("{}", usage());
        return ExitCode::from(2);
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print!("{}", usage());
        return ExitCode::SUCCESS;
    }
    let Some((_, _, task)) = TASKS.iter().find(|(task, _, _)| task == name) else {
        eprint!("there is no task {name:?}\n{}", usage());
        return ExitCode::from(2);
    };
    match task(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask {name}: {message}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let mut text = String::from("Usage: cargo xtask TASK\n\n");
    for (name, what, _) in TASKS {
        text.push_str(&format!("  {name} {what}\n"));
    }
    text
}
