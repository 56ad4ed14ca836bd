//! The bound, with peers that read, that never read, and that read too late.

use super::*;
use rmcp::model::{ServerConfig, ServerJsonRpcMessage};
use rmcp::service::{QuitReason, RunningService, serve_directly};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::{RoleClient, RoleServer, ServerHandler};
use std::convert::Infallible;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};
use tokio::sync::mpsc;

/// Longer than any test may take, and short enough to be waited for.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(200);

const PING: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"}\n";

/// A client of ours, and the server's end of its streams.
fn client(patience: Duration) -> (RunningService<RoleClient, ()>, Answers, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(4096);
    let (read, write) = tokio::io::split(ours);
    let answers = Answers::new(patience);
    let transport = AsyncRwTransport::new_client(read, write);
    let transport = Bounded::new(transport, answers.clone(), Source::Stream);
    (serve_directly((), transport, None), answers, theirs)
}

/// Writes pings until nobody takes them any more; how many.
async fn flood(mut stream: impl tokio::io::AsyncWrite + Unpin, most: usize) -> usize {
    for count in 0..most {
        let ping = format!("{{\"jsonrpc\":\"2.0\",\"id\":{count},\"method\":\"ping\"}}\n");
        if stream.write_all(ping.as_bytes()).await.is_err() {
            return count;
        }
    }
    most
}

#[tokio::test]
async fn a_peer_that_never_reads_is_not_received_from_and_then_disconnected() {
    let (service, answers, theirs) = client(SHORT);
    let (_unread, write) = tokio::io::split(theirs);
    let flooding = tokio::spawn(flood(write, 1_000_000));
    let ended = tokio::time::timeout(LONG, service.waiting()).await.expect("it ends");
    assert!(matches!(ended, Ok(QuitReason::Closed)), "{ended:?}");
    assert_eq!(answers.given_up(), Some(UNREAD));
    let taken = tokio::time::timeout(LONG, flooding).await.expect("it ends").expect("a count");
    // What is in the two pipes and in the buffer of the reader, and the bound.
    assert!(taken < 1000, "{taken} requests were received");
}

#[tokio::test]
async fn a_peer_that_reads_may_ask_as_much_as_it_likes() {
    let (service, answers, theirs) = client(LONG);
    let (read, write) = tokio::io::split(theirs);
    let flooding = tokio::spawn(flood(write, 20_000));
    let mut lines = BufReader::new(read).lines();
    for _ in 0..20_000 {
        let line = tokio::time::timeout(LONG, lines.next_line()).await.expect("an answer");
        assert!(line.expect("text").expect("a line").contains("\"result\""));
    }
    assert_eq!(flooding.await.expect("a count"), 20_000);
    assert_eq!(answers.given_up(), None);
    assert!(service.cancel().await.is_ok());
}

#[tokio::test]
async fn a_peer_that_reads_late_gets_every_answer() {
    let (service, answers, theirs) = client(LONG);
    let (read, write) = tokio::io::split(theirs);
    let flooding = tokio::spawn(flood(write, 2_000));
    // Nothing is read before the bound is reached.
    let mut changes = answers.0.state.subscribe();
    let full = changes.wait_for(|state| state.is_full());
    tokio::time::timeout(LONG, full).await.expect("the bound").expect("a state");
    let mut lines = BufReader::new(read).lines();
    for _ in 0..2_000 {
        let line = tokio::time::timeout(LONG, lines.next_line()).await.expect("an answer");
        line.expect("text").expect("a line");
    }
    assert_eq!(flooding.await.expect("a count"), 2_000);
    assert_eq!(answers.given_up(), None);
    drop(service);
}

/// The handler of a server that never comes to an answer.
struct Slow(mpsc::UnboundedSender<()>);

impl ServerHandler for Slow {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::default()
    }

    async fn list_tools(
        &self,
        _: Option<rmcp::model::PaginatedRequestParams>,
        context: rmcp::service::RequestContext<RoleServer>,
    ) -> Result<rmcp::model::ListToolsResult, rmcp::ErrorData> {
        let _ = self.0.send(());
        context.ct.cancelled().await;
        Ok(rmcp::model::ListToolsResult::default())
    }
}

async fn ask(write: &mut (impl tokio::io::AsyncWrite + Unpin), id: usize, method: &str) {
    let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{method}\"}}\n");
    write.write_all(line.as_bytes()).await.expect("a reader");
}

