//! The gateway as an MCP server: three tools of its own, and what the upstream servers offer behind them.
//!
//! One rule: it knows nothing of transports. The same handler serves standard streams and HTTP, and
//! clients of both protocol eras.

use super::catalog::{self, Catalog};
use super::exact::Exact;
use super::forward::{self, CallError, CallErrorKind, Failed, forward, is_modern};
use super::hub::{Hub, Live, Server};
use super::recorder::Happened;
use super::report;
use super::tools::{self, Order, Question};
use super::unknown;
use crate::activation::clients;
use crate::build_info;
use crate::config::servers::SEPARATOR;
use crate::contract::BuiltinTool;
use crate::paths::DataDir;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResponse, CallToolResult, ClientRequest,
    CompleteRequest, CompleteRequestParams, CompleteResult, CustomRequest, CustomResult,
    DiscoverResult, ErrorData, GetPromptRequest, GetPromptRequestParams, GetPromptResponse,
    GetPromptResult, Implementation, InitializeRequestParams, InitializeResult,
    InputRequiredResult, JsonObject, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, MetaObject, PaginatedRequestParams, ReadResourceRequest,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Reference,
    ServerCapabilities, ServerConfig, SubscriptionFilter, Tool,
};
use rmcp::service::{NotificationContext, Peer, RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};
use serde_json::{Map, Value};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

/// What clients are told about us.
const INSTRUCTIONS: &str = "This gateway stands in front of many MCP servers. Find a tool with `retrieve_tools`, then run it with \
     `call_tool`. Prompts of a server are named `server:prompt`; its resources are `mcpproxy://server/...`.";

/// Bytes of instructions that a session begins with: they are in the mind of the model all the time.
const MOST_INSTRUCTIONS: usize = 8 * 1024;
/// How long what is cut off may take to say so.
const CUT_OFF: Duration = Duration::from_millis(500);

/// The handler; one for each session, cheap to make.
#[derive(Clone)]
pub struct Gateway {
    hub: Arc<Hub>,
    dir: DataDir,
    busy: watch::Sender<usize>,
    /// Cancelled when what is under way has to end.
    cut: CancellationToken,
    /// Ends what runs beside the session when the handler goes, which is when the session ends.
    beside: Arc<OnceLock<DropGuard>>,
}

