//! The sessions of clients of the older era, and which of them is forgotten first.
//!
//! One rule: a session in use is never forgotten, and a client that leaves without saying so costs a bounded
//! amount of memory. Some start anew for every command and never end their session; each session has a task and
//! a service of its own (66 KB), and is kept for hours, because an editor may be idle for as long.

use rmcp::model::{ClientJsonRpcMessage, GetExtensions as _, JsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError, SessionError,
};
use rmcp::transport::streamable_http_server::session::{
    ServerSseMessage, SessionId, SessionManager,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio_stream::{Stream, StreamExt as _};

/// How long a session may be idle before it is forgotten.
const IDLE: Duration = Duration::from_secs(4 * 3600);
/// How many sessions are kept.
const MOST: usize = 256;
/// A session with traffic within this time is in use, as is one with a call or a stream open.
const IN_USE: Duration = Duration::from_secs(60);
/// How long the answers of a session are kept for clients that lost the stream they came in.
const KEPT: Duration = Duration::from_secs(10);

/// The SDK's sessions, and when each was last used.
pub struct Sessions {
    inner: LocalSessionManager,
    uses: Arc<Mutex<Uses>>,
}

#[derive(Default)]
struct Uses {
    of: HashMap<SessionId, Use>,
    /// Sessions that are being created.
    beginning: usize,
}

struct Use {
    last: Instant,
    /// Open calls and streams.
    open: usize,
}

impl Use {
    /// How long from `now` until it is idle, if nothing happens; `None` while something is open.
    fn idle_in(&self, now: Instant) -> Option<Duration> {
        let unused = now.saturating_duration_since(self.last);
        (self.open == 0).then(|| IN_USE.saturating_sub(unused))
    }
}

tokio::task_local! {
    /// The SDK answers every error of ours with status 500; what it was goes past it.
    static REFUSED: Refusal;
}

/// Whether a request was refused because all sessions are in use.
#[derive(Clone, Default)]
pub struct Refusal(Arc<OnceLock<Duration>>);

impl Refusal {
    /// Runs `work`, and hears of a session that it could not create.
    pub async fn heard<F: Future>(&self, work: F) -> F::Output {
        REFUSED.scope(self.clone(), work).await
    }

    /// After how long the client may try again.
    pub fn try_again_after(&self) -> Option<Duration> {
        self.0.get().copied()
    }
}

impl Default for Sessions {
    fn default() -> Self {
        let mut inner = LocalSessionManager::default();
        // The SDK's five minutes end the session of an editor whose user went for a coffee.
        inner.session_config.keep_alive = Some(IDLE);
        inner.session_config.completed_cache_ttl = KEPT;
        Self { inner, uses: Arc::default() }
    }
}

impl Sessions {
    fn uses(&self) -> MutexGuard<'_, Uses> {
        lock(&self.uses)
    }

    /// Keeps a session from being forgotten for as long as what is returned lives.
    fn open(&self, id: &SessionId) -> Open {
        self.uses().touch(id, Instant::now(), |it| it.open += 1);
        Open { id: id.clone(), uses: self.uses.clone() }
    }
}

fn lock(uses: &Mutex<Uses>) -> MutexGuard<'_, Uses> {
    uses.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Uses {
    /// A session that has ended meanwhile stays unknown.
    fn touch(&mut self, id: &SessionId, now: Instant, change: impl FnOnce(&mut Use)) {
        if let Some(it) = self.of.get_mut(id) {
            it.last = now;
            change(it);
        }
    }

    /// Takes a place for one more session. At the bound, the session that is idle for longest is taken out for
    /// it; if all are in use, the error says when one may be idle.
    fn take_place(&mut self, now: Instant) -> Result<Option<SessionId>, Duration> {
        if self.of.len() + self.beginning < MOST {
            self.beginning += 1;
            return Ok(None);
        }
        let waits = self.of.values().filter_map(|it| it.idle_in(now));
        match waits.min() {
            Some(Duration::ZERO) => {}
            wait => return Err(wait.unwrap_or(IN_USE)),
        }
        let closed = self.of.iter().filter(|(_, it)| it.open == 0);
        let longest = closed.min_by_key(|(_, it)| it.last).map(|(id, _)| id.clone());
        self.of.retain(|id, _| Some(id) != longest.as_ref());
        self.beginning += 1;
        Ok(longest)
    }
}

/// A place that was taken and not used yet.
struct Beginning(Arc<Mutex<Uses>>);

impl Beginning {
    fn used_by(self, id: &SessionId) {
        let it = Use { last: Instant::now(), open: 0 };
        lock(&self.0).of.insert(id.clone(), it);
    }
}

impl Drop for Beginning {
    fn drop(&mut self) {
        let mut uses = lock(&self.0);
        uses.beginning = uses.beginning.saturating_sub(1);
    }
}

/// A call or a stream of a session.
struct Open {
    id: SessionId,
    uses: Arc<Mutex<Uses>>,
}

