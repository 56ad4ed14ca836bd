//! The one background thread of a host: identity, notice, live marks, and the heartbeat when it is due.
//!
//! One rule: nobody waits for it. It is never joined; what it holds is released by the end of the process.

use super::attempt::{Attempt, Outcome};
use super::live::Live;
use super::rhythm;
use super::schedule::{self, Begin, HostStart};
use super::session::Session;
use super::timing::TICK;
use crate::activation::{State, Store};
use crate::build_info;
use crate::config::{self, EDIT_DEADLINE};
use crate::consent::Effective;
use crate::contract::LaunchSource;
use crate::heartbeat::permission::Permission;
use crate::identity::{self, IdentityError};
use crate::machine;
use crate::notice::{self, Notice, Program};
use crate::paths::SYSTEM_STAMP;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Seconds after which a start that met a busy store is tried again.
const START_AGAIN: u64 = 1;

/// Starts the thread. A system without one more thread is a system without heartbeats.
pub(crate) fn spawn(session: Arc<Session>) {
    if session.begin() {
        let builder = std::thread::Builder::new().name("mcpproxy-heartbeat".into());
        let _ = builder.spawn(move || {
            loop {
                run(&session);
                if session.finish() {
                    break;
                }
            }
        });
    }
}

/// Until the host stops or telemetry is switched off.
fn run(session: &Session) {
    let mut started = false;
    loop {
        if !session.look() {
            return;
        }
        let wait = match session.store_again() {
            Err(again) => again.min(TICK),
            Ok(store) if !started => match host_started(session, &store) {
                Ok(()) => {
                    started = true;
                    0
                }
                Err(again) => again,
            },
            Ok(store) => {
                let wait = tick(session, &store);
                started = knows_this_host(session, &store);
                if started { wait } else { START_AGAIN }
            }
        };
        if !session.sleep(Duration::from_secs(wait)) {
            return;
        }
    }
}

/// Whether the store is still the one that saw this host start: `reset-id` makes a new one.
fn knows_this_host(session: &Session, store: &Store) -> bool {
    let same = |state: State| {
        state.sender.first_start != 0
            && session.anonymous_id().is_none_or(|id| id == state.install.anonymous_id)
    };
    store.read().map_or(true, same)
}

/// Identity, notice, and the transaction that every host begins with; else seconds until it is tried again.
fn host_started(session: &Session, store: &Store) -> Result<(), u64> {
    let now = machine::now();
    // Removed while this process ran: to make an id would make it again.
    if !store.place().root().is_dir() {
        return Err(TICK);
    }
    let identity = match identity::ensure(store.place(), now) {
        Ok(identity) => identity,
        // An objection since the last look.
        Err(IdentityError::Off) => return Err(TICK),
        Err(_) => {
            // Nothing will be sent, and `status` says why; marks are still of use to it.
            let mark = session.mark(now);
            let _ = store.update(false, |state| session.place(state, mark));
            return Err(TICK);
        }
    };
    // Not every later host has something to edit.
    config::remove_leftovers(&session.subject.dir);
    // Our own edit of the config is no news.
    session.look();
    let start = HostStart {
        identity: &identity,
        version: build_info::VERSION,
        installer_stamp: installer_stamp(session),
        initial_delay: session.timing.initial_delay(session.nonce),
        started_at: session.started_at,
    };
    let mark = session.mark(now);
    let before = store.read().map_err(|_| START_AGAIN)?;
    let mut after = before.clone();
    schedule::host_started(&mut after, &start, now);
    // Most starts change nothing that has to survive a power failure: what it forgets of them is one start.
    after.sender.last_start = before.sender.last_start;
    let durable = after != before;
    let recorded = store.update(durable, |state| {
        schedule::host_started(state, &start, now);
        session.place(state, mark);
    });
    recorded.map_err(|_| START_AGAIN)?;
    // Last, because a store that changed hands has not shown it. Nothing is sent before it was shown.
    if session.consent().effective == Effective::On {
        show_notice(session, store, now)?;
    }
    Ok(())
}