/// Counts a request as being handled.
struct Busy(watch::Sender<usize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl Gateway {
    /// In front of the servers of `hub`.
    pub fn new(hub: Arc<Hub>, dir: DataDir) -> Self {
        let (busy, cut) = (watch::Sender::new(0), CancellationToken::new());
        Self { hub, dir, busy, cut, beside: Arc::default() }
    }

    /// The handler of another session.
    pub fn for_session(&self) -> Self {
        Self { beside: Arc::default(), ..self.clone() }
    }

    /// Waits until no request is being handled; those that are when the time comes end with an error in words.
    /// Whether all ended by themselves.
    pub async fn finish(&self, until: Instant) -> bool {
        let is_idle = self.is_idle_by(until).await;
        if !is_idle {
            self.cut.cancel();
            self.is_idle_by(Instant::now() + CUT_OFF).await;
        }
        is_idle
    }

    async fn is_idle_by(&self, until: Instant) -> bool {
        let mut busy = self.busy.subscribe();
        tokio::time::timeout_at(until, busy.wait_for(|count| *count == 0)).await.is_ok()
    }

    /// What clients are told about us, and what servers that are connected by then say of themselves. Those of
    /// others come with their tools.
    fn instructions(&self) -> String {
        let mut text = INSTRUCTIONS.to_owned();
        for (server, said) in self.hub.catalog().instructions() {
            let section = format!("\n\n## {server}\n\n{said}");
            if text.len() + section.len() <= MOST_INSTRUCTIONS {
                text.push_str(&section);
            }
        }
        text
    }

    fn begin(&self, context: &RequestContext<RoleServer>) -> Busy {
        self.note_client(context, false);
        self.begin_call()
    }

    /// As [`Self::begin`], of what is noted by itself.
    fn begin_call(&self) -> Busy {
        self.busy.send_modify(|count| *count += 1);
        Busy(self.busy.clone())
    }

    /// Notes who asks. Another gateway in front of this one also asks with no client of its own: what it asks
    /// counts from a call on, as `tap` has it.
    fn note_client(&self, context: &RequestContext<RoleServer>, calls: bool) {
        // In the modern era every request says who asks, in the older one the handshake did.
        let named = context.meta.client_info().map(|client| client.name);
        let name = named.or_else(|| Some(context.peer.peer_info()?.client_info.name.clone()));
        match name {
            Some(name) if !calls && clients::is_own_gateway(&name) => {}
            name => {
                let client = name.map(Happened::Client);
                // A call is told by what becomes of it.
                let request = (!calls).then_some(Happened::Request);
                client.into_iter().chain(request).for_each(|it| self.hub.recorder.record(it));
            }
        }
    }

    async fn search(&self, request: &CallToolRequestParams) -> CallToolResult {
        let question = match Question::read(request.arguments.as_ref()) {
            Ok(question) => question,
            Err(words) => {
                // As `tap` counts it: a call, whatever becomes of it, that saves no tokens.
                self.hub.recorder.record(Happened::Discovery { indexed: 0, returned: 0 });
                return tools::refusal(words.to_string());
            }
        };
        let catalog = self.hub.settled().await;
        let found = catalog.search(&question.query, question.limit);
        self.hub.recorder.record(Happened::Discovery {
            indexed: catalog.tool_count() as u64,
            returned: found.len() as u64,
        });
        tools::answer(&question, &catalog, &found, &self.hub.missing())
    }

    async fn run(
        &self,
        mut request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        // They are not kept beside what is handed on: a call may last.
        let arguments = request.arguments.take();
        let order = Order::read(arguments.as_ref());
        drop(arguments);
        let target = match order {
            Ok(order) => self.find(order).await.map_err(|error| error.to_string()),
            Err(mistake) => Err(mistake.to_string()),
        };
        let (server, tool, arguments) = match target {
            Ok(target) => target,
            Err(words) => {
                self.hub.recorder.record(Happened::Builtin(BuiltinTool::CallTool));
                return Ok(tools::refusal(words).into());
            }
        };
        self.hub.recorder.record(Happened::UpstreamCall);
        let mut params = CallToolRequestParams::new(tool);
        params.arguments = arguments;
        params.input_responses = request.input_responses;
        params.request_state = request.request_state;
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        match self.ask(&server, request, context).await {
            Ok(mut result) => {
                let kind = result.get("resultType").and_then(Value::as_str).unwrap_or_default();
                if kind == INPUT_REQUIRED && !is_modern(context.protocol_version().as_ref()) {
                    return Ok(tools::refusal(unanswerable(&server)).into());
                }
                if kind == INPUT_REQUIRED {
                    return asks_back(&server, result).map(CallToolResponse::InputRequired);
                }
                if kind == "task" {
                    let words = format!(
                        "server `{server}` answered with a task, and no task is followed here"
                    );
                    return Ok(tools::refusal(words).into());
                }
                if result.get("isError") != Some(&Value::Bool(true)) {
                    self.hub.recorder.record(Happened::UpstreamResult);
                }
                if self.hub.is_modern(&server) && !is_modern(context.protocol_version().as_ref()) {
                    result.without_bare_structure();
                }
                if result.get("content").is_none() {
                    result.set("content", Value::Array(Vec::new()));
                }
                let mut carrier = CallToolResult::default();
                carrier.meta = Some(result.carried());
                Ok(CallToolResponse::Complete(carrier))
            }
            Err(Failed::ByServer(error)) => Err(error),
            Err(Failed::OnTheWay(error)) => Ok(tools::refusal(error.to_string()).into()),
        }
    }

    /// Which server has the tool, what it calls the tool, and with what it is called.
    async fn find(&self, order: Order) -> Result<(String, String, Option<JsonObject>), NoTool> {
        let owner = |catalog: &catalog::Catalog| {
            let owner = catalog.tool(&order.name)?;
            Some((owner.server.to_owned(), owner.name.to_owned()))
        };
        let mut found = owner(&self.hub.catalog()).or_else(|| self.hub.tool_now(&order.name));
        if found.is_none() {
            // Its server may be one that is still being connected.
            found = owner(self.hub.settled().await.as_ref());
        }
        if found.is_none()
            && let Some(server) = self.offline(&order.name)
        {
            server.connect_now().await;
            found = self.hub.tool_now(&order.name);
        }
        match found {
            Some((server, tool)) => Ok((server, tool, order.arguments)),
            None => Err(self.missing(order.name)),
        }
    }

    /// The server that a full name is one of, if it is not connected.
    fn offline(&self, full_name: &str) -> Option<Arc<Server>> {
        let is_of = |server: &Arc<Server>| {
            let rest = full_name.strip_prefix(&*server.name);
            rest.is_some_and(|rest| rest.starts_with(SEPARATOR)) && server.live().is_none()
        };
        self.hub.servers().into_iter().find(is_of)
    }

    /// What is said of a tool that is not there: its server may come back, or it is not known at all.
    fn missing(&self, name: String) -> NoTool {
        match self.offline(&name) {
            Some(server) => NoTool::NotConnected(CallError {
                server: server.name.clone(),
                kind: CallErrorKind::NotConnected(server.status()),
            }),
            None => NoTool::Unknown(name),
        }
    }

    async fn ask(
        &self,
        server: &str,
        request: ClientRequest,
        context: &RequestContext<RoleServer>,
    ) -> Result<Exact, Failed> {
        let found = self.hub.server(server);
        if let Some(offline) = found.as_ref().filter(|found| found.live().is_none()) {
            offline.connect_now().await;
        }
        let (server, live): (Arc<Server>, Arc<Live>) = forward::reach(found, server)?;
        let cut = || CallError { server: server.name.clone(), kind: CallErrorKind::Cut };
        let result = tokio::select! {
            result = forward(&server, &live, request, context) => result,
            () = self.cut.cancelled() => Err(Failed::OnTheWay(cut())),
        };
        let error = match &result {
            Err(Failed::OnTheWay(error)) if error.code().is_some() => Some(error.clone()),
            _ => None,
        };
        self.hub.called(&server, error);
        result
    }

    /// Tells a client of the older era when lists change, for as long as it is there.
    async fn announce(mut catalogs: watch::Receiver<Arc<Catalog>>, peer: Peer<RoleServer>) {
        let mut before = catalogs.borrow_and_update().clone();
        while catalogs.changed().await.is_ok() {
            let now = catalogs.borrow_and_update().clone();
            let mut told = Ok(());
            if !now.has_prompts_of(&before) {
                told = peer.notify_prompt_list_changed().await;
            }
            if told.is_ok() && !now.has_resources_of(&before) {
                told = peer.notify_resource_list_changed().await;
            }
            if told.is_err() {
                return;
            }
            before = now;
        }
    }
}

/// Why a tool cannot be called.
enum NoTool {
    /// Its server is not connected.
    NotConnected(CallError),
    /// No server has one of this name.
    Unknown(String),
}

impl fmt::Display for NoTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected(error) => error.fmt(f),
            Self::Unknown(name) => write!(
                f,
                "there is no tool `{name}`; find tools and their full names with `retrieve_tools`"
            ),
        }
    }
}

