//! The command table: parsing, help and suggestions are all made from it.
//!
//! One rule: what is not in the table does not exist; what is compiled out says which feature brings it.

mod autostart;
mod collector;
#[cfg(feature = "collector")]
mod collector_data;
mod connect;
mod shell;
mod upstream;
#[cfg(feature = "cli")]
mod values;

#[cfg(feature = "cli")]
pub use values::{Values, values};

use super::{Call, Failure};
use std::ffi::OsString;
use std::process::ExitCode;

/// One option.
#[derive(Debug)]
pub struct Opt {
    /// Its long name, without dashes.
    pub long: &'static str,
    /// Its short name.
    pub short: Option<char>,
    /// What its value is called; `None` for a switch.
    pub value: Option<&'static str>,
    /// One line of help.
    pub help: &'static str,
}

/// What runs a command.
#[derive(Clone, Copy, Debug)]
pub enum Entry {
    /// A function that gets the parsed command line.
    Parsed(fn(&Call) -> Result<ExitCode, Failure>),
    /// A function that gets the arguments in canonical order (`--option value`, then `--`, then
    /// operands) and judges values itself.
    Raw(fn(Vec<OsString>) -> ExitCode),
    /// Not in this build; the feature that brings it.
    Needs(&'static str),
}

/// How many operands a command takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operands {
    /// None.
    None,
    /// Exactly one, called so.
    One(&'static str),
    /// One or more, called so.
    Many(&'static str),
    /// Exactly two, called so.
    Two(&'static str, &'static str),
    /// At most one, called so.
    Optional(&'static str),
    /// A command line of its own, called so: from the first operand on, nothing is ours.
    Rest(&'static str),
    /// One, called so, and then it may be a command line of its own, called so: from its first word on,
    /// nothing is ours.
    OneAndRest(&'static str, &'static str),
    /// Words of our own commands.
    Words(&'static str),
}

/// One command.
#[derive(Debug)]
pub struct Command {
    /// Its words, such as `telemetry status`.
    pub path: &'static [&'static str],
    /// One line of help.
    pub summary: &'static str,
    /// More help: lines of text.
    pub about: &'static str,
    /// Its operands.
    pub operands: Operands,
    /// Its options, besides the global ones.
    pub options: &'static [Opt],
    /// Whether it works on a data directory.
    pub data_dir: bool,
    /// What runs it.
    pub entry: Entry,
}

const OUTPUT: Opt = Opt {
    long: "output",
    short: Some('o'),
    value: Some("FORMAT"),
    help: if cfg!(feature = "cli") { "table, json or yaml" } else { "table or json" },
};

const PRODUCT: Opt = Opt {
    long: "product",
    short: None,
    value: Some("NAME"),
    help: "Of one product; `mcpproxy telemetry status` lists them",
};

const ENDPOINT: Opt = Opt {
    long: "endpoint",
    short: None,
    value: Some("URL"),
    help: "With --product, where it had several (default: the newest)",
};

const EXACT: Opt =
    Opt { long: "exact", short: None, value: None, help: "Show the whole id on a terminal" };

/// The options of every command.
pub const GLOBAL: &[Opt] =
    &[DATA_DIR, Opt { long: "help", short: Some('h'), value: None, help: "Show help" }];

/// The global option that only some commands use; all accept it.
pub const DATA_DIR: Opt = Opt {
    long: "data-dir",
    short: None,
    value: Some("DIR"),
    help: "Data directory (default: $MCPPROXY_HOME, else ~/.mcpproxy)",
};

/// The global options as this command understands them.
pub fn globals(command: &Command) -> impl Iterator<Item = &'static Opt> {
    let is_collector = command.path.first() == Some(&"collector");
    let own: &[Opt] = if is_collector { &[collector::DATA_DIR] } else { &[] };
    let is_used =
        |option: &&Opt| option.long != DATA_DIR.long || (command.data_dir && !is_collector);
    let used: Vec<_> = GLOBAL.iter().filter(is_used).collect();
    own.iter().chain(used)
}

/// The options that stand without a command.
pub const PROGRAM: &[Opt] = &[
    Opt { long: "version", short: Some('V'), value: None, help: "Show the version" },
    Opt {
        long: "verbose",
        short: Some('v'),
        value: None,
        help: "With --version: commit, target, features, probes, endpoint, edition",
    },
];

/// Words that group commands, with one line of help.
pub const GROUPS: &[(&str, &str)] = &[
    ("telemetry", "See, check and stop what is sent"),
    ("upstream", "The servers behind the gateway"),
    ("autostart", "Whether the gateway starts at login"),
    ("collector product", "The products that a collector receives"),
];

#[cfg(feature = "tap")]
const TAP: Entry = Entry::Raw(super::tap::run);
#[cfg(not(feature = "tap"))]
const TAP: Entry = Entry::Needs("tap");

#[cfg(feature = "record")]
const RECORD: Entry = Entry::Parsed(super::record::run);
#[cfg(not(feature = "record"))]
const RECORD: Entry = Entry::Needs("record");

#[cfg(feature = "heartbeat")]
const SEND: Entry = Entry::Parsed(super::send::run);
#[cfg(not(feature = "heartbeat"))]
const SEND: Entry = Entry::Needs("heartbeat");

#[cfg(feature = "heartbeat")]
const FORGET: Entry = Entry::Parsed(super::forget::run);
#[cfg(not(feature = "heartbeat"))]
const FORGET: Entry = Entry::Needs("heartbeat");

#[cfg(feature = "serve")]
const SERVE: Entry = Entry::Parsed(super::serve::run);
#[cfg(not(feature = "serve"))]
const SERVE: Entry = Entry::Needs("serve");

const LAUNCHED_BY: Opt = Opt {
    long: "launched-by",
    short: None,
    value: Some("SOURCE"),
    help: "Who starts this: tray, login_item, cli, installer, unknown",
};

const HOST_PRODUCT: Opt = Opt {
    long: "product",
    short: None,
    value: Some("NAME"),
    help: "The product whose installs are counted: the name of its package",
};

const HOST_VERSION: Opt =
    Opt { long: "product-version", short: None, value: Some("VERSION"), help: "Its version" };

const HOST_ENDPOINT: Opt = Opt {
    long: "endpoint",
    short: None,
    value: Some("URL"),
    help: "Where its heartbeats go, unless its user names another place",
};

const VISIBLE_NOTICE: Opt = Opt {
    long: "require-visible-notice",
    short: None,
    value: None,
    help: "Send nothing before a person could see the notice",
};

/// Every command, in the order of help. Those that are compiled out have a name and nothing else.
pub const COMMANDS: &[Command] = &names_alone([
    Command {
        path: &["tap"],
        summary: "Stand between an MCP client and a stdio MCP server, unseen by both",
        about: "Every byte is forwarded unchanged, signals and exit code included. What the session tells about\n\
                activation (which client, did the server answer, which tools were called) is counted on this\n\
                machine; `mcpproxy telemetry status` shows it.",
        operands: Operands::Rest("COMMAND [ARG...]"),
        options: &[
            Opt {
                long: "discovery-tool",
                short: None,
                value: Some("NAME"),
                help: "A tool that finds tools; may be repeated (default: retrieve_tools)",
            },
            HOST_PRODUCT,
            HOST_VERSION,
            HOST_ENDPOINT,
            VISIBLE_NOTICE,
            LAUNCHED_BY,
        ],
        data_dir: true,
        entry: TAP,
    },
    Command {
        path: &["record"],
        summary: "Count for a host that tap cannot wrap: one event on a line of standard input",
        about: "A host over HTTP, or in any language, starts it and writes JSON lines: client_seen, server_connected,\n\
                discovery, call, end. A session counts if it says \"local\":true.",
        operands: Operands::None,
        options: &[
            HOST_PRODUCT,
            HOST_VERSION,
            HOST_ENDPOINT,
            VISIBLE_NOTICE,
            Opt {
                long: "count-remote",
                short: None,
                value: None,
                help: "Count sessions of other machines as well",
            },
            LAUNCHED_BY,
        ],
        data_dir: true,
        entry: RECORD,
    },
    connect::CONNECT,
    connect::DISCONNECT,
    upstream::ADD,
    upstream::LIST,
    upstream::REMOVE,
    upstream::ENABLE,
    upstream::DISABLE,
    upstream::SET_COMMAND,
    upstream::TEST,
    upstream::LOGS,
    upstream::RESTART,
    autostart::STATUS,
    autostart::ENABLE,
    autostart::DISABLE,
    Command {
        path: &["serve"],
        summary: "Stand in front of many MCP servers: one address, one search over all their tools",
        about: "Connects the servers of `mcpServers` in mcp_config.json and offers retrieve_tools, call_tool and\n\
                telemetry_status to MCP clients, over HTTP at /mcp or on the standard streams. Follows the config\n\
                while it runs. The printed address of the status page carries the API key.",
        operands: Operands::None,
        options: &[
            Opt {
                long: "listen",
                short: None,
                value: Some("ADDRESS"),
                help: "Where to listen (default: 127.0.0.1:8080; with --stdio: nowhere)",
            },
            Opt {
                long: "stdio",
                short: None,
                value: None,
                help: "Serve one MCP client on the standard streams",
            },
            Opt {
                long: "allowed-host",
                short: None,
                value: Some("NAME"),
                help: "A name it is reached under besides loopback; may be repeated",
            },
            Opt {
                long: "server-stderr",
                short: None,
                value: None,
                help: "Show what stdio servers write on standard error (it may hold secrets)",
            },
            Opt { long: "log-format", short: None, value: Some("FORMAT"), help: "text or json" },
            Opt {
                long: "log-level",
                short: None,
                value: Some("LEVEL"),
                help: "error, warn or info (default)",
            },
            LAUNCHED_BY,
        ],
        data_dir: true,
        entry: SERVE,
    },
    collector::RUN,
    collector::PRODUCT_ADD,
    collector::PRODUCT_LIST,
    collector::PRODUCT_RENAME,
    collector::PRODUCT_REMOVE,
    collector::REPORT,
    collector::DOCTOR,
    #[cfg(feature = "collector")]
    collector_data::FORGET,
    #[cfg(feature = "collector")]
    collector_data::PURGE,
    #[cfg(feature = "collector")]
    collector_data::RETIRE,
    #[cfg(feature = "collector")]
    collector_data::UNRETIRE,
    #[cfg(feature = "collector")]
    collector_data::NOTE,
    #[cfg(feature = "collector")]
    collector_data::NOTES,
    #[cfg(feature = "collector")]
    collector_data::EXPORT,
    #[cfg(feature = "collector")]
    collector_data::IMPORT,
    collector::BACKUP,
    collector::RESTORE,
    collector::VERIFY,
    collector::SIMULATE,
    Command {
        path: &["detect"],
        summary: "Show how this machine is classified",
        about: "Names of variables and files are shown with --explain, never values. With --evidence, one JSON\n\
                object per line is classified instead of this machine, and one JSON verdict per line printed.",
        operands: Operands::None,
        options: &[
            OUTPUT,
            Opt {
                long: "explain",
                short: None,
                value: None,
                help: "Show the rule and the evidence",
            },
            Opt {
                long: "launched-by",
                short: None,
                value: Some("SOURCE"),
                help: "Who starts this: tray or login_item, as the hosts take it",
            },
            Opt {
                long: "evidence",
                short: None,
                value: Some("FILE"),
                help: "Classify recorded evidence; - is standard input",
            },
        ],
        data_dir: false,
        entry: Entry::Parsed(super::detect::run),
    },
    Command {
        path: &["telemetry", "status"],
        summary: "Show which products send, where to, when the last heartbeat was, and why others do not",
        about: "Nothing is created, nothing is sent. On a terminal, a notice that no person could see yet is shown, and\n\
                counts as seen. With --product, everything that is known about this install of it; `--product mcpproxy`\n\
                is the gateway's own.",
        operands: Operands::None,
        options: &[
            PRODUCT,
            ENDPOINT,
            EXACT,
            #[cfg(feature = "cli")]
            Opt {
                long: "quiet",
                short: Some('q'),
                value: None,
                help: "Print nothing: exit code 0 if heartbeats are sent (of any product), 1 if not",
            },
            OUTPUT,
        ],
        data_dir: true,
        entry: Entry::Parsed(super::status::run),
    },
    Command {
        path: &["telemetry", "show-payload"],
        summary: "Show the exact bytes of the next heartbeat",
        about: "The stored bytes if there are any, else what would be assembled now. Changes nothing.",
        operands: Operands::None,
        options: &[
            Opt {
                long: "at",
                short: None,
                value: Some("TIME"),
                help: "As if it were this time: seconds since 1970, or 2026-11-22T14:46:00Z",
            },
            PRODUCT,
            ENDPOINT,
            EXACT,
            #[cfg(feature = "cli")]
            Opt {
                long: "explain",
                short: None,
                value: None,
                help: "Each member in a line, with what it means",
            },
            Opt { long: "output", short: Some('o'), value: Some("FORMAT"), help: "json" },
        ],
        data_dir: true,
        entry: Entry::Parsed(super::show_payload::run),
    },
    #[cfg(feature = "cli")]
    Command {
        path: &["telemetry", "sent"],
        summary: "List the heartbeats that were acknowledged",
        about: "The last 30 of each product and endpoint, newest first. Each is a file with the exact bytes; `telemetry\n\
                verify FILE` checks one. With -o json, the bytes themselves.",
        operands: Operands::None,
        options: &[PRODUCT, ENDPOINT, OUTPUT],
        data_dir: true,
        entry: Entry::Parsed(super::sent::run),
    },
    Command {
        path: &["telemetry", "enable"],
        summary: "Allow telemetry in the configuration",
        about: "Sets `telemetry.enabled` to true, in the data directory and where ~/.mcpproxy objects. An objection\n\
                in the environment still counts. With --product, only that product's own switch is removed.",
        operands: Operands::None,
        options: &[PRODUCT],
        data_dir: true,
        entry: Entry::Parsed(super::switch::enable),
    },
    Command {
        path: &["telemetry", "disable"],
        summary: "Stop telemetry, running processes included",
        about: "Sets `telemetry.enabled` to false for all products, in ~/.mcpproxy and in the data directory. With\n\
                --product, only that product stops. Nothing is sent about it.",
        operands: Operands::None,
        options: &[PRODUCT],
        data_dir: true,
        entry: Entry::Parsed(super::switch::disable),
    },
    Command {
        path: &["telemetry", "verify"],
        summary: "Run the anonymity gate over heartbeats in files of JSON",
        about: "Heartbeats may be laid out in any way: one a line, over several lines, one behind the other, in an\n\
                array. Prints one verdict for each, named by the line that it begins on, which never holds a value:\n\
                in words on a terminal, as a line of JSON elsewhere. FILE may be - for standard input. Exit code 0\n\
                when every heartbeat is clean, 1 otherwise.",
        operands: Operands::Many("FILE|-"),
        options: &[Opt {
            long: "output",
            short: Some('o'),
            value: Some("FORMAT"),
            help: "table or json, wherever it is printed",
        }],
        data_dir: false,
        entry: Entry::Parsed(super::verify::run),
    },
    Command {
        path: &["telemetry", "send"],
        summary: "Send the heartbeat if it is due, and say what happened",
        about: "A running host does the same on its own, once a day.",
        operands: Operands::None,
        options: &[
            Opt {
                long: "now",
                short: None,
                value: None,
                help: "Also if it is not due or the last attempt failed; never without consent",
            },
            PRODUCT,
            ENDPOINT,
        ],
        data_dir: true,
        entry: SEND,
    },
    Command {
        path: &["telemetry", "reset-id"],
        summary: "Become a new install: new id, empty history",
        about: "Removes what was counted and the copies of what was sent, of one product alone: mcpproxy's own unless\n\
                --product names another.",
        operands: Operands::None,
        options: &[PRODUCT, ENDPOINT],
        data_dir: true,
        entry: Entry::Parsed(super::reset_id::run),
    },
    Command {
        path: &["telemetry", "forget"],
        summary: "Disable a product, and ask its collector to erase this install",
        about: "Then the id, what was counted and the copies of what was sent are gone here, as with reset-id. On\n\
                failure the product stays disabled and keeps its id, so that the command can be repeated. The\n\
                command is allowed under any objection: it asks to erase and sends nothing else.",
        operands: Operands::None,
        options: &[PRODUCT, ENDPOINT, OUTPUT],
        data_dir: true,
        entry: FORGET,
    },
    Command {
        path: &["telemetry", "schema"],
        summary: "Print the JSON Schema of the heartbeat",
        about: "Version 4 is sent; heartbeats of version 3 are still received and verified.",
        operands: Operands::None,
        options: &[Opt {
            long: "version",
            short: None,
            value: Some("VERSION"),
            help: "3 or 4 (default: 4)",
        }],
        data_dir: false,
        entry: Entry::Parsed(super::schema::run),
    },
    Command {
        path: &["uninstall"],
        summary: "Show what mcpproxy keeps on this machine, then remove it",
        about: "What was counted, ids, copies of what was sent, the entry that starts it at login, what `connect` wrote\n\
                into the files of MCP clients, and what was put aside there. Your own settings and the opt-out stay. On a\n\
                terminal it asks; elsewhere it removes nothing without --yes. Not while a host runs.",
        operands: Operands::None,
        options: &[
            Opt {
                long: "product",
                short: None,
                value: Some("NAME"),
                help: "What is kept of one product alone",
            },
            Opt {
                long: "forget",
                short: None,
                value: None,
                help: "First ask the collectors to erase what they received",
            },
            Opt {
                long: "with-opt-out",
                short: None,
                value: None,
                help: "Remove the opt-out of this data directory as well",
            },
            Opt { long: "yes", short: Some('y'), value: None, help: "Remove without asking" },
        ],
        data_dir: true,
        entry: Entry::Parsed(super::uninstall::run),
    },
    shell::DOCTOR,
    shell::EXPLAIN,
    shell::COMPLETIONS,
    shell::MAN,
    Command {
        path: &["help"],
        summary: "Show help",
        about: "",
        operands: Operands::Words("COMMAND"),
        options: &[],
        data_dir: false,
        entry: Entry::Parsed(super::help::run),
    },
]);

/// Takes the words from the commands that are compiled out, where nothing shows them: they are 10 KB.
const fn names_alone<const N: usize>(mut commands: [Command; N]) -> [Command; N] {
    let mut at = 0;
    while at < N {
        if let Entry::Needs(_) = commands[at].entry {
            commands[at].summary = "";
            commands[at].about = "";
            commands[at].options = &[];
        }
        at += 1;
    }
    commands
}

/// The command of exactly these words.
pub fn find(words: &[String]) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.path.iter().eq(words.iter()))
}

/// What may stand at the place of the word after `before`, compiled-out commands left out.
pub fn choices(before: &[String]) -> Vec<&'static str> {
    let mut found = Vec::new();
    for command in COMMANDS.iter().filter(|c| !matches!(c.entry, Entry::Needs(_))) {
        if let Some((word, start)) =
            command.path.get(before.len()).zip(command.path.get(..before.len()))
            && start.iter().eq(before.iter())
            && !found.contains(word)
        {
            found.push(word);
        }
    }
    found
}