/// Shows the notice, if this install has not shown it for the endpoint host that is in use.
fn show_notice(session: &Session, store: &Store, now: u64) -> Result<(), u64> {
    let permission = Permission::read(&session.subject, session.around);
    let identity = permission.identity(now).filter(|_| permission.place == *store.place());
    let Some(identity) = identity else { return Err(START_AGAIN) };
    let state = store.read().map_err(|_| START_AGAIN)?;
    let due = rhythm::next_due(&state, &session.timing, Some(session.started_at), now);
    let notice = Notice {
        product: &session.subject.product.name,
        host: &permission.host(),
        first_in: due.map_or(0, |due| due.saturating_sub(now)),
        dir: &session.subject.dir,
        program: Program::current(),
    };
    notice::show_once(&notice, store, &identity, now).map(drop).map_err(|_| TICK)
}

/// Identifies the installation that brought this program, if an installer did: who was told by a per-user
/// installer, its version and when its file was written; else when a system package was installed.
fn installer_stamp(session: &Session) -> Option<String> {
    let is_own = session.subject.is_own();
    let variable = session.around.own("MCPPROXY_LAUNCHED_BY");
    // What an installer of ours leaves in the environment is not said to other products.
    let told = session.host.launched_by == Some(LaunchSource::Installer)
        || is_own && variable == Some(LaunchSource::Installer.as_str());
    if told {
        let version =
            if is_own { build_info::VERSION } else { session.subject.product.version.as_str() };
        let written = std::env::current_exe().ok().and_then(|file| written_at(&file));
        return Some(format!("{version}+{}", written.unwrap_or(0)));
    }
    if !is_own {
        return None;
    }
    Some(format!("system+{}", written_at(Path::new(SYSTEM_STAMP))?))
}

/// When a file was written, seconds since 1970.
fn written_at(file: &Path) -> Option<u64> {
    let modified = std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok()?;
    modified.duration_since(std::time::UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// A new mark, and an attempt if one is due. Seconds until the next tick.
fn tick(session: &Session, store: &Store) -> u64 {
    let now = machine::now();
    session.note_file(store);
    let mark = session.mark(now);
    if store.update(false, |state| session.place(state, mark)).is_err() {
        return TICK;
    }
    if session.consent().effective != Effective::On {
        return TICK;
    }
    // An id that is a year old by now is another one from here on, also to the events of this host.
    session.settle(EDIT_DEADLINE);
    // The user may have named another receiver since.
    if let Err(wait) = show_notice(session, store, now) {
        return wait;
    }
    if let Some(wait) = session.unsettled() {
        return wait.min(TICK);
    }
    let attempt = Attempt {
        subject: &session.subject,
        store,
        around: session.around,
        timing: session.timing,
        nonce: session.nonce,
        asked_at: None,
        running_since: Some(session.started_at),
        clock: &machine::now,
        stopped: &|| session.stopped(),
    };
    let outcome = attempt.run(&|_| Live::from(&session.mark(machine::now())));
    wait_after(&outcome).min(TICK)
}

fn wait_after(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Waiting(
            Begin::NotDue(wait)
            | Begin::LeasedByOther(wait)
            | Begin::BackingOff(wait)
            | Begin::Retired(wait)
            | Begin::GatewayAlive(wait)
            | Begin::ClockReset(wait)
            | Begin::ClockUnset(wait),
        ) => *wait,
        Outcome::Waiting(Begin::Go) | Outcome::Busy | Outcome::Abandoned => START_AGAIN,
        // Bytes of yesterday, perhaps: those of today are due in their turn.
        Outcome::Acknowledged(_) => START_AGAIN,
        Outcome::Failed { retry_in, .. } => *retry_in,
        Outcome::Refused(refusal) => {
            let what = format_args!("mcpproxy: the anonymity gate refused a heartbeat: {refusal}");
            machine::complain(&what);
            TICK
        }
        Outcome::NotAllowed(_) | Outcome::Unable(_) => TICK,
    }
}
