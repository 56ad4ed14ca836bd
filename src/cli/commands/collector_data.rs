//! The part of the table that is about what leaves a collector, comes into it, and is told to stop.
//!
//! One rule: other builds do not carry these words; there, `collector` says which feature brings them.

use super::collector::DATABASE;
use super::{Command, Entry, OUTPUT, Operands, Opt};
use crate::cli::{collector_data, collector_erase};

const KEY_FILE: Opt = Opt {
    long: "key-file",
    short: None,
    value: Some("FILE"),
    help: "The key that ids are hashed with (default: $MCPPROXY_COLLECTOR_KEY, else collector.key)",
};

const PRODUCT: Opt = Opt {
    long: "product",
    short: None,
    value: Some("NAME"),
    help: "Of this product only (default: of all)",
};

pub(super) const FORGET: Command = Command {
    path: &["collector", "forget"],
    summary: "Erase the install of a user who asks for it",
    about: "Erases the install with this id and its days, of every product or of one, and stores nothing of it for 30\n\
            days. `-` reads the id from standard input, so that it stays out of the history of the shell. Works while\n\
            the collector runs.",
    operands: Operands::One("ID|-"),
    options: &[PRODUCT, KEY_FILE, DATABASE],
    data_dir: true,
    entry: Entry::Parsed(collector_erase::forget),
};

pub(super) const PURGE: Command = Command {
    path: &["collector", "purge"],
    summary: "Delete installs by the days on which they were first received",
    about: "Shows how many installs of which products are meant, and deletes them when that is confirmed. An install\n\
            that sends again is a new one. Works while the collector runs.\n\n  \
            mcpproxy collector purge --received 2026-11-01..2026-11-03 --reason flood",
    operands: Operands::None,
    options: &[
        DATABASE,
        Opt {
            long: "received",
            short: None,
            value: Some("DAYS"),
            help: "The UTC day of the first receipt, or the first and the last day: A..B",
        },
        Opt {
            long: "reason",
            short: None,
            value: Some("REASON"),
            help: "Only installs marked so: flood",
        },
        PRODUCT,
        Opt { long: "yes", short: Some('y'), value: None, help: "Do not ask" },
    ],
    data_dir: true,
    entry: Entry::Parsed(collector_erase::purge),
};

pub(super) const RETIRE: Command = Command {
    path: &["collector", "retire"],
    summary: "Tell one version of a product to stop sending",
    about: "Heartbeats of that version are answered with 410 and not stored; its installs stop for 28 days, and ask\n\
            once. A running collector follows at once.",
    operands: Operands::Two("PRODUCT", "VERSION"),
    options: &[DATABASE],
    data_dir: true,
    entry: Entry::Parsed(collector_erase::retire),
};

pub(super) const UNRETIRE: Command = Command {
    path: &["collector", "unretire"],
    summary: "Receive a retired version again",
    about: "Takes `collector retire` back. `collector product list` shows which versions are retired.",
    operands: Operands::Two("PRODUCT", "VERSION"),
    options: &[DATABASE],
    data_dir: true,
    entry: Entry::Parsed(collector_erase::unretire),
};

pub(super) const NOTE: Command = Command {
    path: &["collector", "note"],
    summary: "Mark a day on the charts",
    about: "A release, a post, an outage: the text stands beside the charts, with a mark in the week of the day.",
    operands: Operands::Two("DATE", "TEXT"),
    options: &[
        DATABASE,
        Opt {
            long: "remove",
            short: None,
            value: None,
            help: "Remove the note of this day and text",
        },
    ],
    data_dir: true,
    entry: Entry::Parsed(collector_data::note),
};

pub(super) const NOTES: Command = Command {
    path: &["collector", "notes"],
    summary: "Show the notes",
    about: "All notes, by day.",
    operands: Operands::None,
    options: &[DATABASE, OUTPUT],
    data_dir: true,
    entry: Entry::Parsed(collector_data::notes),
};

pub(super) const EXPORT: Command = Command {
    path: &["collector", "export"],
    summary: "Write every install as a line of JSON",
    about: "For a spreadsheet or a study: days, steps, versions and environments of each install, and nothing that leads\n\
            back to it. Works while the collector runs.",
    operands: Operands::One("FILE|-"),
    options: &[PRODUCT, DATABASE],
    data_dir: true,
    entry: Entry::Parsed(collector_data::export),
};

pub(super) const IMPORT: Command = Command {
    path: &["collector", "import"],
    summary: "Take in heartbeats with the times of their receipt",
    about: "JSON lines with `received` (seconds since 1970) and `body` (the heartbeat), in order of `received`. Each goes\n\
            through the same checks as if it were received; a line of a file is applied once, so an import that was\n\
            interrupted is repeated. Works while the collector runs.",
    operands: Operands::One("FILE|-"),
    options: &[KEY_FILE, DATABASE],
    data_dir: true,
    entry: Entry::Parsed(collector_data::import),
};
