//! The part of the table that is about life in a shell.

use super::{Command, ENDPOINT, OUTPUT, Operands, Opt, PRODUCT};

#[cfg(feature = "cli")]
mod entry {
    use super::super::Entry;
    use crate::cli::{completions, doctor, explain, man};

    pub(super) const DOCTOR: Entry = Entry::Parsed(doctor::run);
    pub(super) const EXPLAIN: Entry = Entry::Parsed(explain::run);
    pub(super) const COMPLETIONS: Entry = Entry::Parsed(completions::run);
    pub(super) const MAN: Entry = Entry::Parsed(man::run);
}
#[cfg(not(feature = "cli"))]
mod entry {
    use super::super::Entry;

    pub(super) const DOCTOR: Entry = Entry::Needs("cli");
    pub(super) const EXPLAIN: Entry = DOCTOR;
    pub(super) const COMPLETIONS: Entry = DOCTOR;
    pub(super) const MAN: Entry = DOCTOR;
}

pub(super) const DOCTOR: Command = Command {
    path: &["doctor"],
    summary: "Check this install, and say what to do about what is wrong",
    about: "Reads only: it connects to nothing and starts no server without --online or --server. Exit code 1 when a check\n\
            fails; a warning is no failure. A server that does not answer is a failure with --server, else a warning.\n\
            With --fix, shows what the program can do about the servers that have that code, and with --execute does it:\n\
            in the running gateway, or in the configuration where none runs.",
    operands: Operands::None,
    options: &[
        Opt {
            long: "online",
            short: None,
            value: None,
            help: "Also connect to the endpoint (nothing is sent to it), and start or reach each enabled server once",
        },
        #[cfg(feature = "serve")]
        Opt {
            long: "server",
            short: None,
            value: Some("NAME"),
            help: "Only this server: start or reach it once, as `upstream test` does",
        },
        #[cfg(feature = "serve")]
        Opt {
            long: "fix",
            short: None,
            value: Some("CODE"),
            help: "Show what can be done about this code, and what it would change",
        },
        #[cfg(feature = "serve")]
        Opt {
            long: "action",
            short: None,
            value: Some("ACTION"),
            help: "With --fix: do this (default: the first that may end it)",
        },
        #[cfg(feature = "serve")]
        Opt { long: "execute", short: None, value: None, help: "With --fix: do it" },
        #[cfg(feature = "serve")]
        super::upstream::GATEWAY,
        PRODUCT,
        ENDPOINT,
        OUTPUT,
    ],
    data_dir: true,
    entry: entry::DOCTOR,
};

pub(super) const EXPLAIN: Command = Command {
    path: &["explain"],
    summary: "Explain an error code, and say what helps; without CODE, list all of them",
    about: "  mcpproxy explain MCPX_STDIO_NOT_FOUND\n  \
            mcpproxy explain stdio_not_found",
    operands: Operands::Optional("CODE"),
    options: &[OUTPUT],
    data_dir: false,
    entry: entry::EXPLAIN,
};

pub(super) const COMPLETIONS: Command = Command {
    path: &["completions"],
    summary: "Print the completions of a shell: bash, zsh, fish or powershell",
    about: "  source <(mcpproxy completions bash)                                       # in ~/.bashrc\n  \
            mcpproxy completions zsh > \"${fpath[1]}/_mcpproxy\"                         # then a new shell\n  \
            mcpproxy completions fish > ~/.config/fish/completions/mcpproxy.fish\n  \
            mcpproxy completions powershell | Out-String | Invoke-Expression          # in $PROFILE",
    operands: Operands::One("SHELL"),
    options: &[],
    data_dir: false,
    entry: entry::COMPLETIONS,
};

pub(super) const MAN: Command = Command {
    path: &["man"],
    summary: "Print the manual page, or write those of all commands into a directory",
    about: "  mcpproxy man | man -l -\n  \
            mcpproxy man --dir ~/.local/share/man/man1",
    operands: Operands::None,
    options: &[Opt {
        long: "dir",
        short: None,
        value: Some("DIR"),
        help: "Write mcpproxy.1 and a page for each command here",
    }],
    data_dir: false,
    entry: entry::MAN,
};
