//! The start of a ready node whose database stands on a PostgreSQL server: against `psql` doing the same
//! with the same server, against fifty starts at once, and with a million credentials against ten.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Subject, command, median_and_least, ready_node, time_of};
use crate::files;
use crate::run::Result;
use crate::sandbox::{self, Sandbox};
use server::Server;

/// The tests' server, which panics where it cannot be made.
#[expect(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    reason = "made for tests: without its server a bench has nothing to go on with"
)]
#[path = "../../../adapters-db/src/tests/server.rs"]
mod server;

/// So many nodes start at once.
const AT_ONCE: usize = 50;
/// So many credentials there are at least, and at most.
const FEW: usize = 10;
const MANY: usize = 1_000_000;

/// Measures and prints.
pub fn run(runs: usize) -> Result<()> {
    let program = sandbox::build()?;
    let server = Server::start();
    let few = node_in(&server, &program, "few")?;
    let many = node_in(&server, &program, "many")?;
    fill(&server, "few", FEW);
    fill(&server, "many", MANY);
    let script = few.join("same.sql");
    let same = same_statements(&server, &program, &few)?;
    files::put(&script, &same.join(";\n")).map_err(|error| error.to_string())?;

    let startup = subject(&program.to_string_lossy(), &["startup"]);
    let psql = server.program("psql", "postgres");
    let words = psql
        .get_args()
        .map(|word| word.to_string_lossy().into_owned());
    let mut psql = subject(&psql.get_program().to_string_lossy(), &[]);
    psql.arguments = words.collect();
    let quiet = ["-X", "-q", "-o", "/dev/null", "-v", "ON_ERROR_STOP=1", "-f"];
    psql.arguments.extend(quiet.map(str::to_owned));
    psql.arguments.push(script.display().to_string());

    let mut times: [Vec<Duration>; 3] = Default::default();
    for _ in 0..runs {
        times[0].push(time_of(&few, &psql)?);
        times[1].push(time_of(&few, &startup)?);
        times[2].push(time_of(&many, &startup)?);
    }
    let [psql, one, large] = times.map(|times| median_and_least(times).0);
    let together = all_at_once(&program, &few)?;

    println!("a ready start with its database on PostgreSQL, {runs} runs each, in turns: medians");
    println!("{:<44} {:>10} {:>8}", "", "ms", "ratio");
    let line = |name: &str, time: Duration, against: Duration| {
        let ratio = time.as_secs_f64() / against.as_secs_f64();
        println!(
            "{name:<44} {:>10.2} {ratio:>8.2}",
            time.as_secs_f64() * 1_000.0
        );
    };
    line(&format!("psql: its {} statements", same.len()), psql, psql);
    line("trustpointctl startup, against psql", one, psql);
    line(
        &format!("with {MANY} credentials, against {FEW}"),
        large,
        one,
    );
    line(
        &format!("{AT_ONCE} starts at once, against one"),
        together,
        one,
    );
    Ok(())
}

fn subject(program: &str, arguments: &[&str]) -> Subject {
    Subject {
        name: "",
        program: program.to_owned(),
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
    }
}

/// A ready node whose database is this schema.
fn node_in(server: &Server, program: &Path, schema: &str) -> Result<Sandbox> {
    let node = Sandbox::in_memory()?;
    let url = server.url("tests", "postgres");
    let settings = format!("[database]\nurl = {url:?}\nschema = {schema:?}\n");
    let file = node.join("etc/trustpoint/trustpointctl.toml");
    let written = std::fs::create_dir_all(file.parent().unwrap_or(&file))
        .and_then(|()| files::put(&file, &settings));
    written.map_err(|error| format!("{}: {error}", file.display()))?;
    ready_node(node, program, &["setup", "--storage", "software"])
}

/// Credentials that are not the active one.
fn fill(server: &Server, schema: &str, count: usize) {
    let columns = "sha256_fingerprint, certificate_pem, private_key, private_key_format, \
                   not_before, not_after, source, created_at";
    let moment = "'2026-01-01T00:00:00Z'";
    server.sql(
        "postgres",
        &format!(
            "INSERT INTO {schema}.credential ({columns}) SELECT md5(n::text), repeat('x', 600), \
             decode(repeat('5a', 200), 'hex'), 'sealed_v1', {moment}, {moment}, 'generated', \
             {moment} FROM generate_series(1, {count}) AS n; ANALYZE {schema}.credential"
        ),
    );
}

/// What a ready start asks of the server, with its values, as the server has logged it.
fn same_statements(server: &Server, program: &Path, node: &Sandbox) -> Result<Vec<String>> {
    server.sql("postgres", "ALTER ROLE tests SET log_statement = 'all'");
    let before = server.log().len();
    node.command(program, &["startup"])?;
    let log = server.log();
    server.sql("postgres", "ALTER ROLE tests RESET log_statement");
    let mut statements: Vec<String> = Vec::new();
    for line in log.get(before..).unwrap_or_default().lines() {
        if let Some((_, statement)) = line.split_once("execute <unnamed>: ") {
            statements.push(statement.to_owned());
        } else if let Some((_, values)) = line.split_once("DETAIL:  parameters: ")
            && let Some(last) = statements.last_mut()
        {
            *last = with_values(last, values);
        }
    }
    match statements.len() {
        0 => Err("the server has logged no statement of a start".to_owned()),
        _ => Ok(statements),
    }
}

/// The statement with its values, which the log has as `$1 = 'one', $2 = NULL`.
fn with_values(statement: &str, values: &str) -> String {
    let mut values: Vec<(&str, &str)> = values
        .split(", $")
        .filter_map(|value| value.trim_start_matches('$').split_once(" = "))
        .collect();
    // $10 before $1.
    values.reverse();
    values
        .iter()
        .fold(statement.to_owned(), |statement, (number, value)| {
            let digits = value.trim_matches('\'');
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            statement.replace(
                &format!("${number}"),
                if is_number { digits } else { value },
            )
        })
}

/// How long it takes until the last of many nodes has ended its start.
fn all_at_once(program: &Path, node: &Sandbox) -> Result<Duration> {
    let nodes = (0..AT_ONCE).map(|_| node.copy());
    let nodes = nodes.collect::<Result<Vec<_>>>()?;
    let start = Instant::now();
    let running = nodes.iter().enumerate().map(|(number, node)| {
        let mut startup: Command = command(node, &program.to_string_lossy())?;
        startup.arg("startup").stderr(Stdio::piped());
        startup.env("TRUSTPOINT_NODE_ID", format!("node-{number}"));
        startup.spawn().map_err(|error| error.to_string())
    });
    for child in running.collect::<Result<Vec<Child>>>()? {
        let output = child
            .wait_with_output()
            .map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
    }
    Ok(start.elapsed())
}