/// What a server says that asks back.
const INPUT_REQUIRED: &str = "input_required";

/// Questions of a server in the place of a result.
fn asks_back(server: &str, result: Exact) -> Result<InputRequiredResult, ErrorData> {
    serde_json::from_value(result.into_value()).map_err(|_| unexpected(server))
}

fn is_asking_back(result: &Exact) -> bool {
    result.get("resultType").is_some_and(|kind| kind == INPUT_REQUIRED)
}

/// A list of ours, as servers wrote its items.
fn listed(
    member: &str,
    items: Vec<Value>,
    context: &RequestContext<RoleServer>,
) -> Option<MetaObject> {
    let mut list = Exact::read(
        &Value::Object(Map::from_iter([(member.to_owned(), items.into())])).to_string(),
    )
    .ok()??;
    let is_modern = is_modern(context.protocol_version().as_ref());
    list.for_client(is_modern);
    if is_modern {
        list.with_cache_hints();
    }
    Some(list.carried())
}

/// Everything is on the first page.
fn first_page(request: &Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    match request.as_ref().and_then(|request| request.cursor.as_ref()) {
        None => Ok(()),
        Some(_) => Err(ErrorData::invalid_params("unknown cursor: there is only one page", None)),
    }
}

fn unanswerable(server: &str) -> String {
    format!(
        "server `{server}` asks for input, which only a client of protocol version 2026-07-28 can give"
    )
}

