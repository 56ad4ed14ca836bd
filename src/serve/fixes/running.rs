//! Fixes of a gateway that runs.
//!
//! One rule: one fix a second, each in the log and, where it is carried out, counted. A fix that has begun ends, also
//! when its client has gone.

use super::plan::Plan;
use super::{End, Fix, FixError, Mode, Outcome, Report, connected};
use crate::config::servers::ServerEntry;
use crate::diagnostics::Action;
use crate::paths::DataDir;
use crate::serve::hub::{Hub, Server, Status};
use crate::serve::recorder::Happened;
use crate::serve::supervisor::FAREWELL;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tracing::info;

/// How far apart fixes are.
const APART: Duration = Duration::from_secs(1);
/// How long the gateway may take to find that the configuration has changed.
const NOTICED: Duration = Duration::from_secs(10);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// No attempt to connect is waited for longer.
const LONGEST: Duration = Duration::from_secs(60);

/// What carries fixes out.
pub struct Fixes {
    hub: Arc<Hub>,
    dir: DataDir,
    last: Mutex<Option<Instant>>,
}

impl Fixes {
    /// About the servers of `hub`, which are those of the configuration of `dir`.
    pub fn new(hub: Arc<Hub>, dir: DataDir) -> Arc<Self> {
        Arc::new(Self { hub, dir, last: Mutex::default() })
    }

    /// Plans a fix, and carries it out if `mode` says so. Without a mode it is planned, unless it would change the
    /// configuration.
    pub async fn run(self: &Arc<Self>, fix: Fix, mode: Option<Mode>) -> Result<Report, FixError> {
        let server = self.hub.server(&fix.server).ok_or(FixError::Unknown)?;
        let now = server.trouble().map(|(code, _)| code);
        if now != Some(fix.code) {
            return Err(FixError::OtherCode(now));
        }
        fix.check()?;
        if mode.is_none() && fix.action.is_destructive() {
            return Err(FixError::NoMode);
        }
        self.pace()?;
        let (this, mode) = (self.clone(), mode.unwrap_or(Mode::DryRun));
        let done = tokio::spawn(async move { this.planned(fix, mode, &server).await });
        done.await.map_err(|_| FixError::Unfinished)?
    }

    /// The time of another fix.
    fn pace(&self) -> Result<(), FixError> {
        let now = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match last.map(|last| APART.saturating_sub(now - last)).filter(|left| !left.is_zero()) {
            Some(left) => Err(FixError::TooSoon(left)),
            None => {
                *last = Some(now);
                Ok(())
            }
        }
    }

    async fn planned(
        &self,
        fix: Fix,
        mode: Mode,
        server: &Arc<Server>,
    ) -> Result<Report, FixError> {
        let (wanted, of, dir) = (fix.clone(), server.clone(), self.dir.clone());
        let plan =
            aside(move || Plan::of(&wanted, &of.entry, &dir, &|text| of.lines.scrubbed(text)))
                .await?;
        let result = match mode {
            Mode::DryRun => Ok(Report { fix: fix.clone(), plan, end: None }),
            Mode::Execute => self.carried_out(fix.clone(), plan, server).await,
        };
        let outcome = match &result {
            Ok(report) => report.end.as_ref().map_or("planned", |end| end.outcome.as_str()),
            Err(_) => "error",
        };
        let (code, action) = (fix.code.as_str(), fix.action.as_str());
        info!(server = %fix.server, code, action, mode = mode.as_str(), outcome, "fix");
        result
    }

    async fn carried_out(
        &self,
        fix: Fix,
        plan: Plan,
        server: &Arc<Server>,
    ) -> Result<Report, FixError> {
        if fix.action == Action::ShowLogs {
            let lines = server.lines.lines();
            let words = match lines.len() {
                0 => "the server wrote nothing on standard error".to_owned(),
                1 => "the last line that the server wrote on standard error".to_owned(),
                lines => format!("the last {lines} lines that the server wrote on standard error"),
            };
            let end = End { lines, ..End::new(Outcome::Shown, words) };
            return Ok(Report { fix, plan, end: Some(end) });
        }
        self.hub.recorder.record(Happened::FixAttempted);
        let end = match fix.action {
            Action::DisableServer | Action::FindProgram => self.written(&fix, &plan).await?,
            _ => self.tried_again(&fix, server).await?,
        };
        if end.outcome == Outcome::Succeeded {
            self.hub.recorder.record(Happened::FixSucceeded);
        }
        Ok(Report { fix, plan, end: Some(end) })
    }

    /// Connects the server anew, and looks at what came of it.
    async fn tried_again(&self, fix: &Fix, server: &Arc<Server>) -> Result<End, FixError> {
        let (before, ended) = (server.status(), *server.attempts.borrow());
        if fix.action == Action::Retry && matches!(before, Status::Waiting { .. }) {
            server.needed.notify_one();
            return Ok(looked_at(fix, server, ended, Some(&before)).await);
        }
        self.hub.restart(&fix.server)?;
        let new = self.hub.server(&fix.server).ok_or(FixError::Unknown)?;
        Ok(looked_at(fix, &new, 0, None).await)
    }

    /// Changes the configuration, and looks at what came of it.
    async fn written(&self, fix: &Fix, plan: &Plan) -> Result<End, FixError> {
        if !plan.changes_something() {
            return Ok(plan.nothing(fix));
        }
        let (plan, wanted, dir) = (plan.clone(), fix.clone(), self.dir.clone());
        let plan = aside(move || plan.write(&wanted, &dir).map(|()| plan)).await?;
        let until = Instant::now() + NOTICED;
        let server = loop {
            let server = self.hub.server(&fix.server);
            if let Some(server) = server.filter(|server| plan.is_in(&server.entry)) {
                break server;
            }
            if Instant::now() >= until {
                let words = "it is written, and the gateway has not taken it up yet";
                return Ok(End::new(Outcome::Pending, words));
            }
            sleep(LOOK).await;
        };
        Ok(match server.status() {
            Status::Disabled => {
                End::seen(fix.code, None, Some("the server is switched off".to_owned()))
            }
            _ => looked_at(fix, &server, 0, None).await,
        })
    }
}

/// How `server` is once more than `ended` attempts to connect it have ended, and it is not as `before`. (An attempt is
/// counted a moment after its status is set.)
async fn looked_at(fix: &Fix, server: &Arc<Server>, ended: u64, before: Option<&Status>) -> End {
    let mut attempts = server.attempts.subscribe();
    attempts.mark_changed();
    let tried = async {
        while attempts.changed().await.is_ok() {
            let is_over = *attempts.borrow_and_update() > ended;
            if is_over && before.is_none_or(|before| server.status() != *before) {
                return;
            }
        }
    };
    let _ = timeout(patience(&server.entry), tried).await;
    let tools = server.live().map(|live| live.offer.tools.len());
    let mut end = End::seen(fix.code, server.trouble(), tools.map(connected));
    if matches!(end.outcome, Outcome::Failed | Outcome::OtherError) {
        end.lines = server.lines.lines_of_last_run();
    }
    end
}

/// How long an attempt to connect may take: the end of what runs, then the start.
fn patience(entry: &ServerEntry) -> Duration {
    (entry.startup_timeout + FAREWELL * 2).min(LONGEST)
}

/// Files may wait for a disk: not on a thread that answers requests.
async fn aside<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, FixError> + Send + 'static,
) -> Result<R, FixError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| FixError::Unfinished)?
}
