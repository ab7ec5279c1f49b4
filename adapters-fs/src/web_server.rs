//! The web server is told of a new TLS set by the command that the operator configured.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use ports::{Reload, WebServer, WebServerError};

/// `nginx -s reload` only sends a signal; what takes longer hangs.
const DEADLINE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);
/// How long the words of a command that has ended are waited for: something that it started may
/// keep the pipe open.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Most bytes of the command's own words in a message.
const WORDS: u64 = 2000;

/// A command like `nginx -s reload`, run without a shell.
#[derive(Clone, Debug)]
pub struct ReloadCommand {
    command: Vec<String>,
}

impl ReloadCommand {
    /// Program and arguments; empty where none is configured.
    #[must_use]
    pub fn new(command: Vec<String>) -> Self {
        Self { command }
    }
}

impl WebServer for ReloadCommand {
    fn reload(&self) -> Result<Reload, WebServerError> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Ok(Reload::NotConfigured);
        };
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| WebServerError::CannotRun {
                command: self.command.join(" "),
                source,
            })?;
        let words = words_of(&mut child);
        let failed = |how: String, words: String| WebServerError::Failed {
            command: self.command.join(" "),
            how,
            words,
        };
        let begin = Instant::now();
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(Reload::Done),
                Ok(Some(status)) => {
                    let words = words.and_then(|words| words.recv_timeout(LAST_WORDS).ok());
                    return Err(failed(status.to_string(), words.unwrap_or_default()));
                }
                Ok(None) if begin.elapsed() >= DEADLINE => {
                    // Nothing more can be done about one that cannot be killed.
                    let _ = child.kill();
                    let _ = child.wait();
                    let how = "it did not end in time and was killed";
                    return Err(failed(how.to_owned(), String::new()));
                }
                Ok(None) => std::thread::sleep(PAUSE),
                Err(error) => {
                    return Err(failed(format!("waiting for it: {error}"), String::new()));
                }
            }
        }
    }
}

/// Reads on a thread of its own: a command that fills the pipe would wait for ever.
fn words_of(child: &mut Child) -> Option<Receiver<String>> {
    let mut pipe = child.stderr.take()?;
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut words = Vec::new();
        // Words that cannot be read are left out of a message; nothing else depends on them.
        let _ = (&mut pipe).take(WORDS).read_to_end(&mut words);
        let _ = sender.send(String::from_utf8_lossy(&words).into_owned());
        let _ = std::io::copy(&mut pipe, &mut std::io::sink());
    });
    Some(receiver)
}
