//! One container of a story.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use super::client::{self, Seen};
use super::engine::Engine;
use super::report::{Report, same};
use crate::run::{self, Result};

/// The port of the page, and then of nginx, in the node's container.
pub const PORT: &str = "8443";

/// How long a node may take until it serves its page, where nothing keeps it waiting.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(30);

/// What `statfs` says of a namespace (`NSFS_MAGIC` of linux/magic.h).
const NAMESPACE: rustix::fs::FsWord = 0x6e73_6673;

/// A container that was created.
pub struct Container<'a> {
    engine: &'a Engine,
    /// Its name, which is its host name on the story's network too.
    pub name: String,
}

/// What a command in the container ended with.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub report: Report,
    pub stderr: String,
}

impl Ran {
    /// An error where the command ended with another exit code.
    pub fn expect(self, code: i32) -> Result<Self> {
        if self.code == code {
            return Ok(self);
        }
        Err(format!(
            "the exit code is {}, not {code}: {}\n{}",
            self.code, self.report.0, self.stderr
        ))
    }
}

impl<'a> Container<'a> {
    pub fn new(engine: &'a Engine, name: String) -> Self {
        Self { engine, name }
    }

    fn tell(&self, verb: &str) -> Result<()> {
        self.engine.text(&[verb, &self.name]).map(drop)
    }

    pub fn start(&self) -> Result<()> {
        self.tell("start")
    }

    /// SIGKILL.
    pub fn kill(&self) -> Result<()> {
        self.tell("kill")
    }

    pub fn pause(&self) -> Result<()> {
        self.tell("pause")
    }

    pub fn unpause(&self) -> Result<()> {
        self.tell("unpause")
    }

    /// SIGTERM, which ends nginx and the program at once.
    pub fn stop(&self) -> Result<()> {
        self.engine
            .text(&["stop", "--time", "10", &self.name])
            .map(drop)
    }

    pub fn restart(&self) -> Result<()> {
        self.stop()?;
        self.start()
    }

    pub fn remove(&self) -> Result<()> {
        self.engine
            .text(&["rm", "--force", "--volumes", &self.name])
            .map(drop)
    }

    /// The exit code where it has ended.
    pub fn ended(&self) -> Result<Option<i32>> {
        let state = self.engine.text(&[
            "inspect",
            "--format",
            "{{.State.Running}} {{.State.ExitCode}}",
            &self.name,
        ])?;
        Ok(match state.split_once(' ') {
            Some(("false", code)) => Some(code.parse().map_err(|_| format!("state {state:?}"))?),
            _ => None,
        })
    }

    /// How often it was started again, and what the engine could not do for it, where there is such.
    pub fn engine_says(&self) -> String {
        let format = "{{if .RestartCount}}, started again {{.RestartCount}} times{{end}}\
                      {{if .State.Error}}, {{.State.Error}}{{end}}";
        let said = self
            .engine
            .text(&["inspect", "--format", format, &self.name]);
        said.unwrap_or_default()
    }

    /// Waits until it has ended with this code, whether or not the engine starts it again.
    pub fn await_failure(&self, code: i32, limit: Duration) -> Result<()> {
        let format = "{{.State.Restarting}} {{.State.Status}} {{.State.ExitCode}}";
        let ended = self.await_inspected(format, limit, |text| {
            let has_ended = text.starts_with("true ") || text.contains(" exited ");
            text.rsplit(' ').next().filter(|_| has_ended)?.parse().ok()
        })?;
        same("the exit code of the start", ended, code)
    }

    /// Waits until the engine has started it again so many times.
    pub fn await_restarts(&self, count: usize, limit: Duration) -> Result<()> {
        self.await_inspected("{{.RestartCount}}", limit, |text| {
            text.parse()
                .ok()
                .filter(|restarts: &usize| *restarts >= count)
        })
        .map(drop)
    }