impl Drop for Open {
    fn drop(&mut self) {
        lock(&self.uses).touch(&self.id, Instant::now(), |it| it.open = it.open.saturating_sub(1));
    }
}

/// Kept in the extensions of a request, which live for as long as it is handled: a client that lost the stream
/// of its answer may come back for it.
#[derive(Clone)]
struct Call(#[expect(dead_code, reason = "dropped, not read")] Arc<Open>);

/// The same messages; the session counts as open until the stream is dropped.
fn holding(
    stream: impl Stream<Item = ServerSseMessage> + Send + Sync + 'static,
    open: Open,
) -> impl Stream<Item = ServerSseMessage> + Send + Sync + 'static {
    stream.map(move |message| {
        let _held = &open;
        message
    })
}

impl SessionManager for Sessions {
    type Error = <LocalSessionManager as SessionManager>::Error;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        let place = self.uses().take_place(Instant::now());
        let idle = place.map_err(|wait| {
            let _ = REFUSED.try_with(|refusal| refusal.0.set(wait));
            LocalSessionManagerError::from(SessionError::SessionServiceTerminated)
        })?;
        let place = Beginning(self.uses.clone());
        if let Some(idle) = idle {
            // It may have ended by itself; the new client is not to hear of it.
            let _ = self.inner.close_session(&idle).await;
        }
        let (id, transport) = self.inner.create_session().await?;
        place.used_by(&id);
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        let _open = self.open(id);
        self.inner.initialize_session(id, message).await
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        self.uses().touch(id, Instant::now(), |_| ());
        self.inner.has_session(id).await
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        self.uses().of.remove(id);
        self.inner.close_session(id).await
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        mut message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let open = self.open(id);
        if let JsonRpcMessage::Request(asked) = &mut message {
            asked.request.extensions_mut().insert(Call(Arc::new(self.open(id))));
        }
        Ok(holding(self.inner.create_stream(id, message).await?, open))
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), Self::Error> {
        self.inner.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let open = self.open(id);
        Ok(holding(self.inner.create_standalone_stream(id).await?, open))
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let open = self.open(id);
        Ok(holding(self.inner.resume(id, last_event_id).await?, open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(start: Instant) -> Uses {
        let mut uses = Uses::default();
        for number in 0..MOST {
            assert_eq!(uses.take_place(start), Ok(None));
            uses.beginning -= 1;
            let last = start + Duration::from_millis(number as u64);
            uses.of.insert(number.to_string().into(), Use { last, open: 0 });
        }
        uses
    }

    #[test]
    fn the_session_that_is_idle_for_longest_makes_room() {
        let start = Instant::now();
        let mut uses = full(start);
        // The first has a call open, the second had traffic just now.
        uses.touch(&"0".into(), start, |it| it.open += 1);
        let later = start + IN_USE + Duration::from_secs(10);
        uses.touch(&"1".into(), later, |_| ());
        assert_eq!(uses.take_place(later), Ok(Some("2".into())));
        assert_eq!(uses.take_place(later), Ok(Some("3".into())));
        assert_eq!(uses.of.len() + uses.beginning, MOST);
        assert!(uses.of.contains_key("0") && uses.of.contains_key("1"));
        // The call ends: that is traffic, and a minute later the session is idle.
        uses.touch(&"0".into(), later, |it| it.open -= 1);
        uses.of.retain(|id, _| **id == *"0" || **id == *"1");
        uses.beginning = MOST - 2;
        assert_eq!(uses.take_place(later + Duration::from_secs(59)), Err(Duration::from_secs(1)));
        assert!(matches!(uses.take_place(later + IN_USE), Ok(Some(_))));
    }

    #[test]
    fn sessions_in_use_stay_and_the_new_client_hears_when_to_come_again() {
        let start = Instant::now();
        let mut uses = full(start);
        let soon = start + Duration::from_secs(20);
        assert_eq!(uses.take_place(soon), Err(Duration::from_secs(40)));
        for number in 0..MOST {
            uses.touch(&number.to_string().into(), start, |it| it.open += 1);
        }
        // However long a call takes.
        assert_eq!(uses.take_place(start + IDLE), Err(IN_USE));
        assert_eq!(uses.of.len(), MOST);
    }

    #[test]
    fn sessions_that_begin_together_do_not_pass_the_bound() {
        let start = Instant::now();
        let uses = Arc::new(Mutex::new(full(start)));
        lock(&uses).of.remove("7");
        assert_eq!(lock(&uses).take_place(start), Ok(None));
        let place = Beginning(uses.clone());
        assert!(lock(&uses).take_place(start).is_err());
        // One that comes to nothing gives its place back.
        drop(place);
        assert_eq!(lock(&uses).take_place(start), Ok(None));
        Beginning(uses.clone()).used_by(&"new".into());
        let uses = lock(&uses);
        assert_eq!((uses.of.len(), uses.beginning), (MOST, 0));
    }
}
