//! The sessions of a host, as its lines tell of them.
//!
//! One rule: pure. Why a line is bad is said in words that hold nothing of it.

use super::lines::TooLong;
use crate::Event;
use crate::activation::clients;
use miniserde::{Deserialize, json};
use std::fmt;
use std::hash::{BuildHasher, RandomState};

/// Of more sessions, the one that was silent longest is forgotten.
pub const MOST_SESSIONS: usize = 1024;
/// The longest name of a session, in bytes.
pub const LONGEST_NAME: usize = 128;

/// Why a line is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadLine {
    /// It has more than 64 KiB.
    TooLong,
    /// It is no JSON object, or a member has another type than its event's.
    NoEvent,
    /// Its `event` is none of ours.
    UnknownEvent,
    /// It says nothing of its session.
    NoSession,
    /// The name of its session is empty or too long.
    SessionName,
    /// A `call` does not say what became of it.
    NoOk,
    /// A `call` of a session whose server has not answered.
    NotConnected,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "it is longer than 64 KiB",
            Self::NoEvent => {
                "it is no JSON object with a text as `event`, or a member has another type than documented"
            }
            Self::UnknownEvent => {
                "its event is none of client_seen, server_connected, discovery, call, end"
            }
            Self::NoSession => "`session` is missing",
            Self::SessionName => "`session` is empty or longer than 128 bytes",
            Self::NoOk => "`ok` is missing: whether the call returned a result",
            Self::NotConnected => "a call before server_connected in its session",
        })
    }
}

impl From<TooLong> for BadLine {
    fn from(_: TooLong) -> Self {
        Self::TooLong
    }
}

/// The members of all events.
#[derive(Deserialize)]
struct Line {
    event: String,
    session: Option<String>,
    local: Option<bool>,
    client: Option<String>,
    returned: Option<u64>,
    indexed: Option<u64>,
    ok: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    ClientSeen,
    ServerConnected,
    Discovery,
    Call,
    End,
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "client_seen" => Self::ClientSeen,
            "server_connected" => Self::ServerConnected,
            "discovery" => Self::Discovery,
            "call" => Self::Call,
            "end" => Self::End,
            _ => return None,
        })
    }
}

/// What is remembered of a session.
#[derive(Clone, Copy)]
struct Session {
    /// A keyed hash of its name.
    key: u64,
    is_local: bool,
    is_connected: bool,
    /// Its client is our own gateway.
    is_gateway: bool,
}

/// All sessions of a host.
pub struct Sessions {
    count_remote: bool,
    /// The one that was silent longest comes first.
    open: Vec<Session>,
    names: RandomState,
    has_said_goodbye: bool,
}

impl Sessions {
    /// None yet. With `count_remote` each of them counts, else those that say that they are local.
    pub fn new(count_remote: bool) -> Self {
        Self { count_remote, open: Vec::new(), names: RandomState::new(), has_said_goodbye: false }
    }

    /// Whether the host said that it ends as it was meant to.
    pub fn has_said_goodbye(&self) -> bool {
        self.has_said_goodbye
    }

    /// Reads one line; `count` gets what counts of it.
    pub fn read(&mut self, line: &[u8], count: impl FnMut(Event<'_>)) -> Result<(), BadLine> {
        let text = str::from_utf8(line).map_err(|_| BadLine::NoEvent)?;
        let line: Line = json::from_str(text).map_err(|_| BadLine::NoEvent)?;
        let kind = Kind::named(&line.event).ok_or(BadLine::UnknownEvent)?;
        let Some(name) = &line.session else {
            self.has_said_goodbye |= kind == Kind::End;
            return if kind == Kind::End { Ok(()) } else { Err(BadLine::NoSession) };
        };
        if name.is_empty() || name.len() > LONGEST_NAME {
            return Err(BadLine::SessionName);
        }
        let key = self.names.hash_one(name);
        let known = self.open.iter().rposition(|session| session.key == key);
        let known = known.map(|at| self.open.remove(at));
        if kind == Kind::End {
            return Ok(());
        }
        if self.open.len() >= MOST_SESSIONS {
            self.open.remove(0);
        }
        let mut session = known.unwrap_or(Session::new(key));
        session.is_local = line.local.unwrap_or(session.is_local);
        let verdict = match session.is_local || self.count_remote {
            true => session.hear(kind, line, count),
            false => session.hear(kind, line, |_| ()),
        };
        self.open.push(session);
        verdict
    }
}

impl Session {
    fn new(key: u64) -> Self {
        Self { key, is_local: false, is_connected: false, is_gateway: false }
    }