    /// How often the engine has started it again since somebody started it: so many starts failed.
    pub fn restarts(&self) -> Result<usize> {
        let count = self
            .engine
            .text(&["inspect", "--format", "{{.RestartCount}}", &self.name])?;
        count
            .trim()
            .parse()
            .map_err(|_| format!("a count of restarts: {count:?}"))
    }

    /// What its health check said, as the engine keeps it, once that finds it unhealthy.
    pub fn await_unhealthy(&self) -> Result<String> {
        let format = "{{.State.Health.Status}} {{range .State.Health.Log}}{{.Output}}{{end}}";
        self.await_inspected(format, PATIENCE, |text| {
            text.strip_prefix("unhealthy ").map(str::to_owned)
        })
    }

    /// Waits until what the engine knows of it is as it should be.
    fn await_inspected<T>(
        &self,
        format: &str,
        limit: Duration,
        judge: impl Fn(&str) -> Option<T>,
    ) -> Result<T> {
        let begin = Instant::now();
        loop {
            let text = self
                .engine
                .text(&["inspect", "--format", format, &self.name])?;
            match judge(&text) {
                Some(value) => return Ok(value),
                None if begin.elapsed() > limit => {
                    return Err(format!("{} after {limit:?}: {text}", self.name));
                }
                None => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Waits for the end; the exit code and how long it took.
    pub fn wait(&self, limit: Duration) -> Result<(i32, Duration)> {
        let begin = Instant::now();
        loop {
            if let Some(code) = self.ended()? {
                return Ok((code, begin.elapsed()));
            }
            if begin.elapsed() > limit {
                return Err(format!("{} still runs after {limit:?}", self.name));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Starts it and expects that it ends by itself.
    pub fn start_to_end(&self, code: i32, limit: Duration) -> Result<Duration> {
        self.start()?;
        let (ended, time) = self.wait(limit)?;
        same("the exit code of the start", ended, code)?;
        Ok(time)
    }

    /// Where the host reaches the page and nginx. The port may be another one after each start.
    pub fn address(&self) -> Result<SocketAddr> {
        let text = self.engine.text(&["port", &self.name, PORT])?;
        text.lines()
            .find_map(|line| line.trim().parse().ok())
            .ok_or_else(|| format!("{}: no published port in {text:?}", self.name))
    }

    /// The file of its network namespace, where this process may enter that: there no container of another
    /// story comes and goes.
    pub fn network(&self) -> Result<Option<PathBuf>> {
        let format = "{{.NetworkSettings.SandboxKey}}";
        let file = self
            .engine
            .text(&["inspect", "--format", format, &self.name])?;
        let file = PathBuf::from(file.trim());
        // A daemon may have another file system, or have mounted it where this process does not see it.
        let is_here = rustix::fs::statfs(&file).is_ok_and(|found| found.f_type == NAMESPACE);
        Ok((run::is_root() && is_here).then_some(file))
    }

    /// Waits for the first page; an error where the container ends before.
    pub fn page(&self) -> Result<Seen> {
        self.page_within(PATIENCE)
    }

    pub fn page_within(&self, limit: Duration) -> Result<Seen> {
        self.await_seen(limit, |_| true)
    }

    fn await_seen(&self, limit: Duration, is_wanted: impl Fn(&Seen) -> bool) -> Result<Seen> {
        let begin = Instant::now();
        loop {
            // A container that has ended has no port either.
            let seen = self.address().and_then(client::get);
            match (seen, self.ended()?) {
                (Ok(seen), _) if is_wanted(&seen) => return Ok(seen),
                (_, Some(code)) => {
                    return Err(format!("{} ended with {code}, and no page", self.name));
                }
                (seen, None) if begin.elapsed() > limit => {
                    return Err(format!("{} after {limit:?}: {seen:?}", self.name));
                }
                _ => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Waits until the page says `state`: what somebody typed in the container has that come about.
    pub fn await_page(&self, state: &str) -> Result<Seen> {
        self.await_seen(PATIENCE, |seen| seen.state == state)
    }

    /// The first page has to say `state`.
    pub fn expect_page(&self, state: &str) -> Result<Seen> {
        let seen = self.page()?;
        same("the page's state", seen.state.as_str(), state)?;
        Ok(seen)
    }

    /// The first page has to say `state`, with the certificate of this fingerprint.
    pub fn expect_page_with(&self, state: &str, fingerprint: &str) -> Result<()> {
        let seen = self.expect_page(state)?;
        same(
            "the fingerprint that a client sees",
            seen.fingerprint.as_str(),
            fingerprint,
        )
    }

    /// The outcome that a load balancer is told.
    pub fn health(&self) -> Result<String> {
        client::health(self.address()?)
    }

    /// Waits until a client is shown this certificate: a reload lets nginx's old worker go on for
    /// a moment.
    pub fn await_fingerprint(&self, fingerprint: &str) -> Result<()> {
        let begin = Instant::now();
        let address = self.address()?;
        loop {
            // Refused in between: a page that takes up another certificate ends and begins anew.
            let seen = client::handshake(address);
            if seen.as_deref() == Ok(fingerprint) {
                return Ok(());
            }
            if begin.elapsed() > PATIENCE {
                return Err(format!("{} serves {seen:?}, not {fingerprint}", self.name));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Runs its health check until that succeeds.
    pub fn await_healthy(&self) -> Result<()> {
        let check = self.engine.text(&[
            "inspect",
            "--format",
            "{{join .Config.Healthcheck.Test \" \"}}",
            &self.name,
        ])?;
        let check: Vec<&str> = check
            .split_whitespace()
            .filter(|word| *word != "CMD")
            .collect();
        let begin = Instant::now();
        loop {
            let output = self.exec(&check)?;
            if output.status.success() {
                return Ok(());
            }
            if begin.elapsed() > PATIENCE {
                return Err(format!("{} does not become healthy: {output:?}", self.name));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Every process in it with its arguments.
    pub fn processes(&self) -> Result<String> {
        // podman reads the host's list itself where it is asked for columns by name; with options
        // it looks for a `ps` in the container.
        let columns: &[&str] = if self.engine.is_podman() {
            &["pid", "args"]
        } else {
            &["-eo", "pid,args"]
        };
        self.engine
            .text(&[&["top", self.name.as_str()], columns].concat())
    }

    /// Runs a command in the container; its exit code is not judged here.
    pub fn exec(&self, command: &[&str]) -> Result<Output> {
        self.engine
            .output(&[&["exec", self.name.as_str()], command].concat())
    }

    /// The output of a command in the container that must succeed.
    pub fn exec_text(&self, command: &[&str]) -> Result<String> {
        self.engine
            .text(&[&["exec", self.name.as_str()], command].concat())
    }

    /// Runs the program in the container.
    pub fn ctl(&self, arguments: &[&str]) -> Result<Ran> {
        let command = [&["trustpointctl", "--format", "json"], arguments].concat();
        let output = self.exec(&command)?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let report = Report::all_in(&stdout)
            .pop()
            .ok_or_else(|| format!("{command:?} gave no report: {stdout}{stderr}"))?;
        Ok(Ran {
            code: output.status.code().unwrap_or(-1),
            report,
            stderr,
        })
    }

    /// Standard output and standard error since it was created.
    pub fn logs(&self) -> Result<(String, String)> {
        let output = self.engine.output(&["logs", &self.name])?;
        Ok((
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ))
    }

    /// The report of the last start: from its file, or, where the container has ended, from the log.
    pub fn report(&self) -> Result<Report> {
        let text = match self.ended()? {
            None => self.exec_text(&["cat", "/run/trustpoint/startup.json"])?,
            Some(_) => self.logs()?.0,
        };
        Report::all_in(&text)
            .pop()
            .ok_or_else(|| format!("{} has no report, but: {text}", self.name))
    }
}