#[tokio::test]
async fn requests_that_are_handled_are_bounded_and_all_else_passes() {
    let (ours, theirs) = tokio::io::duplex(4096);
    let (read, write) = tokio::io::split(ours);
    let answers = Answers::new(LONG);
    let transport = AsyncRwTransport::new_server(read, write);
    let transport = Bounded::new(transport, answers.clone(), Source::Stream);
    let handled = transport.handled.clone();
    let (sender, mut begun) = mpsc::unbounded_channel();
    let service = serve_directly(Slow(sender), transport, None);
    let (read, mut write) = tokio::io::split(theirs);
    let mut lines = BufReader::new(read).lines();
    let mut begins =
        async || tokio::time::timeout(LONG, begun.recv()).await.expect("in time").expect("one");
    let mut answer = async || -> serde_json::Value {
        let line = tokio::time::timeout(LONG, lines.next_line()).await.expect("in time");
        serde_json::from_str(&line.expect("text").expect("a line")).expect("JSON")
    };
    for id in 0..MOST_HANDLED {
        ask(&mut write, id, "tools/list").await;
        begins().await;
    }
    assert_eq!(handled.available_permits(), 0);
    // More of them are refused, far more than may be unwritten, and none is handled.
    for id in 1000..1000 + 2 * MOST_UNWRITTEN {
        ask(&mut write, id, "tools/list").await;
        let refused = answer().await;
        assert_eq!((&refused["id"], &refused["error"]["code"]), (&id.into(), &(-32000).into()));
    }
    ask(&mut write, 7000, "ping").await;
    let pong = answer().await;
    assert_eq!((&pong["id"], pong["result"].is_object()), (&7000.into(), true));
    // A cancellation makes place for another.
    let cancel = b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":0}}\n";
    write.write_all(cancel).await.expect("a reader");
    for id in 8000.. {
        ask(&mut write, id, "tools/list").await;
        tokio::select! {
            () = begins() => break,
            // It came before the place was free.
            _ = answer() => {}
        }
    }
    assert_eq!(answers.given_up(), None);
    drop((write, lines));
    tokio::time::timeout(LONG, service.waiting()).await.expect("it hears of the end").expect("one");
}

#[test]
fn only_a_written_answer_or_the_last_one_ends_a_stall() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut state = State::default();
    for _ in 0..MOST_UNWRITTEN {
        state.owe(10, at(0));
    }
    assert_eq!((state.is_full(), state.stalled), (false, None));
    state.owe(10, at(1));
    state.owe(10, at(2));
    assert_eq!((state.is_full(), state.stalled), (true, Some(at(1))));
    // Answers that an HTTP server does not take fail one by one.
    state.settle(10, false, at(3));
    state.settle(10, false, at(4));
    assert_eq!((state.is_full(), state.stalled), (false, Some(at(1))));
    state.owe(10, at(5));
    state.owe(10, at(5));
    assert_eq!(state.stalled, Some(at(1)));
    state.settle(10, true, at(6));
    assert_eq!((state.is_full(), state.stalled), (true, Some(at(6))));
    state.settle(10, true, at(6));
    assert_eq!((state.is_full(), state.stalled), (false, None));
    state.owe(10, at(7));
    assert_eq!(state.stalled, Some(at(7)));
    for _ in 0..=MOST_UNWRITTEN {
        state.settle(10, false, at(8));
    }
    assert_eq!((state.unwritten, state.bytes, state.stalled), (0, 0, None));
    // One large answer keeps others waiting; how long it takes to read is its reader's affair.
    state.owe(MOST_BYTES + 1, at(9));
    assert_eq!((state.is_full(), state.stalled), (true, None));
    state.settle(MOST_BYTES + 1, true, at(10));
    assert_eq!((state.is_full(), state.stalled), (false, None));
}

#[test]
fn the_length_of_an_answer_is_that_of_its_line() {
    let result = rmcp::model::ClientResult::empty(());
    let id = rmcp::model::RequestId::String("x".repeat(1000).into());
    let message = TxJsonRpcMessage::<RoleClient>::response(result, id);
    assert_eq!(length(&message), serde_json::to_string(&message).expect("JSON").len());
    assert!(length(&message) > 1000);
}

#[tokio::test]
async fn events_are_held_back_while_the_bound_is_reached_and_end_with_the_connection() {
    use tokio_stream::StreamExt as _;
    let answers = Answers::new(LONG);
    let mut gate = Gate::new(tokio_stream::iter(0..), answers.clone());
    assert_eq!(gate.next().await, Some(0));
    let mut owed: Vec<_> = (0..=MOST_UNWRITTEN).map(|_| answers.owe(10)).collect();
    let waker = std::task::Waker::noop();
    let mut context = Context::from_waker(waker);
    assert!(Pin::new(&mut gate).poll_next(&mut context).is_pending());
    owed.pop();
    assert_eq!(gate.next().await, Some(1));
    answers.give_up();
    assert_eq!(gate.next().await, None);
    assert_eq!(gate.next().await, None);
}

/// A transport whose end does not come, and that is full of messages.
struct Stuck(mpsc::Receiver<ServerJsonRpcMessage>);

impl Transport<RoleClient> for Stuck {
    type Error = Infallible;

    fn send(
        &mut self,
        _: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Infallible>> + Send + 'static {
        std::future::pending()
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        self.0.recv().await
    }

    async fn close(&mut self) -> Result<(), Infallible> {
        assert!(self.0.is_empty(), "it would wait to hand these over");
        Ok(())
    }
}

#[tokio::test]
async fn closing_ends_writes_that_the_peer_never_takes_and_takes_what_waits_to_be_handed_over() {
    let (sender, receiver) = mpsc::channel(4);
    let ping: ServerJsonRpcMessage = serde_json::from_slice(PING).expect("a request");
    for _ in 0..4 {
        sender.try_send(ping.clone()).expect("room");
    }
    let mut bounded = Bounded::new(Stuck(receiver), Answers::new(LONG), Source::Events);
    let result = rmcp::model::ClientResult::empty(());
    let sent = bounded
        .send(TxJsonRpcMessage::<RoleClient>::response(result, rmcp::model::RequestId::Number(7)));
    let Ok(()) = bounded.close().await;
    let Ok(()) = tokio::time::timeout(LONG, sent).await.expect("it ends");
    assert_eq!(bounded.answers.0.state.borrow().unwritten, 0);
}
