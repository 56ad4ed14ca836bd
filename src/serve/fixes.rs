//! Fixes: what the program can do about a server that has a code of the catalog.
//!
//! One rule: a fix is *planned* first, and what is carried out is the plan. It has *succeeded* when the state of its code
//! was left and the server is as it should be, seen by looking at it; what only shows something never succeeds.

#[cfg(feature = "cli")]
pub(crate) mod alone;
mod interpreter;
mod places;
mod plan;
pub mod request;
pub mod running;

use super::hub::RestartError;
use super::last_lines::Line;
use super::logs;
use crate::config::servers::{ChangeError, ServersError};
use crate::diagnostics::{Action, Code, Step};
use crate::json::Node;
use plan::Plan;
use std::fmt;
use std::time::Duration;

/// A fix that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// The name of the server.
    pub server: String,
    /// What is wrong with it.
    pub code: Code,
    /// What to do.
    pub action: Action,
}

/// Whether a fix is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is only planned.
    DryRun,
    /// It is carried out.
    Execute,
}

impl Mode {
    /// Its spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DryRun => "dry_run",
            Self::Execute => "execute",
        }
    }

    /// The mode of that spelling.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::DryRun, Self::Execute].into_iter().find(|mode| mode.as_str() == text)
    }
}

/// What came of a fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has shown what it is to show. Nothing has changed.
    Shown,
    /// The state of the code was left, and the server is as it should be.
    Succeeded,
    /// The state of the code was left, and the server is not connected for another reason.
    OtherError,
    /// The state of the code stands, or nothing could be done.
    Failed,
    /// It was carried out, and what becomes of it was not seen in time.
    Pending,
}

impl Outcome {
    /// Its spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::Succeeded => "succeeded",
            Self::OtherError => "other_error",
            Self::Failed => "failed",
            Self::Pending => "pending",
        }
    }
}

/// How a fix ended.
pub struct End {
    outcome: Outcome,
    /// One sentence, without its period.
    detail: String,
    /// What is wrong with the server now.
    now: Option<Code>,
    /// What it wrote last on standard error, where that is asked for or says why.
    lines: Vec<Line>,
}

impl End {
    fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        Self { outcome, detail: detail.into(), now: None, lines: Vec::new() }
    }

    /// As a server is now, which had `code`: what is wrong with it, and whether it is as it should be.
    fn seen(code: Code, now: Option<(Code, String)>, as_it_should_be: Option<String>) -> Self {
        let (outcome, detail) = match (&now, as_it_should_be) {
            (Some((now, why)), _) if *now == code => {
                (Outcome::Failed, format!("the server is as it was: {why}"))
            }
            (_, Some(words)) => (Outcome::Succeeded, words),
            (Some((now, why)), None) => (
                Outcome::OtherError,
                format!(
                    "this is over, and the server is not connected for another reason ({now}): {why}"
                ),
            ),
            (None, None) => (Outcome::Pending, "the server is still being tried".to_owned()),
        };
        Self { outcome, detail, now: now.map(|(now, _)| now), lines: Vec::new() }
    }
}

/// A fix that was planned, and what came of it if it was carried out.
pub struct Report {
    fix: Fix,
    plan: Plan,
    end: Option<End>,
}

impl Report {
    /// As the status API and `doctor --fix` have it.
    pub(crate) fn to_node(&self) -> Node {
        let Self { fix, plan, end } = self;
        let mode = if end.is_some() { Mode::Execute } else { Mode::DryRun };
        let mut members = vec![
            ("server", fix.server.as_str().into()),
            ("code", fix.code.as_str().into()),
            ("action", fix.action.as_str().into()),
            ("destructive", fix.action.is_destructive().into()),
            ("mode", mode.as_str().into()),
            ("preview", plan.to_node()),
        ];
        let result = end.as_ref().map(|end| {
            Node::Object(vec![
                ("outcome", end.outcome.as_str().into()),
                ("detail", end.detail.as_str().into()),
                ("code", end.now.map(Code::as_str).into()),
                ("lines", Node::List(end.lines.iter().map(logs::node).collect())),
            ])
        });
        members.push(("result", result.into()));
        Node::Object(members)
    }
}