    fn hear(
        &mut self,
        kind: Kind,
        line: Line,
        mut count: impl FnMut(Event<'_>),
    ) -> Result<(), BadLine> {
        match kind {
            Kind::ClientSeen => {
                let name = line.client.unwrap_or_default();
                self.is_gateway = clients::is_own_gateway(&name);
                if !self.is_gateway {
                    count(Event::ClientSeen { name: &name });
                }
            }
            Kind::ServerConnected => {
                self.is_connected = true;
                count(Event::ServerConnected);
            }
            Kind::Discovery => {
                self.see_gateway(&mut count);
                count(Event::Discovery { indexed: line.indexed, returned: line.returned });
            }
            Kind::Call => {
                let ok = line.ok.ok_or(BadLine::NoOk)?;
                if !self.is_connected {
                    return Err(BadLine::NotConnected);
                }
                self.see_gateway(&mut count);
                count(Event::UpstreamCall);
                if ok {
                    count(Event::UpstreamResult);
                }
            }
            Kind::End => {}
        }
        Ok(())
    }

    /// Our own gateway is seen with what it calls, as by the tap.
    fn see_gateway(&self, count: &mut impl FnMut(Event<'_>)) {
        if self.is_gateway {
            count(Event::ClientSeen { name: clients::OWN_GATEWAY });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What counts of these lines, and what is bad of them.
    fn heard(sessions: &mut Sessions, lines: &[&str]) -> (Vec<String>, Vec<BadLine>) {
        let (mut counted, mut bad) = (Vec::new(), Vec::new());
        for line in lines {
            let note = |event: Event<'_>| counted.push(format!("{event:?}"));
            bad.extend(sessions.read(line.as_bytes(), note).err());
        }
        (counted, bad)
    }

    const CALL: &str = r#"{"event":"call","session":"1","ok":true}"#;
    const CONNECTED: &str = r#"{"event":"server_connected","session":"1","local":true}"#;

    #[test]
    fn a_session_counts_from_the_line_that_says_local_and_until_one_takes_it_back() {
        let mut sessions = Sessions::new(false);
        let lines = [
            r#"{"event":"client_seen","session":"1","client":"early"}"#,
            CONNECTED,
            r#"{"event":"client_seen","session":"1","client":"zed","version":"1.2"}"#,
            r#"{"event":"discovery","session":"1","returned":5,"indexed":40}"#,
            r#"{"event":"discovery","session":"2","returned":5,"indexed":40}"#,
            r#"{"event":"call","session":"1","ok":true,"local":false}"#,
            CALL,
        ];
        let (counted, bad) = heard(&mut sessions, &lines);
        let expected = [
            "ServerConnected",
            "ClientSeen { name: \"zed\" }",
            "Discovery { indexed: Some(40), returned: Some(5) }",
        ];
        assert_eq!((counted.as_slice(), bad), (expected.map(str::to_owned).as_slice(), vec![]));
    }

    #[test]
    fn count_remote_counts_every_session() {
        let (counted, bad) = heard(
            &mut Sessions::new(true),
            &[r#"{"event":"server_connected","session":"1","local":false}"#, CALL],
        );
        assert_eq!(counted, ["ServerConnected", "UpstreamCall", "UpstreamResult"]);
        assert_eq!(bad, []);
    }

    #[test]
    fn a_call_needs_a_server_that_answered_in_the_same_session() {
        let other = r#"{"event":"call","session":"2","ok":true}"#;
        let end = r#"{"event":"end","session":"1"}"#;
        let lines = [CALL, CONNECTED, other, CALL, end, CALL];
        let (counted, bad) = heard(&mut Sessions::new(true), &lines);
        assert_eq!(counted, ["ServerConnected", "UpstreamCall", "UpstreamResult"]);
        assert_eq!(bad, [BadLine::NotConnected; 3]);
    }

    #[test]
    fn a_call_that_failed_is_a_call_and_no_result() {
        let failed = r#"{"event":"call","session":"1","ok":false}"#;
        let (counted, _) = heard(&mut Sessions::new(true), &[CONNECTED, failed]);
        assert_eq!(counted, ["ServerConnected", "UpstreamCall"]);
    }

    #[test]
    fn our_own_gateway_is_seen_with_its_calls_only() {
        let seen =
            r#"{"event":"client_seen","session":"1","client":"MCPProxy (via mcp-remote 1.0)"}"#;
        let (counted, _) = heard(&mut Sessions::new(true), &[seen, CONNECTED, CALL]);
        let expected = [
            "ServerConnected",
            "ClientSeen { name: \"mcpproxy\" }",
            "UpstreamCall",
            "UpstreamResult",
        ];
        assert_eq!(counted, expected);
    }

    #[test]
    fn bad_lines_say_why() {
        let long = format!(r#"{{"event":"end","session":"{}"}}"#, "x".repeat(LONGEST_NAME + 1));
        for (line, why) in [
            ("{", BadLine::NoEvent),
            ("[]", BadLine::NoEvent),
            ("{} {}", BadLine::NoEvent),
            (r#"{"session":"1"}"#, BadLine::NoEvent),
            (r#"{"event":"end","session":1}"#, BadLine::NoEvent),
            (r#"{"event":"discovery","session":"1","returned":-1}"#, BadLine::NoEvent),
            (r#"{"event":"start","session":"1"}"#, BadLine::UnknownEvent),
            (r#"{"event":"call","ok":true}"#, BadLine::NoSession),
            (r#"{"event":"end","session":""}"#, BadLine::SessionName),
            (&long, BadLine::SessionName),
            (r#"{"event":"call","session":"1"}"#, BadLine::NoOk),
        ] {
            assert_eq!(heard(&mut Sessions::new(true), &[line]).1, [why], "{line}");
        }
    }

    #[test]
    fn optional_members_may_be_null_and_unknown_ones_anything() {
        let line = r#"{"event":"discovery","session":"1","returned":null,"indexed":null,"local":null,"x":[{}]}"#;
        let (counted, bad) = heard(&mut Sessions::new(true), &[line]);
        assert_eq!(counted, ["Discovery { indexed: None, returned: None }"]);
        assert_eq!(bad, []);
    }

    #[test]
    fn only_an_end_without_a_session_is_the_end_of_the_host() {
        let mut sessions = Sessions::new(false);
        heard(&mut sessions, &[CONNECTED, r#"{"event":"end","session":"1"}"#]);
        assert!(!sessions.has_said_goodbye());
        heard(&mut sessions, &[r#"{"event":"end"}"#]);
        assert!(sessions.has_said_goodbye());
    }

    #[test]
    fn of_too_many_sessions_the_one_that_was_silent_longest_is_forgotten() {
        let mut sessions = Sessions::new(true);
        let of = |event: &str, name: usize| {
            format!(r#"{{"event":"{event}","session":"{name}","ok":true}}"#)
        };
        for name in 0..MOST_SESSIONS {
            heard(&mut sessions, &[&of("server_connected", name)]);
        }
        let last = MOST_SESSIONS - 1;
        // The first one speaks again, one more comes; the end of an unknown one takes no place.
        let lines = [of("call", 0), of("server_connected", MOST_SESSIONS), of("end", usize::MAX)];
        let lines = lines.each_ref().map(String::as_str);
        assert_eq!(heard(&mut sessions, &lines).1, []);
        assert_eq!(sessions.open.len(), MOST_SESSIONS);
        assert_eq!(heard(&mut sessions, &[&of("call", 0), &of("call", last)]).1, []);
        assert_eq!(heard(&mut sessions, &[&of("call", 1)]).1, [BadLine::NotConnected]);
    }
}
