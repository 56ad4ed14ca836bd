//! The sessions of clients of the older era, and which of them is forgotten first.
//!
//! One rule: a client that leaves without saying so costs a bounded amount of memory. Some start anew for
//! every command and never end their session; each session has a task and a service of its own (66 KB), and
//! is kept for hours, because an editor may be idle for as long.

use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::session::{
    ServerSseMessage, SessionId, SessionManager,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_stream::{Stream, StreamExt as _};

/// How long a session may be idle before it is forgotten.
const IDLE: Duration = Duration::from_secs(4 * 3600);
/// How many sessions are kept. Those with an open stream are kept in any case.
const MOST: usize = 256;

/// The SDK's sessions, and when each was last used.
pub struct Sessions {
    inner: LocalSessionManager,
    uses: Arc<Mutex<Uses>>,
}

#[derive(Default)]
struct Uses {
    /// Counts what happens: less than a clock, and as much as an order needs.
    now: u64,
    of: HashMap<SessionId, Use>,
}

struct Use {
    last: u64,
    open_streams: usize,
}

impl Default for Sessions {
    fn default() -> Self {
        let mut inner = LocalSessionManager::default();
        // The SDK's five minutes end the session of an editor whose user went for a coffee.
        inner.session_config.keep_alive = Some(IDLE);
        Self { inner, uses: Arc::default() }
    }
}

impl Sessions {
    fn uses(&self) -> MutexGuard<'_, Uses> {
        lock(&self.uses)
    }

    /// Keeps a session from being forgotten for as long as what is returned lives.
    fn open(&self, id: &SessionId) -> OpenStream {
        self.uses().touch(id, |it| it.open_streams += 1);
        OpenStream { id: id.clone(), uses: self.uses.clone() }
    }
}

fn lock(uses: &Mutex<Uses>) -> MutexGuard<'_, Uses> {
    uses.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Uses {
    fn begin(&mut self, id: &SessionId) {
        self.of.insert(id.clone(), Use { last: 0, open_streams: 0 });
        self.touch(id, |_| ());
    }

    /// A session that has ended meanwhile stays unknown.
    fn touch(&mut self, id: &SessionId, change: impl FnOnce(&mut Use)) {
        self.now += 1;
        if let Some(it) = self.of.get_mut(id) {
            it.last = self.now;
            change(it);
        }
    }

    /// Takes out the session that was not used for longest, if there are too many.
    fn take_surplus(&mut self) -> Option<SessionId> {
        if self.of.len() <= MOST {
            return None;
        }
        let idle = self.of.iter().filter(|(_, it)| it.open_streams == 0);
        let (id, _) = idle.min_by_key(|(_, it)| it.last)?;
        let id = id.clone();
        self.of.remove(&id);
        Some(id)
    }
}

struct OpenStream {
    id: SessionId,
    uses: Arc<Mutex<Uses>>,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        lock(&self.uses).touch(&self.id, |it| it.open_streams -= 1);
    }
}

/// The same messages; the session counts as open until the stream is dropped.
fn holding(
    stream: impl Stream<Item = ServerSseMessage> + Send + Sync + 'static,
    open: OpenStream,
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
        let (id, transport) = self.inner.create_session().await?;
        let surplus = {
            let mut uses = self.uses();
            uses.begin(&id);
            uses.take_surplus()
        };
        if let Some(surplus) = surplus {
            // It may have ended by itself; the new client is not to hear of it.
            let _ = self.inner.close_session(&surplus).await;
        }
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
        self.uses().touch(id, |_| ());
        self.inner.has_session(id).await
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        self.uses().of.remove(id);
        self.inner.close_session(id).await
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let open = self.open(id);
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
