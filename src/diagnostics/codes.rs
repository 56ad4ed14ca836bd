//! The names of the codes, and nothing else: what a code means, how grave it is and what helps stands beside.
//!
//! One rule: a code is never renamed and never reused. `build.rs` reads this file, too, and compares it
//! with the codes of `src/contract/heartbeat-v4.json`: a code in one of them only does not build.

macro_rules! codes {
    ($($code:ident = $name:literal,)*) => {
        /// A code of the catalog.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = concat!("`", $name, "`")] $code,)*
        }

        impl Code {
            /// Every code, in the order of [`CODES`].
            pub const ALL: [Self; CODES.len()] = [$(Self::$code),*];

            /// As it is spelled: `MCPX_<DOMAIN>_<WHAT>`.
            pub const fn as_str(self) -> &'static str {
                CODES[self as usize]
            }
        }

        /// Every code as it is spelled, domain by domain.
        pub const CODES: [&str; [$($name),*].len()] = [$($name),*];
    };
}

codes! {
    StdioNotFound = "MCPX_STDIO_NOT_FOUND",
    StdioNoPermission = "MCPX_STDIO_NO_PERMISSION",
    StdioNotExecutable = "MCPX_STDIO_NOT_EXECUTABLE",
    StdioExitedEarly = "MCPX_STDIO_EXITED_EARLY",
    StdioExited = "MCPX_STDIO_EXITED",
    StdioHandshakeTimeout = "MCPX_STDIO_HANDSHAKE_TIMEOUT",
    StdioHandshakeInvalid = "MCPX_STDIO_HANDSHAKE_INVALID",
    StdioStdoutPolluted = "MCPX_STDIO_STDOUT_POLLUTED",
    HttpUnauthorized = "MCPX_HTTP_UNAUTHORIZED",
    HttpForbidden = "MCPX_HTTP_FORBIDDEN",
    HttpNotFound = "MCPX_HTTP_NOT_FOUND",
    HttpClientError = "MCPX_HTTP_CLIENT_ERROR",
    HttpRateLimited = "MCPX_HTTP_RATE_LIMITED",
    HttpServerError = "MCPX_HTTP_SERVER_ERROR",
    HttpRefused = "MCPX_HTTP_REFUSED",
    HttpReset = "MCPX_HTTP_RESET",
    HttpDns = "MCPX_HTTP_DNS",
    HttpTls = "MCPX_HTTP_TLS",
    HttpTimeout = "MCPX_HTTP_TIMEOUT",
    HttpRedirected = "MCPX_HTTP_REDIRECTED",
    HttpLegacySse = "MCPX_HTTP_LEGACY_SSE",
    HttpLoginRequired = "MCPX_HTTP_LOGIN_REQUIRED",
    NetworkOffline = "MCPX_NETWORK_OFFLINE",
    NetworkProxy = "MCPX_NETWORK_PROXY",
    ConfigUnreadable = "MCPX_CONFIG_UNREADABLE",
    ConfigInvalidEntry = "MCPX_CONFIG_INVALID_ENTRY",
    ConfigInvalidCommand = "MCPX_CONFIG_INVALID_COMMAND",
    ConfigMissingSecret = "MCPX_CONFIG_MISSING_SECRET",
    ConfigDeprecated = "MCPX_CONFIG_DEPRECATED",
    ContainerEngineNotFound = "MCPX_CONTAINER_ENGINE_NOT_FOUND",
    ContainerDaemonDown = "MCPX_CONTAINER_DAEMON_DOWN",
    ContainerNoPermission = "MCPX_CONTAINER_NO_PERMISSION",
    ContainerPullFailed = "MCPX_CONTAINER_PULL_FAILED",
    ContainerMissingTool = "MCPX_CONTAINER_MISSING_TOOL",
    ProtocolVersion = "MCPX_PROTOCOL_VERSION",
    ProtocolInvalidList = "MCPX_PROTOCOL_INVALID_LIST",
    ProtocolInvalidAnswer = "MCPX_PROTOCOL_INVALID_ANSWER",
    ProtocolTooLarge = "MCPX_PROTOCOL_TOO_LARGE",
    ProtocolCallTimeout = "MCPX_PROTOCOL_CALL_TIMEOUT",
    StoreBusy = "MCPX_STORE_BUSY",
    StoreDamaged = "MCPX_STORE_DAMAGED",
    StoreFull = "MCPX_STORE_FULL",
    StoreReadOnly = "MCPX_STORE_READ_ONLY",
    StoreRemote = "MCPX_STORE_REMOTE",
    StoreNewer = "MCPX_STORE_NEWER",
    ConsentUnreadable = "MCPX_CONSENT_UNREADABLE",
    EndpointUnreachable = "MCPX_ENDPOINT_UNREACHABLE",
    EndpointRefused = "MCPX_ENDPOINT_REFUSED",
    EndpointRetired = "MCPX_ENDPOINT_RETIRED",
    GateRefused = "MCPX_GATE_REFUSED",
    Unknown = "MCPX_UNKNOWN",
}