/// Why a fix is not carried out, and not even planned. Nothing was changed.
#[derive(Debug)]
pub enum FixError {
    /// There is no server of that name.
    Unknown,
    /// The server has not that code now; the one it has.
    OtherCode(Option<Code>),
    /// The action is none of the steps of the code.
    NotAStep(Fix),
    /// The action changes the configuration, and the request has no `mode`.
    NoMode,
    /// Another one was asked for within a second.
    TooSoon(Duration),
    /// Only a running gateway can do it.
    #[cfg(feature = "cli")]
    NeedsGateway(Action),
    /// The server cannot be started again.
    Restart(RestartError),
    /// The servers cannot be read.
    Servers(ServersError),
    /// The configuration cannot be changed.
    Change(ChangeError),
    /// The work came to no end.
    Unfinished,
}

impl fmt::Display for FixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("there is no server of that name"),
            Self::OtherCode(None) => f.write_str("the server does not have that code now, nor any other"),
            Self::OtherCode(Some(now)) => {
                write!(f, "the server does not have that code now, but {now}")
            }
            Self::NotAStep(fix) => {
                let known = actions(fix.code).map(Action::as_str).collect::<Vec<_>>();
                let known = match known.is_empty() {
                    true => "it has no step that the program can take".to_owned(),
                    false => format!("its steps are {}", known.join(", ")),
                };
                write!(f, "{} is no step of {}: {known}", fix.action.as_str(), fix.code)
            }
            Self::NoMode => f.write_str(
                "this action changes the configuration: send `mode`, `dry_run` to see what it would change or `execute` \
                 to do it",
            ),
            Self::TooSoon(_) => f.write_str("one fix a second; try again"),
            #[cfg(feature = "cli")]
            Self::NeedsGateway(action) => write!(
                f,
                "{} needs the running gateway: start it with `mcpproxy serve`, or say where it listens with --gateway \
                 HOST:PORT",
                action.as_str()
            ),
            Self::Restart(error) => error.fmt(f),
            Self::Servers(error) => error.fmt(f),
            Self::Change(error) => error.fmt(f),
            Self::Unfinished => f.write_str("the fix came to no end; look at the state of the server"),
        }
    }
}

impl std::error::Error for FixError {}

impl From<RestartError> for FixError {
    fn from(error: RestartError) -> Self {
        match error {
            RestartError::Unknown => Self::Unknown,
            error => Self::Restart(error),
        }
    }
}

impl From<ServersError> for FixError {
    fn from(error: ServersError) -> Self {
        Self::Servers(error)
    }
}

impl From<ChangeError> for FixError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::NotFound => Self::Unknown,
            error => Self::Change(error),
        }
    }
}

/// A server that answers, in words.
fn connected(tools: usize) -> String {
    let plural = if tools == 1 { "" } else { "s" };
    format!("the server is connected, with {tools} tool{plural}")
}

/// The steps of a code that the program can take, in the order in which they are worth trying.
pub fn actions(code: Code) -> impl Iterator<Item = Action> {
    code.steps().iter().filter_map(|step| match step {
        Step::Action(action) => Some(*action),
        _ => None,
    })
}

/// What is done if nothing else is said: the first step that may end the state. Switching a server off is done only
/// when it is asked for by name.
#[cfg(feature = "cli")]
pub fn usual(code: Code) -> Option<Action> {
    let rank = |action: &Action| match action {
        Action::FindProgram | Action::Restart | Action::Retry => 0,
        Action::ShowLogs => 1,
        Action::DisableServer => 2,
    };
    actions(code).min_by_key(rank)
}

impl Fix {
    /// Whether the action is one of the code's.
    fn check(&self) -> Result<(), FixError> {
        match actions(self.code).any(|action| action == self.action) {
            true => Ok(()),
            false => Err(FixError::NotAStep(self.clone())),
        }
    }
}
