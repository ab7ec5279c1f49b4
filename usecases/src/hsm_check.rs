//! `hsm check`: what a token can do, tried out before a node is set up on it. No database is looked at,
//! and nothing stays on the token.

use std::time::Duration;

use ports::{Found, Token, TokenInfo, Trial, TrialResult};

use crate::doctor::{self, Advice, Check, Group, Verdict};
use crate::error::Error;
use crate::node::Node;
use crate::session::{self, Seen};
use crate::token::no_initialised_token;

/// What was found out about a token.
pub struct TokenCheck {
    /// The module that answered.
    pub hsm: String,
    /// The token.
    pub token: TokenInfo,
    /// The names of all its mechanisms.
    pub mechanisms: Vec<String>,
    /// What was tried.
    pub checks: Vec<Check>,
}

/// Asks the token, and logs in where `may_log_in` says so.
///
/// # Errors
/// There is no module or no token to ask, or what `may_log_in` gives. What the token cannot do is a
/// check that failed.
pub fn run(
    node: &Node,
    may_log_in: impl FnOnce(&TokenInfo) -> Result<bool, Error>,
) -> Result<TokenCheck, Error> {
    let Seen { hsm, found } = session::look_for(node, Duration::ZERO, None)?;
    let token = match found {
        Found::Present(token) => token,
        Found::Absent { others, .. } => {
            return Err(no_initialised_token(node, &others).into());
        }
    };
    let mut check = TokenCheck {
        hsm,
        token: token.info().clone(),
        mechanisms: token.mechanisms()?,
        checks: token.examine()?.into_iter().map(checked).collect(),
    };
    if doctor::first_failure(&check.checks).is_some() {
        check.checks.push(not_tried(
            "what is wrong above comes first",
            "deal with that, then run `trustpointctl hsm check` again",
        ));
    } else if may_log_in(&check.token)? {
        match try_out(node, token) {
            Ok(tried) => check.checks.extend(tried),
            Err(error) => check.checks.push(failed("login", error)),
        }
    } else {
        check.checks.push(not_tried(
            "nobody allowed a login",
            "run `trustpointctl hsm check` at a terminal and say yes, or with --login",
        ));
    }
    Ok(check)
}

fn try_out(node: &Node, token: Box<dyn Token>) -> Result<Vec<Check>, Error> {
    let session = token.log_in_as_asked(&node.secrets.pins.user_pin()?)?;
    Ok(session.try_out()?.into_iter().map(checked).collect())
}

fn checked(trial: Trial) -> Check {
    let (verdict, detail, advice) = match trial.result {
        TrialResult::Works(how) => (Verdict::Pass, how, Advice::None),
        TrialResult::Lacks(what) => (
            Verdict::Warn,
            what,
            Advice::Text("a node works with that all the same".to_owned()),
        ),
        TrialResult::Fails(error) => return failed(trial.name, error.into()),
    };
    Check {
        group: Group::Keys,
        name: trial.name,
        verdict,
        detail,
        advice,
    }
}

fn failed(name: &'static str, error: Error) -> Check {
    Check {
        group: Group::Keys,
        name,
        verdict: Verdict::Fail(error.kind()),
        detail: error.in_full(),
        advice: Advice::For(error.into()),
    }
}

/// All that needs a login.
fn not_tried(why: &str, hint: &str) -> Check {
    Check {
        group: Group::Keys,
        name: "key",
        verdict: Verdict::Warn,
        detail: format!("keys, wrapping and the marker were not tried out: {why}"),
        advice: Advice::Text(hint.to_owned()),
    }
}
