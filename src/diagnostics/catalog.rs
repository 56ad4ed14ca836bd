//! What each code means, and what helps: the catalog that people read.
//!
//! One rule: every surface takes its words from here, and a code without an entry does not build. Tests hold each
//! command against the command table, each page against `docs/`, and [`RESERVED`] against the source.

use super::Code;
use Action::{DisableServer, FindProgram, Restart, Retry, ShowLogs};
use Step::{Action as Do, Advice, Command, Page};

/// One thing that may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something that only a person can do: one sentence.
    Advice(&'static str),
    /// A command to copy. Words in capitals stand for what differs from case to case.
    Command(&'static str),
    /// A page of our documents: its path in the repository, and mostly a heading.
    Page(&'static str),
    /// Something that the gateway can do.
    Action(Action),
}

/// Something that the gateway can do about a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Show what the server wrote last on standard error.
    ShowLogs,
    /// End the server's process and start it again.
    Restart,
    /// Connect now, whenever the next attempt is due.
    Retry,
    /// Set `enabled` to `false` in the server's entry.
    DisableServer,
    /// Look for the program where package managers put programs, and write its full path into the entry.
    FindProgram,
}

/// The spellings of all actions.
pub const ACTIONS: [&str; Action::ALL.len()] = {
    let mut all = [""; Action::ALL.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = Action::ALL[at].as_str();
        at += 1;
    }
    all
};

impl Action {
    /// Every action.
    pub const ALL: [Self; 5] = [ShowLogs, Restart, Retry, DisableServer, FindProgram];

    /// As it is spelled: never renamed.
    pub const fn as_str(self) -> &'static str {
        match self {
            ShowLogs => "show_logs",
            Restart => "restart",
            Retry => "retry",
            DisableServer => "disable_server",
            FindProgram => "find_program",
        }
    }

    /// The action of that spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }

    /// Whether it changes the configuration: it is shown before it is done.
    pub const fn is_destructive(self) -> bool {
        match self {
            ShowLogs | Restart | Retry => false,
            DisableServer | FindProgram => true,
        }
    }

    /// What it does, in a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            ShowLogs => "Show what the server wrote last on standard error.",
            Restart => "End the server's process and start it again.",
            Retry => "Connect now instead of at the next attempt.",
            DisableServer => "Switch the server off in the configuration.",
            FindProgram => {
                "Look for the program in the usual places, and write its full path into the server's entry."
            }
        }
    }
}

impl Code {
    /// What it means, in a sentence.
    pub const fn sentence(self) -> &'static str {
        entry(self).0
    }

    /// What may help, in the order in which it is worth trying.
    pub const fn steps(self) -> &'static [Step] {
        entry(self).1
    }

    /// Whether nothing says it so far.
    pub fn is_reserved(self) -> bool {
        RESERVED.contains(&self)
    }
}

/// Codes that keep their names for later: no part of the program says them.
pub const RESERVED: &[Code] = &[Code::ConfigDeprecated];

const ENTRIES: Step = Page("docs/upstreams.md#entries");
const VARIABLES: Step = Page("docs/upstreams.md#variables");
const PROXIES: Step = Page("docs/upstreams.md#proxies");
const FAULTS: Step = Page("docs/upstreams.md#servers-that-do-not-keep-to-the-protocol");
const STORE: Step = Page("docs/reliability.md#the-store");
const DIRECTORY: Step = Page("docs/operations.md#data-directory");

