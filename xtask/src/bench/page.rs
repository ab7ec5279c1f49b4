//! The setup page while nobody asks for it: what it has of the memory and of the processor.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};
use std::time::Duration;

use super::command;
use crate::run::Result;
use crate::sandbox::Sandbox;

/// How long it is looked at.
const TIME: Duration = Duration::from_secs(20);

/// Hundredths of a second are what the kernel counts in (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// Measures and prints a line.
pub fn run(program: &Path) -> Result<()> {
    let size = fs::metadata(program).map_err(|error| format!("{}: {error}", program.display()))?;
    let node = Sandbox::on_disk()?;
    let page = Page::start(&node, program)?;
    let before = page.ticks()?;
    std::thread::sleep(TIME);
    let busy = TICK * page.ticks()?.saturating_sub(before);
    println!(
        "the page, idle for {} s: {} KiB resident, {} KiB of it its own; {} ms of the processor",
        TIME.as_secs(),
        page.kib("VmRSS:")?,
        page.kib("RssAnon:")?,
        busy.as_millis()
    );
    println!("the program: {} bytes", size.len());
    Ok(())
}

/// A start that serves it; it ends with this.
struct Page {
    start: Child,
    // It writes there as long as it lives.
    said: BufReader<ChildStderr>,
}

impl Page {
    fn start(node: &Sandbox, program: &Path) -> Result<Self> {
        let failed = |error| format!("{}: {error}", program.display());
        let mut start = command(node, &program.to_string_lossy())?
            .args(["--format", "json", "startup", "--page", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let said = start.stderr.take().ok_or("the start has no output")?;
        let mut page = Self {
            start,
            said: BufReader::new(said),
        };
        let mut line = String::new();
        while !line.contains("access code: ") {
            line.clear();
            if page.said.read_line(&mut line).map_err(failed)? == 0 {
                return Err("the start ended before it served its page".to_owned());
            }
        }
        Ok(page)
    }

    fn proc(&self, name: &str) -> Result<String> {
        let path = format!("/proc/{}/{name}", self.start.id());
        fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
    }

    /// Of the processor, by the program and for it (proc_pid_stat(5), fields 14 and 15).
    fn ticks(&self) -> Result<u32> {
        let stat = self.proc("stat")?;
        let (_, fields) = stat.rsplit_once(')').ok_or("no /proc/PID/stat")?;
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: Vec<u32> = ticks.filter_map(|field| field.parse().ok()).collect();
        Ok(ticks.iter().sum())
    }

    fn kib(&self, name: &str) -> Result<String> {
        let status = self.proc("status")?;
        let value = status.lines().find_map(|line| line.strip_prefix(name));
        let value = value.and_then(|value| value.split_whitespace().next());
        Ok(value.ok_or("no /proc/PID/status")?.to_owned())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.start.kill();
        let _ = self.start.wait();
    }
}
