//! A peer at the other end of two pipes: one message a line.
//!
//! One rule: every line comes to something. A message, an answer that says what is wrong with it, or nothing, if
//! it is no message at all.

use super::exact;
use super::messages::{Heard, Reader};
use super::outline::Outline;
use rmcp::model::{ErrorData, RequestId};
use rmcp::service::{RxJsonRpcMessage, ServiceRole, TxJsonRpcMessage};
use rmcp::transport::Transport;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// The longest line that is read.
pub const MOST_BYTES: usize = 16 << 20;
/// How long the end of a line may stay away before what is there is looked at.
const SILENCE: Duration = Duration::from_secs(1);
/// What is read at once.
const BUFFER: usize = 64 << 10;

/// The transport of one peer.
pub struct Lines<R: ServiceRole, I, O, D> {
    input: BufReader<I>,
    output: Arc<Mutex<Option<O>>>,
    reader: D,
    silence: Duration,
    line: Vec<u8>,
    /// What is known of a line that is too long, and how long it is so far.
    skipped: Option<(Outline, usize)>,
    heard: VecDeque<Heard<R>>,
    /// An answer of ours that is being written. (The SDK drops the future of `receive` whenever something else
    /// happens: what it came to stands here.)
    reply: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send>>>,
}

/// How a line ended.
enum Ended {
    Whole,
    TooLong(Outline, usize),
    Closed,
}

impl<R, I, O, D> Lines<R, I, O, D>
where
    R: ServiceRole,
    I: AsyncRead + Send + Unpin + 'static,
    O: AsyncWrite + Send + Unpin + 'static,
    D: Reader<R>,
{
    /// Reads `input`, as `reader` does, and writes `output`.
    pub fn new(input: I, output: O, reader: D) -> Self {
        Self {
            input: BufReader::with_capacity(BUFFER, input),
            output: Arc::new(Mutex::new(Some(output))),
            reader,
            silence: SILENCE,
            line: Vec::new(),
            skipped: None,
            heard: VecDeque::new(),
            reply: None,
        }
    }

    /// Reads to the end of a line. Dropped, it goes on where it was.
    async fn line(&mut self) -> Ended {
        // How much of the line was looked at in vain.
        let mut looked = 0;
        loop {
            let more = self.input.fill_buf();
            let part = if self.line.len() == looked || self.skipped.is_some() {
                more.await
            } else if let Ok(part) = timeout(self.silence, more).await {
                part
            } else if self.reader.is_whole(&self.line) {
                return Ended::Whole;
            } else {
                looked = self.line.len();
                continue;
            };
            let Ok(part) = part else { return Ended::Closed };
            if part.is_empty() {
                return if self.line.is_empty() { Ended::Closed } else { Ended::Whole };
            }
            let end = memchr::memchr(b'\n', part);
            let part = part.get(..end.unwrap_or(part.len())).unwrap_or_default();
            let read = part.len() + usize::from(end.is_some());
            if let Some((outline, length)) = &mut self.skipped {
                outline.feed(part);
                *length += part.len();
            } else if self.line.len() + part.len() > MOST_BYTES {
                let mut outline = Outline::default();
                outline.feed(&self.line);
                outline.feed(part);
                self.skipped = Some((outline, self.line.len() + part.len()));
                self.line = Vec::new();
            } else {
                self.line.extend_from_slice(part);
            }
            self.input.consume(read);
            if end.is_some() {
                return match self.skipped.take() {
                    Some((outline, length)) => Ended::TooLong(outline, length),
                    None => Ended::Whole,
                };
            }
        }
    }

    fn write(
        &self,
        message: &TxJsonRpcMessage<R>,
    ) -> impl Future<Output = io::Result<()>> + use<R, I, O, D> {
        let line = serde_json::to_vec(message).map(|line| {
            let is_answer = matches!(message, TxJsonRpcMessage::<R>::Response(_));
            let line = is_answer.then(|| exact::unwrapped(&line)).flatten().unwrap_or(line);
            self.reader.placed(message, line)
        });
        self.put(line)
    }

    /// Writes a line, if there is one.
    fn put(
        &self,
        line: serde_json::Result<Option<Vec<u8>>>,
    ) -> impl Future<Output = io::Result<()>> + use<R, I, O, D> {
        let output = self.output.clone();
        async move {
            let Some(mut line) = line? else { return Ok(()) };
            line.push(b'\n');
            let mut output = output.lock().await;
            let Some(output) = &mut *output else { return Err(io::ErrorKind::NotConnected.into()) };
            output.write_all(&line).await?;
            output.flush().await
        }
    }

    fn reply(
        &self,
        error: ErrorData,
        id: Option<RequestId>,
    ) -> impl Future<Output = io::Result<()>> + use<R, I, O, D> {
        self.write(&TxJsonRpcMessage::<R>::error(error, id))
    }
}