const fn entry(code: Code) -> (&'static str, &'static [Step]) {
    match code {
        Code::StdioNotFound => (
            "The server's program does not exist, or no directory of PATH has it.",
            &[
                Command("command -v PROGRAM"),
                Do(FindProgram),
                Advice(
                    "Install the program, or write its full path as `command` in the server's entry.",
                ),
                Page("docs/upstreams.md#environment-of-a-stdio-server"),
            ],
        ),
        Code::StdioNoPermission => (
            "The system does not allow you to run the server's program, or to enter its working directory.",
            &[
                Command("ls -l PROGRAM"),
                Advice("Make the program executable with chmod, or name one that you may run."),
                ENTRIES,
            ],
        ),
        Code::StdioNotExecutable => (
            "The server's program is a file that this system cannot run.",
            &[
                Command("file PROGRAM"),
                Advice(
                    "Install the program for this system and processor, or name the interpreter of a script as `command`.",
                ),
                ENTRIES,
            ],
        ),
        Code::StdioExitedEarly => (
            "The server's program ended before it answered.",
            &[
                Do(ShowLogs),
                Advice(
                    "Run the command of the server's entry in a terminal, and read what it says.",
                ),
                Do(Restart),
                Page("docs/upstreams.md#environment-of-a-stdio-server"),
            ],
        ),
        Code::StdioExited => (
            "The server's program ended while it was connected.",
            &[
                Do(ShowLogs),
                Do(Restart),
                Advice("If it ends again and again, report it to the makers of the server."),
                Do(DisableServer),
            ],
        ),
        Code::StdioHandshakeTimeout => (
            "The server's program runs, but did not answer in time.",
            &[
                Do(ShowLogs),
                Advice(
                    "If the first start downloads or builds something, set a longer `startup_timeout_sec` in the server's entry.",
                ),
                Do(Restart),
                ENTRIES,
            ],
        ),
        Code::StdioHandshakeInvalid => (
            "The server's program answered, but not as an MCP server does.",
            &[
                Do(ShowLogs),
                Advice(
                    "Check that the command starts an MCP server that speaks on standard input and output.",
                ),
                ENTRIES,
            ],
        ),
        Code::StdioStdoutPolluted => (
            "The server's program writes other text than MCP messages on standard output.",
            &[
                Do(ShowLogs),
                Advice(
                    "Use an option of the server that makes it quiet, or report it to its makers: logs belong on standard error.",
                ),
                FAULTS,
            ],
        ),
        Code::HttpUnauthorized => (
            "The server does not accept our credentials, or wants some (HTTP status 401).",
            &[
                Advice(
                    "Write a valid token as a header, such as `Authorization`, into the server's entry.",
                ),
                Do(Retry),
                VARIABLES,
            ],
        ),
        Code::HttpForbidden => (
            "The server knows us, but does not give us access (HTTP status 403).",
            &[
                Advice("Ask the owner of the server for access, or use a token that has it."),
                Do(Retry),
                ENTRIES,
            ],
        ),
        Code::HttpNotFound => (
            "The server has nothing at this address (HTTP status 404 or 410).",
            &[
                Advice(
                    "Compare `url` in the server's entry with the documents of the server: the path is often `/mcp`.",
                ),
                Do(Retry),
                ENTRIES,
            ],
        ),
        Code::HttpClientError => (
            "The server rejects our request (another HTTP status from 400 to 499).",
            &[
                Command("curl -v URL"),
                Advice(
                    "Compare `url` and `headers` in the server's entry with the documents of the server.",
                ),
                Do(Retry),
                ENTRIES,
            ],
        ),
        Code::HttpRateLimited => (
            "The server gets too many requests from you (HTTP status 429).",
            &[
                Advice("Wait: mcpproxy connects again when the server allows it."),
                Advice("If it happens often, ask the owner of the server for a higher limit."),
                Do(Retry),
            ],
        ),
        Code::HttpServerError => (
            "The server, or a proxy in front of it, has an error of its own (HTTP status 500 to 599).",
            &[
                Advice("Wait: mcpproxy connects again by itself."),
                Advice("If it lasts, tell the owner of the server."),
                Do(Retry),
            ],
        ),
        Code::HttpRefused => (
            "No program listens at the server's address.",
            &[
                Advice("Start the server, or correct the host and port of `url` in its entry."),
                Command("curl -v URL"),
                Do(Retry),
                ENTRIES,
            ],
        ),
        Code::HttpReset => (
            "The connection to the server was cut off.",
            &[
                Advice("Check whether a firewall, a VPN or a proxy stands in between."),
                Command("curl -v URL"),
                Do(Retry),
                PROXIES,
            ],
        ),
        Code::HttpDns => (
            "The name of the server's host has no address.",
            &[
                Advice(
                    "Correct the host of `url` in the server's entry, or join the network or VPN that knows it.",
                ),
                Command("nslookup HOST"),
                Do(Retry),
            ],
        ),
        Code::HttpTls => (
            "The encrypted connection to the server failed: its certificate is not valid, or one side does not speak TLS.",
            &[
                Command("openssl s_client -connect HOST:443"),
                Advice(
                    "Check the clock of this machine, and that `url` starts with https:// only if the server speaks TLS.",
                ),
                Do(Retry),
                ENTRIES,
            ],
        ),
        Code::HttpTimeout => (
            "The server did not answer in time.",
            &[
                Command("curl -v URL"),
                Advice(
                    "If the server is slow to start, set a longer `startup_timeout_sec` in its entry.",
                ),
                Do(Retry),
                ENTRIES,
            ],
        ),
        Code::HttpRedirected => (
            "The server redirects to another address, which mcpproxy does not follow: headers may hold secrets.",
            &[
                Advice("If you trust the new address, write it as `url` in the server's entry."),
                Command("curl -v URL"),
                Page("docs/serve.md#servers"),
            ],
        ),
        Code::HttpLegacySse => (
            "The server speaks only the old transport, HTTP with SSE, which mcpproxy does not speak.",
            &[
                Advice(
                    "Use the server's address for streamable HTTP: it often ends in `/mcp` instead of `/sse`.",
                ),
                Advice("Update the server, if it has no such address."),
                Do(DisableServer),
                ENTRIES,
            ],
        ),
        Code::HttpLoginRequired => (
            "The server wants you to log in first (OAuth), which mcpproxy cannot do for you.",
            &[
                Advice(
                    "Make a token on the website of the server, and write it as a header into the server's entry.",
                ),
                Do(Retry),
                VARIABLES,
            ],
        ),
        Code::NetworkOffline => (
            "This machine has no way to the server's network.",
            &[
                Advice("Connect to the network, or to the VPN that the server is behind."),
                Do(Retry),
            ],
        ),
        Code::NetworkProxy => (
            "The proxy that the environment names cannot be reached, or does not let the connection through.",
            &[
                Command("env | grep -i _proxy"),
                Advice(
                    "Correct HTTPS_PROXY or HTTP_PROXY, or name the host in NO_PROXY; then start mcpproxy again.",
                ),
                PROXIES,
            ],
        ),
        Code::ConfigUnreadable => (
            "The configuration cannot be read, is not strict JSON, or is open to other users: no server is used, and telemetry is off.",
            &[
                Command("mcpproxy doctor"),
                Advice(
                    "Do what `mcpproxy doctor` says: repair the file, move it away, or take the rights of others away.",
                ),
                Page("docs/operations.md#configuration"),
                Page("docs/operations.md#owners-and-permissions"),
            ],
        ),
        Code::ConfigInvalidEntry => (
            "The server's entry in the configuration has an error.",
            &[Command("mcpproxy upstream list"), Advice("Correct the entry."), ENTRIES],
        ),
        Code::ConfigInvalidCommand => (
            "The command of the server's entry cannot start a server.",
            &[
                Command("mcpproxy upstream list"),
                Advice(
                    "Write the program as `command` and each argument as an item of `args`: `npx` and `uvx` need the name of a package.",
                ),
                ENTRIES,
            ],
        ),
        Code::ConfigMissingSecret => (
            "The server's entry needs an environment variable that is not set.",
            &[
                Advice(
                    "Set the variable where mcpproxy is started and start it again, or write a default: `${NAME:-default}`.",
                ),
                Command("mcpproxy upstream list"),
                VARIABLES,
            ],
        ),
        Code::ConfigDeprecated => (
            "The configuration has a key or a transport that is out of date.",
            &[Command("mcpproxy upstream list"), Advice("Write the new form instead."), ENTRIES],
        ),
        Code::ContainerEngineNotFound => (
            "The server runs in a container, and the container engine is not installed or no directory of PATH has it.",
            &[
                Command("command -v docker podman"),
                Do(FindProgram),
                Advice(
                    "Install the engine, or write its full path as `command` in the server's entry.",
                ),
            ],
        ),
        Code::ContainerDaemonDown => (
            "The server runs in a container, and the container engine is not running.",
            &[
                Command("docker info"),
                Advice("Start Docker Desktop or the engine's service."),
                Do(Retry),
            ],
        ),
        Code::ContainerNoPermission => (
            "The server runs in a container, and you may not use the container engine.",
            &[
                Command("docker info"),
                Advice(
                    "Add yourself to the group `docker` and log in again, or use a rootless engine such as podman.",
                ),
                Do(Retry),
            ],
        ),
        Code::ContainerPullFailed => (
            "The image of the server's container cannot be downloaded.",
            &[
                Command("docker pull IMAGE"),
                Advice(
                    "Correct the name of the image in the server's entry, or log in to its registry.",
                ),
                Do(ShowLogs),
                Do(Retry),
            ],
        ),
        Code::ContainerMissingTool => (
            "The image of the server's container lacks a program that the server needs.",
            &[
                Do(ShowLogs),
                Advice("Use an image that has the program, or build one that adds it."),
            ],
        ),
        Code::ProtocolVersion => (
            "The server speaks no version of MCP that mcpproxy speaks.",
            &[Advice("Update the server, or mcpproxy."), Command("mcpproxy --version"), Do(Retry)],
        ),
        Code::ProtocolInvalidList => (
            "The server's list of tools cannot be read.",
            &[
                Command("mcpproxy upstream list"),
                Advice("Update the server, or report it to its makers."),
                Do(Retry),
                FAULTS,
            ],
        ),
        Code::ProtocolInvalidAnswer => (
            "The server answered with something that is not an MCP message.",
            &[
                Do(ShowLogs),
                Advice("Update the server, or report it to its makers."),
                Do(Retry),
                FAULTS,
            ],
        ),
        Code::ProtocolTooLarge => (
            "The server's answer is larger than mcpproxy takes.",
            &[
                Advice("Ask for less at once: a smaller range, a page, a filter."),
                Page("docs/serve.md#limits"),
            ],
        ),
        Code::ProtocolCallTimeout => (
            "The server did not finish a call in time, and showed no progress.",
            &[
                Advice(
                    "If the tool is slow by nature, set a longer `tool_timeout_sec` in the server's entry.",
                ),
                Do(ShowLogs),
                Do(Restart),
                ENTRIES,
            ],
        ),
        Code::StoreBusy => (
            "Another process holds the activation store.",
            &[
                Advice("Try again: a process holds the store for a moment only."),
                Command("mcpproxy doctor"),
                STORE,
            ],
        ),
        Code::StoreDamaged => (
            "The activation store is damaged; the next host puts it aside and restores what it can.",
            &[
                Advice("Start a host, such as the gateway. If it happens again, check the disk."),
                Command("mcpproxy doctor"),
                STORE,
            ],
        ),
        Code::StoreFull => (
            "The disk of the data directory is full: mcpproxy may not record or send anything.",
            &[
                Command("df -h ~/.mcpproxy"),
                Advice("Make room, or set MCPPROXY_HOME to a directory on another disk."),
                DIRECTORY,
            ],
        ),
        Code::StoreReadOnly => (
            "The data directory or the store in it cannot be written: mcpproxy records and sends nothing.",
            &[
                Command("ls -ld ~/.mcpproxy"),
                Advice("Make it writable, or set MCPPROXY_HOME to a directory that you can write."),
                DIRECTORY,
            ],
        ),
        Code::StoreRemote => (
            "The data directory is not on a local disk: mcpproxy keeps no store there, and sends nothing.",
            &[
                Command("df ~/.mcpproxy"),
                Advice("Set MCPPROXY_HOME to a directory on a local disk."),
                STORE,
            ],
        ),
        Code::StoreNewer => (
            "A newer version of mcpproxy wrote the activation store; this one leaves it as it is.",
            &[Command("mcpproxy --version"), Advice("Update mcpproxy."), STORE],
        ),
        Code::ConsentUnreadable => (
            "A file that may object to telemetry cannot be read: telemetry is off.",
            &[
                Command("mcpproxy telemetry status"),
                Advice("Repair the file that it names, or move it away."),
                Page("docs/privacy.md#where-consent-is-looked-for"),
            ],
        ),
        Code::EndpointUnreachable => (
            "The endpoint of heartbeats cannot be reached, or has an error of its own; they wait until it takes them.",
            &[
                Command("mcpproxy doctor --online"),
                Advice("Check the network, the proxy variables and the firewall."),
                Page("docs/reliability.md#heartbeats"),
            ],
        ),
        Code::EndpointRefused => (
            "The endpoint of heartbeats is not a valid address, or does not take them.",
            &[
                Command("mcpproxy telemetry status"),
                Advice(
                    "Correct the endpoint where it was set; if it is not yours, tell its owner.",
                ),
                Page("docs/operations.md#when-nothing-is-sent"),
            ],
        ),
        Code::EndpointRetired => (
            "The endpoint takes no more heartbeats of this version; mcpproxy asks again after 28 days.",
            &[
                Advice("Update the product, if you like; nothing else is affected."),
                Command("mcpproxy telemetry status"),
            ],
        ),
        Code::GateRefused => (
            "The anonymity gate stopped a heartbeat, and mcpproxy sent nothing of it.",
            &[
                Command("mcpproxy telemetry show-payload"),
                Advice(
                    "Please report it: a heartbeat should never hold anything that the gate stops.",
                ),
                Page("docs/privacy.md#what-enforces-it"),
            ],
        ),
        Code::Unknown => (
            "Something failed in a way that mcpproxy has no code for.",
            &[
                Do(ShowLogs),
                Command("mcpproxy doctor"),
                Advice("Please report it, with the words of the error."),
            ],
        ),
    }
}
