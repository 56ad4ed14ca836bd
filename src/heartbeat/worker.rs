//! The one background thread of a host: identity, notice, live marks, and the heartbeat when it is due.
//!
//! One rule: nobody waits for it. It is never joined; what it holds is released by the end of the process.

use super::assemble::Live;
use super::attempt::{Attempt, Outcome};
use super::schedule::{self, Begin, HostStart};
use super::session::Session;
use super::timing::TICK;
use crate::activation::{State, Store};
use crate::build_info;
use crate::config::{self, EDIT_DEADLINE};
use crate::consent::Effective;
use crate::contract::LaunchSource;
use crate::identity::{self, IdentityError};
use crate::paths::SYSTEM_STAMP;
use crate::{machine, notice};
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
    if !session.dir.root().is_dir() {
        return Err(TICK);
    }
    let identity = match identity::ensure(&session.dir, now) {
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
    config::remove_leftovers(&session.dir);
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
        notice::show_once(&session.dir, store, now).map_err(|_| TICK)?;
    }
    Ok(())
}

/// Identifies the installation that brought this program, if an installer did: who was told by a per-user
/// installer, its version and when its file was written; else when a system package was installed.
fn installer_stamp(session: &Session) -> Option<String> {
    let told = session.host.launched_by == Some(LaunchSource::Installer)
        || session.around.own("MCPPROXY_LAUNCHED_BY") == Some(LaunchSource::Installer.as_str());
    if told {
        let written = std::env::current_exe().ok().and_then(|file| written_at(&file));
        return Some(format!("{}+{}", build_info::VERSION, written.unwrap_or(0)));
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
    if let Some(wait) = session.unsettled() {
        return wait.min(TICK);
    }
    let attempt = Attempt {
        dir: &session.dir,
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
