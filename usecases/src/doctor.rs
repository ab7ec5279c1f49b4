//! `doctor`: every check, with what to do. Nothing is changed; the lock is not taken. A PIN is
//! tried at most once, and never one that was rejected before.

mod database;
mod places;
mod sealed;
mod tls;

use ports::{FaultKind, NodeRecord};

use crate::error::Error;
use crate::node::Node;
use crate::storage;

/// How a check ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It is right.
    Pass,
    /// It works, and should be dealt with; or it could not be asked.
    Warn,
    /// It is wrong.
    Fail(FaultKind),
}

impl Verdict {
    /// The spelling in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail(_) => "fail",
        }
    }
}

/// What a check is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Group {
    /// Files and directories: modes, free space.
    Files,
    /// The database.
    Database,
    /// Token, KEK, DEK and backup password.
    Keys,
    /// The TLS server credential.
    Tls,
}

impl Group {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 4] = [Self::Files, Self::Database, Self::Keys, Self::Tls];

    /// The heading.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Database => "database",
            Self::Keys => "keys",
            Self::Tls => "tls",
        }
    }
}

/// One check.
pub struct Check {
    /// What it is about.
    pub group: Group,
    /// Its name.
    pub name: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen.
    pub detail: String,
    /// What to do.
    pub advice: Advice,
}

/// What to do about a check.
pub enum Advice {
    /// Nothing.
    None,
    /// This.
    Text(String),
    /// What this error asks for.
    For(Box<Error>),
}

/// A place that has to have room and rights.
pub struct Place {
    /// The name of its check.
    pub check: &'static str,
    /// Where it is.
    pub path: String,
    /// Permission bits that it must not have.
    pub forbidden: u32,
    /// Whether it holds secrets.
    pub secret: bool,
    /// Whether it is only read: then it is best kept by root.
    pub only_read: bool,
}

/// Checks all there is to check, in an order in which each builds on those before.
#[must_use]
pub fn run(node: &Node, watched: &[Place], runtime_dir: &str) -> Vec<Check> {
    let mut doctor = Doctor {
        node,
        group: Group::Files,
        checks: Vec::new(),
        kek_lost: false,
        is_server_away: false,
    };
    doctor.rights(watched);
    doctor.group = Group::Database;
    let record = doctor.database();
    doctor.group = Group::Keys;
    doctor.runtime(record.as_ref(), runtime_dir);
    let dek = doctor.sealed(record.as_ref());
    doctor.group = Group::Tls;
    doctor.tls(record.as_ref(), dek.as_ref());
    doctor.group = Group::Files;
    doctor.free_space(runtime_dir);
    doctor.checks
}

/// The first check that fails.
#[must_use]
pub fn first_failure(checks: &[Check]) -> Option<(&Check, FaultKind)> {
    checks.iter().find_map(|check| match check.verdict {
        Verdict::Fail(kind) => Some((check, kind)),
        Verdict::Pass | Verdict::Warn => None,
    })
}

/// The checks so far.
struct Doctor<'a> {
    node: &'a Node,
    /// What the next check is about.
    group: Group,
    checks: Vec<Check>,
    /// The KEK does not give the DEK: a token that answers does not have it, or is not the one that
    /// had it, or what it wrapped is damaged.
    kek_lost: bool,
    /// No connection to the server of the database was had: each further try would wait as long.
    is_server_away: bool,
}

impl Doctor<'_> {
    fn add(
        &mut self,
        name: &'static str,
        verdict: Verdict,
        detail: impl Into<String>,
        advice: Advice,
    ) {
        self.checks.push(Check {
            group: self.group,
            name,
            verdict,
            detail: detail.into(),
            advice,
        });
    }

    fn pass(&mut self, name: &'static str, detail: impl Into<String>) {
        self.add(name, Verdict::Pass, detail, Advice::None);
    }

    fn warn(&mut self, name: &'static str, detail: impl Into<String>, hint: impl Into<String>) {
        self.add(name, Verdict::Warn, detail, Advice::Text(hint.into()));
    }

    fn fail(
        &mut self,
        name: &'static str,
        kind: FaultKind,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let advice = Advice::Text(hint.into());
        self.add(name, Verdict::Fail(kind), detail, advice);
    }

    fn fault(&mut self, name: &'static str, error: impl Into<Error>) {
        let error = error.into();
        let verdict = Verdict::Fail(error.kind());
        self.add(name, verdict, error.in_full(), Advice::For(error.into()));
    }

    /// A check that needs what an earlier one did not find.
    fn not_asked(&mut self, name: &'static str, why: &str) {
        self.warn(
            name,
            format!("could not be asked: {why}"),
            "deal with what failed above, then run `trustpointctl doctor` again",
        );
    }

    /// Whether the node has a token that it may ask.
    fn has_token(&self, record: Option<&NodeRecord>) -> bool {
        record.is_some_and(|record| storage::has_token(self.node, record.storage))
    }
}
