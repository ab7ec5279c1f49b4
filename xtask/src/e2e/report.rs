//! Reports of the program.

use serde_json::Value;

use crate::run::Result;

/// A report of the program.
#[derive(Clone, Debug)]
pub struct Report(pub Value);

impl Report {
    /// The reports among other text: each is one JSON object on a line of its own.
    pub fn all_in(text: &str) -> Vec<Self> {
        text.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|value| value.get("schema").is_some())
            .map(Self)
            .collect()
    }

    /// The text at a JSON pointer; empty where there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.0
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    pub fn fingerprint(&self) -> &str {
        self.text("/tls/sha256_fingerprint")
    }

    /// The result of a step; empty where it was not reached.
    pub fn step(&self, name: &str) -> &str {
        self.0
            .get("steps")
            .and_then(Value::as_array)
            .and_then(|steps| {
                steps
                    .iter()
                    .find(|step| step.get("step").and_then(Value::as_str) == Some(name))
            })
            .and_then(|step| step.get("result"))
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// An error where the text at `pointer` is another than `expected`.
    pub fn expect(&self, pointer: &str, expected: &str) -> Result<()> {
        same(pointer, self.text(pointer), expected)
            .map_err(|message| format!("{message}: {}", self.0))
    }
}

/// An error where two things that a story compares differ.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, seen: T, expected: T) -> Result<()> {
    if seen == expected {
        Ok(())
    } else {
        Err(format!("{what} is {seen:?}, not {expected:?}"))
    }
}

/// An error with this message where a story's claim does not hold.
pub fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"nginx says something
{"level":"info","message":"no report"}
{"schema":1,"outcome":"failed","steps":[]}
{"schema":1,"outcome":"ready","steps":[{"step":"provide_tls","result":"done"}]}
"#;

    #[test]
    fn reports_are_found_among_other_lines() {
        let reports = Report::all_in(LOG);
        assert_eq!(reports.len(), 2);
        let last = reports.last().unwrap();
        assert_eq!(last.step("provide_tls"), "done");
        assert_eq!(last.step("record_start"), "");
        last.expect("/outcome", "ready").unwrap();
        assert!(last.expect("/outcome", "failed").is_err());
    }
}
