//! What is asked of the gateway that runs on this machine.
//!
//! One rule: over loopback, with the key of the configuration; one request, one connection.

use super::{Failure, servers};
use crate::cli::{Call, commands};
use crate::config::DISPLAY_NAME;
use crate::paths::DataDir;
use crate::serve::{DEFAULT_LISTEN, key};
use serde_json::Value;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long the gateway may take for anything that is quick.
const PATIENCE: Duration = Duration::from_secs(30);
/// No answer is longer.
const MOST_BYTES: u64 = 4 << 20;

/// The gateway of this data directory.
pub(in crate::cli) struct Running {
    address: SocketAddr,
    key: String,
    dir: DataDir,
}

/// Why it gave no answer.
pub(in crate::cli) enum AskError {
    /// It is not there, or not as an HTTP server is.
    NoGateway(io::ErrorKind),
    /// It refused, with this status and these words.
    Refused(u16, String),
}

impl Running {
    /// The one at `--gateway`.
    pub(in crate::cli) fn of(call: &Call, place: &str) -> Result<Self, Failure> {
        let told = call.value("gateway").map_or(Some(DEFAULT_LISTEN), |told| told.to_str());
        let address = told.and_then(|told| told.parse().ok()).ok_or_else(|| {
            Failure::usage(place, "--gateway needs HOST:PORT, such as 127.0.0.1:8080")
        })?;
        let dir = call.dir()?;
        let key = key::configured(&dir).map_err(|why| Failure::failed(why.to_string()))?;
        let key = key.ok_or_else(|| {
            Failure::failed(format!(
                "no gateway has run with this data directory: {DISPLAY_NAME} holds no `api_key`; start one with \
                 `mcpproxy serve`"
            ))
        })?;
        Ok(Self { address, key: key.reveal().to_owned(), dir })
    }

    /// `data` of what it answers.
    pub(in crate::cli) fn ask(&self, method: &str, path: &str) -> Result<Value, AskError> {
        self.ask_with(method, path, "", PATIENCE)
    }

    /// The same, with a body in JSON, of what may take so long.
    pub(in crate::cli) fn ask_with(
        &self,
        method: &str,
        path: &str,
        body: &str,
        patience: Duration,
    ) -> Result<Value, AskError> {
        let exchanged = self.exchange(method, path, body, patience);
        let (status, body) = exchanged.map_err(|e| AskError::NoGateway(e.kind()))?;
        let mut answer: Value = serde_json::from_str(&body)
            .map_err(|_| AskError::NoGateway(io::ErrorKind::InvalidData))?;
        if status == 200 {
            return Ok(answer["data"].take());
        }
        Err(AskError::Refused(status, answer["error"].as_str().unwrap_or_default().to_owned()))
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        body: &str,
        patience: Duration,
    ) -> io::Result<(u16, String)> {
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        // HTTP/1.0: the answer comes in one piece and ends with the connection.
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nX-API-Key: {}\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            self.address,
            self.key,
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        let mut text = String::new();
        stream.take(MOST_BYTES).read_to_string(&mut text)?;
        let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok((status.ok_or(io::ErrorKind::InvalidData)?, body.to_owned()))
    }

    /// What went wrong with a question about the server `name`, with the remedy.
    pub(in crate::cli) fn failure(&self, error: AskError, name: &str) -> Failure {
        let at = self.address;
        Failure::failed(match error {
            AskError::NoGateway(kind) => format!(
                "no gateway answers at {at} ({kind}); start it with `mcpproxy serve`, or say where it listens with \
                 --gateway HOST:PORT"
            ),
            AskError::Refused(404, words) => {
                let near = near(&self.dir, name).map_or_else(
                    || "see `mcpproxy upstream list`".to_owned(),
                    |near| format!("did you mean {near:?}?"),
                );
                format!("{words} ({name:?}); {near}")
            }
            AskError::Refused(401, _) => format!(
                "the gateway at {at} has another API key: it runs with another data directory; give that with --data-dir"
            ),
            AskError::Refused(_, words) => words,
        })
    }
}

/// The name of the configuration that `name` was probably meant to be.
pub(in crate::cli) fn near(dir: &DataDir, name: &str) -> Option<String> {
    let all = servers::servers(dir).ok()?;
    let names: Vec<&str> = all.iter().map(|server| server.name.as_str()).collect();
    commands::nearest(name, &names).map(str::to_owned)
}

/// A name as a part of a path.
pub(super) fn in_path(name: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(byte).collect()
}
