//! What a server asks beside its answers.
//!
//! One rule: a question gets no answer that is not the user's. The client cannot be asked over this connection; in
//! the modern era it is asked by the answer to its own request.
#![expect(deprecated, reason = "servers of the older era still ask so")]

use super::era;
use crate::build_info;
use rmcp::ClientHandler;
use rmcp::model::{
    ClientCapabilities, ClientConfig, CreateMessageRequestParams, CreateMessageResult,
    CustomRequest, CustomResult, ElicitRequestParams, ElicitResult, ErrorCode, ErrorData,
    Implementation, ListRootsResult,
};
use rmcp::service::{RequestContext, RoleClient};

/// Is asked.
#[derive(Clone, Copy, Default)]
pub struct Listener;

impl ClientHandler for Listener {
    fn get_info(&self) -> ClientConfig {
        let me = Implementation::new("mcpproxy", build_info::VERSION);
        // The version is of the handshake; `server/discover` is asked with its own.
        ClientConfig::new(ClientCapabilities::default(), me).with_protocol_version(era::OFFERED)
    }

    // A client of the gateway is not asked over this connection, and an answer in its name would be a lie: "no" is
    // the user's to say, and an empty list of roots is a list.
    async fn create_message(
        &self,
        _: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        Err(not_asked("sampling/createMessage"))
    }

    async fn create_elicitation(
        &self,
        _: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Err(not_asked("elicitation/create"))
    }

    async fn list_roots(
        &self,
        _: RequestContext<RoleClient>,
    ) -> Result<ListRootsResult, ErrorData> {
        Err(not_asked("roots/list"))
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleClient>,
    ) -> Result<CustomResult, ErrorData> {
        Err(not_asked(&request.method))
    }
}

/// What a server is told that asks.
fn not_asked(method: &str) -> ErrorData {
    let words = format!("method not found: {method} (this gateway declared no such capability)");
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, words, None)
}
