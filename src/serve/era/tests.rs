//! Servers that are silent, late, or name a version that they were not offered.

use super::*;
use rmcp::model::{
    DiscoverRequest, DiscoverRequestParams, InitializeRequest, InitializeRequestParams,
};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io;

/// A server that says these messages, one at each look, and is silent after that.
struct Script(VecDeque<Value>);

impl Transport<RoleClient> for Script {
    type Error = io::Error;

    fn send(
        &mut self,
        _: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        std::future::ready(Ok(()))
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        match self.0.pop_front() {
            Some(message) => Some(serde_json::from_value(message).expect("a message")),
            None => std::future::pending().await,
        }
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        Ok(())
    }
}

fn server(says: &[Value], silence: Option<Duration>) -> (Beginning<Script>, Memory) {
    let memory = Memory::default();
    assert_eq!(memory.begin(), Begin::Probing);
    let script = Script(says.iter().cloned().collect());
    (Beginning::new(script, memory.clone(), silence), memory)
}

async fn ask(transport: &mut Beginning<Script>, request: impl Into<ClientRequest>, id: u32) {
    let message =
        TxJsonRpcMessage::<RoleClient>::request(request.into(), RequestId::Number(id.into()));
    transport.send(message).await.expect("it is sent");
}

fn discover() -> ClientRequest {
    ClientRequest::DiscoverRequest(DiscoverRequest::new(DiscoverRequestParams {}))
}

fn initialize() -> ClientRequest {
    ClientRequest::InitializeRequest(InitializeRequest::new(InitializeRequestParams::default()))
}

fn greeting(version: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "result": {
        "protocolVersion": version, "capabilities": {}, "serverInfo": {"name": "x", "version": "1"}}})
}

fn discovery() -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "result": {"resultType": "complete", "ttlMs": 0, "cacheScope": "private",
        "supportedVersions": ["2026-07-28"], "capabilities": {}}})
}

fn version(message: &RxJsonRpcMessage<RoleClient>) -> String {
    let message = serde_json::to_value(message).expect("JSON");
    message["result"]["protocolVersion"].as_str().expect("a version").to_owned()
}

#[tokio::test]
async fn silence_is_an_answer_and_the_late_one_is_remembered() {
    let (mut transport, memory) = server(&[], Some(Duration::ZERO));
    ask(&mut transport, discover(), 0).await;
    let refused = transport.receive().await.expect("an answer");
    assert!(
        matches!(refused, JsonRpcMessage::Error(error) if error.id == Some(RequestId::Number(0)))
    );
    ask(&mut transport, initialize(), 1).await;
    assert!(!memory.answered_late());
    transport.inner.0.extend([discovery(), greeting("2025-06-18")]);
    assert!(transport.receive().await.is_some() && memory.answered_late());
    assert_eq!(version(&transport.receive().await.expect("a greeting")), "2025-06-18");
    memory.learn(Some(&ProtocolVersion::V_2025_06_18));
    assert_eq!(memory.begin(), Begin::Modern, "it gets the time that it needs");
}

#[tokio::test]
async fn other_messages_do_not_prolong_the_silence() {
    let log = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}});
    let (mut transport, _) = server(&[log.clone(), log], Some(Duration::from_millis(20)));
    ask(&mut transport, discover(), 0).await;
    let mut before = 0;
    while !matches!(transport.receive().await, Some(JsonRpcMessage::Error(_))) {
        before += 1;
    }
    assert_eq!(before, 2);
}

#[tokio::test]
async fn a_result_that_is_no_discovery_is_a_refusal() {
    let empty = json!({"jsonrpc": "2.0", "id": 0, "result": {}});
    let (mut transport, _) = server(&[empty], None);
    ask(&mut transport, discover(), 0).await;
    let refused = transport.receive().await.expect("an answer");
    assert!(
        matches!(refused, JsonRpcMessage::Error(error) if error.id == Some(RequestId::Number(0)))
    );
}

#[tokio::test]
async fn an_error_under_another_id_refuses_what_waits_for_longest() {
    let id = |message: Option<RxJsonRpcMessage<RoleClient>>| match message {
        Some(JsonRpcMessage::Error(error)) => error.id,
        other => panic!("{other:?}"),
    };
    let error = |id: Value| json!({"jsonrpc": "2.0", "id": id, "error": {"code": 1, "message": "A defect"}});
    for strange in [json!(-32603), json!(null), json!("0")] {
        let (mut transport, _) = server(&[error(strange.clone())], None);
        ask(&mut transport, discover(), 0).await;
        assert_eq!(id(transport.receive().await), Some(RequestId::Number(0)), "{strange}");
        // Nothing else waits, then the greeting does.
        transport.inner.0.push_back(error(json!(-32603)));
        ask(&mut transport, initialize(), 1).await;
        assert_eq!(id(transport.receive().await), Some(RequestId::Number(1)), "{strange}");

        // The probe was given up: its refusal is not the answer to the greeting.
        let (mut transport, memory) = server(&[], Some(Duration::ZERO));
        ask(&mut transport, discover(), 0).await;
        assert_eq!(id(transport.receive().await), Some(RequestId::Number(0)));
        ask(&mut transport, initialize(), 1).await;
        transport.inner.0.extend([error(strange.clone()), greeting("2025-06-18")]);
        assert_eq!(id(transport.receive().await), Some(RequestId::Number(0)), "{strange}");
        assert_eq!(version(&transport.receive().await.expect("one")), "2025-06-18");
        assert!(!memory.answered_late());
    }
}

#[tokio::test]
async fn an_error_under_another_id_stays_as_it_is_once_the_session_has_begun() {
    let (mut transport, _) = server(&[greeting("2025-06-18")], None);
    ask(&mut transport, initialize(), 1).await;
    assert!(transport.receive().await.is_some());
    transport
        .inner
        .0
        .push_back(json!({"jsonrpc": "2.0", "id": 9, "error": {"code": -32601, "message": "no"}}));
    let Some(JsonRpcMessage::Error(error)) = transport.receive().await else { panic!("an error") };
    assert_eq!(error.id, Some(RequestId::Number(9)));
}

#[tokio::test]
async fn a_server_that_names_another_version_is_no_modern_one() {
    for (named, taken) in [
        ("2025-11-25", "2025-11-25"),
        ("2024-11-05", "2024-11-05"),
        ("2026-07-28", "2025-11-25"),
        ("2099-01-01", "2025-11-25"),
        ("draft", "2025-11-25"),
    ] {
        let (mut transport, memory) = server(&[greeting(named)], None);
        ask(&mut transport, initialize(), 1).await;
        let answer = transport.receive().await.expect("a greeting");
        assert_eq!(version(&answer), taken, "{named}");
        memory.learn(Some(&ProtocolVersion::V_2025_11_25));
        assert_eq!(memory.begin(), Begin::Older);
    }
}

#[test]
fn what_is_remembered_costs_no_probe_and_what_fails_is_forgotten() {
    let memory = Memory::default();
    let startup = Duration::from_secs(30);
    assert_eq!(memory.begin().silence(startup), Some(SILENCE));
    assert_eq!(memory.begin().silence(Duration::from_secs(2)), Some(Duration::from_millis(500)));
    memory.learn(Some(&ProtocolVersion::V_2024_11_05));
    assert_eq!((memory.begin(), memory.begin().silence(startup)), (Begin::Older, None));
    memory.learn(Some(&ProtocolVersion::V_2026_07_28));
    assert_eq!((memory.begin(), memory.begin().silence(startup)), (Begin::Modern, None));
    memory.forget();
    assert_eq!(memory.begin(), Begin::Probing);
}
