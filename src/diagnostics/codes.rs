//! The codes: how each is spelled, how grave it is, and whether trying again is pointless.
//!
//! One rule: a code is never renamed and never reused. `build.rs` reads this file, too, and compares it
//! with the codes of `src/contract/heartbeat-v4.json`: a code in one of them only does not build. What a code means
//! and what helps stands in `catalog.rs`, which is not in every build.

/// How grave a code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Not an error.
    Info,
    /// It works in part, or is expected to work again by itself, or waits for its user.
    Warn,
    /// It does not work.
    Error,
}

impl Severity {
    /// As it is spelled.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

macro_rules! codes {
    ($($code:ident = $name:literal, $severity:ident, $lasting:ident;)*) => {
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

            /// How grave it is.
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$code => Severity::$severity,)*
                }
            }

            /// Whether trying again is pointless before something changes: the entry, its program, the file or
            /// the environment.
            pub const fn is_permanent(self) -> bool {
                match self {
                    $(Self::$code => lasting!($lasting),)*
                }
            }
        }

        /// Every code as it is spelled, domain by domain.
        pub const CODES: [&str; [$($name),*].len()] = [$($name),*];
    };
}

macro_rules! lasting {
    (permanent) => {
        true
    };
    (retried) => {
        false
    };
}

codes! {
    StdioNotFound = "MCPX_STDIO_NOT_FOUND", Error, permanent;
    StdioNoPermission = "MCPX_STDIO_NO_PERMISSION", Error, permanent;
    StdioNotExecutable = "MCPX_STDIO_NOT_EXECUTABLE", Error, permanent;
    StdioExitedEarly = "MCPX_STDIO_EXITED_EARLY", Error, retried;
    StdioExited = "MCPX_STDIO_EXITED", Error, retried;
    StdioHandshakeTimeout = "MCPX_STDIO_HANDSHAKE_TIMEOUT", Error, retried;
    StdioHandshakeInvalid = "MCPX_STDIO_HANDSHAKE_INVALID", Error, retried;
    StdioStdoutPolluted = "MCPX_STDIO_STDOUT_POLLUTED", Warn, retried;
    HttpUnauthorized = "MCPX_HTTP_UNAUTHORIZED", Error, retried;
    HttpForbidden = "MCPX_HTTP_FORBIDDEN", Error, retried;
    HttpNotFound = "MCPX_HTTP_NOT_FOUND", Error, retried;
    HttpClientError = "MCPX_HTTP_CLIENT_ERROR", Error, retried;
    HttpRateLimited = "MCPX_HTTP_RATE_LIMITED", Warn, retried;
    HttpServerError = "MCPX_HTTP_SERVER_ERROR", Warn, retried;
    HttpRefused = "MCPX_HTTP_REFUSED", Error, retried;
    HttpReset = "MCPX_HTTP_RESET", Warn, retried;
    HttpDns = "MCPX_HTTP_DNS", Error, retried;
    HttpTls = "MCPX_HTTP_TLS", Error, retried;
    HttpTimeout = "MCPX_HTTP_TIMEOUT", Warn, retried;
    HttpRedirected = "MCPX_HTTP_REDIRECTED", Error, retried;
    HttpLegacySse = "MCPX_HTTP_LEGACY_SSE", Error, retried;
    HttpLoginRequired = "MCPX_HTTP_LOGIN_REQUIRED", Warn, retried;
    NetworkOffline = "MCPX_NETWORK_OFFLINE", Error, retried;
    NetworkProxy = "MCPX_NETWORK_PROXY", Error, retried;
    ConfigUnreadable = "MCPX_CONFIG_UNREADABLE", Error, permanent;
    ConfigInvalidEntry = "MCPX_CONFIG_INVALID_ENTRY", Error, permanent;
    ConfigInvalidCommand = "MCPX_CONFIG_INVALID_COMMAND", Error, permanent;
    ConfigMissingSecret = "MCPX_CONFIG_MISSING_SECRET", Error, permanent;
    ConfigDeprecated = "MCPX_CONFIG_DEPRECATED", Warn, retried;
    ContainerEngineNotFound = "MCPX_CONTAINER_ENGINE_NOT_FOUND", Error, permanent;
    ContainerDaemonDown = "MCPX_CONTAINER_DAEMON_DOWN", Error, retried;
    ContainerNoPermission = "MCPX_CONTAINER_NO_PERMISSION", Error, retried;
    ContainerPullFailed = "MCPX_CONTAINER_PULL_FAILED", Error, retried;
    ContainerMissingTool = "MCPX_CONTAINER_MISSING_TOOL", Error, permanent;
    ProtocolVersion = "MCPX_PROTOCOL_VERSION", Error, retried;
    ProtocolInvalidList = "MCPX_PROTOCOL_INVALID_LIST", Error, retried;
    ProtocolInvalidAnswer = "MCPX_PROTOCOL_INVALID_ANSWER", Error, retried;
    ProtocolTooLarge = "MCPX_PROTOCOL_TOO_LARGE", Error, retried;
    ProtocolCallTimeout = "MCPX_PROTOCOL_CALL_TIMEOUT", Warn, retried;
    StoreBusy = "MCPX_STORE_BUSY", Warn, retried;
    StoreDamaged = "MCPX_STORE_DAMAGED", Error, retried;
    StoreFull = "MCPX_STORE_FULL", Error, retried;
    StoreReadOnly = "MCPX_STORE_READ_ONLY", Error, retried;
    StoreRemote = "MCPX_STORE_REMOTE", Warn, retried;
    StoreNewer = "MCPX_STORE_NEWER", Error, retried;
    ConsentUnreadable = "MCPX_CONSENT_UNREADABLE", Error, retried;
    EndpointUnreachable = "MCPX_ENDPOINT_UNREACHABLE", Error, retried;
    EndpointRefused = "MCPX_ENDPOINT_REFUSED", Error, retried;
    EndpointRetired = "MCPX_ENDPOINT_RETIRED", Info, retried;
    GateRefused = "MCPX_GATE_REFUSED", Warn, retried;
    Unknown = "MCPX_UNKNOWN", Error, retried;
}
