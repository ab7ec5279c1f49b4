//! What a run of the program ended with.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::schema;

/// What a run of the program ended with.
pub struct Run {
    /// Exit code; -1 where a signal ended it.
    pub code: i32,
    /// The report, where `--format json` was given.
    pub report: Value,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// What a run ended with; what it said in JSON is as docs/schema says.
    #[track_caller]
    pub fn of(output: Output) -> Self {
        let stdout = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        schema::check_all_in(&stdout);
        schema::check_all_in(&stderr);
        let report = match stdout.trim_end() {
            line if line.starts_with('{') && !line.contains('\n') => schema::read(line),
            _ => Value::Null,
        };
        Self {
            code: output.status.code().unwrap_or(-1),
            report,
            stdout,
            stderr,
        }
    }

    /// What a command of [`super::Sandbox::command`] ends with, however it was changed or wrapped. The
    /// report that it may have kept is as docs/schema says.
    #[track_caller]
    pub fn end_of(command: &mut Command) -> Self {
        let run = Self::of(command.output().unwrap());
        let mut arguments = command.get_args();
        if arguments.any(|argument| argument == "--root")
            && let Some(root) = arguments.next()
        {
            schema::check_kept(Path::new(root));
        }
        run
    }

    /// All that was said.
    pub fn said(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// Asserts the exit code, and shows what the program said where it is another.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self
    }

    /// Asserts the exit code and the error's kind; gives back message, hint and causes in one.
    #[track_caller]
    pub fn expect_error(&self, code: i32, kind: &str) -> String {
        assert_eq!(
            self.code, code,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        assert_eq!(self.report["error"]["kind"], kind, "{}", self.stdout);
        assert_eq!(self.report["exit_code"], code);
        let hint = self.text("/error/hint");
        assert!(!hint.is_empty(), "no hint: {}", self.stdout);
        format!(
            "{} | {hint} | {}",
            self.text("/error/message"),
            self.report["error"]["causes"]
        )
    }

    /// The text at a JSON pointer; empty where there is none.
    pub fn text(&self, pointer: &str) -> String {
        self.report
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    }

    pub fn outcome(&self) -> String {
        self.text("/outcome")
    }

    pub fn startup_scenario(&self) -> String {
        self.text("/startup_scenario")
    }

    pub fn restore_scenario(&self) -> String {
        self.text("/restore_scenario")
    }

    pub fn fingerprint(&self) -> String {
        self.text("/tls/sha256_fingerprint")
    }

    pub fn tls_source(&self) -> String {
        self.text("/tls/source")
    }

    /// Result of the step with this name, or empty.
    pub fn step(&self, name: &str) -> String {
        let steps = self.report["steps"].as_array().cloned().unwrap_or_default();
        let step = steps.iter().find(|step| step["step"] == name);
        step.and_then(|step| step["result"].as_str())
            .unwrap_or_default()
            .to_owned()
    }

    /// The warnings, one a line.
    pub fn warnings(&self) -> String {
        let warnings = self.report["warnings"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        warnings
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join("\n")
    }
}