fn unexpected(server: &str) -> ErrorData {
    let words = format!("server `{server}` gave an answer that does not belong to the request");
    ErrorData::internal_error(words, None)
}

impl ServerHandler for Gateway {
    fn get_info(&self) -> ServerConfig {
        let offered = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_list_changed()
            .enable_completions()
            .build();
        let me = Implementation::new("mcpproxy", build_info::VERSION).with_title("mcpproxy");
        ServerConfig::new(offered).with_server_info(me).with_instructions(INSTRUCTIONS)
    }

    async fn ping(&self, context: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        self.note_client(&context, false);
        Ok(())
    }

    async fn discover(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Result<DiscoverResult, ErrorData> {
        self.note_client(&context, false);
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, self.get_info()))
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        if !clients::is_own_gateway(&request.client_info.name) {
            self.hub.recorder.record(Happened::Client(request.client_info.name.clone()));
            self.hub.recorder.record(Happened::Request);
        }
        context.peer.set_peer_info(request.clone());
        let mut result = self.negotiate_initialize(&request)?;
        result.instructions = Some(self.instructions());
        Ok(result)
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let ended = CancellationToken::new();
        // A client that says so twice is still told once.
        let _ = self.beside.set(ended.clone().drop_guard());
        let announce = Self::announce(self.hub.catalogs(), context.peer);
        tokio::spawn(ended.run_until_cancelled_owned(announce));
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        let mut accepted = SubscriptionFilter::new();
        accepted.prompts_list_changed = requested.prompts_list_changed;
        accepted.resources_list_changed = requested.resources_list_changed;
        Some(accepted)
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.hub.catalogs();
        let mut before = changes.borrow_and_update().clone();
        let wants = context.accepted().clone();
        loop {
            tokio::select! {
                () = context.cancelled() => return Ok(()),
                changed = changes.changed() => if changed.is_err() { return Ok(()) },
            }
            let now = changes.borrow_and_update().clone();
            let mut sent = Ok(());
            if wants.prompts_list_changed == Some(true) && !now.has_prompts_of(&before) {
                sent = context.sink().notify_prompt_list_changed().await;
            }
            if sent.is_ok()
                && wants.resources_list_changed == Some(true)
                && !now.has_resources_of(&before)
            {
                sent = context.sink().notify_resource_list_changed().await;
            }
            if sent.is_err() {
                return Ok(());
            }
            before = now;
        }
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let _busy = self.begin(&context);
        first_page(&request)?;
        Ok(ListToolsResult::with_all_items(tools::definitions().to_vec()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::definitions().iter().find(|tool| tool.name == name).cloned()
    }

    /// What the SDK could not read: a method that it does not know, or parameters of one that it does.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        self.note_client(&context, false);
        let method = request.method;
        if unknown::ANSWERED.contains(&method.as_str()) {
            let words = format!("the parameters of {method} are missing or malformed");
            return Err(ErrorData::invalid_params(words, None));
        }
        Err(unknown::method(&method))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let _busy = self.begin_call();
        self.note_client(&context, true);
        match tools::named(&request.name) {
            Some(BuiltinTool::RetrieveTools) => Ok(self.search(&request).await.into()),
            Some(BuiltinTool::CallTool) => self.run(request, &context).await,
            Some(tool @ BuiltinTool::TelemetryStatus) => {
                self.hub.recorder.record(Happened::Builtin(tool));
                let status = report::telemetry(self.dir.clone()).await;
                let refusal = |error: report::ReportError| tools::refusal(error.to_string());
                Ok(status.map_or_else(refusal, tools::structured).into())
            }
            None => {
                self.hub.recorder.record(Happened::Request);
                let name = &request.name;
                Err(ErrorData::invalid_params(
                    format!("unknown tool: {name}; tools of servers are run with `call_tool`"),
                    None,
                ))
            }
        }
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let _busy = self.begin(&context);
        first_page(&request)?;
        let meta = listed("prompts", self.hub.settled().await.prompts(), &context);
        Ok(ListPromptsResult { meta, ..Default::default() })
    }