/// The built commands whose words begin with those of `command`, itself left out.
pub fn below(command: &Command) -> impl Iterator<Item = &'static Command> {
    let path = command.path;
    let is_below =
        move |other: &&Command| other.path.len() > path.len() && other.path.starts_with(path);
    let built = COMMANDS.iter().filter(|c| !matches!(c.entry, Entry::Needs(_)));
    built.filter(is_below)
}

/// The command that `words` begin, when every such command is compiled out.
pub fn compiled_out(words: &[String]) -> Option<(&'static Command, &'static str)> {
    let mut begun = COMMANDS.iter().filter(|command| {
        command.path.get(..words.len()).is_some_and(|start| start.iter().eq(words.iter()))
    });
    let first = begun.next()?;
    match first.entry {
        Entry::Needs(feature) if begun.all(|c| matches!(c.entry, Entry::Needs(_))) => {
            Some((first, feature))
        }
        _ => None,
    }
}

/// The choice that `word` was probably meant to be.
pub fn nearest<'c>(word: &str, choices: &[&'c str]) -> Option<&'c str> {
    let best = choices.iter().map(|choice| (distance(word, choice), *choice)).min()?;
    (best.0 <= 1 + best.1.len() / 4).then_some(best.1)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(40).collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                if swapped { best.min(rows[i - 2][j - 2] + 1) } else { best }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_command_finds_its_neighbour_and_nonsense_finds_none() {
        let telemetry = choices(&["telemetry".to_owned()]);
        for (word, meant) in [
            ("stauts", Some("status")),
            ("disabel", Some("disable")),
            ("reset_id", Some("reset-id")),
            ("enabled", Some("enable")),
            ("xyz", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &telemetry), meant, "{word}");
        }
        assert_eq!(nearest("telemtry", &choices(&[])), Some("telemetry"));
    }

    #[test]
    fn no_command_repeats_an_option_and_every_group_is_described() {
        for (at, command) in COMMANDS.iter().enumerate() {
            assert!(COMMANDS[..at].iter().all(|c| c.path != command.path), "{:?}", command.path);
            let all: Vec<_> = command.options.iter().chain(GLOBAL).collect();
            for (at, option) in all.iter().enumerate() {
                let twice = |other: &&Opt| {
                    other.long == option.long
                        || (option.short.is_some() && other.short == option.short)
                };
                assert!(!all[..at].iter().any(twice), "{:?} --{}", command.path, option.long);
            }
            if let [group @ .., _] = command.path
                && !group.is_empty()
            {
                let is_command = COMMANDS.iter().any(|c| c.path == group);
                let group = group.join(" ");
                assert!(is_command || GROUPS.iter().any(|(name, _)| *name == group), "{group}");
            }
        }
    }
}
