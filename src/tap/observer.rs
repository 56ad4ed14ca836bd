//! What a session tells about the funnel: which client, is the server up, which tools are called.
//!
//! One rule: it only watches. It is given a copy of the traffic in any pieces, says what happened
//! through a closure, and knows nothing of processes, stores or consent.

use super::messages::{Id, Lines, Message, Method};
use crate::Event;
use std::collections::VecDeque;

/// Requests of the client that may wait for an answer at once; beyond, the oldest is given up.
const MAX_OUTSTANDING: usize = 1024;

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
/// - The server is connected when it answers any request of the client with a result, once.
/// - A discovery call is counted when its answer arrives, and only if it succeeded: a cancelled
///   call is never answered, one that failed (`error`, `isError`) discovered nothing, and one that
///   asks for more (`resultType` other than `complete`) will be made again.
/// - Any other tool call is counted when it is made.
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
    outstanding: VecDeque<(Id, Call)>,
    is_connected: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Discovery,
    /// Interesting only until the server has answered something.
    Any,
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
                outstanding: VecDeque::new(),
                is_connected: false,
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

    /// Bytes of one direction are missing here: the line they belong to is not read.
    pub fn lost(&mut self, direction: Direction) {
        match direction {
            Direction::ToServer => self.from_client.lost(),
            Direction::ToClient => self.from_server.lost(),
        }
    }

    /// Both streams have ended; a last line without a newline counts.
    pub fn finish(&mut self) {
        self.from_client.end_line(&mut self.session, Session::request);
        self.from_server.end_line(&mut self.session, Session::answer);
    }
}

impl<S: FnMut(Event<'_>)> Session<S> {
    fn request(&mut self, message: Message) {
        let Some(method) = message.method else { return };
        if method == Method::Initialize {
            let name = message.params.client.unwrap_or_default();
            (self.sink)(Event::ClientSeen { name: &name });
        }
        if let Some(name) = message.params.meta_client {
            (self.sink)(Event::ClientSeen { name: &name });
        }
        let Some(id) = message.id else { return };
        let call = match (method, message.params.tool) {
            (Method::ToolsCall, Some(tool)) if self.discovery_tools.contains(&tool) => {
                Call::Discovery
            }
            (Method::ToolsCall, Some(_)) => {
                (self.sink)(Event::UpstreamCall);
                Call::Any
            }
            _ => Call::Any,
        };
        // An id is free again when it is used again, whatever became of its first use.
        self.outstanding.retain(|(waiting, _)| *waiting != id);
        if call == Call::Discovery || !self.is_connected {
            if self.outstanding.len() >= MAX_OUTSTANDING {
                self.outstanding.pop_front();
            }
            self.outstanding.push_back((id, call));
        }
    }

    fn answer(&mut self, message: Message) {
        if message.method.is_some() {
            return;
        }
        let Some(id) = message.id else { return };
        let Some(index) = self.outstanding.iter().position(|(waiting, _)| *waiting == id) else {
            return;
        };
        let Some((_, call)) = self.outstanding.remove(index) else { return };
        let Some(answer) = message.result.filter(|_| !message.has_error) else { return };
        if !self.is_connected {
            self.is_connected = true;
            self.outstanding.retain(|(_, call)| *call == Call::Discovery);
            (self.sink)(Event::ServerConnected);
        }
        if call == Call::Discovery && !answer.failed && !answer.is_interim {
            let counts = answer.listing();
            (self.sink)(Event::Discovery { indexed: counts.indexed, returned: counts.returned });
        }
    }
}