    async fn get_prompt(
        &self,
        mut request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let _busy = self.begin(&context);
        let catalog = self.hub.settled().await;
        let unknown =
            || ErrorData::invalid_params(format!("unknown prompt: {}", request.name), None);
        let owner = catalog.prompt(&request.name).ok_or_else(unknown)?;
        let server = owner.server.to_owned();
        request.name = owner.name.to_owned();
        request.meta = None;
        let request = ClientRequest::GetPromptRequest(GetPromptRequest::new(request));
        let result = self.ask(&server, request, &context).await?;
        if is_asking_back(&result) {
            return asks_back(&server, result).map(GetPromptResponse::InputRequired);
        }
        let mut carrier = GetPromptResult::new(Vec::new());
        carrier.meta = Some(result.carried());
        Ok(GetPromptResponse::Complete(carrier))
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let _busy = self.begin(&context);
        first_page(&request)?;
        let meta = listed("resources", self.hub.settled().await.resources(), &context);
        Ok(ListResourcesResult { meta, ..Default::default() })
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let _busy = self.begin(&context);
        first_page(&request)?;
        let meta = listed("resourceTemplates", self.hub.settled().await.templates(), &context);
        Ok(ListResourceTemplatesResult { meta, ..Default::default() })
    }

    async fn read_resource(
        &self,
        mut request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let _busy = self.begin(&context);
        let catalog = self.hub.settled().await;
        let asked = request.uri.clone();
        let unknown = || {
            let which = serde_json::json!({ "uri": asked });
            ErrorData::resource_not_found(format!("unknown resource: {asked}"), Some(which))
        };
        let owner = catalog.resource(&asked).ok_or_else(unknown)?;
        let (server, own) = (owner.server.to_owned(), owner.name.to_owned());
        let is_full = own != asked;
        request.uri = own;
        request.meta = None;
        let request = ClientRequest::ReadResourceRequest(ReadResourceRequest::new(request));
        let mut result = self.ask(&server, request, &context).await?;
        if is_asking_back(&result) {
            return asks_back(&server, result).map(ReadResourceResponse::InputRequired);
        }
        if is_full && let Some(Value::Array(contents)) = result.get("contents") {
            let mut contents = contents.clone();
            for content in &mut contents {
                if let Some(Value::String(uri)) = content.get_mut("uri") {
                    *uri = catalog::full_uri(&server, uri);
                }
            }
            result.set("contents", Value::Array(contents));
        }
        if is_modern(context.protocol_version().as_ref()) {
            result.with_cache_hints();
        }
        let mut carrier = ReadResourceResult::new(Vec::new());
        carrier.meta = Some(result.carried());
        Ok(ReadResourceResponse::Complete(carrier))
    }

    async fn complete(
        &self,
        mut request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let _busy = self.begin(&context);
        let catalog = self.hub.settled().await;
        let unknown = || ErrorData::invalid_params("unknown prompt or resource", None);
        let server = match &mut request.r#ref {
            Reference::Prompt(prompt) => {
                let owner = catalog.prompt(&prompt.name).ok_or_else(unknown)?;
                let server = owner.server.to_owned();
                prompt.name = owner.name.to_owned();
                server
            }
            Reference::Resource(resource) => {
                let asked = resource.uri.clone();
                let owner = catalog.resource(&asked).ok_or_else(unknown)?;
                resource.uri = owner.name.to_owned();
                owner.server.to_owned()
            }
            _ => return Err(unknown()),
        };
        request.meta = None;
        let request = ClientRequest::CompleteRequest(CompleteRequest::new(request));
        let mut carrier = CompleteResult::default();
        carrier.meta = Some(self.ask(&server, request, &context).await?.carried());
        Ok(carrier)
    }
}
