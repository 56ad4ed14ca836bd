//! What a session tells about the funnel: which client, is the server up, which tools are called.
//!
//! One rule: it only watches. It is given a copy of the traffic in any pieces, says what happened
//! through a closure, and knows nothing of processes, stores or consent.

use super::messages::{Id, Lines, Message, Method};
use super::outstanding::{Call, Outstanding};
use crate::Event;
use crate::activation::clients;
use crate::contract::Surface;

/// Which way bytes go. Ids mean something only together with it: both sides count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client.
    ToServer,
    /// From the server.
    ToClient,
}

/// Watches one session.
///
/// - A client is seen when it sends `initialize` (`params.clientInfo.name`; without one it is
///   reported by an empty name, which canonicalizes to `unknown`) or names itself in
///   `params._meta["io.modelcontextprotocol/clientInfo"]` of any message with a method. It is
///   reported each time: who records it knows what is new, also when the install changes meanwhile.
///   Our own gateway is seen with its tool calls only: what else it asks, it asks for no client.
/// - Every request that is none of the calls below is counted when it is made.
/// - The server is connected when it answers any request of the client with a result, once.
/// - Every request that calls a discovery tool is counted exactly once, when it is known what became
///   of it: with the counts of its answer if that is a successful one; without counts, so that no
///   tokens are saved, if it is answered by an error (`error`, `isError`) or by an interim answer
///   (`resultType` other than `complete`: what the client sends afterwards is another call), if the
///   client cancels it or uses its id again, or if it waits too long or when the session ends.
/// - Any other tool call is counted when it is made. That it returned a result is said when it did: not by an
///   error or an interim answer, as above, nor by one that holds a task. It is said each time, unless
///   [`Observer::want_results`] said that it is known.
///
/// Batches are read message by message. Lines may be of any length; memory does not grow with them.
pub struct Observer<S> {
    from_client: Lines,
    from_server: Lines,
    session: Session<S>,
}

struct Session<S> {
    discovery_tools: Vec<String>,
    sink: S,
    outstanding: Outstanding,
    is_connected: bool,
    /// The name of the client, if it is our own gateway.
    gateway: Option<String>,
    wants_results: bool,
}

impl<S: FnMut(Event<'_>)> Observer<S> {
    /// An observer of a session that has not begun. `discovery_tools` are the tools whose calls are
    /// discovery; `sink` gets every event.
    pub fn new(discovery_tools: Vec<String>, sink: S) -> Self {
        Self {
            from_client: Lines::new(),
            from_server: Lines::new(),
            session: Session {
                discovery_tools,
                sink,
                outstanding: Outstanding::default(),
                is_connected: false,
                gateway: None,
                wants_results: true,
            },
        }
    }

    /// The next bytes of one direction. A request must be given before its answer.
    pub fn feed(&mut self, direction: Direction, bytes: &[u8]) {
        let session = &mut self.session;
        match direction {
            Direction::ToServer => {
                self.from_client.feed(bytes, session, |_| true, Session::request);
            }
            Direction::ToClient => {
                let is_wanted = |session: &Session<S>| !session.outstanding.is_empty();
                self.from_server.feed(bytes, session, is_wanted, Session::answer);
            }
        }
    }

    /// Whether any answer would tell something now.
    pub fn wants_answers(&self) -> bool {
        !self.session.outstanding.is_empty()
    }

    /// Whether it matters that a call returns a result. When it does not, answers are not looked at for it.
    pub fn want_results(&mut self, wanted: bool) {
        self.session.wants_results = wanted;
    }

    /// Bytes of one direction are missing here: the line they belong to is not read.
    pub fn lost(&mut self, direction: Direction) {
        match direction {
            Direction::ToServer => self.from_client.lost(),
            Direction::ToClient => self.from_server.lost(),
        }
    }

    /// Both streams have ended; a last line without a newline counts, and so does a discovery call
    /// that will not be answered any more.
    pub fn finish(&mut self) {
        self.from_client.end_line(&mut self.session, Session::request);
        self.from_server.end_line(&mut self.session, Session::answer);
        for call in self.session.outstanding.clear() {
            self.session.given_up(Some(call));
        }
    }
}

impl<S: FnMut(Event<'_>)> Session<S> {
    fn request(&mut self, message: Message) {
        let Some(method) = message.method else { return };
        if method == Method::Initialize {
            let name = message.params.client.unwrap_or_default();
            self.named(&name);
        }
        if let Some(name) = message.params.meta_client {
            self.named(&name);
        }
        if method == Method::Cancelled
            && let Some(id) = message.params.request
        {
            self.cancelled(&id);
        }
        let Some(id) = message.id else { return };
        let call = match (method, message.params.tool) {
            (Method::ToolsCall, Some(tool)) if self.discovery_tools.contains(&tool) => {
                Call::Discovery
            }
            (Method::ToolsCall, Some(_)) => Call::Upstream,
            _ => Call::Any,
        };
        match (&self.gateway, call) {
            (Some(_), Call::Any) | (None, Call::Upstream) => {}
            (Some(name), _) => (self.sink)(Event::ClientSeen { name }),
            (None, Call::Any) => (self.sink)(Event::Request { surface: Surface::Mcp }),
            (None, Call::Discovery) => (self.sink)(Event::ClientActive),
        }
        let tells = match call {
            Call::Discovery => true,
            Call::Upstream => {
                (self.sink)(Event::UpstreamCall);
                self.wants_results
            }
            Call::Any => false,
        };
        // An id is free again when it is used again, whatever became of its first use.
        let before = self.outstanding.remove(&id);
        self.given_up(before);
        if tells || !self.is_connected {
            let oldest = self.outstanding.add(&id, call);
            self.given_up(oldest);
        }
    }

    /// A client says its name.
    fn named(&mut self, name: &str) {
        if !clients::is_own_gateway(name) {
            self.gateway = None;
            (self.sink)(Event::ClientSeen { name });
        } else if self.gateway.is_none() {
            self.gateway = Some(name.to_owned());
        }
    }

    /// The answer may come all the same, and show that the server is there.
    fn cancelled(&mut self, id: &Id) {
        let Some(call) = self.outstanding.remove(id) else { return };
        self.given_up(Some(call));
        if !self.is_connected {
            self.outstanding.add(id, Call::Any);
        }
    }

    fn answer(&mut self, message: Message) {
        if message.method.is_some() {
            return;
        }
        let Some(call) = message.id.and_then(|id| self.outstanding.remove(&id)) else { return };
        let Some(answer) = message.result.filter(|_| !message.has_error) else {
            return self.given_up(Some(call));
        };
        if !self.is_connected {
            self.is_connected = true;
            self.outstanding.keep_calls();
            (self.sink)(Event::ServerConnected);
        }
        if !answer.is_result() {
            return self.given_up(Some(call));
        }
        match call {
            Call::Discovery => {
                let counts = answer.listing();
                (self.sink)(Event::Discovery {
                    indexed: counts.indexed,
                    returned: counts.returned,
                });
            }
            Call::Upstream => (self.sink)(Event::UpstreamResult),
            Call::Any => {}
        }
    }

    /// A discovery call that has told nothing is a call all the same.
    fn given_up(&mut self, call: Option<Call>) {
        if call == Some(Call::Discovery) {
            (self.sink)(Event::Discovery { indexed: None, returned: None });
        }
    }
}
