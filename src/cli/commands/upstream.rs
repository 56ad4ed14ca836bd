//! The part of the table that is about the servers behind the gateway.

use super::{Command, OUTPUT, Operands, Opt};

#[cfg(feature = "serve")]
mod entry {
    use super::super::Entry;
    use crate::cli::upstream;

    pub(super) const ADD: Entry = Entry::Parsed(upstream::add);
    pub(super) const LIST: Entry = Entry::Parsed(upstream::list);
    pub(super) const REMOVE: Entry = Entry::Parsed(upstream::remove);
    pub(super) const ENABLE: Entry = Entry::Parsed(upstream::enable);
    pub(super) const DISABLE: Entry = Entry::Parsed(upstream::disable);
    pub(super) const SET_COMMAND: Entry = Entry::Parsed(upstream::set_command);
    pub(super) const TEST: Entry = Entry::Parsed(upstream::test);
    pub(super) const LOGS: Entry = Entry::Parsed(upstream::logs);
    pub(super) const RESTART: Entry = Entry::Parsed(upstream::restart);
}
#[cfg(not(feature = "serve"))]
mod entry {
    use super::super::Entry;

    pub(super) const ADD: Entry = Entry::Needs("serve");
    pub(super) const LIST: Entry = ADD;
    pub(super) const REMOVE: Entry = ADD;
    pub(super) const ENABLE: Entry = ADD;
    pub(super) const DISABLE: Entry = ADD;
    pub(super) const SET_COMMAND: Entry = ADD;
    pub(super) const TEST: Entry = ADD;
    pub(super) const LOGS: Entry = ADD;
    pub(super) const RESTART: Entry = ADD;
}

pub(super) const GATEWAY: Opt = Opt {
    long: "gateway",
    short: None,
    value: Some("HOST:PORT"),
    help: "Where the gateway listens (default: 127.0.0.1:8080)",
};

const GATEWAY_ASKED: Opt = Opt {
    help: "Ask the gateway that listens there, such as 127.0.0.1:8080, how the servers are doing",
    ..GATEWAY
};

pub(super) const ADD: Command = Command {
    path: &["upstream", "add"],
    summary: "Add a server to the configuration: a command, or a URL",
    about: "Options end at COMMAND: what follows it is the server's. Variables such as '${TOKEN}' (in quotes, so\n\
            that your shell leaves them alone) are expanded when the server is started, which keeps secrets out\n\
            of the file.\n\n  \
            mcpproxy upstream add files -- npx -y @modelcontextprotocol/server-filesystem ~/notes\n  \
            mcpproxy upstream add tracker --url https://mcp.example.com/mcp --header 'Authorization: Bearer ${TOKEN}'",
    operands: Operands::OneAndRest("NAME", "COMMAND [ARG...]"),
    options: &[
        Opt {
            long: "url",
            short: None,
            value: Some("URL"),
            help: "Streamable HTTP at this address, instead of a command",
        },
        Opt {
            long: "header",
            short: None,
            value: Some("'NAME: VALUE'"),
            help: "With --url: sent with every request; may be repeated",
        },
        Opt {
            long: "env",
            short: None,
            value: Some("NAME=VALUE"),
            help: "With a command: a variable of its environment; may be repeated",
        },
        Opt {
            long: "cwd",
            short: None,
            value: Some("DIR"),
            help: "With a command: where it is started",
        },
        Opt { long: "disabled", short: None, value: None, help: "Added, but not connected" },
        Opt {
            long: "replace",
            short: None,
            value: None,
            help: "In the place of a server of that name, if there is one",
        },
    ],
    data_dir: true,
    entry: entry::ADD,
};

pub(super) const LIST: Command = Command {
    path: &["upstream", "list"],
    summary: "Show the servers of the configuration, and what is wrong with them",
    about: "Shows the command's first word, or the URL's scheme, host and port. Everything else can be secret. What is\n\
            wrong with an entry or its program has a code (`mcpproxy explain CODE`). With --gateway, a running gateway\n\
            says how each server is doing and when it is tried next; without it, nothing is asked.",
    operands: Operands::None,
    options: &[GATEWAY_ASKED, OUTPUT],
    data_dir: true,
    entry: entry::LIST,
};

pub(super) const REMOVE: Command = Command {
    path: &["upstream", "remove"],
    summary: "Remove a server from the configuration",
    about: "",
    operands: Operands::One("NAME"),
    options: &[],
    data_dir: true,
    entry: entry::REMOVE,
};

pub(super) const ENABLE: Command = Command {
    path: &["upstream", "enable"],
    summary: "Let a server be connected",
    about: "Sets `enabled` of its entry to true.",
    operands: Operands::One("NAME"),
    options: &[],
    data_dir: true,
    entry: entry::ENABLE,
};

pub(super) const DISABLE: Command = Command {
    path: &["upstream", "disable"],
    summary: "Keep a server in the configuration, but do not connect it",
    about: "Sets `enabled` of its entry to false.",
    operands: Operands::One("NAME"),
    options: &[],
    data_dir: true,
    entry: entry::DISABLE,
};

pub(super) const SET_COMMAND: Command = Command {
    path: &["upstream", "set-command"],
    summary: "Write another program into the entry of a server",
    about: "Sets `command` of its entry and keeps the rest: arguments, environment, every other byte. COMMAND is one word,\n\
            a program or its full path.",
    operands: Operands::Two("NAME", "COMMAND"),
    options: &[],
    data_dir: true,
    entry: entry::SET_COMMAND,
};

pub(super) const TEST: Command = Command {
    path: &["upstream", "test"],
    summary: "Connect to a server once, and say what came of it",
    about: "Needs no gateway. Starts or reaches the server as the gateway does, asks what it offers and ends it. Says how\n\
            long that took, or why it failed, how its process ended and what it wrote last on standard error; the exit\n\
            code is 1 then. Secrets are removed from these lines.",
    operands: Operands::One("NAME"),
    options: &[],
    data_dir: true,
    entry: entry::TEST,
};

pub(super) const LOGS: Command = Command {
    path: &["upstream", "logs"],
    summary: "Show what a server of the running gateway wrote on standard error",
    about: "The last 50 lines (8 KiB), each with the time it was read. The gateway keeps them in memory only. Secrets are\n\
            removed, and characters that act on a terminal are spelled out.",
    operands: Operands::One("NAME"),
    options: &[
        Opt {
            long: "follow",
            short: Some('f'),
            value: None,
            help: "Go on with new lines, until it is interrupted",
        },
        GATEWAY,
    ],
    data_dir: true,
    entry: entry::LOGS,
};

pub(super) const RESTART: Command = Command {
    path: &["upstream", "restart"],
    summary: "Restart a server of the running gateway, and say what came of it",
    about: "Ends the server and starts it at once, also one that waits or is not tried again. The exit code is 1 unless\n\
            it is connected then.",
    operands: Operands::One("NAME"),
    options: &[GATEWAY],
    data_dir: true,
    entry: entry::RESTART,
};
