//! The first-run notice.
//!
//! One rule: stderr only (stdout belongs to MCP), once per install and endpoint host, and only what was
//! really written counts as shown. Nothing is sent before.

mod command;
mod text;

pub use command::{Program, set_program};
pub use text::Notice;

use crate::activation::{State, Store, StoreError};
use crate::config::EDIT_DEADLINE;
use crate::identity::Identity;
use crate::identity::install::{self, Editing, InstallError, ShownNotice};
use crate::paths::Place;
use mcpproxy_platform::host;
use std::fmt;
use std::io::{self, IsTerminal, Write};

/// What became of the notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Showing {
    /// It was shown now.
    Shown,
    /// It had been shown.
    ShownBefore,
}

/// Why the notice does not count as shown. It is tried again by the next host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeError {
    /// That it was shown cannot be read or written; or the lock was held by someone who may be showing it.
    Install(InstallError),
    /// The store could not be read, or could not remember it.
    Store(StoreError),
    /// It could not be written.
    Write(io::ErrorKind),
}

impl fmt::Display for NoticeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Install(error) => write!(f, "the first-run notice was not shown: {error}"),
            Self::Store(_) => {
                f.write_str("that the first-run notice was shown cannot be remembered")
            }
            Self::Write(kind) => write!(f, "the first-run notice was not shown: {kind}"),
        }
    }
}

impl std::error::Error for NoticeError {}

impl From<InstallError> for NoticeError {
    fn from(error: InstallError) -> Self {
        Self::Install(error)
    }
}

/// Standard error; an error where there is none, so that the notice does not count as shown.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if host::has_stderr() {
            io::stderr().write(bytes)
        } else {
            Err(io::ErrorKind::NotConnected.into())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Why nothing is sent where a notice has to be visible and is not.
pub(crate) const UNSEEN: &str = "the first-run notice was written, but no person could see it yet: \
                                 `mcpproxy telemetry status` on a terminal shows it";

/// The notice that this install has shown for the endpoint at `host`, if it has.
pub fn shown(place: &Place, identity: &Identity, host: &str, state: &State) -> Option<ShownNotice> {
    let kept = install::read(place).ok()?.and_then(|file| file.notice);
    counting(kept.as_ref(), place, identity, host, state)
}

fn counting(
    kept: Option<&ShownNotice>,
    place: &Place,
    identity: &Identity,
    host: &str,
    state: &State,
) -> Option<ShownNotice> {
    let id = &identity.anonymous_id;
    match kept {
        Some(kept) => {
            // An id that took the place of another after a year is that of the same install.
            let is_same = kept.anonymous_id == *id
                || identity.rotated_from.as_ref() == Some(&kept.anonymous_id);
            let counts = is_same && kept.host == host && kept.written_at != 0;
            counts.then(|| kept.clone())
        }
        // The first version kept it in the store alone, and named no host.
        None if place.is_own() && state.install.notice_shown_at != 0 => {
            let is_same = state.install.anonymous_id == *id
                || identity.rotated_from.as_ref() == Some(&state.install.anonymous_id);
            is_same.then(|| ShownNotice {
                anonymous_id: id.clone(),
                host: host.to_owned(),
                written_at: state.install.notice_shown_at,
                visible_at: 0,
            })
        }
        None => None,
    }
}

/// Shows the notice on stderr unless this install has shown it for this endpoint host.
pub fn show_once(
    notice: &Notice<'_>,
    store: &Store,
    identity: &Identity,
    now: u64,
) -> Result<Showing, NoticeError> {
    let is_visible = io::stderr().is_terminal();
    show_once_to((&mut Stderr, is_visible), notice, store, identity, now)
}

/// As [`show_once`], to any writer, and whether a person is likely to see what goes there.
pub fn show_once_to(
    (out, is_visible): (&mut dyn Write, bool),
    notice: &Notice<'_>,
    store: &Store,
    identity: &Identity,
    now: u64,
) -> Result<Showing, NoticeError> {
    let place = store.place();
    let kept = install::read(place)?.and_then(|file| file.notice);
    let known = kept.as_ref().is_some_and(|kept| {
        kept.anonymous_id == identity.anonymous_id
            && kept.host == notice.host
            && kept.written_at != 0
    });
    if known {
        return Ok(Showing::ShownBefore);
    }
    let state = store.read().map_err(NoticeError::Store)?;
    let (outcome, is_new) = install::edit(place, EDIT_DEADLINE, |editing| {
        let kept = editing.file().notice.clone();
        match counting(kept.as_ref(), place, identity, notice.host, &state) {
            Some(known) => {
                remember(
                    editing,
                    &ShownNotice { anonymous_id: identity.anonymous_id.clone(), ..known },
                )?;
                Ok((Showing::ShownBefore, false))
            }
            None => {
                // In one write, so that lines of other processes do not come between.
                out.write_all(notice.to_string().as_bytes())
                    .and_then(|()| out.flush())
                    .map_err(|e| NoticeError::Write(e.kind()))?;
                let written_at = now.max(1);
                remember(
                    editing,
                    &ShownNotice {
                        anonymous_id: identity.anonymous_id.clone(),
                        host: notice.host.to_owned(),
                        written_at,
                        visible_at: if is_visible { written_at } else { 0 },
                    },
                )?;
                Ok::<_, NoticeError>((Showing::Shown, true))
            }
        }
    })?;
    if is_new {
        // Where programs of the first version look.
        store
            .update(true, |state| state.install.notice_shown_at = now.max(1))
            .map_err(NoticeError::Store)?;
    }
    Ok(outcome)
}

fn remember(editing: &mut Editing, shown: &ShownNotice) -> Result<(), InstallError> {
    editing.set_str(&["notice", "anonymous_id"], &shown.anonymous_id)?;
    editing.set_str(&["notice", "host"], &shown.host)?;
    editing.set_time(&["notice", "written_at"], shown.written_at)?;
    editing.set_time(&["notice", "visible_at"], shown.visible_at)
}

/// Takes note that a person saw the notice's content: a launcher, a page or `status` showed it. Changes
/// nothing unless it was written for this endpoint host before.
pub fn seen(place: &Place, host: &str, now: u64) -> Result<(), InstallError> {
    let is_new = |notice: &ShownNotice| {
        notice.host == host && notice.written_at != 0 && notice.visible_at == 0
    };
    let kept = install::read(place)?.and_then(|file| file.notice);
    if !kept.as_ref().is_some_and(is_new) {
        return Ok(());
    }
    install::edit(place, EDIT_DEADLINE, |editing| {
        if editing.file().notice.as_ref().is_some_and(is_new) {
            editing.set_time(&["notice", "visible_at"], now.max(1))?;
        }
        Ok(())
    })
}
