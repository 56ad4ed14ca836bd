//! The part of the table that is about the configurations of MCP clients.

use super::{Command, OUTPUT, Operands, Opt};

#[cfg(feature = "connect")]
mod entry {
    use super::super::Entry;
    use crate::cli::connect;

    pub(super) const CONNECT: Entry = Entry::Parsed(connect::connect);
    pub(super) const DISCONNECT: Entry = Entry::Parsed(connect::disconnect);
}
#[cfg(not(feature = "connect"))]
mod entry {
    use super::super::Entry;

    pub(super) const CONNECT: Entry = Entry::Needs("connect");
    pub(super) const DISCONNECT: Entry = CONNECT;
}

const CONFIG: Opt = Opt {
    long: "config",
    short: None,
    value: Some("FILE"),
    help: "The client's configuration, if it is not where the client looks by default",
};

const PROJECT: Opt = Opt {
    long: "project",
    short: None,
    value: Some("DIR"),
    help: "With --wrap: the server is one that Claude Code keeps for this project",
};

const DRY_RUN: Opt = Opt {
    long: "dry-run",
    short: None,
    value: None,
    help: "Show what would change, and change nothing",
};

pub(super) const CONNECT: Command = Command {
    path: &["connect"],
    summary: "Put our entry into the configuration of an MCP client",
    about: "The client starts the gateway then, as `mcpproxy serve --stdio`. With --wrap, one of the client's own\n\
            servers runs through `mcpproxy tap` instead. Comments, order and everything else in the file are kept,\n\
            the original is put aside beside it, and `mcpproxy disconnect` gives it back to the byte.\n\n\
            CLIENT is claude-code, claude-desktop, cursor, windsurf, vscode, codex, gemini, opencode or zed.",
    operands: Operands::Optional("CLIENT"),
    options: &[
        Opt {
            long: "list",
            short: Some('l'),
            value: None,
            help: "Show every client: its configuration, our entry, the servers that are wrapped",
        },
        Opt {
            long: "wrap",
            short: None,
            value: Some("NAME"),
            help: "Let this server of the client run through `mcpproxy tap`",
        },
        PROJECT,
        Opt {
            long: "http",
            short: None,
            value: None,
            help: "The entry leads to a running gateway at its default address",
        },
        Opt {
            long: "url",
            short: None,
            value: Some("URL"),
            help: "The entry leads to a running gateway at this address, such as http://127.0.0.1:9000/mcp",
        },
        CONFIG,
        Opt {
            long: "create",
            short: None,
            value: None,
            help: "Make the configuration even if the client does not seem to be installed",
        },
        DRY_RUN,
        OUTPUT,
    ],
    data_dir: true,
    entry: entry::CONNECT,
};

pub(super) const DISCONNECT: Command = Command {
    path: &["disconnect"],
    summary: "Take our entry out of the configuration of an MCP client",
    about: "If no other program has written the file since, it becomes what it was before, to the byte. An entry that\n\
            `connect` did not write, or that was changed since, stays as it is.",
    operands: Operands::One("CLIENT"),
    options: &[
        Opt {
            long: "wrap",
            short: None,
            value: Some("NAME"),
            help: "Let this server run without `mcpproxy tap` again; our entry stays",
        },
        PROJECT,
        CONFIG,
        DRY_RUN,
    ],
    data_dir: false,
    entry: entry::DISCONNECT,
};