impl<R, I, O, D> Transport<R> for Lines<R, I, O, D>
where
    R: ServiceRole,
    I: AsyncRead + Send + Unpin + 'static,
    O: AsyncWrite + Send + Unpin + 'static,
    D: Reader<R>,
{
    type Error = io::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<R>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.reader.sends(&item);
        self.write(&item)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<R>> {
        loop {
            if let Some(reply) = &mut self.reply {
                let is_written = reply.await.is_ok();
                self.reply = None;
                if !is_written {
                    return None;
                }
            }
            match self.heard.pop_front() {
                Some(Heard::Message(message)) => return Some(message),
                Some(Heard::Reply(error, id)) => {
                    self.reply = Some(Box::pin(self.reply(error, id)));
                    continue;
                }
                Some(Heard::Text(text)) => {
                    self.reply = Some(Box::pin(self.put(Ok(Some(text.into_bytes())))));
                    continue;
                }
                None => {}
            }
            match self.line().await {
                Ended::Whole => {
                    let line = std::mem::take(&mut self.line);
                    self.heard.extend(self.reader.read(line));
                }
                Ended::TooLong(outline, length) => {
                    let why = Length::Exactly(length).words(MOST_BYTES);
                    self.heard.extend(self.reader.too_long(outline.about(), &why));
                }
                Ended::Closed => return None,
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.output.lock().await.take();
        Ok(())
    }
}

/// The length of a message that is longer than may be.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// So many bytes.
    Exactly(usize),
    /// More than that: its end was not waited for.
    MoreThan(usize),
}

impl Length {
    /// What is said of the message, where at most `most` bytes are read.
    pub fn words(self, most: usize) -> String {
        let most = most >> 20;
        match self {
            Self::Exactly(length) => {
                format!("it is {length} bytes long, and at most {most} MiB are read")
            }
            Self::MoreThan(length) => {
                format!("it is more than {length} bytes long, and at most {most} MiB are read")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::messages::{OfClient, OfServer};
    use rmcp::model::{JsonRpcMessage, RequestId};
    use rmcp::service::{RoleClient, RoleServer};
    use tokio::io::{AsyncReadExt as _, duplex, empty, sink};

    #[tokio::test]
    async fn a_line_that_is_too_long_ends_its_request_and_the_next_one_is_read() {
        let long = "x".repeat(MOST_BYTES);
        let text = format!(
            "{{\"id\":7,\"result\":\"{long}\"}}\n{{\"result\":\"{long}\",\"id\":8}}\n{{\"id\":9,\"result\":1}}"
        );
        let input = io::Cursor::new(text.into_bytes());
        let mut lines = Lines::<RoleClient, _, _, _>::new(input, sink(), OfServer::default());
        for (id, part) in [(7, "16 MiB"), (8, "16777"), (9, "\"1\"")] {
            let Some(JsonRpcMessage::Response(answer)) = lines.receive().await else {
                panic!("{id}")
            };
            assert_eq!(answer.id, RequestId::Number(id));
            let text = serde_json::to_string(&answer.result).expect("JSON");
            assert!(text.contains(part), "{id}: {text}");
        }
        assert!(lines.receive().await.is_none());
    }

    #[tokio::test]
    async fn a_message_whose_line_does_not_end_is_read_once_it_is_whole() {
        let (ours, mut theirs) = duplex(1 << 16);
        let reader = OfServer::default();
        let mut lines = Lines::<RoleClient, _, _, _>::new(ours, sink(), reader.clone());
        lines.silence = Duration::from_millis(20);
        for (parts, id) in [
            ([r#"{"jsonrpc":"2.0","id":1,"#, r#""result":{}}"#], 1),
            (["Starting...", r#"{"jsonrpc":"2.0","id":2,"result":{}} Ready"#], 2),
            (["\n", "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}\n"], 3),
        ] {
            let hear = async {
                for part in parts {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    theirs.write_all(part.as_bytes()).await.expect("a reader");
                }
                // Dropped and begun anew, as the SDK does it.
                std::future::pending::<()>().await;
            };
            let answer = tokio::select! {
                () = hear => None,
                answer = lines.receive() => answer,
            };
            let Some(JsonRpcMessage::Response(answer)) = answer else { panic!("{id}") };
            assert_eq!(answer.id, RequestId::Number(id));
        }
        assert_eq!(reader.faults().len(), 2, "{:?}", reader.faults());
    }

    #[tokio::test]
    async fn a_client_that_writes_no_json_is_told_so_and_goes_on() {
        let (ours, mut theirs) = duplex(1 << 16);
        let text = b"hello\n\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n";
        let mut lines = Lines::<RoleServer, _, _, _>::new(&text[..], ours, OfClient::default());
        assert!(matches!(lines.receive().await, Some(JsonRpcMessage::Notification(_))));
        lines.close().await.expect("an end");
        let mut written = String::new();
        drop(lines);
        theirs.read_to_string(&mut written).await.expect("text");
        assert!(written.contains("-32700") && written.lines().count() == 1, "{written}");
        let mut none = Lines::<RoleServer, _, _, _>::new(empty(), sink(), OfClient::default());
        assert!(none.receive().await.is_none());
    }
}
