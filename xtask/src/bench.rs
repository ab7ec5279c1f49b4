//! `cargo xtask bench`: the start of a ready software node, against programs that do next to
//! nothing, in one run on one machine: the ratio is what can be compared; and what its setup page takes
//! while nobody asks for it. With `--objects` the start
//! of a ready node on a token that holds many other keys, against one that holds none; with
//! `--database postgres` the start of a ready node whose database stands on a server.

mod fleet;
mod objects;
mod page;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::run::{self, Result};
use crate::sandbox::{self, Sandbox};

const GNU_TIME: &str = "/usr/bin/time";

/// What is measured.
struct Subject {
    name: &'static str,
    program: String,
    arguments: Vec<String>,
}

/// What came out.
struct Measured {
    median: Duration,
    least: Duration,
    /// Peak resident set in KiB; `None` without GNU time.
    peak: Option<u64>,
}

/// Measures and prints a table.
pub fn run(arguments: &[String]) -> Result<()> {
    let (measure, arguments): (fn(usize) -> Result<()>, _) = match arguments {
        [flag, rest @ ..] if flag == "--objects" => (objects::run, rest),
        [flag, name, rest @ ..] if flag == "--database" && name == "postgres" => (fleet::run, rest),
        all => (against_floors, all),
    };
    let runs = match arguments {
        [] => 50,
        [flag, count] if flag == "--runs" => count
            .parse()
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| format!("{count:?} is no number of runs"))?,
        _ => {
            return Err(
                "the arguments are --objects, or --database postgres, and --runs N".to_owned(),
            );
        }
    };
    measure(runs)
}

fn against_floors(runs: usize) -> Result<()> {
    let program = sandbox::build()?;
    let setup = ["setup", "--storage", "software"];
    let node = ready_node(Sandbox::on_disk()?, &program, &setup)?;
    let subjects = subjects(&program, &node);

    // One round after another, so that what disturbs the machine disturbs all alike.
    let mut times: Vec<Vec<Duration>> = subjects.iter().map(|_| Vec::new()).collect();
    for _ in 0..runs {
        for (subject, times) in subjects.iter().zip(&mut times) {
            times.push(time_of(&node, subject)?);
        }
    }
    let mut measured = Vec::new();
    for (subject, times) in subjects.iter().zip(times) {
        let (median, least) = median_and_least(times);
        measured.push(Measured {
            median,
            least,
            peak: peak_of(&node, subject)?,
        });
    }
    print_table(runs, &subjects, &measured);
    page::run(&program)
}

fn median_and_least(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    let at = |index: usize| times.get(index).copied().unwrap_or_default();
    (at(times.len() / 2), at(0))
}

/// Makes a node ready with this setup.
fn ready_node(node: Sandbox, program: &Path, setup: &[&str]) -> Result<Sandbox> {
    for arguments in [&["startup"][..], setup, &["startup"]] {
        let ended = node.command(program, arguments)?;
        if ended.exit_code != Some(0) {
            return Err(format!("{}: {}", arguments.join(" "), ended.stderr));
        }
    }
    let outcome = node.command(program, &["startup"])?.text("outcome");
    if outcome != "ready" {
        return Err(format!("the node is not ready but {outcome:?}"));
    }
    Ok(node)
}

fn subjects(program: &Path, node: &Sandbox) -> Vec<Subject> {
    let subject = |name, program: &str, arguments: &[&str]| Subject {
        name,
        program: program.to_owned(),
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
    };
    let mut subjects = vec![subject("true", "/bin/true", &[])];
    if run::has_program("sqlite3") {
        let database = node.join("var/lib/trustpoint/trustpoint.db");
        let database = database.to_string_lossy();
        subjects.push(subject(
            "sqlite3: one row",
            "sqlite3",
            &["-readonly", &database, "select version from app_version"],
        ));
    }
    let program = program.to_string_lossy();
    subjects.push(subject("trustpointctl status", &program, &["status"]));
    subjects.push(subject("trustpointctl startup", &program, &["startup"]));
    subjects
}

fn command(node: &Sandbox, program: &str) -> Result<Command> {
    let mut command = Command::new(program);
    node.environment(&mut command)?;
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}

fn time_of(node: &Sandbox, subject: &Subject) -> Result<Duration> {
    let mut command = command(node, &subject.program)?;
    command.args(&subject.arguments);
    let start = Instant::now();
    run::run(&mut command)?;
    Ok(start.elapsed())
}

/// GNU time is small, so that what the child inherits of it before `exec` does not count.
fn peak_of(node: &Sandbox, subject: &Subject) -> Result<Option<u64>> {
    if !Path::new(GNU_TIME).exists() {
        return Ok(None);
    }
    let mut command = command(node, GNU_TIME)?;
    command
        .args(["--quiet", "-f", "%M", "--", &subject.program])
        .args(&subject.arguments)
        .stderr(Stdio::piped());
    let output = run::capture(&mut command)?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = text.lines().last().unwrap_or_default();
    match last.trim().parse() {
        Ok(peak) => Ok(Some(peak)),
        Err(error) => Err(format!("{GNU_TIME} said {last:?}: {error}")),
    }
}

fn print_table(runs: usize, subjects: &[Subject], measured: &[Measured]) {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
    let floor = measured
        .first()
        .map_or(1.0, |floor| milliseconds(floor.median));
    println!("a ready software node, {runs} runs each, in turns");
    println!(
        "{:<24} {:>10} {:>10} {:>8} {:>10}",
        "program", "median ms", "least ms", "ratio", "peak KiB"
    );
    for (subject, measured) in subjects.iter().zip(measured) {
        let median = milliseconds(measured.median);
        println!(
            "{:<24} {median:>10.2} {:>10.2} {:>8.1} {:>10}",
            subject.name,
            milliseconds(measured.least),
            median / floor,
            measured
                .peak
                .map_or_else(|| "-".to_owned(), |peak| peak.to_string()),
        );
    }
    if measured.iter().any(|measured| measured.peak.is_none()) {
        println!("the peak needs {GNU_TIME}: apt-get install time");
    }
}
